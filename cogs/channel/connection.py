"""The bot's connections to voice channels: implements `studio.channel.gateway` with discord.py's voice client.

Names with a leading underscore and the members of `voice_state` are private to discord.py. Its version is pinned, and
tests/cogs/channel runs all of them against a voice server.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp
import discord
import structlog
from discord import voice_client, voice_state
from discord.voice_state import SocketReader, VoiceConnectionState

from cogs.channel.source import LineSource
from errors import Conflict, LimitReached, NotAllowed, NotFound, Unavailable
from studio.channel.lines import Line

CONNECT_SECONDS = 15.0
"""How long entering a channel may take."""
BACK_SECONDS = 45.0
"""How long a line waits for a lost connection. discord.py tries again after 0 to 2 s, 0 to 4 s, and so on."""
LEAVE_SECONDS = 2.0
"""How long the platform may take to note that the bot left."""
LOOK_SECONDS = 0.02

LIBRARIES = (
    "I cannot speak in voice channels: two libraries are missing. The bot's owner can install them with "
    '`pip install "discord.py[voice]"` and restart me. Everything else works.'
)
NO_SOUND_PASSES = (
    "I reached Discord's voice server, but my sound does not get through: my network blocks UDP. "
    "Please ask the bot's owner to allow outgoing UDP."
)
NO_SERVER = "Discord's voice server did not answer. Please try again in a minute."

log = structlog.get_logger(__name__)


class _State(VoiceConnectionState):
    """discord.py's state machine without two waits of up to half a minute."""

    def _create_socket(self) -> None:
        """Create the socket with a new reader.

        discord.py reuses its reader, which may still wait for the previous socket: closing that one does not wake it,
        so for up to 30 s the reader would miss the first answer on the new socket.
        """
        self._socket_reader.stop()
        self._socket_reader = SocketReader(self)
        self._socket_reader.start()
        super()._create_socket()

    async def _connect(
        self,
        reconnect: bool,
        timeout: float,  # noqa: ASYNC109 (as discord.py has it)
        self_deaf: bool,
        self_mute: bool,
        resume: bool,
    ) -> None:
        """Always make a new connection.

        When it resumes one, discord.py waits for events that only a new connection gets, until the timeout, and leaves.
        """
        if resume:
            await self.disconnect(cleanup=False)
        await super()._connect(reconnect, timeout, self_deaf, self_mute, resume=False)


class _VoiceClient(discord.VoiceClient):
    """discord.py's voice client, which calls `gone` when it ends."""

    gone: Callable[[], None] | None = None
    ended = False

    def create_connection_state(self) -> VoiceConnectionState:
        return _State(self)

    def cleanup(self) -> None:
        super().cleanup()
        self.ended = True
        gone, self.gone = self.gone, None
        if gone is not None:
            gone()


class DiscordConnection:
    """Implements `studio.channel.gateway.Connection`."""

    def __init__(self, client: _VoiceClient) -> None:
        self._client = client

    @property
    def channel_id(self) -> int:
        """The channel that the bot is in now."""
        return self._client.channel.id

    @property
    def ready(self) -> bool:
        """Whether listeners would hear the bot: connected, and end-to-end encrypted if the server requires that."""
        state = self._client._connection
        if not state.is_connected() or not state.ws or state.ws.ws.closed:
            return False
        return state.dave_protocol_version == 0 or state.can_encrypt

    async def play(self, line: Line) -> None:
        """Play a line to its end."""
        source = LineSource(line, lambda: self.ready)
        try:
            while not source.ended:
                if source.idle:
                    await line.more(source.taken)
                    continue
                self._require_voice()
                await self._wait_until_ready()
                line.begun = True
                await self._play(source)
        finally:
            source.close()

    async def close(self) -> None:
        """Leave the channel."""
        self._client.gone = None
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._client.disconnect(force=True)
        except (TimeoutError, aiohttp.ClientError, OSError, discord.DiscordException) as error:
            log.info("leaving_not_noted", reason=type(error).__name__)

    async def _play(self, source: LineSource) -> None:
        """Play until the source returns an empty packet. On return, the player has sent its last packet."""
        loop = asyncio.get_running_loop()
        played: asyncio.Future[Exception | None] = loop.create_future()

        def after(error: Exception | None) -> None:
            loop.call_soon_threadsafe(_resolve, played, error)

        try:
            self._client.play(source, after=after)
        except discord.ClientException:  # The connection was lost since the check.
            await asyncio.sleep(LOOK_SECONDS)
            return
        try:
            error = await asyncio.shield(played)
        finally:
            self._client.stop()
            await asyncio.wait({played}, timeout=1.0)
        if error is not None:
            raise error

    async def _wait_until_ready(self) -> None:
        try:
            async with asyncio.timeout(BACK_SECONDS):
                while not self.ready:  # noqa: ASYNC110 (discord.py has no event for this)
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise Unavailable("The connection to the voice channel broke and did not come back.") from None

    def _require_voice(self) -> None:
        """Raise NotAllowed if the bot could not be heard."""
        channel, me = self._client.channel, self._client.guild.me
        if not channel.permissions_for(me).speak:
            raise NotAllowed(f"I am no longer allowed to speak in <#{channel.id}>.")
        if me.voice is not None and (me.voice.mute or me.voice.suppress):
            raise NotAllowed(f"A moderator has muted me in <#{channel.id}>.")


