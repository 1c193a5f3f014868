"""The buttons of a voice's card: speak with it, compare it with its recording, and see its measurements.

They work after a restart. The studio decides who may use the voice.
"""

import io
from collections.abc import Sequence
from typing import Any

import discord

from cloning.worker.protocol import CLIP_FILE
from cogs.interactions import actor_of, origin_of, require_attachments, upload_limit
from cogs.options import TEXT_LENGTH
from cogs.ui import ids
from cogs.ui.base import SafeModal, guarded
from cogs.ui.ids import FromId
from cogs.ui.render import file_stem, render_clip, render_figures
from errors import NotFound
from storage.records import VoiceRecord, voice_key
from studio.values import SayOrder, Voice

Interaction = discord.Interaction[Any]
Button = discord.ui.Button[discord.ui.View]

HELLO = {
    "en": "Hello! This is how I sound.",
    "de": "Hallo! So klinge ich.",
    "es": "¡Hola! Así sueno yo.",
    "fr": "Bonjour ! Voici ma voix.",
    "hi": "नमस्ते! यह मेरी आवाज़ है।",
    "it": "Ciao! Ecco la mia voce.",
    "ja": "こんにちは。これが私の声です。",
    "ko": "안녕하세요. 이것이 제 목소리입니다.",
    "pl": "Cześć! Tak brzmi mój głos.",
    "pt": "Olá! Esta é a minha voz.",
    "ru": "Привет! Вот так звучит мой голос.",
    "tr": "Merhaba! Sesim böyle.",
    "zh": "你好！这是我的声音。",
}
"""What a voice says to introduce itself, in each of Bark's languages."""


def buttons_of(record: VoiceRecord) -> tuple[discord.ui.Item[Any], ...]:
    """Return the buttons of a voice's card."""
    figures = (Figures(record.id),) if record.report is not None else ()
    return (Speak(record.id), Hear(record.id), *figures)


async def speak(interaction: Interaction, order: SayOrder) -> None:
    """Queue speech in response to a button or a form. Raises the studio's errors."""
    actor = actor_of(interaction)
    require_attachments(interaction)
    await interaction.response.defer(ephemeral=order.private, thinking=True)
    await interaction.client.studio.speech.submit(
        actor, order, {}, origin_of(interaction), max_bytes=upload_limit(interaction)
    )


async def hear(interaction: Interaction, key: str) -> None:
    """Let the voice introduce itself, followed by its reference recording, privately.

    Raises the studio's errors.
    """
    studio = interaction.client.studio
    voice = await studio.library.info(actor_of(interaction), key)
    language = studio.library.hello_language(voice)
    await speak(interaction, SayOrder(HELLO[language], key, language, private=True))
    if voice.record is None or not voice.record.has_clip:
        return
    record, sound = await studio.voice_files.clip(actor_of(interaction), key)
    file = discord.File(io.BytesIO(sound), filename=f"{file_stem(record.name)}-{CLIP_FILE}")
    await interaction.followup.send(render_clip(record), file=file, ephemeral=True)


class Hear(FromId, discord.ui.DynamicItem[Button], template=f"hear:{ids.snowflake('voice')}"):
    """Plays the clone and its recording for comparison."""

    def __init__(self, voice: int) -> None:
        super().__init__(discord.ui.Button(label="Hear it", emoji="🎧", custom_id=f"hear:{voice}"))
        self.voice_id = voice

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """Play the voice and its recording: see `hear`."""
        await hear(interaction, voice_key(self.voice_id))


class Speak(FromId, discord.ui.DynamicItem[Button], template=f"speak:{ids.snowflake('voice')}"):
    """Asks for words and says them in the voice."""

    def __init__(self, voice: int) -> None:
        label = "Say something with it"
        super().__init__(discord.ui.Button(label=label, style=discord.ButtonStyle.primary, custom_id=f"speak:{voice}"))
        self.voice_id = voice

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """Open the form, for members who may use the voice."""
        voice = await interaction.client.studio.library.resolve(actor_of(interaction), voice_key(self.voice_id))
        await interaction.response.send_modal(_WordsModal(voice.key, voice.name))


class _WordsModal(SafeModal):
    """Asks for the words to say."""

    def __init__(self, key: str, name: str) -> None:
        super().__init__(title=f"Say something as {name}"[:45])
        self._key = key
        self._words = discord.ui.TextInput[Any](
            custom_id="text", style=discord.TextStyle.paragraph, max_length=TEXT_LENGTH
        )
        self.add_item(discord.ui.Label[Any](text="What to say", component=self._words))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Submit the words as /say does."""
        await speak(interaction, SayOrder(self._words.value, self._key))


class Figures(FromId, discord.ui.DynamicItem[Button], template=f"figures:{ids.snowflake('voice')}"):
    """Shows the measurements of the recording."""

    def __init__(self, voice: int) -> None:
        super().__init__(discord.ui.Button(label="Figures", emoji="📏", custom_id=f"figures:{voice}"))
        self.voice_id = voice

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """Show them privately, to members who may use the voice."""
        voice = await interaction.client.studio.library.info(actor_of(interaction), voice_key(self.voice_id))
        if voice.record is None or voice.record.report is None:
            raise NotFound("There are no measurements for this voice, because it was not made from a recording here.")
        await interaction.response.send_message(embed=render_figures(voice.record), ephemeral=True)


class Listen(FromId, discord.ui.DynamicItem[discord.ui.Select[discord.ui.View]], template="listen"):
    """A menu of voices; the chosen one introduces itself."""

    def __init__(self, voices: Sequence[Voice] = ()) -> None:
        options = [discord.SelectOption(label=voice.name[:100], value=voice.key) for voice in voices]
        super().__init__(discord.ui.Select(custom_id="listen", placeholder="🎧 Listen to a voice…", options=options))

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """Play the chosen voice and its recording: see `hear`."""
        await hear(interaction, self.item.values[0])


VOICE_ITEMS = (Hear, Speak, Figures, Listen)
"""The dynamic items to register with the bot."""
