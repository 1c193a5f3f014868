"""Paged lists with navigation buttons and a search.

A button's id holds the list, page and search, so that it works after a restart. The cog makes the content, and the
studio checks at each turn who may see it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import discord

from cogs.checks import actor_of
from cogs.studio_bot import StudioBot
from cogs.ui import ids
from cogs.ui.base import SafeModal, guarded, persistent_view
from cogs.ui.ids import FromId
from errors import NotFound
from studio.studio import Studio
from studio.values import Actor

QUERY_LENGTH = 40
"""The longest search, in characters. It is part of ids of at most 100 characters, with the list and the page."""

_NAVIGATION_ROW = 4


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page of a list. `number` counts from 1; `items` are the buttons and menus of the page.

    The items work from their ids, and leave the last row to the navigation.
    """

    embed: discord.Embed
    number: int
    pages: int
    searchable: bool = False
    items: tuple[discord.ui.Item[Any], ...] = ()


Book = Callable[[Studio, Actor, str, int], Awaitable[Sheet]]
"""Returns the page with this number of the search results, as this actor may see it."""


@runtime_checkable
class Bookcase(Protocol):
    """A cog with lists."""

    books: Mapping[str, Book]


async def open_book(interaction: discord.Interaction[StudioBot], book: str, query: str = "") -> None:
    """Answer a command with the first page, privately. Raises the studio's errors."""
    await interaction.response.defer(ephemeral=True, thinking=True)
    await _show(interaction, book, query, 1)


async def turn(interaction: discord.Interaction[StudioBot], book: str, query: str = "", number: int = 1) -> None:
    """Show another page, or update the current one, in the message of the interaction."""
    if not interaction.response.is_done():
        await interaction.response.defer()
    await _show(interaction, book, query, number)


async def _show(interaction: discord.Interaction[StudioBot], book: str, query: str, number: int) -> None:
    for cog in interaction.client.cogs.values():
        if isinstance(cog, Bookcase) and book in cog.books:
            sheet = await cog.books[book](interaction.client.studio, actor_of(interaction), query, number)
            await interaction.edit_original_response(embed=sheet.embed, view=page_view(sheet, book, query))
            return
    raise NotFound("This list is no longer offered. Please use the command again.")


def page_view(sheet: Sheet, book: str, query: str) -> discord.ui.View:
    """Return the view of a page: its own items, then the navigation that applies."""
    items = list(sheet.items)
    if sheet.pages > 1:
        items.append(TurnPage(book, sheet.number - 1, query, "Previous", enabled=sheet.number > 1))
        items.append(TurnPage(book, sheet.number + 1, query, "Next", enabled=sheet.number < sheet.pages))
    if sheet.searchable and (query or sheet.pages > 1):
        items.append(OpenSearch(book, query))
    if query:
        items.append(ShowAll(book))
    return persistent_view(*items)


class TurnPage(
    FromId,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=rf"turn:(?P<book>[a-z-]{{1,16}}):{ids.count('number')}:(?P<query>(?s:.{{0,40}}))",
):
    """Previous or Next."""

    def __init__(self, book: str, number: int, query: str, label: str = "Next", *, enabled: bool = True) -> None:
        custom_id = f"turn:{book}:{number}:{query}"
        super().__init__(discord.ui.Button(label=label, custom_id=custom_id, disabled=not enabled, row=_NAVIGATION_ROW))
        self.book, self.number, self.query = book, number, query

    @guarded
    async def callback(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Show the page that the button names."""
        await turn(interaction, self.book, self.query, self.number)


class ShowAll(
    FromId,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"all:(?P<book>[a-z-]{1,16})",
):
    """Clears the search."""

    def __init__(self, book: str) -> None:
        super().__init__(discord.ui.Button(label="Show all", custom_id=f"all:{book}", row=_NAVIGATION_ROW))
        self.book = book

    @guarded
    async def callback(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Show the first page of the whole list."""
        await turn(interaction, self.book)


class OpenSearch(
    FromId,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"search:(?P<book>[a-z-]{1,16}):(?P<query>(?s:.{0,40}))",
):
    """Opens the search form."""

    def __init__(self, book: str, query: str) -> None:
        custom_id = f"search:{book}:{query}"
        super().__init__(discord.ui.Button(label="Search…", custom_id=custom_id, row=_NAVIGATION_ROW))
        self.book, self.query = book, query

    @guarded
    async def callback(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Open the form with the last search."""
        await interaction.response.send_modal(_SearchModal(self.book, self.query))


class _SearchModal(SafeModal, title="Search"):
    """Takes a search and shows its results in the message of the button."""

    def __init__(self, book: str, query: str) -> None:
        super().__init__()
        self._book = book
        self._words = discord.ui.TextInput[Any](
            custom_id="words", default=query, required=False, max_length=QUERY_LENGTH
        )
        self.add_item(discord.ui.Label[Any](text="Name, or part of it", component=self._words))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Show the first page of the results, or of the whole list for an empty search."""
        await turn(interaction, self._book, self._words.value.strip())


PAGE_ITEMS = (TurnPage, ShowAll, OpenSearch)
"""The dynamic items to register with the bot."""
