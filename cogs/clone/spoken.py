"""Spoken consent: the sentence, a button that takes a recording of it, and a message menu for voice messages.

Buttons work after a restart and in direct messages.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import discord

from cogs.clone.take_back import TakeBack
from cogs.files import read_recording
from cogs.options import CHOICE_LENGTH, MAX_CHOICES
from cogs.ui import ids
from cogs.ui.base import MODAL_SECONDS, SafeModal, SafeView, guarded, persistent_view
from cogs.ui.ids import FromId
from cogs.ui.render import COLOUR, render_verdict, safe, when
from cogs.ui.replies import NOBODY, replace_question
from storage.consent_records import SpokenConsent
from studio.clones import check_size
from studio.spoken_consent import ATTEMPTS

Interaction = discord.Interaction[Any]

MENU = "This is my spoken consent"
_SENTENCE = 1000
_QUOTE = "> "
_HEARD = "✅ I heard you. The voice is being made, and its card comes into the channel. /jobs shows how far it is."
_LISTENING = "👂 I am listening to your recording…"
_WHICH = "More than one server waits for a sentence of yours. Which one did you say in this recording?"


class SayIt(
    FromId,
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
    template=f"say-consent:{ids.text('request')}",
):
    """Opens the form that takes the recording. Only the member who was asked can use it; the studio checks that."""

    def __init__(self, request: str) -> None:
        button = discord.ui.Button[discord.ui.View](
            label="Upload a recording…", style=discord.ButtonStyle.primary, custom_id=f"say-consent:{request}"
        )
        super().__init__(button)
        self.request_id = request

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """Open the form. The database is asked when it is submitted: Discord waits three seconds for a form."""
        await interaction.response.send_modal(SayModal(self.request_id, interaction.message))


class SayModal(SafeModal, title="Say this sentence"):
    """Takes one recording of a sentence. `message`: shows the sentence and has the button that opened the form."""

    def __init__(self, request: str, message: discord.Message | None) -> None:
        super().__init__()
        self._request = request
        self._file = discord.ui.FileUpload[SayModal](custom_id="recording", min_values=1, max_values=1)
        if sentence := _quoted(message):
            self.add_item(discord.ui.TextDisplay(sentence))
        self.add_item(
            discord.ui.Label(
                text="A recording in which you say it",
                description="It is deleted as soon as I have listened to it.",
                component=self._file,
            )
        )

    async def on_submit(self, interaction: Interaction, /) -> None:
        """Listen to the recording."""
        await take_answer(interaction, _only_sentence(interaction, self._request), self._file.values[0])


class _WhichSentence(SafeView):
    """Asks which sentence a recording says, where several servers wait for one. Only its member sees the question."""

    def __init__(self, audio: discord.Attachment, options: list[discord.SelectOption]) -> None:
        super().__init__(timeout=MODAL_SECONDS)
        self._audio = audio
        self._choice = discord.ui.Select[_WhichSentence](placeholder="The sentence that you said", options=options)
        self._choice.callback = self._chosen  # type: ignore[method-assign]  # as discord.py means it
        self.add_item(self._choice)

    async def _chosen(self, interaction: Interaction) -> None:
        await take_answer(interaction, _only_sentence(interaction, self._choice.values[0]), self._audio)


Waiting = Callable[[], Awaitable[Sequence[SpokenConsent]]]
"""Returns the sentences that a recording may say, newest first."""


def _only_sentence(interaction: Interaction, spoken_id: str) -> Waiting:
    async def find() -> Sequence[SpokenConsent]:
        return (await interaction.client.studio.spoken.find(spoken_id, interaction.user.id),)

    return find


async def take_answer(interaction: Interaction, waiting: Waiting, audio: discord.Attachment) -> None:
    """Read a recording and have it listened to; after a yes, the voice is made. Raises what the studio raises.

    If more than one sentence waits, the member is asked first which one they said. After a form or a choice, the answer
    replaces the message that it belongs to. The card of the voice is posted where the clone was asked for.
    """
    check_size(audio.size)
    question = interaction.message
    in_place = interaction.type is not discord.InteractionType.application_command
    # In direct messages the answer has to last: it has the button that takes the yes back.
    await interaction.response.defer(thinking=not in_place, ephemeral=interaction.guild_id is not None)
    spoken = interaction.client.studio.spoken
    found = await waiting()  # first, because everybody may see the sentence, and its button
    if len(found) > 1:
        choice = _WhichSentence(audio, [await _option(interaction, each) for each in found[:MAX_CHOICES]])
        await interaction.edit_original_response(content=_WHICH, view=choice, allowed_mentions=NOBODY)
        return
    (asked,) = found
    if in_place:
        with suppress(discord.HTTPException):  # the message may have been deleted while the form was open
            await interaction.edit_original_response(content=_LISTENING)
    try:
        await spoken.answer(asked.id, interaction.user.id, await read_recording(audio))
    except BaseException:
        if in_place:
            with suppress(discord.HTTPException):  # the member is told the error in any case
                await interaction.edit_original_response(content=(question.content if question else "") or None)
        raise
    verdict, view = _HEARD, None
    if asked.order is None:
        request = await spoken.request_of(asked)
        verdict, view = render_verdict(request), persistent_view(TakeBack(request.id))
    await replace_question(interaction, verdict, view)


async def _option(interaction: Interaction, asked: SpokenConsent) -> discord.SelectOption:
    server = await interaction.client.server_names.of(asked.guild_id)
    return discord.SelectOption(
        label=asked.sentence[:CHOICE_LENGTH], description=server[:CHOICE_LENGTH], value=asked.id
    )


def _quoted(message: discord.Message | None) -> str:
    """Return the sentence as its message quotes it, "" without one."""
    lines = [line for embed in message.embeds for line in (embed.description or "").splitlines()] if message else []
    return next((line for line in lines if line.startswith(_QUOTE)), "")


def render_sentence(asked: SpokenConsent, locale: discord.Locale, languages: tuple[str, ...]) -> discord.Embed:
    """Return the sentence, and how to answer. `languages`: those that the recogniser knows."""
    embed = discord.Embed(
        title="Say this sentence",
        description=f"{_QUOTE}{safe(asked.sentence, _SENTENCE)}\n\n"
        "Record yourself in the same voice as in the recording that is to be cloned, in a quiet place. Then press the "
        f"button, or send a voice message and choose *Apps → {MENU}* on it. I delete what you upload as soon as I have "
        "listened to it. Nothing is cloned until I have heard the sentence.",
        colour=COLOUR,
    )
    if locale.value.partition("-")[0] not in languages:
        embed.add_field(name="Language", value="I recognise only English, so the sentence is in English.", inline=False)
    embed.add_field(name="Expires", value=when(asked.expires_at))
    embed.add_field(name="Attempts", value=str(ATTEMPTS))
    return embed
