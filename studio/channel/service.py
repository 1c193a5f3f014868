"""Voice channels for members: join, leave, skip and stop. The bot also leaves and returns automatically."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from errors import BarkeepError, Conflict, InvalidInput, NotAllowed, Unavailable
from storage.database import Storage
from storage.records import Seat
from studio import rights
from studio.channel.gateway import VoiceGateway
from studio.channel.lines import Fate, Line, Piece
from studio.channel.rooms import Room
from studio.housekeeping import run_step
from studio.queue.dispatcher import Dispatcher
from studio.queue.job_payload import Reply
from studio.values import Actor

BROKEN = timedelta(seconds=50)
"""How long a connection may be down before it is replaced: two rounds of upkeep."""
RETURN_WITHIN = timedelta(minutes=10)
"""How long the bot tries to return to a channel while the platform does not answer."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Scene:
    """The state of a voice channel: the line that is played or generated now, and those that wait, in order."""

    channel_id: int
    now: Line | None
    waiting: tuple[Line, ...]


class ChannelService:
    """Handles members' requests, and the platform's reports of who joins and leaves.

    No channel can be joined before `attend` has set the gateway.
    """

    def __init__(self, storage: Storage, dispatcher: Dispatcher, *, clock: Callable[[], datetime]) -> None:
        self._storage = storage
        self._dispatcher = dispatcher
        self._rooms = dispatcher.rooms
        self._clock = clock
        self._gateway: VoiceGateway | None = None
        self._notice: Piece | None = None
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._not_returned_since: dict[int, datetime] = {}
        """The servers with a seat to which the bot could not return, and since when."""
        self._leaving: set[asyncio.Task[None]] = set()
        self._closing = False

    def attend(self, gateway: VoiceGateway, notice: Piece) -> None:
        """Set the gateway, and the recording that says that the bot's voices are generated."""
        self._gateway, self._notice = gateway, notice

    def scene(self, guild_id: int) -> Scene | None:
        """Return the state of the server's voice channel; None if the bot is in none."""
        room = self._rooms.get(guild_id)
        if room is None:
            return None
        now, *waiting = room.lines or (None,)
        return Scene(room.connection.channel_id, now, tuple(line for line in waiting if line is not None))

    async def join(self, actor: Actor) -> Scene:
        """Join the voice channel that the actor is in.

        Raises NotAllowed, InvalidInput (the actor is in none), Conflict (others listen in another channel), and what
        `VoiceGateway.connect` raises.
        """
        settings = await rights.require(self._storage, actor, rights.may_speak)
        channel_id = actor.voice_channel_id
        if channel_id is None:
            raise InvalidInput("Join a voice channel first, then use /join.")
        async with self._locks[actor.guild_id]:
            room = self._rooms.get(actor.guild_id)
            if room is None or room.connection.channel_id != channel_id:
                if room is not None:
                    await self._leave_for_another(actor, room)
                room = await self._enter(actor.guild_id, channel_id)
                await self._storage.audit.write(actor.guild_id, actor.member_id, "channel.join", str(channel_id))
                if settings.channel_notice:
                    self._say_notice(room)
        return self._require_scene(actor.guild_id)

    async def leave(self, actor: Actor) -> int:
        """Leave the voice channel and return its id. Allowed for its listeners and moderators; for all if it is empty.

        Raises NotAllowed, and Conflict if the bot is in no voice channel.
        """
        await rights.require(self._storage, actor, rights.may_act)
        async with self._locks[actor.guild_id]:
            if self._rooms.get(actor.guild_id) is None:
                await self._give_up_seat(actor.guild_id)
            room = self._require_room(actor)
            channel_id = room.connection.channel_id
            if not (actor.is_moderator or actor.voice_channel_id == channel_id or self._audience(actor, room) == 0):
                raise NotAllowed(f"Others are listening in <#{channel_id}>. Join them to use /leave.")
            await self._exit(actor.guild_id)
        await self._storage.audit.write(actor.guild_id, actor.member_id, "channel.leave", str(channel_id))
        return channel_id

    async def skip(self, actor: Actor) -> Scene:
        """End the line that is being played: the actor's own or, for moderators, any. Return the new state."""
        await rights.require(self._storage, actor, rights.may_act)
        room = self._require_room(actor)
        if not room.lines:
            raise Conflict("I am not saying anything right now.")
        line = room.lines[0]
        if not actor.is_moderator and line.member_id != actor.member_id:
            raise NotAllowed("This line is not yours. Only the member who asked for it, or a moderator, can skip it.")
        await self._silence(room, line)
        return self._require_scene(actor.guild_id)

    async def stop(self, actor: Actor) -> int:
        """End all of the actor's lines or, for moderators, all lines. Return their number."""
        await rights.require(self._storage, actor, rights.may_act)
        room = self._require_room(actor)
        lines = [line for line in room.lines if actor.is_moderator or line.member_id == actor.member_id]
        if not lines:
            raise Conflict("You have no lines here, playing or waiting.")
        for line in reversed(lines):  # The line that is playing ends last, so that no other one begins.
            await self._silence(room, line)
        return len(lines)

    async def moved(self, guild_id: int, channel_id: int) -> None:
        """Note that a moderator moved the bot to another channel."""
        async with self._locks[guild_id]:
            if self._rooms.get(guild_id) is not None:
                await self._storage.seats.take(guild_id, channel_id)
        self.look(guild_id)

    def look(self, guild_id: int) -> None:
        """Check for listeners after somebody joined or left. In an empty channel all lines end."""
        room = self._rooms.get(guild_id)
        if room is None or self._gateway is None or not self._gateway.shows(guild_id):
            return
        if self._gateway.audience(guild_id, room.connection.channel_id):
            room.alone_since = None
            return
        room.alone_since = room.alone_since or self._clock()
        for line in reversed(room.lines):
            room.end(line, Fate.LOST)

    async def resume(self) -> None:
        """Return to the channels of an earlier process that have listeners. Call it when the platform is ready."""
        for seat in await self._storage.seats.all():
            await run_step("seat", self._resume(seat.guild_id), event="resume_failed")

    async def upkeep(self) -> None:
        """Leave channels in which the bot was alone or idle for too long, replace connections that stay broken, and
        return to channels for which the platform did not answer.
        """
        for guild_id, room in self._rooms:
            await run_step("room", self._leave_or_reconnect(guild_id, room))
        for guild_id in tuple(self._not_returned_since):
            await run_step("seat", self._resume(guild_id))

    async def close(self) -> None:
        """Leave all channels. The seats stay stored, so that the next process returns to them."""
        self._closing = True
        await self._rooms.close_all()
        await asyncio.gather(*self._leaving, return_exceptions=True)

    async def _resume(self, guild_id: int) -> None:
        async with self._locks[guild_id]:
            seat = await self._storage.seats.find(guild_id)  # Read again: it may have been given up meanwhile.
            if seat is not None and self._rooms.get(guild_id) is None:
                await self._return_to(seat)
            else:
                self._not_returned_since.pop(guild_id, None)

    async def _leave_or_reconnect(self, guild_id: int, room: Room) -> None:
        """Leave an idle room, or replace a broken connection."""
        self.look(guild_id)
        done, broken = await self._is_done(guild_id, room), self._is_broken(room)
        if not done and not broken:
            return
        async with self._locks[guild_id]:
            if self._rooms.get(guild_id) is not room:
                return
            _log.info("channel_left", guild_id=guild_id, alone=room.alone_since is not None, broken=broken)
            if done:
                await self._exit(guild_id)
            else:
                await self._reconnect(guild_id, room)

    async def _enter(self, guild_id: int, channel_id: int) -> Room:
        if self._gateway is None:
            raise Unavailable("I can't join voice channels right now. Please try again in a minute.")
        since = await self._storage.erasures.latest(guild_id)
        connection = await self._gateway.connect(guild_id, channel_id, lambda: self._on_end(guild_id))
        room = self._rooms.open(guild_id, connection)
        try:
            seat = await self._storage.seats.take(guild_id, channel_id, since)
        except BaseException:
            await self._rooms.close(guild_id)
            raise
        self._not_returned_since.pop(guild_id, None)
        room.read_channel_id = seat.read_channel_id
        self.look(guild_id)
        _log.info("channel_joined", guild_id=guild_id, channel_id=channel_id)
        return room

    async def _exit(self, guild_id: int) -> None:
        await self._rooms.close(guild_id)
        await self._storage.seats.leave(guild_id)

    async def _leave_for_another(self, actor: Actor, room: Room) -> None:
        """Leave a channel for another one. Raises Conflict if others listen there."""
        if self._audience(actor, room):
            raise Conflict(
                f"Others are listening to me in <#{room.connection.channel_id}>. Join them, or ask them to use /leave."
            )
        await self._exit(actor.guild_id)

    def _on_end(self, guild_id: int) -> None:
        """Handle a connection that the platform ended: somebody removed the bot, or the channel was deleted."""
        room = self._rooms.get(guild_id)
        if self._closing or room is None:
            return
        _log.info("channel_lost", guild_id=guild_id)
        task = asyncio.create_task(self._exit_ended(guild_id, room))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _exit_ended(self, guild_id: int, room: Room) -> None:
        """Leave the room whose connection ended, unless the bot has left it or entered another one in the meantime."""
        try:
            async with self._locks[guild_id]:
                if self._rooms.get(guild_id) is room:
                    await self._exit(guild_id)
        except BarkeepError as error:
            _log.warning("seat_not_left", guild_id=guild_id, reason=error.message)

    async def _return_to(self, seat: Seat) -> None:
        """Enter the seat's channel. Give the seat up if the channel is empty or closed to the bot, and after
        RETURN_WITHIN. Until then, upkeep tries again while the platform or the database does not answer.
        """
        try:
            if self._gateway is None or not self._gateway.shows(seat.guild_id):
                raise Unavailable("The platform does not show this server at the moment.")
            if self._gateway.audience(seat.guild_id, seat.channel_id):
                await self._enter(seat.guild_id, seat.channel_id)
            else:
                await self._give_up_seat(seat.guild_id)
        except BarkeepError as error:
            _log.warning("channel_not_resumed", guild_id=seat.guild_id, reason=error.message)
            since = self._not_returned_since.setdefault(seat.guild_id, self._clock())
            if not isinstance(error, Unavailable | Conflict) or self._clock() - since >= RETURN_WITHIN:
                await self._give_up_seat(seat.guild_id)

    async def _give_up_seat(self, guild_id: int) -> None:
        """Give up the seat of a server."""
        self._not_returned_since.pop(guild_id, None)
        await self._storage.seats.leave(guild_id)

    async def _reconnect(self, guild_id: int, room: Room) -> None:
        """Make a new connection to the room's channel. The idle time continues, so that retries end."""
        quiet_since = room.quiet_since
        await self._rooms.close(guild_id)
        await self._return_to(Seat(guild_id, room.connection.channel_id))
        if (again := self._rooms.get(guild_id)) is not None:
            again.quiet_since = quiet_since

    async def _is_done(self, guild_id: int, room: Room) -> bool:
        if room.lines:
            return False
        since = min(room.quiet_since, room.alone_since) if room.alone_since is not None else room.quiet_since
        settings = await self._storage.guilds.get(guild_id)
        return self._clock() - since >= timedelta(minutes=settings.channel_idle_minutes)

    def _is_broken(self, room: Room) -> bool:
        """Return whether the channel has listeners and the connection has been down for a long time."""
        if room.connection.ready or room.alone_since is not None:
            room.broken_since = None
            return False
        room.broken_since = room.broken_since or self._clock()
        return self._clock() - room.broken_since >= BROKEN

    async def _silence(self, room: Room, line: Line) -> None:
        room.end(line, Fate.SKIPPED)
        if line.job is not None and line.reply is Reply.NOTHING:  # The job has no purpose but its line.
            await self._dispatcher.cancel(line.job.id)

    def _say_notice(self, room: Room) -> None:
        if self._notice is not None:
            line = Line("notice", "Barkeep", "The voices you hear from me are generated.")
            line.add(self._notice)
            line.close()
            self._rooms.add(room, line)

    def _require_room(self, actor: Actor) -> Room:
        room = self._rooms.get(actor.guild_id)
        if room is None:
            raise Conflict("I am not in a voice channel here. Join one, then use /join.")
        return room

    def _audience(self, actor: Actor, room: Room) -> int:
        return 0 if self._gateway is None else self._gateway.audience(actor.guild_id, room.connection.channel_id)

    def _require_scene(self, guild_id: int) -> Scene:
        scene = self.scene(guild_id)
        if scene is None:
            raise Unavailable("I was just disconnected from the voice channel. Please try again.")
        return scene
