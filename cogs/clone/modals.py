"""The two forms of cloning: the member's word that the voice is theirs, and the details of a voice from a message."""

from collections.abc import Awaitable, Callable
from typing import Any

import discord

from cloning.text.splitting import LANGUAGES
from cogs.options import DESCRIPTION_LENGTH, NAME_LENGTH
from cogs.ui.base import SafeModal
from errors import NotAllowed
from studio.values import CloneOrder

CONSENT = (
    "I make a voice from a few seconds of this recording, and keep it on this server's machine with those seconds, "
    "until you delete it (/voices delete, /privacy forget). Only you can speak with it until "
    "you share it; moderators see its card and can delete it. Whatever it says is labelled as AI-generated."
)
_MINE = "This is my own voice, and I agree"
_MINE_DETAIL = "Cloning another person's voice without their yes is not allowed here."
_NEEDED = "I need your word that the voice is yours. If it is, do the same again and tick the box; nothing was made."

Continue = Callable[[discord.Interaction[Any], bool, CloneOrder], Awaitable[None]]
"""What happens after a form: the interaction of the form, whether consent was given in it, and the order."""


class ConsentModal(SafeModal, title="Your voice, your word"):
    """Asks for consent to an order that is otherwise complete."""

    def __init__(self, order: CloneOrder, proceed: Continue) -> None:
        super().__init__()
        self._order = order
        self._proceed = proceed
        self._box = _consent_box()
        self.add_item(discord.ui.TextDisplay(CONSENT))
        self.add_item(discord.ui.Label(text=_MINE, description=_MINE_DETAIL, component=self._box))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Go on only with a ticked box."""
        _require_tick(self._box)
        await self._proceed(interaction, True, self._order)


class DetailsModal(SafeModal, title="Clone this voice"):
    """Asks for what /clone takes as options; with `ask_consent` for the member's word too."""

    def __init__(self, speaker_id: int, proceed: Continue, *, suggestion: str, ask_consent: bool) -> None:
        super().__init__()
        self._speaker_id = speaker_id
        self._proceed = proceed
        self._name = discord.ui.TextInput[DetailsModal](
            custom_id="name", min_length=1, max_length=NAME_LENGTH, default=suggestion or None
        )
        self._language = discord.ui.Select[DetailsModal](custom_id="language", options=_languages(), required=True)
        self._description = discord.ui.TextInput[DetailsModal](
            custom_id="description", max_length=DESCRIPTION_LENGTH, required=False
        )
        self._box = _consent_box() if ask_consent else None
        self.add_item(discord.ui.Label(text="Name of the voice", component=self._name))
        self.add_item(discord.ui.Label(text="Language spoken in the recording", component=self._language))
        self.add_item(discord.ui.Label(text="Description", component=self._description))
        if self._box is not None:
            self.add_item(discord.ui.TextDisplay(CONSENT))
            self.add_item(discord.ui.Label(text=_MINE, description=_MINE_DETAIL, component=self._box))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Make the order from the fields."""
        if self._box is not None:
            _require_tick(self._box)
        order = CloneOrder(
            self._name.value, self._language.values[0], self._description.value, speaker_id=self._speaker_id
        )
        await self._proceed(interaction, self._box is not None, order)


def _consent_box() -> discord.ui.Checkbox[Any]:
    return discord.ui.Checkbox(custom_id="consent")


def _require_tick(box: discord.ui.Checkbox[Any]) -> None:
    if not box.value:
        raise NotAllowed(_NEEDED)


def _languages() -> list[discord.SelectOption]:
    return [discord.SelectOption(label=name, value=code, default=code == "en") for code, name in LANGUAGES.items()]
