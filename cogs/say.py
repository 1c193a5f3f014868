"""/say and the message menu "Say this": queue speech. The courier delivers the answer."""

from collections.abc import Iterable

import discord
from discord import app_commands

from cogs.interactions import actor_of, member_of, names_in, origin_of, require_attachments, upload_limit
from cogs.options import LANGUAGE_CHOICES, TEXT_LENGTH, voice_choices
from cogs.studio_bot import MenuCog, StudioBot
from errors import InvalidInput
from studio.speech import MAX_SEED, MAX_TEMPERATURE
from studio.values import SayOrder

Interaction = discord.Interaction[StudioBot]


class Say(MenuCog):
    """Speech by command and from messages."""

    def __init__(self, bot: StudioBot) -> None:
        self.bot = bot
        self.menus = (app_commands.ContextMenu(name="Say this", callback=self.say_this),)

    @app_commands.command(name="say", description="Say something in one of this server's voices")
    @app_commands.describe(
        text="What to say; [laughs] and [sighs] work too",
        voice="Whose voice; your default voice if you leave it out",
        language="The language of the text; the voice's own if you leave it out",
        temperature="How much the speech varies, from 0 to 1.5; the model's own value if you leave it out",
        seed="The same seed, voice and text give the same recording",
        private="Only you hear it",
    )
    @app_commands.choices(language=LANGUAGE_CHOICES)
    @app_commands.autocomplete(voice=voice_choices)
    async def say(
        self,
        interaction: Interaction,
        text: app_commands.Range[str, 1, TEXT_LENGTH],
        voice: app_commands.Range[str, 1, 100] | None = None,
        language: str | None = None,
        temperature: app_commands.Range[float, 0.0, MAX_TEMPERATURE] | None = None,
        seed: app_commands.Range[int, 0, MAX_SEED] | None = None,
        private: bool = False,
    ) -> None:
        """Queue the speech."""
        order = SayOrder(text, voice, language, temperature, seed, private)
        await self._submit(interaction, order)

    async def say_this(self, interaction: Interaction, message: discord.Message) -> None:
        """Queue a message's words in the member's default voice."""
        text = message.content
        if not text.strip() and message.message_snapshots:  # a forward has its words in the snapshot
            text = message.message_snapshots[0].content
        if not text.strip():
            raise InvalidInput("That message has no words to say. Choose one with text.")
        await self._submit(interaction, SayOrder(text), (*message.mentions, *message.role_mentions))

    async def _submit(
        self,
        interaction: Interaction,
        order: SayOrder,
        mentioned: Iterable[discord.abc.User | discord.Role] = (),
    ) -> None:
        actor = actor_of(interaction)
        require_attachments(interaction)
        await interaction.response.defer(ephemeral=order.private, thinking=True)
        since = await self.bot.studio.storage.erasures.latest(actor.guild_id)
        names = await names_in(order.text, member_of(interaction), mentioned)
        await self.bot.studio.speech.submit(
            actor, order, names, origin_of(interaction), max_bytes=upload_limit(interaction), since=since
        )
