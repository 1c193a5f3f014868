"""The bot: connects Discord to one studio, loads the cogs, syncs commands and runs upkeep."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import discord
import structlog
from discord import app_commands
from discord.ext import commands, tasks

from cogs.admin.buttons import ADMIN_ITEMS
from cogs.admin.cog import Admin
from cogs.admin.settings import SETTINGS_ITEMS
from cogs.answers import CancelWaiting, Discard, Repeat
from cogs.channel.cog import Channel
from cogs.check import Check
from cogs.clone.cog import Clone
from cogs.clone.consent import ConsentButton
from cogs.clone.spoken import SayIt
from cogs.clone.take_back import TakeBack
from cogs.courier import DiscordCourier
from cogs.help import Help
from cogs.jobs import CancelJob, Fetch, Jobs
from cogs.lost_choices import tell_of_lost_choices
from cogs.privacy.cog import AskRevoke, Privacy
from cogs.pronounce import Pronounce
from cogs.reading import Read
from cogs.say import Say
from cogs.studio_bot import ServerNames, StudioBot
from cogs.ui.base import is_known
from cogs.ui.confirm import CONFIRM_ITEMS
from cogs.ui.errors import answer_error
from cogs.ui.pages import PAGE_ITEMS
from cogs.ui.replies import NOBODY
from cogs.ui.voice_buttons import VOICE_ITEMS
from cogs.voices.cog import Voices
from cogs.voices.sharing import SHARING_ITEMS
from errors import BarkeepError, NotFound
from studio.housekeeping import run_step
from studio.studio import Studio
from studio.values import Courier

log = structlog.get_logger(__name__)

NewCog = Callable[[StudioBot], commands.Cog]
COGS: tuple[NewCog, ...] = (Clone, Say, Pronounce, Channel, Check, Read, Jobs, Voices, Privacy, Admin, Help)
ITEMS: tuple[type[discord.ui.DynamicItem[Any]], ...] = (
    *(Repeat, CancelWaiting, Discard, CancelJob, Fetch, ConsentButton, TakeBack, SayIt, AskRevoke),
    *(*VOICE_ITEMS, *SHARING_ITEMS, *PAGE_ITEMS, *CONFIRM_ITEMS, *ADMIN_ITEMS, *SETTINGS_ITEMS),
)
"""The buttons and menus that work after a restart."""
UPKEEP_SECONDS = 30.0
EDIT_SECONDS = 3.0
"""The minimum time between two progress edits of one message: Discord limits edits, and people read slowly."""

OpenStudio = Callable[[Courier], Awaitable[Studio]]


class BarkeepTree(app_commands.CommandTree[StudioBot]):
    """The command tree. Answers each error of a command with a sentence for the member."""

    async def on_error(
        self, interaction: discord.Interaction[StudioBot], error: app_commands.AppCommandError, /
    ) -> None:
        """Answer an expected error with its sentence, any other with an apology and a reference id."""
        await answer_error(interaction, error)


class Barkeep(StudioBot):
    """A Discord client with a studio.

    `open_studio` is awaited once, after login and before the gateway opens, with the courier that sends answers.
    `claims_data`: ties the data to this Discord application and the shards to this process, stores which commands
    Discord has, and deletes the data of servers that removed the bot while it was offline. Off in the simulator, which
    has no real application; commands are then synced at every start.
    `shard_count`, `shard_ids`: as in Shards; None: all, as many as Discord recommends.
    `read_messages`: asks Discord for the content of messages, so that channels can be read aloud.
    """

    courier: DiscordCourier

    def __init__(
        self,
        open_studio: OpenStudio,
        *,
        claims_data: bool = False,
        shard_count: int | None = None,
        shard_ids: tuple[int, ...] | None = None,
        edit_seconds: float = EDIT_SECONDS,
        read_messages: bool = False,
    ) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            tree_cls=BarkeepTree,
            help_command=None,
            intents=discord.Intents(
                guilds=True, voice_states=True, guild_messages=read_messages, message_content=read_messages
            ),
            allowed_mentions=NOBODY,
            allowed_contexts=app_commands.AppCommandContext(guild=True),
            allowed_installs=app_commands.AppInstallationType(guild=True),
            max_messages=None,
            shard_count=shard_count,
            shard_ids=None if shard_ids is None else list(shard_ids),  # type: ignore[arg-type]  # None is its default
        )
        self._open_studio = open_studio
        self._claims_data = claims_data
        self._absence_counts = False
        self._edit_seconds = edit_seconds
        self._removed_from: set[int] = set()
        """Servers whose data are still to be deleted."""
        self.ended_by: BarkeepError | None = None
        """The error that made the bot close itself."""
        self._end: asyncio.Task[None] | None = None

    async def setup_hook(self) -> None:
        """Open the studio, load the cogs, sync the commands, and continue what an earlier run left behind.

        Raises Conflict if another process has one of the shards, or if the data belong to another application: this
        bot is in none of that one's servers and would delete all their data.
        """
        self.courier = DiscordCourier(self, edit_seconds=self._edit_seconds)
        self.studio = await self._open_studio(self.courier)
        self.server_names = ServerNames(self, self.studio.storage.shards)
        if self._claims_data:
            await self.studio.storage.claim_shards(self._close_because)
            self._absence_counts = await self.studio.storage.installation.claim(self._own_id())
        self.add_dynamic_items(*ITEMS)
        for cog in COGS:
            await self.add_cog(cog(self))
        await self._sync_commands()
        await self.studio.start()
        self._upkeep.start()

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Answer a button or form that has no handler, such as a form that was open during a restart."""
        kind = interaction.type
        if kind not in (discord.InteractionType.component, discord.InteractionType.modal_submit):
            return
        if is_known(interaction) or interaction.response.is_done():
            return
        name = "form" if kind is discord.InteractionType.modal_submit else "button"
        await answer_error(
            interaction,
            NotFound(
                f"I was restarted and no longer know this {name}. Nothing was done. Please use the command again."
            ),
        )

    async def on_message(self, message: discord.Message, /) -> None:
        """Do nothing. discord.py would take a message that begins with a mention of the bot for a command."""

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Delete the data of a server that removed the bot."""
        self._removed_from.add(guild.id)
        await run_step("removed servers", self._forget_servers())

    async def on_guild_role_delete(self, role: discord.Role) -> None:
        """Tell moderators if no role is left that may clone or speak."""
        await tell_of_lost_choices(self, role.guild)

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Tell moderators if no channel is left for voices."""
        await tell_of_lost_choices(self, channel.guild)

    async def on_ready(self) -> None:
        """Catch up on changes while offline, once every server is known.

        Deletes the data of servers that removed the bot, and tells moderators about deleted roles and channels.
        """
        try:
            storage = self.studio.storage
            if self._absence_counts:
                for guild_id in await storage.guilds.all_ids():
                    if storage.shards.own(guild_id) and self.get_guild(guild_id) is None:
                        await self.studio.admin.guild_removed(guild_id)
            for settings in await storage.guilds.all_settings():
                await tell_of_lost_choices(self, self.get_guild(settings.guild_id))
        except BarkeepError as error:
            log.warning("absence_not_noticed", reason=error.message)  # the next start tries again

    async def _forget_servers(self) -> None:
        """Delete the data of servers that removed the bot, unless it was invited again."""
        for guild_id in tuple(self._removed_from):
            if self.get_guild(guild_id) is None:
                await self.studio.admin.guild_removed(guild_id)
            self._removed_from.discard(guild_id)

    async def close(self) -> None:
        """Stop taking work, close the studio, then the connection. Safe to call twice, and before login."""
        # Before login discord.py has no event loop and nothing open, and its own close() needs both.
        if self.is_closed() or not hasattr(self.loop, "is_running"):
            return
        self._upkeep.cancel()
        if hasattr(self, "studio"):
            await self.courier.close()
            await self.studio.close()
        await super().close()

    def _own_id(self) -> int:
        if self.application_id is None:
            raise RuntimeError("the application id is known only after login")
        return self.application_id

    def _close_because(self, error: BarkeepError) -> None:
        """Close the bot, because another process serves its servers."""
        self.ended_by = error
        self._end = asyncio.create_task(self.close())

    async def _sync_commands(self) -> None:
        """Sync the commands only if they changed: Discord allows 200 creations a day."""
        if not self._claims_data:
            await self.tree.sync()
            return
        digest = _digest_of(self.tree, self._own_id())
        storage = self.studio.storage
        async with storage.in_turn():  # if several processes start together, only one syncs
            if await storage.installation.commands_digest() == digest:
                return
            await self.tree.sync()
            log.info("commands_synced", digest=digest[:12])
            try:
                await storage.installation.note_commands(digest)
            except BarkeepError as error:
                log.warning("commands_not_remembered", reason=error.message)  # the next start syncs them again

    @tasks.loop(seconds=UPKEEP_SECONDS)
    async def _upkeep(self) -> None:
        """Run upkeep: leases, expired consent requests, retention. An error is logged, and the next run retries."""
        await run_step("removed servers", self._forget_servers())
        try:
            await self.studio.upkeep()
        except BarkeepError as error:
            log.warning("upkeep_failed", reason=error.message)
        except Exception:
            log.exception("upkeep_failed")


def _digest_of(tree: app_commands.CommandTree[Any], application_id: int) -> str:
    """Return a hash of all commands as Discord would store them, for one application."""
    payload = [command.to_dict(tree) for command in tree.get_commands()]
    body = json.dumps([application_id, sorted(payload, key=lambda command: (command["type"], command["name"]))])
    return hashlib.sha256(body.encode()).hexdigest()
