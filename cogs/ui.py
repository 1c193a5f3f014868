"""What every button, view and modal of Barkeep has in common: a fault in a press becomes a sentence for the presser."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, TypeVar

import discord

from cogs.faults import answer_fault

S = TypeVar("S")

Press = Callable[[S, discord.Interaction[Any]], Coroutine[Any, Any, None]]


def guarded(callback: Press[S]) -> Press[S]:
    """For the `callback` of a dynamic item: discord.py would log its faults and leave the member waiting."""

    @wraps(callback)
    async def press(self: S, interaction: discord.Interaction[Any]) -> None:
        try:
            await callback(self, interaction)
        except Exception as fault:
            await answer_fault(interaction, fault)

    return press


class SafeView(discord.ui.View):
    """A view whose faults are told to whoever pressed."""

    async def on_error(
        self, interaction: discord.Interaction[Any], error: Exception, item: discord.ui.Item[Any], /
    ) -> None:
        """One private sentence."""
        await answer_fault(interaction, error)


class SafeModal(discord.ui.Modal):
    """A modal whose faults are told to whoever submitted it."""

    async def on_error(  # type: ignore[override]  # discord.py calls a modal with two arguments, a view with three
        self, interaction: discord.Interaction[Any], error: Exception, /
    ) -> None:
        """One private sentence."""
        await answer_fault(interaction, error)


def persistent_view(*items: discord.ui.Item[Any]) -> discord.ui.View:
    """A view of dynamic items: it never times out and works after a restart."""
    view = discord.ui.View(timeout=None)
    for item in items:
        view.add_item(item)
    return view
