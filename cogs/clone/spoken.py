"""Spoken consent: the sentence, a button that takes a recording of it, and a message menu for voice messages.

Buttons work after a restart and in direct messages.
"""

from typing import Any

import discord

from cogs.checks import origin_of
from cogs.clone.recordings import read_recording
from cogs.clone.take_back import TakeBack
from cogs.ui import ids
from cogs.ui.base import SafeModal, guarded, persistent_view
from cogs.ui.ids import FromId
from cogs.ui.render import COLOUR, render_verdict, safe, when
from storage.consent_records import SpokenConsent
from studio.clones import check_size
from studio.spoken_consent import ATTEMPTS
from studio.values import Update

Interaction = discord.Interaction[Any]

MENU = "This is my spoken consent"
_SENTENCE = 1000


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
        """Open the form with the sentence."""
        asked = await interaction.client.studio.spoken.find(self.request_id, interaction.user.id)
        await interaction.response.send_modal(SayModal(asked))


class SayModal(SafeModal, title="Say this sentence"):
    """Takes one recording of a sentence."""

    def __init__(self, asked: SpokenConsent) -> None:
        super().__init__()
        self._asked = asked
        self._file = discord.ui.FileUpload[SayModal](custom_id="recording", min_values=1, max_values=1)
        self.add_item(discord.ui.TextDisplay(f"> {safe(asked.sentence, _SENTENCE)}"))
        self.add_item(
            discord.ui.Label(
                text="A recording in which you say it",
                description="It is deleted as soon as I have listened to it.",
                component=self._file,
            )
        )

    async def on_submit(self, interaction: Interaction, /) -> None:
        """Listen to the recording."""
        await take_answer(interaction, self._asked, self._file.values[0])


async def take_answer(interaction: Interaction, asked: SpokenConsent, audio: discord.Attachment) -> None:
    """Read a recording and have it listened to; after a yes, the voice is made. Raises what the studio raises."""
    check_size(audio.size)
    if asked.order is None:
        await _answer_for_another(interaction, asked, audio)
        return
    here = interaction.channel_id == asked.channel_id
    await interaction.response.defer(thinking=True, ephemeral=not here)
    data = await read_recording(audio)
    client = interaction.client
    origin = origin_of(interaction) if here else None  # elsewhere, the card goes to the channel of the command
    receipt = await client.studio.spoken.answer(asked.id, interaction.user.id, data, origin)
    if here:
        client.courier.update(receipt.job, Update(position=receipt.position))
    else:
        await interaction.followup.send("✅ I heard you. The voice is being made.", ephemeral=True)


async def _answer_for_another(interaction: Interaction, asked: SpokenConsent, audio: discord.Attachment) -> None:
    """Take an author's yes; where the question is at hand, the verdict replaces it."""
    studio = interaction.client.studio
    is_form = interaction.type is discord.InteractionType.modal_submit
    await interaction.response.defer(thinking=not is_form, ephemeral=True)
    await studio.spoken.answer(asked.id, interaction.user.id, await read_recording(audio), None)
    request = await studio.spoken.request_of(asked)
    view = persistent_view(TakeBack(request.id))
    nobody = discord.AllowedMentions.none()
    await interaction.edit_original_response(
        content=render_verdict(request), embed=None, view=view, allowed_mentions=nobody
    )


def render_sentence(asked: SpokenConsent, locale: discord.Locale, languages: tuple[str, ...]) -> discord.Embed:
    """Return the sentence, and how to answer. `languages`: those that the recogniser knows."""
    embed = discord.Embed(
        title="Say this sentence",
        description=f"> {safe(asked.sentence, _SENTENCE)}\n\n"
        "Record yourself in the same voice as in the recording that is to be cloned, in a quiet place. Then press the "
        f"button, or send a voice message and choose *Apps → {MENU}* on it. I delete what you upload as soon as I have "
        "listened to it. Nothing is cloned before.",
        colour=COLOUR,
    )
    if locale.value.partition("-")[0] not in languages:
        embed.add_field(name="Language", value="I recognise only English, so the sentence is in English.", inline=False)
    embed.add_field(name="Expires", value=when(asked.expires_at))
    embed.add_field(name="Attempts", value=str(ATTEMPTS))
    return embed
