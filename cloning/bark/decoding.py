"""A causal model that generates for many rows at once, each with its own context, length and draws.

Continuous batching: a row that is done leaves, a new one enters between two steps, and nobody starts anew. What a row
reads and draws is its own affair (`semantic`, `coarse`); who may enter is the scheduler's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from cloning.bark.cache import KeyValueCache
from cloning.bark.linear import Linear
from cloning.bark.model import Transformer


class Row(Protocol):
    """One sequence that is generated."""

    @property
    def head(self) -> int:
        """Which of the model's heads says the next token."""

    def check(self) -> None:
        """Called at least once a step. Raises Cancelled if nobody wants the row any more."""

    def context(self) -> Tensor | None:
        """Vectors (T, width) to read anew before the next token; None: go on from the last one."""

    def last(self) -> Tensor:
        """The vector (width,) of the token that was taken last."""

    def take(self, logits: Tensor) -> bool:
        """Draw the next token from the head's logits (vocabulary,). Returns whether the row is done."""


R = TypeVar("R", bound=Row)


@dataclass(slots=True, eq=False)
class _Seat(Generic[R]):
    row: R
    slot: int
    length: int = 0
    """How many positions the cache holds."""


class Decoder(Generic[R]):
    """A causal model, its heads, and room for `slots` rows."""

    def __init__(self, model: Transformer, heads: Sequence[Linear], slots: int) -> None:
        self._model = model
        self._heads = heads
        self._cache = KeyValueCache(model.shape, slots, model.dtype, model.device)
        self._free = list(range(slots))
        self._seats: list[_Seat[R]] = []

    def add(self, row: R) -> None:
        """Let a row in. There must be a free slot."""
        self._seats.append(_Seat(row, self._free.pop()))

    def step(self) -> list[tuple[R, Exception | None]]:
        """One more token for every row, but for those that wait to read: one reads at a time, for that takes long.

        Returns the rows that have left: done, or with the exception that ended them.
        """
        left: list[tuple[R, Exception | None]] = []
        reading: tuple[_Seat[R], Tensor] | None = None
        going: list[_Seat[R]] = []
        for seat in self._seats:
            if (fault := _fault_of(seat.row)) is not None:
                left.append((seat.row, fault))
            elif (context := seat.row.context()) is None:
                going.append(seat)
            elif reading is None:
                reading = seat, context
        if reading is not None:
            left += [(row, None) for row in self._read(*reading)]
        if going:
            left += [(row, None) for row in self._step(going)]
        gone = {id(row) for row, _ in left}
        self._leave([seat for seat in self._seats if id(seat.row) in gone])
        return left

    def clear(self) -> None:
        """Put everybody out."""
        self._leave(list(self._seats))

    def _read(self, seat: _Seat[R], context: Tensor) -> list[R]:
        hidden = self._model.read(context, self._cache, seat.slot)
        seat.length = context.shape[0]
        return self._take([seat], hidden)

    def _step(self, seats: list[_Seat[R]]) -> list[R]:
        lasts = torch.stack([seat.row.last() for seat in seats])
        slots, lengths = [seat.slot for seat in seats], [seat.length for seat in seats]
        hidden = self._model.step(lasts, self._cache, slots, lengths)
        for seat in seats:
            seat.length += 1
        return self._take(seats, hidden)

    def _take(self, seats: list[_Seat[R]], hidden: Tensor) -> list[R]:
        """Let each row draw, and return those that are done. A head sees all rows: its cost is reading its weight."""
        logits = {head: self._heads[head](hidden) for head in {seat.row.head for seat in seats}}
        return [seat.row for index, seat in enumerate(seats) if seat.row.take(logits[seat.row.head][index])]

    def _leave(self, seats: list[_Seat[R]]) -> None:
        for seat in seats:
            self._seats.remove(seat)
            self._free.append(seat.slot)


def _fault_of(row: Row) -> Exception | None:
    try:
        row.check()
    except Exception as fault:
        return fault
    return None
