"""The two forms of cloning: consent for the member's own voice, and details of a voice from a message.

When a form is refused, the member can open it again with what they entered.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import discord

from cloning.text.splitting import LANGUAGES
from cogs.ui.base import MODAL_SECONDS, SafeModal, SafeView
from cogs.ui.errors import answer_error
from errors import InvalidInput, NameTaken
from studio.names import DESCRIPTION_LENGTH, NAME_LENGTH
from studio.values import CloneOrder

CONSENT = (
    "I make a voice from a few seconds of this recording and store both on the machine I run on, "
    "until you delete it (/voices delete, /privacy forget). Only you can speak with it until "
    "you share it; moderators see its card and can delete it. Whatever it says is labelled as AI-generated."
)
_MINE = "This is my own voice, and I agree"
_MINE_DETAIL = "Cloning someone else's voice without their consent is not allowed."
_NEEDED = "Please confirm that the voice is yours: go on and tick the box. Nothing was cloned yet."

Continue = Callable[[discord.Interaction[Any], CloneOrder], Awaitable[None]]
"""Called after a form, with the interaction of the form and the order."""


class _OpenAgain(SafeView):
    """A button next to an error, which opens the form again with what was entered."""

    def __init__(self, form: Callable[[], SafeModal]) -> None:
        super().__init__(timeout=MODAL_SECONDS)
        self._form = form

    @discord.ui.button(label="Go on", style=discord.ButtonStyle.primary)
    async def go_on(self, interaction: discord.Interaction[Any], _: discord.ui.Button[Any]) -> None:
        """Open the form again."""
        await interaction.response.send_modal(self._form())


class _Form(SafeModal, ABC):
    """A form that is offered again when its input is refused."""

    @abstractmethod
    def again(self, error: InvalidInput | NameTaken) -> SafeModal:
        """Return the form in which this error can be put right, with what was entered."""

    async def on_error(  # type: ignore[override]  # discord.py calls a modal without an item
        self, interaction: discord.Interaction[Any], error: Exception, /
    ) -> None:
        """Answer with one private sentence and, if the input was the problem, a button to open the form again.

        Many reasons are found only after the form was submitted: Discord waits three seconds for a form, and what is
        in the database may take longer under load.
        """
        if isinstance(error, NameTaken) or (isinstance(error, InvalidInput) and not interaction.response.is_done()):
            await answer_error(interaction, error, _OpenAgain(partial(self.again, error)))
        else:
            await answer_error(interaction, error)


class ConsentModal(_Form, title="Consent to cloning your voice"):
    """Asks for consent to one recording; the order is otherwise complete."""

    def __init__(self, order: CloneOrder, proceed: Continue) -> None:
        super().__init__()
        self._order, self._proceed = order, proceed
        self._box = _consent_box()
        self.add_item(discord.ui.TextDisplay(CONSENT))
        self.add_item(discord.ui.Label(text=_MINE, description=_MINE_DETAIL, component=self._box))

    def again(self, error: InvalidInput | NameTaken) -> SafeModal:
        """Return the form with an unticked box; where the name is taken, one that asks for another name."""
        if isinstance(error, NameTaken):
            return DetailsModal(self._order, self._proceed, own=True)
        return ConsentModal(self._order, self._proceed)

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Continue only with a ticked box."""
        _require_tick(self._box)
        await self._proceed(interaction, self._order)


class DetailsModal(_Form, title="Name of the voice"):
    """Asks for the options of /clone and, for the member's own voice, for consent.

    suggestion: the initial values.
    """

    def __init__(self, suggestion: CloneOrder, proceed: Continue, *, own: bool) -> None:
        super().__init__()
        self._suggestion, self._proceed, self._own = suggestion, proceed, own
        self._name = discord.ui.TextInput[DetailsModal](
            custom_id="name", min_length=1, max_length=NAME_LENGTH, default=suggestion.name or None
        )
        self._language = discord.ui.Select[DetailsModal](
            custom_id="language", options=_languages(suggestion.language), required=True
        )
        self._description = discord.ui.TextInput[DetailsModal](
            custom_id="description",
            max_length=DESCRIPTION_LENGTH,
            required=False,
            default=suggestion.description or None,
        )
        self._box = _consent_box() if own else None
        self.add_item(discord.ui.Label(text="Name of the voice", component=self._name))
        self.add_item(discord.ui.Label(text="Language spoken in the recording", component=self._language))
        self.add_item(discord.ui.Label(text="Description", component=self._description))
        if self._box is not None:
            self.add_item(discord.ui.TextDisplay(CONSENT))
            self.add_item(discord.ui.Label(text=_MINE, description=_MINE_DETAIL, component=self._box))

    def again(self, _error: InvalidInput | NameTaken) -> SafeModal:
        """Return the form with what was entered and an unticked box."""
        return DetailsModal(self._order(), self._proceed, own=self._own)

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Make the order from the fields and continue."""
        if self._box is not None:
            _require_tick(self._box)
        await self._proceed(interaction, self._order())

    def _order(self) -> CloneOrder:
        language = self._language.values[0] if self._language.values else self._suggestion.language
        return CloneOrder(self._name.value, language, self._description.value, speaker_id=self._suggestion.speaker_id)


def _consent_box() -> discord.ui.Checkbox[Any]:
    return discord.ui.Checkbox(custom_id="consent")


def _require_tick(box: discord.ui.Checkbox[Any]) -> None:
    if not box.value:
        raise InvalidInput(_NEEDED)


def _languages(chosen: str) -> list[discord.SelectOption]:
    return [discord.SelectOption(label=name, value=code, default=code == chosen) for code, name in LANGUAGES.items()]
