"""What every button and modal of Barkeep has in common: a fault in a press becomes a sentence for the presser."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, TypeVar

import discord

from cogs.ui.errors import answer_fault

S = TypeVar("S")

MODAL_SECONDS = 900.0
"""How long a modal is remembered: as long as the interaction that opened it could be answered."""

Press = Callable[[S, discord.Interaction[Any]], Coroutine[Any, Any, None]]


def guarded(callback: Press[S]) -> Press[S]:
    """For the `callback` of a dynamic item: discord.py would log its faults and leave the member waiting."""

    @wraps(callback)
    async def press(self: S, interaction: discord.Interaction[Any]) -> None:
        mark_known(interaction)
        try:
            await callback(self, interaction)
        except Exception as fault:
            await answer_fault(interaction, fault)

    return press


class SafeModal(discord.ui.Modal):
    """A modal whose faults are told to whoever submitted it. One that nobody submits is forgotten after a while."""

    def __init__(self, *, title: str = discord.utils.MISSING) -> None:
        super().__init__(title=title, timeout=MODAL_SECONDS)

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Called first: the form is known, so nobody has to be told that it is not."""
        mark_known(interaction)
        return True

    async def on_error(  # type: ignore[override]  # discord.py calls a modal without an item
        self, interaction: discord.Interaction[Any], error: Exception, /
    ) -> None:
        """One private sentence."""
        await answer_fault(interaction, error)


class SafeView(discord.ui.View):
    """A view that is remembered for a while only. Its faults are told to whoever pressed."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Called first: the button is known, so nobody has to be told that it is not."""
        mark_known(interaction)
        return True

    async def on_error(
        self, interaction: discord.Interaction[Any], error: Exception, _: discord.ui.Item[Any], /
    ) -> None:
        """One private sentence."""
        await answer_fault(interaction, error)


def mark_known(interaction: discord.Interaction[Any]) -> None:
    """Note that somebody answers this press or form."""
    interaction.extras["known"] = True


def is_known(interaction: discord.Interaction[Any]) -> bool:
    """Whether somebody answers it. discord.py begins with a press or form before it tells of the interaction."""
    return "known" in interaction.extras


def persistent_view(*items: discord.ui.Item[Any]) -> discord.ui.View:
    """A view of dynamic items: it never times out and works after a restart."""
    view = discord.ui.View(timeout=None)
    for item in items:
        view.add_item(item)
    return view
