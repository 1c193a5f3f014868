"""Renders the library as embeds. Pure functions of values."""

import discord

from cloning.text.splitting import LANGUAGES
from cogs.ui.render import COLOUR, render_card, safe, when
from storage.records import Visibility, VoiceRecord
from studio.values import Page, Voice

_DESCRIPTION = 80
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
    page: Page[Voice], query: str, default: Voice | None = None, server_voice: Voice | None = None
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
    lines = [f"{marks.get(voice.key, '')}{_voice_line(voice)}" for voice in page.entries]
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
    """Return the embed above the menus of sharing: who may use the voice now."""
    embed = discord.Embed(title=f"Sharing “{safe(record.name)}”", colour=COLOUR)
    embed.add_field(name="Who may use it", value=_audience(record), inline=False)
    if record.visibility is Visibility.CHOSEN:
        embed.set_footer(text="Choices are saved immediately and replace the earlier ones.")
    else:
        embed.set_footer(text="Nothing changes until you choose members or roles below.")
    return embed


def render_shared(record: VoiceRecord) -> str:
    """Return the sentence that confirms who may use a voice."""
    who = "Only its owner" if record.visibility is Visibility.OWNER else "Everyone on this server"
    return f"{who} can now use **{safe(record.name)}**."


def render_default(voice: Voice | None, *, changed: bool) -> str:
    """Return the sentence about the voice that speaks when the member names none."""
    if voice is None:
        return "You have no voice yet. Make one with /clone, or choose one with /voices default."
    if changed:
        return f"**{safe(voice.name)}** is now your default voice."
    return f"**{safe(voice.name)}** speaks when you name no voice."


def render_described(record: VoiceRecord) -> str:
    """Return the sentence that confirms the new description of a voice."""
    if not record.description:
        return f"**{safe(record.name)}** now has no description."
    return f"**{safe(record.name)}** is now described as: {safe(record.description)}"


def render_imported(record: VoiceRecord) -> str:
    """Return the sentence that confirms an import, and what to do next."""
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
