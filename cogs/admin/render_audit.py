"""Renders the audit log: each line says who did what to what. Pure functions of values.

The studio writes action names with a target and a detail; unknown actions are shown as written.
"""

import re
from collections.abc import Callable

import discord

from cogs.admin.audit_filter import KINDS
from cogs.ui.render import COLOUR, safe, when
from cogs.voices.render_library import AUDIENCES, place
from storage.records import AuditEntry, AuditQuery
from studio.values import Page

_IDS_LISTED = 4
"""The most roles or channels shown on each side of a change, so that ten lines fit an embed."""
_WORDS = 100
_DETAIL = 160

SETTINGS = {
    "clone_role_ids": "who may clone",
    "speak_role_ids": "who may speak",
    "channel_ids": "where voices may be used",
    "voices_per_member": "voices per member",
    "voices_per_guild": "voices in all",
    "jobs_per_hour_per_member": "jobs per hour and member",
    "jobs_per_hour_per_guild": "jobs per hour in all",
    "seconds_per_day_per_member": "seconds of audio per day and member",
    "seconds_per_day_per_guild": "seconds of audio per day in all",
    "text_length": "the longest text",
    "retention_days": "days for which texts and jobs are kept",
    "consent": "how members agree to a clone",
    "away_days": "days for which voices stay usable after their owner left",
    "read_length": "characters of a message that are read aloud",
    "read_per_minute": "messages read aloud per minute and member",
    "read_names": "whether the author is named when a message is read aloud",
    "read_ignored_role_ids": "roles whose messages are not read aloud",
    "default_voice": "the default voice",
    "channel_output": "how lines in a voice channel are answered",
    "channel_idle_minutes": "idle minutes before I leave a voice channel",
    "channel_notice": "the spoken notice in voice channels",
}
"""The fields of GuildSettings in words for moderators."""
_MENTIONS = {
    "clone_role_ids": ("<@&{}>", "everyone"),
    "speak_role_ids": ("<@&{}>", "everyone"),
    "channel_ids": ("<#{}>", "every channel"),
    "read_ignored_role_ids": ("<@&{}>", "none"),
}
"""How ids are shown, and the text for none."""
_SHORTCOMINGS = {
    "words": "it does not say the sentence",
    "voice": "it is not the voice of the clip",
    "mark": "it is generated speech",
}
"""Why a spoken consent did not count -> its words."""
_IDS = re.compile(r"\d{1,20}(?:, \d{1,20})*")
_OF_MEMBER = re.compile(r"of (\d{1,20})")


def render_audit(page: Page[AuditEntry], query: AuditQuery | None = None) -> discord.Embed:
    """Return one page of the audit log, newest first, with the filters above it."""
    embed = discord.Embed(title="Audit log of this server", colour=COLOUR)
    asked = "" if query is None else _asked(query)
    nothing = "No lines match." if asked else "No lines yet."
    lines = "\n".join(_line(entry) for entry in page.entries) or nothing
    embed.description = f"Only {asked}:\n{lines}" if asked else lines
    embed.set_footer(text=place(page.total, "line", page.number, page.pages))
    return embed


def _asked(query: AuditQuery) -> str:
    parts = [name for name, actions in KINDS.values() if actions == query.actions]
    if query.member_id is not None:
        parts.append(f"<@{query.member_id}>")
    if query.target is not None:
        parts.append(f"**{safe(query.target, _WORDS)}**")
    return " · ".join(parts)


def _line(entry: AuditEntry) -> str:
    words = SENTENCES.get(entry.action, _as_written)(entry)
    return f"{when(entry.at)} <@{entry.actor_id}> {words}"


def _as_written(entry: AuditEntry) -> str:
    parts = (safe(entry.action, 60), safe(entry.target, _WORDS), safe(entry.detail, _DETAIL))
    return " · ".join(part for part in parts if part)


def _setting(entry: AuditEntry) -> str:
    before, _, after = entry.detail.partition(" to ")
    name = SETTINGS.get(entry.target, safe(entry.target, _WORDS))
    return f"changed **{name}** from {_value(entry.target, before)} to {_value(entry.target, after)}"


def _value(field: str, written: str) -> str:
    if field not in _MENTIONS:
        return safe(written, _WORDS)
    mention, nobody = _MENTIONS[field]
    if not _IDS.fullmatch(written):
        return nobody
    ids = written.split(", ")
    more = len(ids) - _IDS_LISTED
    return " ".join(map(mention.format, ids[:_IDS_LISTED])) + (f" and {more} more" if more > 0 else "")


def _with_target(verb: str) -> Callable[[AuditEntry], str]:
    """Return a renderer for an action on something with a name."""
    return lambda entry: f"{verb} **{safe(entry.target, _WORDS)}**"


