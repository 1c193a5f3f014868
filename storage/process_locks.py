"""Coordinates the processes on one PostgreSQL database: advisory locks that end with their process, and notices.

A process holds its locks and receives notices on one connection outside the pool. PostgreSQL releases the locks when
the connection ends, also because the process was killed or, after VANISHED, because its machine is gone. If only the
connection is lost, the process reconnects in the background. It queries the server every few seconds. Without a reply
for PROVEN, it cannot know whether it still holds its shards, and does not use the database until it has them again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from typing import Any

import structlog

from errors import BarkeepError, Conflict, Unavailable
from storage.sessions import Sessions, readable_errors
from storage.shards import CHANNEL, Notice, Shards, notice_of

PAUSES = (0.5, 1.0, 2.0)
"""Seconds between attempts to reconnect; the last one repeats."""
VANISHED = 25
"""Seconds after which PostgreSQL notices that a machine is gone, and releases its locks."""
PROVEN = 20.0
"""Seconds after the latest answered query was sent for which this process certainly holds its shards."""

_BEAT_SECONDS, _ANSWER_SECONDS = 5.0, 12.0
_LOST = "The connection to PostgreSQL was lost while Barkeep started, so another process may have the database now."
_TRY_SECONDS = 0.25
_SPARE_SECONDS = 5.0
_NAME_LENGTH = 63
# An arbitrary number for each kind of lock, the same in every version.
_BASE, _COUNT, _SHARD = 0x6261726B, 0x6261726C, 0x6261726D
_IN_USE, _LEAD, _CLAIMING, _IN_TURN = 0, 1, 2, 3

# Keepalives detect a silent end; while a notice is not acknowledged, the user timeout does (milliseconds).
_KEEPALIVE = (
    f"SET tcp_keepalives_idle = {VANISHED - 15}; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; "
    f"SET tcp_user_timeout = {VANISHED * 1000}"
)
_HOLDERS = """
    SELECT held.objid::int AS number, activity.application_name AS name, held.pid AS backend
    FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid)
    WHERE held.locktype = 'advisory' AND held.granted AND held.classid::int = $1 AND held.pid <> pg_backend_pid()
    AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

log = structlog.get_logger(__name__)

Hear = Callable[[Notice | None], None]


class _StillHeld(Conflict):
    """An earlier connection of this process still holds the shards: PostgreSQL has not noticed its end."""


