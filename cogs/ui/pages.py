"""Paged lists with navigation buttons and a search.

A button's id holds the list, page and search, so that it works after a restart. The cog makes the content, and the
studio checks for each page whether the member may see it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import discord

from cogs.interactions import actor_of
from cogs.studio_bot import StudioBot
from cogs.ui import ids
from cogs.ui.base import SafeModal, guarded, persistent_view
from cogs.ui.ids import FromId
from errors import NotFound
from studio.studio import Studio
from studio.values import Actor

QUERY_LENGTH = 40
"""The longest search, in characters. With the list and the page, it must fit an id of 100 characters."""

_NAVIGATION_ROW = 4


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list. `number` counts from 1; `items` are the buttons and menus of the page.

    The items are dynamic items and leave the last row to the navigation.
    """

    embed: discord.Embed
    number: int
    pages: int
    searchable: bool = False
    items: tuple[discord.ui.Item[Any], ...] = ()


ListSource = Callable[[Studio, Actor, str, int], Awaitable[ListPage]]
"""Returns a page of the search results that the actor may see. Arguments: studio, actor, search, page number."""


@runtime_checkable
class ListProvider(Protocol):
    """A cog with lists."""

    lists: Mapping[str, ListSource]


async def open_list(interaction: discord.Interaction[StudioBot], list_name: str, query: str = "") -> None:
    """Answer a command with the first page, privately. Raises the studio's errors."""
    await interaction.response.defer(ephemeral=True, thinking=True)
    await _show(interaction, list_name, query, 1)


async def show_page(
    interaction: discord.Interaction[StudioBot], list_name: str, query: str = "", number: int = 1
) -> None:
    """Show another page, or update the current one, in the message of the interaction."""
    if not interaction.response.is_done():
        await interaction.response.defer()
    await _show(interaction, list_name, query, number)


async def _show(interaction: discord.Interaction[StudioBot], list_name: str, query: str, number: int) -> None:
    for cog in interaction.client.cogs.values():
        if isinstance(cog, ListProvider) and list_name in cog.lists:
            page = await cog.lists[list_name](interaction.client.studio, actor_of(interaction), query, number)
            await interaction.edit_original_response(embed=page.embed, view=page_view(page, list_name, query))
            return
    raise NotFound("I no longer have this list. Please use the command again.")


def page_view(page: ListPage, list_name: str, query: str) -> discord.ui.View:
    """Return the view of a page: its own items, then the navigation buttons that it needs."""
    items = list(page.items)
    if page.pages > 1:
        items.append(TurnPage(list_name, page.number - 1, query, "Previous", enabled=page.number > 1))
        items.append(TurnPage(list_name, page.number + 1, query, "Next", enabled=page.number < page.pages))
    if page.searchable and (query or page.pages > 1):
        items.append(OpenSearch(list_name, query))
    if query:
        items.append(ShowAll(list_name))
    return persistent_view(*items)


class TurnPage(
    FromId,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=rf"turn:(?P<list_name>[a-z-]{{1,16}}):{ids.count('number')}:(?P<query>(?s:.{{0,40}}))",
):
    """The button Previous or Next."""

    def __init__(self, list_name: str, number: int, query: str, label: str = "Next", *, enabled: bool = True) -> None:
        custom_id = f"turn:{list_name}:{number}:{query}"
        super().__init__(discord.ui.Button(label=label, custom_id=custom_id, disabled=not enabled, row=_NAVIGATION_ROW))
        self.list_name, self.number, self.query = list_name, number, query

    @guarded
    async def callback(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Show the page that the button names."""
        await show_page(interaction, self.list_name, self.query, self.number)


class ShowAll(
    FromId,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"all:(?P<list_name>[a-z-]{1,16})",
):
    """Clears the search."""

    def __init__(self, list_name: str) -> None:
        super().__init__(discord.ui.Button(label="Show all", custom_id=f"all:{list_name}", row=_NAVIGATION_ROW))
        self.list_name = list_name

    @guarded
    async def callback(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Show the first page of the whole list."""
        await show_page(interaction, self.list_name)


class OpenSearch(
    FromId,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"search:(?P<list_name>[a-z-]{1,16}):(?P<query>(?s:.{0,40}))",
):
    """Opens the search form."""

    def __init__(self, list_name: str, query: str) -> None:
        custom_id = f"search:{list_name}:{query}"
        super().__init__(discord.ui.Button(label="Search…", custom_id=custom_id, row=_NAVIGATION_ROW))
        self.list_name, self.query = list_name, query

    @guarded
    async def callback(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Open the form with the last search."""
        await interaction.response.send_modal(_SearchModal(self.list_name, self.query))


class _SearchModal(SafeModal, title="Search"):
    """Takes a search and shows its results in the message of the button."""

    def __init__(self, list_name: str, query: str) -> None:
        super().__init__()
        self._list_name = list_name
        self._words = discord.ui.TextInput[Any](
            custom_id="words", default=query, required=False, max_length=QUERY_LENGTH
        )
        self.add_item(discord.ui.Label[Any](text="Name, or part of it", component=self._words))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Show the first page of the results, or of the whole list for an empty search."""
        await show_page(interaction, self._list_name, self._words.value.strip())


PAGE_ITEMS = (TurnPage, ShowAll, OpenSearch)
"""The dynamic items to register with the bot."""