def _with_member(before: str, after: str = "", alone: str = "") -> Callable[[AuditEntry], str]:
    """Return a renderer for an action on a member; `alone` is used if none is named."""

    def words(entry: AuditEntry) -> str:
        named = f"{before} {_member(entry.target)}{after}" if entry.target else alone
        return f"{named}: {safe(entry.detail, _DETAIL)}" if entry.detail else named

    return words


def _with_channel(verb: str) -> Callable[[AuditEntry], str]:
    """Return a renderer for an action on a channel."""
    return lambda entry: f"{verb} {_channel(entry.target)}"


def _channel(written: str) -> str:
    return f"<#{written}>" if written.isdecimal() else safe(written, _WORDS)


def _member(written: str) -> str:
    return f"<@{written}>" if written.isdecimal() else safe(written, _WORDS)


def _cloned(entry: AuditEntry) -> str:
    consent = f" ({safe(entry.detail, _DETAIL)})" if entry.detail else ""
    return f"began to clone the voice **{safe(entry.target, _WORDS)}**{consent}"


def _unheard(entry: AuditEntry) -> str:
    missing = _SHORTCOMINGS.get(entry.detail, safe(entry.detail, _DETAIL))
    return f"sent a recording that does not count as spoken consent: {missing}"


def _renamed(entry: AuditEntry) -> str:
    return f"renamed the voice **{safe(entry.target, _WORDS)}**, {safe(entry.detail, _DETAIL)}"


def _shared(entry: AuditEntry) -> str:
    audiences = {visibility.value: words for visibility, words in AUDIENCES.items()}
    audience = audiences.get(entry.detail, safe(entry.detail, _DETAIL))
    return f"let {audience} use the voice **{safe(entry.target, _WORDS)}**"


def _server_voice(entry: AuditEntry) -> str:
    if not entry.target:
        return "removed the server's default voice"
    return f"made **{safe(entry.target, _WORDS)}** the server's default voice"


def _pronounced(entry: AuditEntry) -> str:
    return f"set **{safe(entry.target, _WORDS)}** to be pronounced “{safe(entry.detail, _DETAIL)}”"


def _cancelled(entry: AuditEntry) -> str:
    owner = _OF_MEMBER.fullmatch(entry.detail)
    if owner is None or int(owner[1]) == entry.actor_id:
        return "cancelled a job of their own"
    return f"cancelled a job of <@{owner[1]}>"


def _purged(entry: AuditEntry) -> str:
    return f"deleted {safe(entry.target, _WORDS)} {safe(entry.detail, _DETAIL)}"


def _plain(words: str) -> Callable[[AuditEntry], str]:
    """Return a renderer for an action without an object."""
    return lambda _: words


SENTENCES: dict[str, Callable[[AuditEntry], str]] = {
    "settings.change": _setting,
    "settings.voice": _server_voice,
    "member.block": _with_member("blocked"),
    "member.unblock": _with_member("unblocked"),
    "purge": _purged,
    "job.cancel": _cancelled,
    "speech.say": _with_target("spoke as"),
    "speech.repeat": _with_target("repeated speech as"),
    "speech.read": _with_target("had a message read aloud as"),
    "reading.start": _with_channel("started reading aloud in"),
    "reading.stop": _with_channel("stopped reading aloud in"),
    "reading.ignore": _with_member("stopped reading aloud for"),
    "reading.heed": _with_member("resumed reading aloud for"),
    "speech.discard": _plain("deleted a recording of speech"),
    "pronunciation.add": _pronounced,
    "pronunciation.remove": _with_target("removed a word from the dictionary:"),
    "pronunciation.import": _with_target("imported a dictionary; words:"),
    "channel.join": _with_channel("asked me into"),
    "channel.leave": _with_channel("sent me away from"),
    "voice.clone": _cloned,
    "voice.import": _with_target("imported the voice"),
    "voice.export": _with_target("exported the voice"),
    "voice.rename": _renamed,
    "voice.describe": _with_target("described the voice"),
    "voice.share": _shared,
    "voice.delete": _with_target("deleted the voice"),
    "consent.revoke": _plain("withdrew their consent to cloning"),
    "consent.ask": _with_member("asked", " whether their voice may be cloned"),
    "consent.withdraw": _with_member("no longer allows", " to clone their voice"),
    "consent.allow": _with_member("allowed", " to clone their voice"),
    "consent.deny": _with_member("did not allow", " to clone their voice"),
    "consent.fail": _unheard,
    "consent.expire": _plain("got no answer to a consent request in time"),
    "privacy.export": _plain("exported their own data"),
    "privacy.forget": _with_member("deleted all data of", alone="deleted all data about themselves"),
}
"""Action written by the studio -> its renderer."""