def _seconds() -> float:
    """Return the seconds since the machine was started; on Linux including those in which it was suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class ProcessLocks:
    """The locks of this process, one of several on one PostgreSQL database, and its notices. Connect with `open`.

    name: of this process, for error messages of other processes. Every method raises Unavailable if the database
    cannot be reached.
    """

    def __init__(self, sessions: Sessions, name: str) -> None:
        self._sessions = sessions
        self._name = f"barkeep, {name}"[:_NAME_LENGTH]
        self._connection: Any = None  # asyncpg ships no types
        self._backends: set[int] = set()
        """PostgreSQL's process ids of this and earlier connections. They identify this process; the name does not,
        because containers may share a host name and a process id."""
        self._turn = asyncio.Lock()
        self._reconnecting: asyncio.Task[None] | None = None
        self._closing = False
        self._alone = self._in_use = self._leading = False
        self._claimed: Shards | None = None
        self._holds = False
        """The connection has the locks of the claimed shards."""
        self._proven_at = 0.0
        self._until_lost: asyncio.Timeout | None = None
        self._beating: asyncio.Task[None] | None = None
        self._hear: Hear | None = None
        self._refused: Callable[[BarkeepError], None] | None = None

    async def open(self) -> None:
        """Connect, and start the heartbeat."""
        async with self._turn:
            await self._connect()
        self._beating = Context().run(asyncio.create_task, self._beat())  # without the caller's log fields

    async def alone(self) -> bool:
        """Return whether no other process has the database open. If so, none can open it until `share`."""
        async with self._turn:
            self._alone = await self._value("SELECT pg_try_advisory_lock($1, $2)", _BASE, _IN_USE)
            return self._alone

    @asynccontextmanager
    async def kept_alone(self) -> AsyncIterator[None]:
        """Interrupt the `with` block if the connection is lost, since another process can then be alone, too.

        Raises Unavailable, with a sentence for the owner.
        """
        try:
            async with asyncio.timeout(0 if self._connection.is_closed() else None) as self._until_lost:
                yield
        except TimeoutError as error:
            raise Unavailable(f"{_LOST} Start it again.") from error
        finally:
            self._until_lost = None

    async def share(self) -> None:
        """Share the database with other processes. Waits while one of them has it alone."""
        async with self._turn:
            await self._share()
            if self._alone:
                await self._value("SELECT pg_advisory_unlock($1, $2)", _BASE, _IN_USE)
                self._alone = False

    async def claim(self, shards: Shards, patience: float, refused: Callable[[BarkeepError], None]) -> None:
        """Claim shards until this process ends.

        Waits up to `patience` seconds for a process that is just ending. refused: called if another process took a
        shard while the connection was lost. Raises Conflict, with a sentence for the owner, if another process has one
        of the shards or runs with another number of shards.
        """
        deadline = asyncio.get_running_loop().time() + patience
        while True:
            try:
                async with self._turn:
                    await self._claim(shards)
            except Conflict:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(_TRY_SECONDS)
            else:
                self._claimed, self._refused = shards, refused
                self._sessions.usable = self._is_proven
                return

    async def leads(self) -> bool:
        """Return whether this process is the leader, which does the work that only one has to do, until it ends."""
        async with self._turn:
            if not self._leading:
                self._leading = await self._value("SELECT pg_try_advisory_lock($1, $2)", _BASE, _LEAD)
            else:
                await self._value("SELECT 1")  # a silently lost connection no longer holds the lock
            return self._leading

    @asynccontextmanager
    async def in_turn(self) -> AsyncIterator[None]:
        """Hold a lock that only one process can hold at a time. Waits for it."""
        while True:
            async with self._turn:
                if await self._value("SELECT pg_try_advisory_lock($1, $2)", _BASE, _IN_TURN):
                    break
            await asyncio.sleep(_TRY_SECONDS)
        try:
            yield
        finally:
            async with self._turn:
                await self._value("SELECT pg_advisory_unlock($1, $2)", _BASE, _IN_TURN)

    async def listen(self, hear: Hear) -> None:
        """Call `hear` with each notice, and with None when notices may have been missed."""
        async with self._turn:
            self._hear = hear
            await self._listen()

    async def close(self) -> None:
        """Close the connection, which releases every lock. Idempotent."""
        self._closing = True
        for task in (self._beating, self._reconnecting):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        if self._connection is not None:
            with suppress(Exception):  # whatever happens, the server notices the end
                await self._connection.close(timeout=2)

    async def _connect(self) -> None:
        connection = await self._sessions.own_connection()
        try:
            with readable_errors():
                await connection.execute(_KEEPALIVE)
                await connection.fetchval("SELECT set_config('application_name', $1, false)", self._name)
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection
        self._backends.add(connection.get_server_pid())
        self._connection.add_termination_listener(self._ended)

    def _ended(self, _: object) -> None:
        """Handle the end of the connection: reconnect, unless this process is ending."""
        self._holds = False
        if self._until_lost is not None and not self._until_lost.expired():
            self._until_lost.reschedule(0)
        if not self._closing and self._reconnecting is None:
            log.warning("presence_lost")
            self._leading = False
            self._reconnecting = asyncio.create_task(self._reconnect())
            self._reconnecting.add_done_callback(self._reconnected)

    def _reconnected(self, _: object) -> None:
        self._reconnecting = None
        if self._connection.is_closed():
            self._ended(None)

    def _is_proven(self) -> bool:
        return _seconds() - self._proven_at < PROVEN

    async def _beat(self) -> None:
        """Query the server every few seconds, so that a silently lost connection is noticed."""
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            async with self._turn:
                if self._connection.is_closed():
                    continue  # reconnecting
                sent_at = _seconds()
                try:
                    await self._value("SELECT 1")
                except Unavailable:
                    continue  # logged; the end of the connection starts a reconnection
                except Exception:  # without the heartbeat, the process could soon not use the database any more
                    log.exception("presence_not_proven")
                    continue
                if self._holds:
                    self._proven_at = sent_at

    async def _reconnect(self) -> None:
        """Connect again, and take the same locks."""
        attempt, held_until = 0, 0.0
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(PAUSES[min(attempt, len(PAUSES) - 1)])
            attempt += 1
            try:
                async with self._turn:
                    await self._restore()
            except Unavailable:
                continue
            except Conflict as error:
                if isinstance(error, _StillHeld):
                    held_until = held_until or now() + VANISHED + _SPARE_SECONDS
                    if now() < held_until:
                        continue
                log.error("shards_taken", reason=error.message)
                if self._refused is not None:
                    self._refused(error)
                return
            except Exception:
                log.exception("presence_not_restored")
                continue
            log.info("presence_restored")
            if self._hear is not None:
                self._hear(None)
            return

    async def _restore(self) -> None:
        if self._connection.is_closed():
            await self._connect()
        if self._claimed is not None:
            await self._claim(self._claimed)
        if self._in_use:
            await self._share()
        await self._listen()

    async def _share(self) -> None:
        while not await self._value("SELECT pg_try_advisory_lock_shared($1, $2)", _BASE, _IN_USE):  # noqa: ASYNC110
            await asyncio.sleep(_TRY_SECONDS)  # PostgreSQL itself would wait no longer than lock_timeout
        self._in_use = True

    async def _listen(self) -> None:
        if self._hear is not None:
            with readable_errors():
                await self._connection.add_listener(CHANNEL, self._heard)

    def _heard(self, _connection: object, _process: int, _channel: str, payload: str) -> None:
        notice = notice_of(payload)
        if notice is not None and self._hear is not None:
            self._hear(notice)

    async def _claim(self, shards: Shards) -> None:
        """Take the locks of the shards, all or none. Raises Conflict."""
        sent_at = _seconds()
        await self._value("SELECT pg_advisory_lock($1, $2)", _BASE, _CLAIMING)
        try:
            for holder in await self._holders(_COUNT):
                if holder["number"] != shards.count:
                    raise Conflict(_other_count(shards.count, holder["number"], holder["name"]))
            taken = {holder["number"]: holder for holder in await self._holders(_SHARD)}
            if clash := sorted(taken.keys() & set(shards.ids)):
                is_own = all(taken[shard]["backend"] in self._backends for shard in clash)
                raise (_StillHeld if is_own else Conflict)(_taken(clash, shards.count, taken[clash[0]]["name"]))
            await self._value("SELECT pg_try_advisory_lock_shared($1, $2)", _COUNT, shards.count)
            for shard in shards.ids:
                await self._value("SELECT pg_try_advisory_lock($1, $2)", _SHARD, shard)
        finally:
            await self._value("SELECT pg_advisory_unlock($1, $2)", _BASE, _CLAIMING)
        self._holds, self._proven_at = True, sent_at

    async def _holders(self, kind: int) -> list[Any]:
        return list(await self._answer(self._connection.fetch(_HOLDERS, kind, timeout=_ANSWER_SECONDS)))

    async def _value(self, query: str, *values: int) -> Any:
        return await self._answer(self._connection.fetchval(query, *values, timeout=_ANSWER_SECONDS))

    async def _answer(self, reply: Awaitable[Any]) -> Any:
        """Return the server's reply. Without one in time, the connection is terminated."""
        with readable_errors():
            try:
                return await reply
            except TimeoutError:
                self._connection.terminate()
                raise


def _other_count(wanted: int, there: int, holder: str) -> str:
    return (
        f"SHARD_COUNT is {wanted} in this process, and {there} in a process that is running ({holder}). All processes "
        "must have the same. To change it, stop all of them first. (Empty counts as 1.)"
    )


def _taken(shards: list[int], count: int, holder: str) -> str:
    if count == 1:
        return (
            f"Another bot process already serves all servers with this database ({holder}). Stop it first; or set "
            "SHARD_COUNT, and SHARD_IDS of its own in each process."
        )
    which = f"shard {shards[0]}" if len(shards) == 1 else f"shards {', '.join(map(str, shards))}"
    return (
        f"Another bot process already has {which} ({holder}). Set SHARD_IDS to shards that no other process has, or "
        "stop that process first."
    )
