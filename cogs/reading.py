"""/read: reads a channel's messages aloud in the voice channel. Commands for it, and the listener for messages."""

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from cogs.interactions import actor_in, actor_of, names_in, require_moderator
from cogs.studio_bot import StudioBot
from cogs.ui.errors import NETWORK_ERRORS
from cogs.ui.render import COLOUR, safe
from cogs.ui.replies import NOBODY
from errors import BarkeepError, NotAllowed, Unavailable
from studio.reading import Reading, Target
from studio.reading_rules import Written

log = structlog.get_logger(__name__)

Interaction = discord.Interaction[StudioBot]
ReadableChannel = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread

OFF = (
    "Reading aloud is switched off for this bot, so I do not see what members write. Its owner can switch it on with "
    "READ_MESSAGES=true."
)
_LISTED = 20
_WRITTEN_BY_HAND = (discord.MessageType.default, discord.MessageType.reply)


@app_commands.guild_only()
class Read(commands.GroupCog, group_name="read", group_description="Read a channel aloud in the voice channel"):
    """The commands of reading aloud, and the listener for messages."""

    def __init__(self, bot: StudioBot) -> None:
        self.bot = bot

    @app_commands.command(name="start", description="Read aloud what is written in the voice channel's chat")
    @app_commands.describe(channel="For moderators: another channel; the voice channel's own chat if you leave it out")
    async def start(self, interaction: Interaction, channel: ReadableChannel | None = None) -> None:
        """Start reading, until /read stop or until the bot leaves the voice channel."""
        if not self.bot.intents.message_content:
            raise Unavailable(OFF)
        if channel is not None and not channel.permissions_for(channel.guild.me).view_channel:
            raise NotAllowed(f"I cannot see {channel.mention}. Please ask a moderator to let me see it.")
        actor = actor_of(interaction)
        await interaction.response.defer(thinking=True)
        channel_id = await self.bot.studio.reading.start(actor, None if channel is None else target_of(channel))
        await interaction.followup.send(
            f"📖 What is written in <#{channel_id}> is read aloud now, in each member's default voice. "
            "To opt out, use `/read me`. `/read stop` ends it."
        )

    @app_commands.command(name="stop", description="Stop reading aloud")
    async def stop(self, interaction: Interaction) -> None:
        """Stop reading, and drop waiting messages."""
        actor = actor_of(interaction)
        await interaction.response.defer(thinking=True)
        channel_id = await self.bot.studio.reading.stop(actor)
        await interaction.followup.send(f"📕 I no longer read <#{channel_id}> aloud.")

    @app_commands.command(name="me", description="Decide whether what you write is read aloud on this server")
    @app_commands.describe(read="Whether it is")
    async def me(self, interaction: Interaction, read: bool) -> None:
        """Set whether the member's own messages are read."""
        actor = actor_of(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.bot.studio.reading.choose(actor, read=read)
        done = "is read aloud where a channel is read" if read else "is not read aloud any more"
        await interaction.followup.send(f"What you write on this server {done}.", ephemeral=True)

    @app_commands.command(name="ignore", description="For moderators: do not read a member's or a role's messages")
    @app_commands.describe(who="A member or a role", ignored="False reads them again")
    @app_commands.check(require_moderator)
    async def ignore(self, interaction: Interaction, who: discord.Member | discord.Role, ignored: bool = True) -> None:
        """Stop reading a member's or a role's messages, or read them again."""
        actor = actor_of(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        if isinstance(who, discord.Role):
            await self.bot.studio.reading.ignore_role(actor, who.id, ignored=ignored)
        else:
            await self.bot.studio.reading.ignore_member(actor, who.id, ignored=ignored)
        done = "are not read aloud any more" if ignored else "are read aloud again"
        await interaction.followup.send(f"Messages of {who.mention} {done}.", ephemeral=True)

    @app_commands.command(name="rules", description="What is read aloud here and what is not; moderators change it")
    @app_commands.describe(
        length="Characters of a message that are read",
        per_minute="Messages of each member that are read in a minute",
        names="Say who wrote a message, where it is somebody else than before",
    )
    async def rules(
        self,
        interaction: Interaction,
        length: app_commands.Range[int, 20, 1000] | None = None,
        per_minute: app_commands.Range[int, 1, 60] | None = None,
        names: bool | None = None,
    ) -> None:
        """Change the given rules, then show all."""
        actor = actor_of(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        given = {"read_length": length, "read_per_minute": per_minute, "read_names": names}
        if changes := {name: value for name, value in given.items() if value is not None}:
            await self.bot.studio.admin.change(actor, **changes)
        reading = await self.bot.studio.reading.reading(actor)
        sees_messages = self.bot.intents.message_content
        await interaction.followup.send(embed=render_reading(reading, sees_messages=sees_messages), ephemeral=True)

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Read the message, if a member wrote it and its channel is read."""
        author, channel = message.author, message.channel
        if message.type not in _WRITTEN_BY_HAND or not isinstance(author, discord.Member) or author.bot:
            return
        if not isinstance(channel, ReadableChannel):
            return
        if not self.bot.studio.reading.listens_to(author.guild.id, target_of(channel)):
            return
        mentioned = (*message.mentions, *message.role_mentions)
        try:
            await self.bot.studio.reading.read(
                actor_in(author, channel.id, channel, author.guild_permissions),
                _written(message, author),
                lambda: names_in(message.content, author, mentioned),
            )
        except BarkeepError as error:
            await _tell(message, error)

    @commands.Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """End the line of a deleted message."""
        await self.bot.studio.reading.withdraw(payload.message_id)

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """End the lines of deleted messages."""
        for message_id in payload.message_ids:
            await self.bot.studio.reading.withdraw(message_id)


def target_of(channel: ReadableChannel) -> Target:
    """Return a channel as a value of the studio."""
    return Target(
        channel.id,
        channel.parent_id if isinstance(channel, discord.Thread) else None,
        isinstance(channel, discord.VoiceChannel | discord.StageChannel),
    )


def render_reading(reading: Reading, *, sees_messages: bool) -> discord.Embed:
    """Render the state of reading on a server for one member. sees_messages: the bot has that intent."""
    settings = reading.settings
    embed = discord.Embed(title="Reading aloud", colour=COLOUR)
    if not sees_messages:
        embed.description = OFF
    elif reading.channel_id is None:
        embed.description = "I am not reading any channel. Use /read start to begin."
    else:
        embed.description = f"What is written in <#{reading.channel_id}> is read aloud in each member's default voice."
    embed.add_field(name="Of a message", value=f"{settings.read_length} characters")
    embed.add_field(name="Of each member", value=f"{settings.read_per_minute} messages a minute")
    named = "said when it is somebody else than before" if settings.read_names else "not said"
    embed.add_field(name="Who wrote it", value=f"is {named}")
    roles = [f"<@&{role_id}>" for role_id in sorted(settings.read_ignored_role_ids)]
    embed.add_field(name="Roles that are not read", value=_listed(roles), inline=False)
    embed.add_field(name="Members who are not read", value=_listed([f"<@{one}>" for one in reading.ignored]))
    wish = "not read; `/read me` changes that" if reading.unread else "read; `/read me` changes that"
    embed.add_field(name="What you write", value=f"is {wish}", inline=False)
    return embed


def _listed(mentions: list[str]) -> str:
    more = len(mentions) - _LISTED
    return (" ".join(mentions[:_LISTED]) or "none") + (f" and {more} more" if more > 0 else "")


def _written(message: discord.Message, author: discord.Member) -> Written:
    return Written(message.id, author.display_name, message.content, len(message.attachments), len(message.stickers))


async def _tell(message: discord.Message, reason: BarkeepError) -> None:
    """Say why a member's messages are no longer read, in the channel where they write, without a notification."""
    try:
        await message.channel.send(
            f"🔇 {message.author.mention}, your messages are not read for now. {safe(reason.message)}",
            allowed_mentions=NOBODY,
        )
    except (discord.HTTPException, *NETWORK_ERRORS) as error:
        log.info("not_told", reason=type(error).__name__)
