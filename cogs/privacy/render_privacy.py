"""Renders what is stored about a member, and the questions before it is deleted. Pure functions of values."""

import discord

from cogs.ui.render import COLOUR, safe, when
from cogs.voices.render_library import count
from storage.records import VoiceRecord
from studio.values import Erased, PrivacySummary

HERE = "on this server"
EVERYWHERE = "on all servers"

_NAMES_LISTED = 14
_NAMES_IN_QUESTION = 25
_NAMES_IN_OVERVIEW = 3
_SERVERS_LISTED = 7
"""With three names of each kind, seven servers fit the 6,000 characters of an embed."""
_SERVER_NAME = 60


def render_overview(places: list[tuple[str, PrivacySummary]]) -> discord.Embed:
    """Return what is stored about the member on each server, by the servers' names."""
    embed = discord.Embed(title="What I store about you", colour=COLOUR)
    for name, summary in places[:_SERVERS_LISTED]:
        embed.add_field(name=safe(name, _SERVER_NAME), value=_in_short(summary), inline=False)
    if not places:
        embed.description = "Nothing, on any server."
    elif (more := len(places) - _SERVERS_LISTED) > 0:
        embed.description = f"And on {count(more, 'more server')}: `/privacy export` has them all."
    embed.set_footer(
        text="The option `server` of /privacy show, export and forget chooses one; without it, here, they mean all"
    )
    return embed


def _in_short(summary: PrivacySummary) -> str:
    lines = [
        f"Consent to cloning: {_consent(summary)}",
        f"Voices you own: {_names(summary.owned, _NAMES_IN_OVERVIEW)}",
        f"Clones and speech: {summary.jobs} · Requests to clone a voice: {summary.requests} · "
        f"Lines in the audit log: {summary.audit_lines}",
    ]
    if summary.heard_in:
        lines.insert(2, f"Other members' voices made from your speech: {_names(summary.heard_in, _NAMES_IN_OVERVIEW)}")
    if summary.blocked:
        lines.append("A moderator has blocked you from using voices.")
    return "\n".join(lines)


def render_privacy(summary: PrivacySummary, where: str = HERE) -> discord.Embed:
    """Return what one server stores about the member. `where`: "on this server", or "on" with its name."""
    embed = discord.Embed(title=f"What I store about you {where}", colour=COLOUR)
    embed.add_field(name="Your consent to cloning", value=_consent(summary), inline=False)
    embed.add_field(name="Voices you own", value=_names(summary.owned), inline=False)
    embed.add_field(name="Other members' voices made from your speech", value=_names(summary.heard_in), inline=False)
    embed.add_field(name="Default voice", value=_default(summary))
    embed.add_field(
        name="Clones and speech",
        value=f"{summary.jobs}, with their texts; each is deleted after {summary.retention_days} days",
    )
    embed.add_field(name="Requests to clone a voice", value=str(summary.requests))
    embed.add_field(name="Lines in the audit log", value=str(summary.audit_lines))
    if summary.spoken:
        embed.add_field(name="Sentences of spoken consent", value=str(summary.spoken))
    if summary.blocked:
        embed.add_field(name="Blocked", value="A moderator has blocked you from using voices.", inline=False)
    if summary.unread:
        embed.add_field(name="Reading aloud", value="You do not want your messages read (`/read me`).", inline=False)
    if summary.ignored:
        embed.add_field(name="Not read aloud", value="Moderators do not have your messages read.", inline=False)
    embed.set_footer(text="/privacy export gives you all of it as a file · /privacy forget deletes it")
    return embed


def _default(summary: PrivacySummary) -> str:
    """Without the member's roles, as in direct messages, a voice may be chosen that must not be named."""
    if summary.default_voice is not None:
        return safe(summary.default_voice.name)
    return "one is chosen" if summary.has_default else "none"


def _consent(summary: PrivacySummary) -> str:
    given = []
    if summary.consent is not None:
        given.append(f"given {when(summary.consent.given_at)}, version {summary.consent.policy_version} of the text")
    if summary.allowed:
        given.append(f"you allowed another member's request for one recording: {summary.allowed}")
    return " · ".join(given) or "not given"


def _names(records: tuple[VoiceRecord, ...], listed: int = _NAMES_LISTED) -> str:
    names = [safe(record.name) for record in records[:listed]]
    more = len(records) - len(names)
    return (", ".join(names) or "none") + (f" and {more} more" if more > 0 else "")


def render_revoke_question(summary: PrivacySummary, where: str = HERE) -> discord.Embed:
    """Return the question before consent is withdrawn, with every voice of the member there."""
    own = tuple(record for record in summary.owned if record.speaker_id == record.owner_id)
    heard = (*own, *summary.heard_in)
    one = (
        " To delete only one of them, use `/voices delete`, or *Take it back* in the message in which you allowed it."
        if len(heard) > 1
        else ""
    )
    return discord.Embed(
        title=f"Withdraw your consent {where}?",
        description=(
            "Every voice made from your speech is deleted, with its recording and prompt: "
            f"{_names(heard, _NAMES_IN_QUESTION)}. Queued clones of your voice are cancelled. I'll ask you again "
            f"before the next one.{one}"
        ),
        colour=discord.Colour.red(),
    )


def render_revoked(erased: Erased) -> str:
    """Return what the withdrawal deleted."""
    return f"Your consent is withdrawn. Deleted with it: {count(erased.voices, 'voice')} made from your speech."


def render_forget_question(summary: PrivacySummary, where: str = HERE) -> discord.Embed:
    """Return the question before all data are deleted: what is deleted, and what stays."""
    gone = [
        f"• voices you own, with recordings and prompts: {_names(summary.owned, _NAMES_IN_QUESTION)}",
        f"• other members' voices made from your speech: {_names(summary.heard_in, _NAMES_IN_QUESTION)}",
        f"• clones and speech with their texts: {summary.jobs}; queued ones are cancelled",
        f"• requests to clone a voice: {summary.requests - summary.refusals}",
        "• your consent, with what you said for it, and your default voice",
    ]
    stays = ["• what was already posted in channels: delete those messages yourself or ask a moderator"]
    if summary.audit_lines:
        lines = count(summary.audit_lines, "line")
        stays.append(f"• {lines} of the moderators' audit log, without texts or recordings")
    if summary.jobs:
        stays.append("• how much you used today, without content, for a day, because of the limits")
    if summary.refusals:
        stays.append(f"• requests for a voice that were refused: {summary.refusals}")
    if summary.blocked:
        stays.append("• that a moderator has blocked you: otherwise this would lift the block")
    if summary.unread or summary.ignored:
        stays.append("• that your messages are not read aloud: otherwise they would be")
    embed = discord.Embed(
        title=f"Delete everything about you {where}?",
        description="\n".join(["**This is deleted for good**", *gone]),
        colour=discord.Colour.red(),
    )
    embed.add_field(name="This stays", value="\n".join(stays), inline=False)
    embed.set_footer(text="Use /privacy export first if you want a copy.")
    return embed


def render_forgotten(erased: Erased) -> str:
    """Return what was deleted."""
    what = f"{count(erased.voices, 'voice')} and {count(erased.jobs, 'job')}"
    sentence = f"Done: {what} were deleted, and your consent with them."
    return f"{sentence} The moderators' block stays." if erased.block_kept else sentence
