"""/clone and the message menu "Clone this voice": queue a clone of a recording, after consent."""

from functools import partial

import discord
from discord import app_commands

from cogs.clone.consent import ask_by_message
from cogs.clone.modals import ConsentModal, DetailsModal
from cogs.clone.spoken import MENU, SayIt, render_sentence, take_answer
from cogs.files import read_recording, recording_in, require_still_there
from cogs.interactions import actor_of, origin_of, require_attachments
from cogs.options import LANGUAGE_CHOICES
from cogs.studio_bot import MenuCog, StudioBot
from cogs.ui.base import persistent_view
from cogs.ui.render import render_asked
from cogs.ui.replies import say_privately
from errors import InvalidInput, NotAllowed
from studio.names import DESCRIPTION_LENGTH, NAME_LENGTH, clean_name
from studio.values import CloneOrder

Interaction = discord.Interaction[StudioBot]


class Clone(MenuCog):
    """Clones voices from attachments and messages."""

    def __init__(self, bot: StudioBot) -> None:
        self.bot = bot
        anywhere = app_commands.AppCommandContext(guild=True, dm_channel=True)
        self.menus = (
            app_commands.ContextMenu(name="Clone this voice", callback=self.clone_this),
            app_commands.ContextMenu(name=MENU, callback=self.said_here, allowed_contexts=anywhere),
        )

    @app_commands.command(name="clone", description="Make a voice from a recording of your own speech")
    @app_commands.describe(
        name="What the voice will be called",
        audio="Ten seconds or more of you speaking, in any usual format",
        language="The language you speak in the recording; English if you leave it out",
        description="A few words about the voice",
    )
    @app_commands.choices(language=LANGUAGE_CHOICES)
    async def clone(
        self,
        interaction: Interaction,
        name: app_commands.Range[str, 1, NAME_LENGTH],
        audio: discord.Attachment,
        language: str = "en",
        description: app_commands.Range[str, 0, DESCRIPTION_LENGTH] = "",
    ) -> None:
        """Check what needs no database, show the consent form, then check the rest and queue the clone."""
        actor = actor_of(interaction)
        require_attachments(interaction)
        order = CloneOrder(name, language, description, speaker_id=actor.member_id)
        self.bot.studio.clones.check_order(order, audio.size)

        async def proceed(answer: Interaction, order: CloneOrder) -> None:
            await self._take(answer, audio, order)

        await interaction.response.send_modal(ConsentModal(order, proceed))

    async def clone_this(self, interaction: Interaction, message: discord.Message) -> None:
        """Ask for a name; then clone the member's own message, or ask the author of somebody else's."""
        actor = actor_of(interaction)
        require_attachments(interaction)
        if message.message_snapshots and not message.attachments:
            raise InvalidInput(
                "That message was forwarded, so I can't tell whose voice is in it. Please choose the original message."
            )
        audio = recording_in(message.attachments)
        author = message.author
        if author.bot or message.webhook_id is not None:
            raise InvalidInput("A bot posted that message, and only people can agree to a clone of their voice.")
        own = author.id == actor.member_id

        async def proceed(answer: Interaction, order: CloneOrder) -> None:
            self.bot.studio.clones.check_order(order, audio.size)
            if own:
                await self._take(answer, audio, order)
            else:
                await self._ask(answer, message, audio, order)

        suggestion = CloneOrder(_suggestion(author.display_name), speaker_id=author.id)
        await interaction.response.send_modal(DetailsModal(suggestion, proceed, own=own))

    async def _take(self, interaction: Interaction, audio: discord.Attachment, order: CloneOrder) -> None:
        """Read the recording and queue the clone, or ask for a sentence. The member has confirmed the consent form."""
        actor, clones = actor_of(interaction), self.bot.studio.clones
        await interaction.response.defer(thinking=True)
        since = await clones.check(actor, order, audio.size)
        if await clones.asks_for_speech(actor.guild_id):
            await self._ask_to_say(interaction, audio, order, since)
            return
        data = await read_recording(audio)
        await clones.submit(actor, order, data, origin_of(interaction), attested=True, since=since)

    async def _ask_to_say(
        self, interaction: Interaction, audio: discord.Attachment, order: CloneOrder, since: int
    ) -> None:
        """Store the recording and show the sentence that the member has to say."""
        spoken = self.bot.studio.spoken
        asked = await spoken.ask(actor_of(interaction), order, await read_recording(audio), since=since)
        sentence = render_sentence(asked, interaction.locale, spoken.languages)
        await say_privately(interaction, "", persistent_view(SayIt(asked.id)), embed=sentence, sign="🎙️")

    async def said_here(self, interaction: Interaction, message: discord.Message) -> None:
        """Take the member's own message, such as a voice message, as the recording of their sentence."""
        if message.author.id != interaction.user.id:
            raise NotAllowed("This works on your own messages only: the sentence has to be yours.")
        audio = recording_in(message.attachments)
        waiting = partial(self.bot.studio.spoken.waiting, interaction.user.id, interaction.guild_id)
        await take_answer(interaction, waiting, audio)

    async def _ask(
        self, interaction: Interaction, message: discord.Message, audio: discord.Attachment, order: CloneOrder
    ) -> None:
        """Store the recording and ask its author."""
        actor, requests = actor_of(interaction), self.bot.studio.clone_requests
        await interaction.response.defer(ephemeral=True, thinking=True)
        since = await self.bot.studio.clones.check(actor, order, audio.size)
        await require_still_there(message)
        data = await read_recording(audio)
        request = await requests.ask_author(actor, message.author.id, order, data, since=since)
        try:
            await ask_by_message(request, message, interaction.user)
        except BaseException:  # nobody was asked, so no recording may be kept
            await requests.withdraw(request)
            raise
        await interaction.followup.send(render_asked(request), ephemeral=True)


def _suggestion(display_name: str) -> str:
    """Return a member's display name if it is valid as a voice name, else ""."""
    try:
        return clean_name(display_name[:NAME_LENGTH])
    except InvalidInput:
        return ""