class DiscordVoice:
    """Implements `studio.channel.gateway.VoiceGateway`."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    async def connect(self, guild_id: int, channel_id: int, gone: Callable[[], None]) -> DiscordConnection:
        """Enter a voice channel."""
        channel = self._channel(guild_id, channel_id)
        _require_entry(channel)
        client = await self._connected(channel)
        if isinstance(channel, discord.StageChannel):
            await _become_speaker(channel, client)
        if client.ended:
            raise Unavailable("I was removed from the voice channel while I was joining it. Use /join to try again.")
        client.gone = gone
        return DiscordConnection(client)

    def shows(self, guild_id: int) -> bool:
        """Return whether Discord describes the server: not while it is unavailable, or not known yet."""
        guild = self._client.get_guild(guild_id)
        return guild is not None and not guild.unavailable

    def audience(self, guild_id: int, channel_id: int) -> int:
        """Return the number of people in the channel. A member who is not cached counts as a person, not as a bot."""
        guild = self._client.get_guild(guild_id)
        channel = None if guild is None else guild.get_channel(channel_id)
        if guild is None or not isinstance(channel, discord.VoiceChannel | discord.StageChannel):
            return 0
        members = [guild.get_member(member_id) for member_id in channel.voice_states]
        return sum(member is None or not member.bot for member in members)

    def _channel(self, guild_id: int, channel_id: int) -> discord.VoiceChannel | discord.StageChannel:
        guild = self._client.get_guild(guild_id)
        if guild is None or not self.shows(guild_id):
            raise Unavailable("Discord does not show me this server right now. Please try again in a minute.")
        channel = guild.get_channel(channel_id)
        if not isinstance(channel, discord.VoiceChannel | discord.StageChannel):
            raise NotFound("I cannot see that voice channel. Please ask a moderator to let me see it.")
        return channel

    async def _connected(self, channel: discord.VoiceChannel | discord.StageChannel) -> _VoiceClient:
        clients: list[_VoiceClient] = []

        def make(client: discord.Client, where: discord.abc.Connectable) -> _VoiceClient:
            clients.append(_VoiceClient(client, where))
            return clients[0]

        try:
            return await channel.connect(timeout=CONNECT_SECONDS, cls=make, self_deaf=True)
        except TimeoutError as error:
            reached = bool(clients and clients[0].ws)
            log.warning("voice_not_connected", channel_id=channel.id, reason="no UDP" if reached else "no answer")
            raise Unavailable(NO_SOUND_PASSES if reached else NO_SERVER) from error
        except (aiohttp.ClientError, OSError, discord.ConnectionClosed) as error:
            log.warning("voice_not_connected", channel_id=channel.id, reason=type(error).__name__)
            raise Unavailable(NO_SERVER) from error
        except discord.ClientException as error:  # An earlier connection on this server has not ended yet.
            raise Conflict("I am just leaving a voice channel here. Please try again in a moment.") from error


def _require_entry(channel: discord.VoiceChannel | discord.StageChannel) -> None:
    """Raise a BarkeepError with the reason if the bot cannot enter a channel."""
    if not (voice_client.has_nacl and voice_state.has_dave):
        raise Unavailable(LIBRARIES)
    rights = channel.permissions_for(channel.guild.me)
    for allowed, name in ((rights.view_channel, "View Channel"), (rights.connect, "Connect"), (rights.speak, "Speak")):
        if not allowed and not (name == "Speak" and isinstance(channel, discord.StageChannel)):
            raise NotAllowed(f"I need the permission {name} in <#{channel.id}>. Please ask a moderator for it.")
    full = channel.user_limit and len(channel.voice_states) >= channel.user_limit
    if full and not rights.move_members:
        raise LimitReached(
            f"<#{channel.id}> is full: it takes {channel.user_limit} people. Make room, or ask me into another one."
        )


async def _become_speaker(channel: discord.StageChannel, client: _VoiceClient) -> None:
    """Make the bot a speaker on a stage, where only speakers are heard. Raises NotAllowed if it cannot."""
    try:
        await channel.guild.me.edit(suppress=False)
    except discord.HTTPException as error:
        with suppress(discord.DiscordException, TimeoutError):
            await client.disconnect(force=True)
        raise NotAllowed(
            f"<#{channel.id}> is a stage, and I may not speak there. Make me a stage moderator (the permissions Mute "
            "Members, Move Members and Manage Channels), or ask me into a voice channel."
        ) from error


def _resolve(future: "asyncio.Future[Any]", value: object) -> None:
    if not future.done():
        future.set_result(value)
