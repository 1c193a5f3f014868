"""Group commit: what is asked for while a statement is under way is done by the next one, for all rows at once."""

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
"""How many rows one statement takes."""

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")
Found = TypeVar("Found")

Given = Mapping[str, ColumnElement[Any]]
"""The columns that are given to a statement, by name."""


class Statement:
    """A statement for one row or, on PostgreSQL, for several at once.

    build: makes the statement from the columns that it is given. types: those of these columns, by name.
    """

    def __init__(self, build: Callable[[Given], Executable], types: Mapping[str, TypeEngine[Any]]) -> None:
        self._names = tuple(types)
        self._one = build({name: bindparam(name, type_=kind) for name, kind in types.items()})
        arrays = [bindparam(name, type_=ARRAY(kind)) for name, kind in types.items()]
        columns = [column(name, kind) for name, kind in types.items()]
        given = func.unnest(*arrays).table_valued(*columns, name="given").render_derived()
        self._several = build({name: given.c[name] for name in types})

    async def run(self, connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> list[Row[Any]]:
        """Run it with a value for every column in each row. Return what it found for all of them, in no order."""
        if connection.dialect.name == "postgresql":
            columns = {name: [row[name] for row in rows] for name in self._names}
            return list(await connection.execute(self._several, columns))
        given = [{name: row[name] for name in self._names} for row in rows]
        return [found for row in given for found in await connection.execute(self._one, row)]


class _Result(asyncio.Future[Found]):
    """What a call waits for. A caller that is cancelled gets its CancelledError when this is done, and not before.

    By asyncio's rule for what cannot be cancelled; `asyncio.shield` takes two more callbacks for each call.
    """

    def cancel(self, msg: Any = None) -> bool:
        """Refuse."""
        return False

    def abandon(self) -> None:
        """Cancel it, unless it is done."""
        super().cancel()


class GroupCommit(Generic[Key, Item, Found]):
    """Collects what is asked for while `work` is under way, and does all of it with the next call.

    work: takes items by key, and returns what it found, by key. What the database refuses for several, or cannot be
    sent, is tried for each alone, so that none fails because of another.
    """

    def __init__(self, work: Callable[[dict[Key, Item]], Awaitable[Mapping[Key, Found]]]) -> None:
        self._work = work
        self._waiting: dict[Key, tuple[Item, _Result[Found | None]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def do(self, key: Key, item: Item) -> Found | None:
        """Return what `work` found for the key, or None. Two calls with one key are done one after the other.

        A call that is cancelled first waits until its work is done, so that no statement is interrupted.
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
                result.exception()  # Nothing else asks for it, and asyncio would complain.
            raise

    async def _run(self) -> None:
        while self._waiting:
            batch = dict(islice(self._waiting.items(), MOST))
            for key in batch:
                del self._waiting[key]
            await self._do(batch)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Cancel what waits if the task was cancelled, which may be before its first step."""
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
                result.abandon()  # only if this was cancelled: those that are done stay so
