"""/join, /leave, /skip, /stop: the bot in voice channels. Also tells the studio when members join or leave these."""

from pathlib import Path

import discord
from discord import app_commands
from discord.ext import commands

from cogs.channel.connection import DiscordVoice
from cogs.interactions import actor_of
from cogs.studio_bot import StudioBot
from cogs.ui.render import safe
from studio.channel.lines import Line, Piece
from studio.channel.service import Scene

NOTICE = Path(__file__).parent / "notice.ogg"
"""Says that the voices are generated. Made with `python -m cloning say "The voices you hear from me are generated."
--voice Puck --seed 1`."""

_PHRASE = 60

Interaction = discord.Interaction[StudioBot]


@app_commands.guild_only()
class Channel(commands.Cog):
    """The commands of voice channels."""

    def __init__(self, bot: StudioBot) -> None:
        self.bot = bot
        bot.studio.channels.attend(DiscordVoice(bot), Piece(NOTICE))

    @app_commands.command(name="join", description="Bring me into your voice channel, to speak there")
    async def join(self, interaction: Interaction) -> None:
        """Join the member's voice channel, or say why that is not possible."""
        actor = actor_of(interaction)
        await interaction.response.defer(thinking=True)
        scene = await self.bot.studio.channels.join(actor)
        await interaction.followup.send(
            f"👋 I am in <#{scene.channel_id}>. Use /say, and I speak there. /leave sends me away."
        )

    @app_commands.command(name="leave", description="Make me leave the voice channel")
    async def leave(self, interaction: Interaction) -> None:
        """Leave the voice channel."""
        actor = actor_of(interaction)
        await interaction.response.defer(thinking=True)
        channel_id = await self.bot.studio.channels.leave(actor)
        await interaction.followup.send(f"👋 I left <#{channel_id}>.")

    @app_commands.command(name="skip", description="Skip your line while I say it; moderators can skip any line")
    async def skip(self, interaction: Interaction) -> None:
        """End the current line and go on with the next."""
        actor = actor_of(interaction)
        await interaction.response.defer(thinking=True)
        scene = await self.bot.studio.channels.skip(actor)
        await interaction.followup.send(f"⏭️ Skipped.\n{render_scene(scene)}")

    @app_commands.command(name="stop", description="Stop all your lines in the voice channel; moderators stop all")
    async def stop(self, interaction: Interaction) -> None:
        """End the member's lines or, for moderators, all lines."""
        actor = actor_of(interaction)
        await interaction.response.defer(thinking=True)
        stopped = await self.bot.studio.channels.stop(actor)
        await interaction.followup.send(f"🤫 {stopped} {'line' if stopped == 1 else 'lines'} stopped.")

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Return to voice channels, now that all servers and their channels are known."""
        await self.bot.studio.channels.resume()

    @commands.Cog.listener()
    async def on_voice_state_update(
        self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        """Report that a member or the bot joined, left or was moved."""
        if before.channel == after.channel:
            return
        is_me = self.bot.user is not None and member.id == self.bot.user.id
        if is_me and before.channel is not None and after.channel is not None:
            await self.bot.studio.channels.moved(member.guild.id, after.channel.id)
        self.bot.studio.channels.look(member.guild.id)


def render_scene(scene: Scene) -> str:
    """Return the current line, the next one, and how many wait after that."""
    if scene.now is None:
        return "Nothing is playing or waiting."
    lines = [f"{'🔊 Now' if scene.now.begun else '🎙️ First'}: {_line(scene.now)}"]
    if scene.waiting:
        lines.append(f"⏭️ Next: {_line(scene.waiting[0])}")
    if len(scene.waiting) > 1:
        lines.append(f"{len(scene.waiting) - 1} more after that.")
    return "\n".join(lines)


def _line(line: Line) -> str:
    asked = "" if line.member_id is None else f" · asked by <@{line.member_id}>"
    return f"**{safe(line.voice, 100)}** “{safe(line.text, _PHRASE)}”{asked}"
