"""/help: commands by task, as links."""

import re

import aiohttp
import discord
import structlog
from discord import app_commands
from discord.ext import commands

from cogs.interactions import actor_of
from cogs.studio_bot import StudioBot
from cogs.ui.render import COLOUR

log = structlog.get_logger(__name__)

GROUPS = (
    (
        "🎤 Make a voice",
        "</clone> with ten seconds of your speech, or *Apps → Clone this voice* on a message with a recording; "
        "someone else's voice needs their consent. Where a server asks for spoken consent, *Apps → This is my spoken "
        "consent* on your voice message gives it. </voices import> adds a Bark voice file.",
    ),
    (
        "🔊 Speak",
        "</say> in any voice that you can use, or *Apps → Say this* on a message. </voices default> sets the voice "
        "that speaks when you name none; </jobs> shows your requests, to cancel or fetch them. </pronounce list> shows "
        "which words are said differently on this server; </pronounce export> gives you that list as a file.",
    ),
    (
        "🎧 In voice channels",
        "</join> brings me to yours: use </say>, and I speak there. </skip> and </stop> end your lines, </leave> "
        "sends me away. After </read start> I read aloud what members write, each in their own voice, until </read "
        "stop>; </read me> excludes you, </read rules> shows what is read.",
    ),
    (
        "📚 Look after your voices",
        "</voices list> to see and hear them, </voices info>, </voices rename>, </voices describe>, </voices delete>.",
    ),
    (
        "🤝 Share",
        "</voices share> with members, roles or everyone. </voices export> gives you a voice as a file.",
    ),
    (
        "🔒 Your data",
        "</privacy show> lists what I store about you, </privacy export> gives you a copy, </privacy forget> deletes "
        "it; in direct messages with me, for all servers.",
    ),
    (
        "🔎 Was it generated?",
        "</check> looks for my mark in a recording, and so does *Apps → Was this made by Barkeep?* on a message.",
    ),
)
"""Task -> how to do it. `</name>` becomes a link to that command."""
FOR_MODERATORS = (
    "🛠️ For moderators",
    "</admin settings> for roles, channels and limits; </admin default> for the default voice; </admin voices>, "
    "</admin queue>, </admin stats>, </admin audit>; </admin block>, </admin unblock>, </admin purge>. "
    "</pronounce add>, </pronounce remove> and </pronounce import> decide how words are said, </read ignore> whose "
    "messages are not read.",
)
EXAMPLES = (
    "💡 For example",
    "`/clone name:Ada audio:me.m4a`\n"
    "`/say text:Good evening! [laughs] voice:Ada`\n"
    "`/voices share voice:Ada audience:Everyone on this server`",
)
_COMMAND = re.compile(r"</([\w -]+)>")


class Help(commands.Cog):
    """The /help command."""

    def __init__(self, bot: StudioBot) -> None:
        self.bot = bot
        self._ids: dict[str, int] = {}

    @app_commands.command(name="help", description="What I can do, in short")
    async def help(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Show only the commands that the member may see."""
        actor = actor_of(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        embed = render_help(await self._known_ids(), is_moderator=actor.is_moderator)
        await interaction.followup.send(embed=embed, ephemeral=True)

    async def _known_ids(self) -> dict[str, int]:
        """Return command name -> Discord's id, fetched once; empty while Discord does not answer."""
        if not self._ids:
            try:
                self._ids = {command.name: command.id for command in await self.bot.tree.fetch_commands()}
            except (discord.HTTPException, aiohttp.ClientError, TimeoutError) as error:
                log.info("command_ids_unknown", reason=type(error).__name__)
        return self._ids


def render_help(ids: dict[str, int], *, is_moderator: bool) -> discord.Embed:
    """Return the help embed, with the moderators' group only for them.

    A command without an id is bold instead of a link.
    """

    def link(found: re.Match[str]) -> str:
        name = found[1]
        command_id = ids.get(name.split()[0])
        return f"**/{name}**" if command_id is None else f"</{name}:{command_id}>"

    embed = discord.Embed(title="Barkeep", description="I clone voices and speak with them.", colour=COLOUR)
    for title, text in (*GROUPS, *([FOR_MODERATORS] if is_moderator else []), EXAMPLES):
        embed.add_field(name=title, value=_COMMAND.sub(link, text), inline=False)
    return embed
