"""The bot: connects Discord to one studio, loads the cogs, syncs commands, keeps house. No commands of its own.

It does not know how a studio is made; `open_studio` does.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import discord
import structlog
from discord import app_commands
from discord.ext import commands, tasks

from cogs.clone.consent import ConsentButton, TakeBack
from cogs.delivery import DiscordCourier
from cogs.jobs.buttons import Cancel, Fetch
from cogs.lost_choices import tell_of_lost_choices
from cogs.studio_bot import StudioBot
from cogs.tree import BarkeepTree, digest_of
from cogs.ui.base import is_known
from cogs.ui.errors import answer_fault
from cogs.ui.reply_buttons import Discard, Repeat, Stop
from cogs.ui.voice_buttons import VOICE_ITEMS
from errors import BarkeepError, NotFound
from studio.studio import Studio
from studio.values import Courier

log = structlog.get_logger(__name__)

EXTENSIONS = (
    "cogs.clone.cog",
    "cogs.say",
    "cogs.pronounce",
    "cogs.channel.cog",
    "cogs.check",
    "cogs.jobs.cog",
    "cogs.voices.cog",
    "cogs.privacy",
    "cogs.admin.cog",
    "cogs.help",
)
UPKEEP_SECONDS = 30.0
EDIT_SECONDS = 3.0
"""The least time between two progress edits of one message: Discord limits edits, and people read slowly."""

OpenStudio = Callable[[Courier], Awaitable[Studio]]


class Barkeep(StudioBot):
    """A Discord client with a studio behind it.

    `open_studio` is awaited once, after login and before the gateway opens, with the courier that brings answers.
    `command_digest` is the file that remembers which commands Discord has; without one they are synced at every start.
    `claims_data`: the data belong to this Discord application and no other, and servers that removed the bot while it
    was away are forgotten. Not in the simulator, whose application is a made-up one.
    """

    courier: DiscordCourier

    def __init__(
        self,
        open_studio: OpenStudio,
        *,
        command_digest: Path | None = None,
        claims_data: bool = False,
        shard_count: int | None = None,
        edit_seconds: float = EDIT_SECONDS,
    ) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            tree_cls=BarkeepTree,
            help_command=None,
            intents=discord.Intents(guilds=True, voice_states=True),
            allowed_mentions=discord.AllowedMentions.none(),
            allowed_contexts=app_commands.AppCommandContext(guild=True),
            allowed_installs=app_commands.AppInstallationType(guild=True),
            max_messages=None,
            shard_count=shard_count,
        )
        self._open_studio = open_studio
        self._command_digest = command_digest
        self._claims_data = claims_data
        self._absence_counts = False
        self._edit_seconds = edit_seconds

    async def setup_hook(self) -> None:
        """Open the studio, load the cogs, sync the commands, and take up what an earlier run left behind.

        Raises Conflict if the data belong to another application: it is in none of their servers, and would forget all.
        """
        self.courier = DiscordCourier(self, edit_seconds=self._edit_seconds)
        self.studio = await self._open_studio(self.courier)
        if self._claims_data:
            self._absence_counts = await self.studio.storage.claim(self._own_id())
        self.add_dynamic_items(Repeat, Stop, Discard, *VOICE_ITEMS, Cancel, Fetch, ConsentButton, TakeBack)
        for extension in EXTENSIONS:
            await self.load_extension(extension)
        await self._sync_commands()
        await self.studio.start()
        self._upkeep.start()

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Tell whoever pressed or filled in something that is not remembered: forms are forgotten by a restart."""
        kind = interaction.type
        if kind not in (discord.InteractionType.component, discord.InteractionType.modal_submit):
            return
        if is_known(interaction) or interaction.response.is_done():
            return
        what = "form" if kind is discord.InteractionType.modal_submit else "button"
        await answer_fault(
            interaction,
            NotFound(
                f"I do not remember this {what}: I was restarted since. Nothing was done. Please use the command again."
            ),
        )

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """The bot was removed from a server: nothing of it is kept."""
        await self.studio.admin.guild_removed(guild.id)

    async def on_guild_role_delete(self, role: discord.Role) -> None:
        """It may have been the last one that could clone or speak."""
        await tell_of_lost_choices(self, role.guild)

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """It may have been the last one where voices could be used."""
        await tell_of_lost_choices(self, channel.guild)

    async def on_ready(self) -> None:
        """Every server that the bot is in is known now, reachable or not: look at what happened meanwhile.

        Servers that removed the bot are forgotten, and moderators are told of roles and channels that were deleted.
        """
        try:
            if self._absence_counts:
                for guild_id in await self.studio.storage.guilds.all_ids():
                    if self.get_guild(guild_id) is None:
                        await self.studio.admin.guild_removed(guild_id)
            for settings in await self.studio.storage.guilds.all_settings():
                await tell_of_lost_choices(self, self.get_guild(settings.guild_id))
        except BarkeepError as fault:
            log.warning("absence_not_noticed", reason=fault.message)  # The next start looks again.

    async def close(self) -> None:
        """Stop taking work, close the studio, then the connection. Safe to call twice, and before login."""
        # Before login discord.py has no event loop and nothing open, and its own close() relies on both.
        if self.is_closed() or not hasattr(self.loop, "is_running"):
            return
        self._upkeep.cancel()
        if hasattr(self, "studio"):
            await self.courier.close()
            await self.studio.close()
        await super().close()

    def _own_id(self) -> int:
        if self.application_id is None:
            raise RuntimeError("setup_hook runs after login, which tells the application id")
        return self.application_id

    async def _sync_commands(self) -> None:
        """Tell Discord the commands only if they changed: it allows 200 creations a day."""
        digest = digest_of(self.tree, self._own_id())
        if self._command_digest is not None and await asyncio.to_thread(_read, self._command_digest) == digest:
            return
        await self.tree.sync()
        log.info("commands_synced", digest=digest[:12])
        if self._command_digest is not None:
            await asyncio.to_thread(_write, self._command_digest, digest)

    @tasks.loop(seconds=UPKEEP_SECONDS)
    async def _upkeep(self) -> None:
        """Leases, expired consent requests, retention. A fault here is logged and tried again next time."""
        try:
            await self.studio.upkeep()
        except BarkeepError as fault:
            log.warning("upkeep_failed", reason=fault.message)
        except Exception:
            log.exception("upkeep_failed")


def _read(path: Path) -> str | None:
    """The text of a file, or None if there is none that can be read."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _write(path: Path, text: str) -> None:
    """Remember for the next start, which does without if it has to: a full disk does no harm here."""
    try:
        path.touch(0o600)
        path.write_text(text, "utf-8")
    except OSError as fault:
        log.warning("not_remembered", file=path.name, reason=fault.strerror)
