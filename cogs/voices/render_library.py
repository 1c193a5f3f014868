"""Renders the library and a member's stored data as embeds. Pure functions of values."""

import discord

from cloning.text.splitting import LANGUAGES
from cogs.ui.render import COLOUR, render_card, safe, when
from storage.records import Visibility, VoiceRecord
from studio.values import Erased, Page, PrivacySummary, Voice

_DESCRIPTION = 80
_NAMES_LISTED = 14
_NAMES_IN_QUESTION = 25
_CHOSEN_LISTED = 20

AUDIENCES = {
    Visibility.OWNER: "only the owner",
    Visibility.CHOSEN: "chosen members and roles",
    Visibility.EVERYONE: "everyone",
}


def count(number: int, noun: str) -> str:
    """Return "1 voice", "2 voices"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def language_name(code: str) -> str:
    """Return the English name of a language of Bark."""
    return LANGUAGES.get(code, safe(code))


def render_voices(
    page: Page, query: str, default: Voice | None = None, server_voice: Voice | None = None
) -> discord.Embed:
    """Return one page of voices, with marks for the reader's voice and the server's default."""
    embed = discord.Embed(title="Voices of this server", colour=COLOUR)
    marks: dict[str, str] = {}
    footer = [place(page.total, "voice", page.number, page.pages, query)]
    if server_voice is not None:
        marks[server_voice.key] = "📌 "
        footer.append("📌 the server's default")
    if default is not None:
        marks[default.key] = "⭐ " + marks.get(default.key, "")
        footer.append("⭐ speaks when you name no voice")
    lines = [f"{marks.get(voice.key, '')}{_voice_line(voice)}" for voice in page.voices]
    embed.description = "\n".join(lines) or _nothing_found(query)
    embed.set_footer(text=" · ".join(footer))
    return embed


def _voice_line(voice: Voice) -> str:
    if voice.record is None:
        return f"**{safe(voice.name)}** · built into the model"
    record = voice.record
    line = (
        f"**{safe(voice.name)}** · {language_name(record.language)} · <@{record.owner_id}> · "
        f"{AUDIENCES[record.visibility]}"
    )
    return f"{line}\n> {safe(record.description, _DESCRIPTION)}" if record.description else line


def _nothing_found(query: str) -> str:
    if query:
        return f"No voice matches “{safe(query)}”."
    return "There are no voices yet. Make the first one with /clone."


def place(total: int, noun: str, number: int, pages: int, query: str = "") -> str:
    """Return "12 voices · page 1 of 2", for a footer, where Discord shows markdown literally."""
    parts = [count(total, noun)]
    if query:
        parts.append(f"search: {query}")
    if pages > 1:
        parts.append(f"page {number} of {pages}")
    return " · ".join(parts)


def render_voice(voice: Voice) -> discord.Embed:
    """Return all details of one voice."""
    if voice.record is None:
        return discord.Embed(
            title=f"🎤 {safe(voice.name)}",
            description="A speaker that is built into the model. Everyone can use it.",
            colour=COLOUR,
        )
    record = voice.record
    embed = render_card(record)
    embed.title = f"🎤 {safe(record.name)}"
    embed.add_field(name="Who may use it", value=_audience(record), inline=False)
    embed.add_field(name="Made", value=when(record.created_at))
    if record.model is not None:
        embed.add_field(name="Made with", value=safe(f"{record.model}, {record.quantizer}", 500))
    return embed


def _audience(record: VoiceRecord) -> str:
    if record.visibility is not Visibility.CHOSEN:
        return AUDIENCES[record.visibility].capitalize()
    return (
        f"The owner, {_chosen(record)}" if record.member_ids or record.role_ids else "The owner; no one else chosen yet"
    )


def _chosen(record: VoiceRecord) -> str:
    names = [f"<@&{role_id}>" for role_id in sorted(record.role_ids)]
    names += [f"<@{member_id}>" for member_id in sorted(record.member_ids)]
    more = len(names) - _CHOSEN_LISTED
    return ", ".join(names[:_CHOSEN_LISTED]) + (f" and {more} more" if more > 0 else "")


def render_sharing(record: VoiceRecord) -> discord.Embed:
    """Return who may use a voice, for above the menus that change it."""
    embed = discord.Embed(title=f"Sharing “{safe(record.name)}”", colour=COLOUR)
    embed.add_field(name="Who may use it", value=_audience(record), inline=False)
    if record.visibility is Visibility.CHOSEN:
        embed.set_footer(text="Choices are saved immediately and replace the earlier ones.")
    else:
        embed.set_footer(text="Nothing changes until you choose members or roles below.")
    return embed


def render_shared(record: VoiceRecord) -> str:
    """Return what was decided, in a sentence."""
    who = "Only its owner" if record.visibility is Visibility.OWNER else "Everyone on this server"
    return f"{who} can now use **{safe(record.name)}**."


def render_default(voice: Voice | None, *, changed: bool) -> str:
    """Return which voice speaks when the member names none."""
    if voice is None:
        return "You have no voice yet. Make one with /clone, or choose one with /voices default."
    if changed:
        return f"**{safe(voice.name)}** is now your default voice."
    return f"**{safe(voice.name)}** speaks when you name no voice."


def render_described(record: VoiceRecord) -> str:
    """Return the new description of a voice, in a sentence."""
    if not record.description:
        return f"**{safe(record.name)}** now has no description."
    return f"**{safe(record.name)}** is now described as: {safe(record.description)}"


def render_imported(record: VoiceRecord) -> str:
    """Return what to do with an imported voice."""
    return f"**{safe(record.name)}** was imported. Try it with /say. Only you can use it until you share it."


def render_delete_question(record: VoiceRecord) -> discord.Embed:
    """Return the question before a voice is deleted."""
    return discord.Embed(
        title=f"Delete “{safe(record.name)}”?",
        description=(
            f"The voice of <@{record.owner_id}>, its reference recording and its prompt are deleted for good, and "
            "queued speech with it is cancelled. What was already posted stays in its channel."
        ),
        colour=discord.Colour.red(),
    )


def render_privacy(summary: PrivacySummary) -> discord.Embed:
    """Return what this server stores about the member."""
    embed = discord.Embed(title="What I store about you on this server", colour=COLOUR)
    embed.add_field(name="Your consent to cloning", value=_consent(summary), inline=False)
    embed.add_field(name="Voices you own", value=_names(summary.owned), inline=False)
    embed.add_field(name="Other members' voices made from your speech", value=_names(summary.heard_in), inline=False)
    default = "none" if summary.default_voice is None else safe(summary.default_voice.name)
    embed.add_field(name="Default voice", value=default)
    embed.add_field(
        name="Clones and speech",
        value=f"{summary.jobs}, with their texts; each is deleted after {summary.retention_days} days",
    )
    embed.add_field(name="Requests to clone a voice", value=str(summary.requests))
    embed.add_field(name="Lines in the audit log", value=str(summary.audit_lines))
    if summary.blocked:
        embed.add_field(name="Blocked", value="A moderator has blocked you from using voices.", inline=False)
    if summary.unread:
        embed.add_field(name="Reading aloud", value="You do not want your messages read (`/read me`).", inline=False)
    if summary.ignored:
        embed.add_field(name="Not read aloud", value="Moderators do not have your messages read.", inline=False)
    embed.set_footer(text="/privacy export gives you all of it as a file · /privacy forget deletes it")
    return embed


def _consent(summary: PrivacySummary) -> str:
    if summary.consent is None:
        return "not given"
    return f"given {when(summary.consent.given_at)}, version {summary.consent.policy_version} of the text"


def _names(records: tuple[VoiceRecord, ...], listed: int = _NAMES_LISTED) -> str:
    names = [safe(record.name) for record in records[:listed]]
    more = len(records) - len(names)
    return (", ".join(names) or "none") + (f" and {more} more" if more > 0 else "")


def render_revoke_question(summary: PrivacySummary) -> discord.Embed:
    """Return the question before consent is withdrawn, with every voice of the member."""
    own = tuple(record for record in summary.owned if record.speaker_id == record.owner_id)
    return discord.Embed(
        title="Withdraw your consent?",
        description=(
            "Every voice made from your speech is deleted, with its recording and prompt: "
            f"{_names((*own, *summary.heard_in), _NAMES_IN_QUESTION)}. Queued clones of your voice are "
            "cancelled. I'll ask you again before the next one."
        ),
        colour=discord.Colour.red(),
    )


def render_revoked(erased: Erased) -> str:
    """Return what the withdrawal deleted."""
    return f"Your consent is withdrawn. Deleted with it: {count(erased.voices, 'voice')} made from your speech."


def render_forget_question(summary: PrivacySummary) -> discord.Embed:
    """Return the question before all data are deleted: what is deleted, and what stays."""
    gone = [
        f"• voices you own, with recordings and prompts: {_names(summary.owned, _NAMES_IN_QUESTION)}",
        f"• other members' voices made from your speech: {_names(summary.heard_in, _NAMES_IN_QUESTION)}",
        f"• clones and speech with their texts: {summary.jobs}; queued ones are cancelled",
        f"• requests to clone a voice: {summary.requests - summary.refusals}",
        "• your consent and your default voice",
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
        title="Delete everything about you on this server?",
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
