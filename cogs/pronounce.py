"""/pronounce: a server's dictionary. Every member reads it, moderators change it, and it can be exported as a file."""

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from cogs.files import read_recording, send_privately
from cogs.interactions import actor_of, require_attachments, require_moderator
from cogs.options import CHOICE_LENGTH, Choice, choices_or_none
from cogs.studio_bot import StudioBot
from cogs.ui import pages
from cogs.ui.render import COLOUR, safe
from cogs.voices.render_library import count, place
from errors import InvalidInput
from storage.records import Pronunciation
from studio.pronunciations import MAX_FILE_BYTES, SAY_LENGTH, WORD_LENGTH
from studio.studio import Studio
from studio.values import Actor, Page

Interaction = discord.Interaction[StudioBot]

_LIST = "pronunciations"
_FILE = "pronunciations.json"


async def word_choices(interaction: discord.Interaction[Any], current: str) -> list[Choice]:
    """Return words of the dictionary that contain the typed text. Never raises; errors give no choices."""
    return await choices_or_none(_words(interaction, current))


async def _words(interaction: discord.Interaction[Any], typed: str) -> list[Choice]:
    entries = await interaction.client.studio.pronunciations.search(actor_of(interaction), typed)
    return [
        app_commands.Choice(name=f"{entry.word}: {entry.say}"[:CHOICE_LENGTH], value=entry.word) for entry in entries
    ]


async def _page(studio: Studio, actor: Actor, query: str, number: int) -> pages.ListPage:
    page = await studio.pronunciations.page(actor, query, number)
    return pages.ListPage(render_dictionary(page, query), page.number, page.pages, searchable=True)


def render_dictionary(page: Page[Pronunciation], query: str) -> discord.Embed:
    """Return one page of the dictionary."""
    embed = discord.Embed(title="How words are said here", colour=COLOUR)
    embed.description = "\n".join(map(_line, page.entries)) or (
        f"No word matches “{safe(query)}”." if query else "Nothing yet. Moderators add words with /pronounce add."
    )
    embed.set_footer(text=place(page.total, "word", page.number, page.pages, query))
    return embed


def _line(entry: Pronunciation) -> str:
    case = " (only with these capitals)" if entry.match_case else ""
    return f"**{safe(entry.word)}**{case}: {safe(entry.say)}"


class Pronounce(commands.GroupCog, group_name="pronounce", group_description="How words are said on this server"):
    """The commands of the dictionary. All replies are private."""

    def __init__(self, bot: StudioBot) -> None:
        self.bot = bot
        self.lists = {_LIST: _page}

    @app_commands.command(name="add", description="For moderators: decide how a word is said here")
    @app_commands.describe(
        word="The word, or a few, as people write it: SQL",
        say="How to say it, written as it sounds: sequel",
        match_case="Apply it only where the capitals match those that you typed",
    )
    @app_commands.check(require_moderator)
    async def add(
        self,
        interaction: Interaction,
        word: app_commands.Range[str, 1, WORD_LENGTH],
        say: app_commands.Range[str, 1, SAY_LENGTH],
        match_case: bool = False,
    ) -> None:
        """Add a word, or change it if it exists."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        service = self.bot.studio.pronunciations
        entry, known = await service.add(actor_of(interaction), word, say, match_case=match_case)
        done = "changed" if known else "added"
        await interaction.followup.send(f"The word was {done}. {_line(entry)}", ephemeral=True)

    @app_commands.command(name="remove", description="For moderators: remove a word; it is then said as it is written")
    @app_commands.describe(word="A word of the dictionary")
    @app_commands.autocomplete(word=word_choices)
    @app_commands.check(require_moderator)
    async def remove(self, interaction: Interaction, word: app_commands.Range[str, 1, CHOICE_LENGTH]) -> None:
        """Remove a word."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        entry = await self.bot.studio.pronunciations.remove(actor_of(interaction), word)
        await interaction.followup.send(f"**{safe(entry.word)}** was removed.", ephemeral=True)

    @app_commands.command(name="list", description="The words that this server says in its own way")
    @app_commands.describe(search="A word, or part of one")
    async def list_(
        self, interaction: Interaction, search: app_commands.Range[str, 1, pages.QUERY_LENGTH] | None = None
    ) -> None:
        """Show the first page."""
        await pages.open_list(interaction, _LIST, (search or "").strip())

    @app_commands.command(name="export", description="The whole dictionary as a file, for another server")
    async def export(self, interaction: Interaction) -> None:
        """Send the dictionary as JSON."""
        actor = actor_of(interaction)
        require_attachments(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        data = await self.bot.studio.pronunciations.export(actor)
        await send_privately(
            interaction,
            "To use these words on another server, import the file there with /pronounce import.",
            _FILE,
            data,
        )

    @app_commands.command(name="import", description="For moderators: add the words of a file to the dictionary")
    @app_commands.describe(file="A dictionary, as /pronounce export writes it")
    @app_commands.check(require_moderator)
    async def import_(self, interaction: Interaction, file: discord.Attachment) -> None:
        """Import all words of a file, or none."""
        actor = actor_of(interaction)
        if not 0 < file.size <= MAX_FILE_BYTES:
            raise InvalidInput(
                f"That file is empty or too large. A dictionary has at most {MAX_FILE_BYTES // 1024} KiB."
            )
        await interaction.response.defer(ephemeral=True, thinking=True)
        since = await self.bot.studio.storage.erasures.latest(actor.guild_id)
        new, known = await self.bot.studio.pronunciations.import_(actor, await read_recording(file), since=since)
        await interaction.followup.send(f"{count(new, 'word')} added, {known} changed.", ephemeral=True)
