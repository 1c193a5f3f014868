"""Base classes of buttons and modals, which turn errors into a sentence for the member."""

from collections.abc import Callable, Coroutine, Iterable
from functools import wraps
from typing import Any, TypeVar

import discord

from cogs.ui.errors import answer_error

S = TypeVar("S")

MODAL_SECONDS = 900.0
"""How long a modal is remembered, in seconds: as long as the interaction that opened it can be answered."""

MAX_CHOSEN = 25
"""Discord's limit for one menu."""

Press = Callable[[S, discord.Interaction[Any]], Coroutine[Any, Any, None]]


def guarded(callback: Press[S]) -> Press[S]:
    """Wrap the `callback` of a dynamic item so that its errors are answered; discord.py would only log them."""

    @wraps(callback)
    async def press(self: S, interaction: discord.Interaction[Any]) -> None:
        mark_known(interaction)
        try:
            await callback(self, interaction)
        except Exception as error:
            await answer_error(interaction, error)

    return press


class SafeModal(discord.ui.Modal):
    """A modal that tells its errors to the member who submits it. It expires after MODAL_SECONDS."""

    def __init__(self, *, title: str = discord.utils.MISSING) -> None:
        super().__init__(title=title, timeout=MODAL_SECONDS)

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Mark the interaction as handled; discord.py calls this first."""
        mark_known(interaction)
        return True

    async def on_error(  # type: ignore[override]  # discord.py calls a modal without an item
        self, interaction: discord.Interaction[Any], error: Exception, /
    ) -> None:
        """Answer the error with one private sentence."""
        await answer_error(interaction, error)


class SafeView(discord.ui.View):
    """A view that expires and tells its errors to the member who pressed."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Mark the interaction as handled; discord.py calls this first."""
        mark_known(interaction)
        return True

    async def on_error(
        self, interaction: discord.Interaction[Any], error: Exception, _: discord.ui.Item[Any], /
    ) -> None:
        """Answer the error with one private sentence."""
        await answer_error(interaction, error)


def mark_known(interaction: discord.Interaction[Any]) -> None:
    """Mark this press or form as handled."""
    interaction.extras["known"] = True


def is_known(interaction: discord.Interaction[Any]) -> bool:
    """Return whether this press or form was handled. discord.py dispatches it before the interaction event."""
    return "known" in interaction.extras


def persistent_view(*items: discord.ui.Item[Any]) -> discord.ui.View:
    """Return a view of dynamic items: it never times out and works after a restart."""
    view = discord.ui.View(timeout=None)
    for item in items:
        view.add_item(item)
    return view


def chosen_in_menu(ids: Iterable[int], kind: discord.SelectDefaultValueType) -> list[discord.SelectDefaultValue]:
    """Return the members, roles or channels that a menu shows as chosen: at most MAX_CHOSEN."""
    return [discord.SelectDefaultValue(id=each, type=kind) for each in sorted(ids)[:MAX_CHOSEN]]
