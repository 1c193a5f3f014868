"""Group commit: requests that arrive while a statement runs are handled together by the next statement."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextvars import Context
from itertools import islice
from typing import Any, Generic, TypeVar

from sqlalchemy import ARRAY, ColumnElement, Executable, Row, bindparam, column, func
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from storage.sessions import is_refusal

MOST = 100
"""The maximum number of rows in one statement."""

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")
Found = TypeVar("Found")

Given = Mapping[str, ColumnElement[Any]]
"""The input columns of a statement, by name."""


class Statement:
    """A statement that is executed for one row of input or, on PostgreSQL, for a batch of rows at once.

    build: makes the statement from its input columns. types: the types of the input columns, by name.
    """

    def __init__(self, build: Callable[[Given], Executable], types: Mapping[str, TypeEngine[Any]]) -> None:
        self._names = tuple(types)
        self._one = build({name: bindparam(name, type_=kind) for name, kind in types.items()})
        arrays = [bindparam(name, type_=ARRAY(kind)) for name, kind in types.items()]
        columns = [column(name, kind) for name, kind in types.items()]
        given = func.unnest(*arrays).table_valued(*columns, name="given").render_derived()
        self._several = build({name: given.c[name] for name in types})

    async def run(self, connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> list[Row[Any]]:
        """Execute the statement for rows of input. Return the resulting rows, in no particular order."""
        if connection.dialect.name == "postgresql":
            columns = {name: [row[name] for row in rows] for name in self._names}
            return list(await connection.execute(self._several, columns))
        inputs = [{name: row[name] for name in self._names} for row in rows]
        return [found for row in inputs for found in await connection.execute(self._one, row)]


class _Result(asyncio.Future[Found]):
    """The result of a call. A cancelled caller gets its CancelledError only when the result is there.

    `cancel` returns False, asyncio's sign for a future that cannot be cancelled; `asyncio.shield` would take two more
    callbacks for each call.
    """

    def cancel(self, msg: Any = None) -> bool:
        """Refuse to be cancelled, so that no statement is interrupted."""
        return False

    def abandon(self) -> None:
        """Cancel the future, unless it is done."""
        super().cancel()


class GroupCommit(Generic[Key, Item, Found]):
    """Collects items while `work` runs, and passes all of them to its next call as a batch.

    work: takes items by key and returns results by key. If the database refuses a batch, or the batch cannot be sent,
    each item is tried alone, so that none fails because of another.
    """

    def __init__(self, work: Callable[[dict[Key, Item]], Awaitable[Mapping[Key, Found]]]) -> None:
        self._work = work
        self._waiting: dict[Key, tuple[Item, _Result[Found | None]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def do(self, key: Key, item: Item) -> Found | None:
        """Return the result of `work` for the key, or None. Two calls with the same key run one after the other.

        A cancelled call first waits for its batch, so that no statement is interrupted.
        """
        while key in self._waiting:
            await asyncio.wait([self._waiting[key][1]])
        result: _Result[Found | None] = _Result(loop=asyncio.get_running_loop())
        self._waiting[key] = item, result
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), context=Context())  # without the first caller's log fields
            self._task.add_done_callback(self._ended)
        try:
            return await result
        except asyncio.CancelledError:
            if not result.cancelled():
                result.exception()  # Nothing else retrieves it, and asyncio would log a warning.
            raise

    async def _run(self) -> None:
        while self._waiting:
            batch = dict(islice(self._waiting.items(), MOST))
            for key in batch:
                del self._waiting[key]
            await self._do(batch)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Cancel the waiting calls if the task was cancelled, which may be before its first step."""
        if task.cancelled():
            for _, result in self._waiting.values():
                result.abandon()
            self._waiting.clear()

    async def _do(self, batch: dict[Key, tuple[Item, _Result[Found | None]]]) -> None:
        try:
            found = await self._work({key: item for key, (item, _) in batch.items()})
        except Exception as error:
            if len(batch) > 1 and is_refusal(error):
                await asyncio.gather(*(self._do({key: each}) for key, each in batch.items()))
                return
            for _, result in batch.values():
                result.set_exception(error)
        else:
            for key, (_, result) in batch.items():
                result.set_result(found.get(key))
        finally:
            for _, result in batch.values():
                result.abandon()  # takes effect only if this task was cancelled: finished results stay
