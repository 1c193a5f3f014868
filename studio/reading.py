"""Reads a channel aloud: each message is said in the server's voice channel, in its author's default voice.

A message is a speech job like any other, under the same rights and limits. `reading_rules` decides which messages are
read, and in which words.
"""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from errors import BarkeepError, Conflict, InvalidInput, LimitReached, NotAllowed, VoiceUnavailable
from storage.database import Storage
from storage.records import GuildSettings, JobRecord
from studio import rights
from studio.admin import AdminService
from studio.channel.lines import Line
from studio.channel.rooms import Room
from studio.channel.service import ChannelService
from studio.queue.dispatcher import Dispatcher
from studio.queue.job_payload import Reply, SpeechPayload
from studio.reading_rules import Pace, Written, is_read, words_for
from studio.speech import SpeechService
from studio.values import Actor

MOST_WAITING = 30
"""The maximum of waiting lines in a voice channel. Messages beyond it are not read."""
TELL_AGAIN = timedelta(hours=1)
"""The least time between two notices to a member that their limit is used up."""
_REMEMBERED = 1000
"""The number of messages whose lines are kept, to end them when the message is deleted."""

_log = structlog.get_logger(__name__)

Names = Callable[[], Awaitable[Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class Target:
    """A channel whose messages are read. `parent_id`: the channel that a thread belongs to; `is_voice`: it is a voice
    channel's own chat.
    """

    channel_id: int
    parent_id: int | None = None
    is_voice: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """The state of reading on a server. `channel_id`: None if no channel is read.

    `ignored`: the members whose messages moderators excluded; `unread`: the asking member excluded their own.
    """

    channel_id: int | None
    settings: GuildSettings
    ignored: tuple[int, ...]
    unread: bool


class ReadingService:
    """Starts and stops reading, reads messages, and stores whose messages are not read."""

    def __init__(
        self,
        storage: Storage,
        channels: ChannelService,
        speech: SpeechService,
        admin: AdminService,
        dispatcher: Dispatcher,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._storage = storage
        self._channels = channels
        self._speech = speech
        self._admin = admin
        self._dispatcher = dispatcher
        self._rooms = dispatcher.rooms
        self._clock = clock
        self._pace = Pace()
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._last_author: dict[int, int] = {}
        self._lines: OrderedDict[int, str] = OrderedDict()
        """Message -> its job, or "" before it has one."""
        self._told_at: dict[tuple[int, int], datetime] = {}
        """(server, member) -> when the member was last told why their messages are not read."""

    async def start(self, actor: Actor, target: Target | None) -> int:
        """Start reading a channel; the voice channel's own chat if `target` is None. Return its id.

        The bot joins the actor's voice channel if it is in none. Raises NotAllowed, InvalidInput, and what
        ChannelService.join raises.
        """
        settings = await rights.require(self._storage, actor, rights.may_speak)
        if self._rooms.get(actor.guild_id) is None:
            await self._channels.join(actor)
        room = self._require_room(actor)
        own = Target(room.connection.channel_id, is_voice=True)
        target = target or own
        _check_target(actor, settings, target, own)
        await self._bind(room, actor.guild_id, target.channel_id)
        await self._storage.audit.write(actor.guild_id, actor.member_id, "reading.start", str(target.channel_id))
        return target.channel_id

    async def stop(self, actor: Actor) -> int:
        """Stop reading and drop waiting messages. Return the channel. Raises NotAllowed, Conflict if none is read."""
        await rights.require(self._storage, actor, rights.may_act)
        room = self._rooms.get(actor.guild_id)
        channel_id = None if room is None else room.read_channel_id
        if room is None or channel_id is None:
            raise Conflict("I am not reading any channel of this server.")
        self._require_room(actor)
        await self._bind(room, actor.guild_id, None)
        await self._drop(room, lambda _: True)
        await self._storage.audit.write(actor.guild_id, actor.member_id, "reading.stop", str(channel_id))
        return channel_id

    async def reading(self, actor: Actor) -> Reading:
        """Return the state of reading on the actor's server."""
        room = self._rooms.get(actor.guild_id)
        return Reading(
            None if room is None else room.read_channel_id,
            await self._storage.guilds.get(actor.guild_id),
            tuple(await self._storage.members.ignored(actor.guild_id)),
            (await self._storage.members.get(actor.guild_id, actor.member_id)).unread,
        )

    async def choose(self, actor: Actor, *, read: bool) -> None:
        """Store whether the actor wants their messages read. Blocked members may choose too."""
        await self._storage.members.set_unread(actor.guild_id, actor.member_id, unread=not read)
        if not read:
            await self._drop_member(actor.guild_id, actor.member_id)

    async def ignore_member(self, actor: Actor, member_id: int, *, ignored: bool) -> None:
        """Stop reading a member's messages, or read them again. Raises NotAllowed."""
        rights.must_moderate(actor)
        await self._storage.members.set_ignored(actor.guild_id, member_id, ignored=ignored)
        if ignored:
            await self._drop_member(actor.guild_id, member_id)
        action = "reading.ignore" if ignored else "reading.heed"
        await self._storage.audit.write(actor.guild_id, actor.member_id, action, str(member_id))

    async def ignore_role(self, actor: Actor, role_id: int, *, ignored: bool) -> None:
        """Stop reading the messages of a role's members, or read them again. Raises NotAllowed."""
        rights.must_moderate(actor)
        async with self._turns[actor.guild_id]:  # Concurrent changes by two moderators are both applied.
            chosen = (await self._storage.guilds.get(actor.guild_id)).read_ignored_role_ids
            wanted = chosen | {role_id} if ignored else chosen - {role_id}
            await self._admin.change(actor, read_ignored_role_ids=wanted)
        if ignored and (room := self._rooms.get(actor.guild_id)) is not None:
            await self._drop(room, lambda line: line.job is not None and role_id in SpeechPayload.of(line.job).roles)

    def listens_to(self, guild_id: int, target: Target) -> bool:
        """Return whether messages in this channel are read now: it was chosen, and the voice channel has listeners.

        A voice channel's chat is read only while the bot is in that channel: moderators may have moved the bot.
        """
        room = self._rooms.get(guild_id)
        if room is None or room.read_channel_id != target.channel_id or room.alone_since is not None:
            return False
        return not target.is_voice or target.channel_id == room.connection.channel_id

    async def read(self, actor: Actor, written: Written, names: Names) -> JobRecord | None:
        """Read a message of a channel for which `listens_to` is true. Return its job, or None if it is not read.

        names: looks up the names of what the message mentions. Raises LimitReached and, for a default voice that can
        no longer speak, VoiceUnavailable, for each member at most once in TELL_AGAIN. Other errors are only logged.
        """
        since = await self._storage.erasures.latest(actor.guild_id)
        settings = await self._storage.guilds.get(actor.guild_id)
        if not await self._is_wanted(actor):
            return None
        if not self._pace.allows(actor.guild_id, actor.member_id, self._clock(), settings.read_per_minute):
            return None
        self._remember(written.message_id, "")
        async with self._turns[actor.guild_id]:  # Messages are read in the order in which they were written.
            try:
                return await self._say(actor, written, await names(), settings, since)
            except (LimitReached, VoiceUnavailable):
                if self._is_told(actor):
                    return None
                raise
            except BarkeepError as error:
                _log.info("message_not_read", guild_id=actor.guild_id, reason=type(error).__name__)
                return None

    async def withdraw(self, message_id: int) -> None:
        """End the line of a deleted message."""
        if job_id := self._lines.pop(message_id, ""):
            await self._silence(job_id)

    async def _say(
        self, actor: Actor, written: Written, names: Mapping[str, str], settings: GuildSettings, since: int
    ) -> JobRecord | None:
        room = self._rooms.get(actor.guild_id)
        if room is None or room.read_channel_id != actor.channel_id or len(room.lines) >= MOST_WAITING:
            return None
        named = settings.read_names and self._last_author.get(actor.guild_id) != actor.member_id
        words = words_for(written, names, settings, named=named)
        if not words or written.message_id not in self._lines or not await self._is_wanted(actor):
            return None
        job = await self._speech.read_aloud(actor, words, since)
        self._last_author[actor.guild_id] = actor.member_id
        # Meanwhile the message may have been deleted, or reading ended, by its author or for everyone.
        if written.message_id not in self._lines or not await self._is_wanted(actor):
            await self._silence(job.id)
            return None
        self._remember(written.message_id, job.id)
        return job

    async def _is_wanted(self, actor: Actor) -> bool:
        """Return whether the actor's messages in this channel are read at this moment."""
        room = self._rooms.get(actor.guild_id)
        if room is None or room.read_channel_id != actor.channel_id:
            return False
        settings = await self._storage.guilds.get(actor.guild_id)
        return is_read(actor, settings, await self._storage.members.get(actor.guild_id, actor.member_id))

    async def _bind(self, room: Room, guild_id: int, channel_id: int | None) -> None:
        await self._storage.seats.read(guild_id, channel_id)
        room.read_channel_id = channel_id
        self._last_author.pop(guild_id, None)

    async def _drop_member(self, guild_id: int, member_id: int) -> None:
        if (room := self._rooms.get(guild_id)) is not None:
            await self._drop(room, lambda line: line.member_id == member_id)

    async def _drop(self, room: Room, unwanted: Callable[[Line], bool]) -> None:
        """End the lines of messages that are `unwanted`. Lines of /say continue."""
        read = [line for line in room.lines if line.reply is Reply.NOTHING and line.job is not None]
        for line in reversed(read):  # The line that is playing ends last, so that no other one begins.
            if unwanted(line):
                await self._silence(line.key)

    async def _silence(self, job_id: str) -> None:
        self._rooms.drop(job_id)
        await self._dispatcher.cancel(job_id)

    def _require_room(self, actor: Actor) -> Room:
        """Return the room if the actor is in it or is a moderator. Raises NotAllowed."""
        room = self._rooms.get(actor.guild_id)
        if room is None:
            raise Conflict("I was just disconnected from the voice channel. Please try again.")
        if not actor.is_moderator and actor.voice_channel_id != room.connection.channel_id:
            raise NotAllowed(f"I am in <#{room.connection.channel_id}>. Join it, then try again.")
        return room

    def _remember(self, message_id: int, job_id: str) -> None:
        self._lines[message_id] = job_id
        if len(self._lines) > _REMEMBERED:
            self._lines.popitem(last=False)

    def _is_told(self, actor: Actor) -> bool:
        """Return whether the member was told within TELL_AGAIN why they are not read. If not, record it as told now."""
        now = self._clock()
        self._told_at = {key: told for key, told in self._told_at.items() if told > now - TELL_AGAIN}
        key = actor.guild_id, actor.member_id
        if key in self._told_at:
            return True
        self._told_at[key] = now
        return False


def _check_target(actor: Actor, settings: GuildSettings, target: Target, own: Target) -> None:
    """Raise NotAllowed or InvalidInput for a channel that cannot be read in the voice channel `own`."""
    if target.is_voice and target.channel_id != own.channel_id:
        raise InvalidInput(f"I am in <#{own.channel_id}> and can't read the chat of another voice channel there.")
    if target.channel_id != own.channel_id and not actor.is_moderator:
        raise NotAllowed(
            "Only moderators can choose a channel other than the voice channel's own chat, because not everybody who "
            "listens may see it."
        )
    if settings.channel_ids and settings.channel_ids.isdisjoint({target.channel_id, target.parent_id}):
        raise InvalidInput(
            f"Voices can't be used in <#{target.channel_id}>, so its messages would not be read. A moderator can "
            "change that with /admin settings."
        )
