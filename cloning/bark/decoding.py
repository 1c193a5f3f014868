"""Generate many rows at once with a causal model, each with its own context, length and samples.

Continuous batching: finished rows leave and new ones enter between two steps, without restarting others. On a GPU the
host does not wait for every token: it reads them every few steps, and rows that had ended by then have gone too far;
surplus tokens are dropped and their generators restored, so the result is the same. `semantic` and `coarse` define the
contexts; the scheduler admits rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from cloning.bark.batch import Batch, CausalModel, RowState
from cloning.bark.cuda_graphs import CapturedBatch
from cloning.bark.sampling import Sampler

STRIDE = 8
"""Steps of a GPU between two reads by the host. A cancelled row still leaves at the next step."""


class Row(Protocol):
    """One generated sequence. `ahead` counts tokens that are drawn, but not taken yet."""

    sampler: Sampler
    min_eos_p: float
    """The speech ends when its end is at least this likely; 0 switches that off."""

    @property
    def missing(self) -> int:
        """The maximum number of tokens still to take."""

    def check(self) -> None:
        """Check the row; called at least once per step. Raises Cancelled if the row was cancelled."""

    def turn(self, ahead: int) -> int:
        """Return the index of the head for the token after those."""

    def reads(self, ahead: int) -> bool:
        """Return whether a context must be read before that token; otherwise the last token is read."""

    def context(self) -> Tensor:
        """Return vectors (T, width) to read; called when all tokens have been taken."""

    def take(self, token: int) -> bool:
        """Take the next token, or END. Return whether the row is done."""


R = TypeVar("R", bound=Row)


@dataclass(slots=True, eq=False)
class _Seat(Generic[R]):
    row: R
    slot: int
    length: int = 0
    """The number of cached positions."""
    ahead: int = 0
    undo: list[Tensor] = field(default_factory=list)
    """Generator states before each token ahead, where some of them may be dropped."""


class Decoder(Generic[R]):
    """Runs a causal model with up to `slots` rows. `stride` None: STRIDE on a GPU; 1 on a CPU."""

    def __init__(
        self, model: CausalModel, slots: int, *, stride: int | None = None, kind: type[Batch] | None = None
    ) -> None:
        on_cpu = model.transformer.device.type == "cpu"
        self._batch = (kind or (Batch if on_cpu else CapturedBatch))(model, slots)
        self._stride = stride or (1 if on_cpu else STRIDE)
        self._free = list(range(slots))
        self._seats: list[_Seat[R]] = []
        self._flight: list[tuple[list[_Seat[R]], Tensor]] = []
        """The tokens ahead in drawing order, with their seats."""

    def add(self, row: R) -> None:
        """Add a row. There must be a free slot."""
        slot = min(self._free)
        self._free.remove(slot)
        self._batch.sampling.enter(slot, row.sampler, row.min_eos_p)
        self._seats.append(_Seat(row, slot))

    def step(self) -> list[tuple[R, Exception | None]]:
        """Draw one token for every row, except rows that wait to read a context: one of them reads per step.

        Reading takes long. Returns the rows that have left: done, or with the exception that ended them.
        """
        left = self._leave_with_errors()
        if any(seat.ahead and seat.row.reads(seat.ahead) for seat in self._seats):
            left += self._look()
        reading = [seat for seat in self._seats if seat.row.reads(seat.ahead)]
        going = [seat for seat in self._seats if seat not in reading]
        if going:  # before anything is read: a step may overwrite the slots of waiting rows (`cuda_graphs`)
            self._step(going)
        if reading:
            self._read(reading[0])
        if any(seat.ahead >= min(self._stride, seat.row.missing) for seat in self._seats):
            left += self._look()
        return left

    def clear(self) -> None:
        """Remove all rows."""
        self._flight.clear()
        for seat in list(self._seats):
            self._leave(seat)

    def _leave_with_errors(self) -> list[tuple[R, Exception | None]]:
        left: list[tuple[R, Exception | None]] = []
        for seat in list(self._seats):
            if (error := _error_of(seat.row)) is not None:
                self._leave(seat)
                left.append((seat.row, error))
        return left

    def _read(self, seat: _Seat[R]) -> None:
        context = seat.row.context()
        seat.length = context.shape[0]
        turn = seat.row.turn(seat.ahead)
        self._draw_ahead([seat])
        self._flight.append(([seat], self._batch.read(context, seat.slot, turn, seat.row.sampler)))

    def _step(self, seats: list[_Seat[R]]) -> None:
        states = [RowState(seat.slot, seat.length, seat.row.turn(seat.ahead)) for seat in seats]
        self._draw_ahead(seats)
        self._flight.append((seats, self._batch.step(states, [seat.row.sampler for seat in seats])))
        for seat in seats:
            seat.length += 1

    def _draw_ahead(self, seats: Sequence[_Seat[R]]) -> None:
        """Record that each seat is about to draw."""
        for seat in seats:
            seat.ahead += 1
            if self._stride > 1 and seat.row.sampler.temperature > 0:
                seat.undo.append(seat.row.sampler.generator.get_state())

    def _look(self) -> list[tuple[R, Exception | None]]:
        """Wait for the tokens ahead and hand them out. Return the rows that are done."""
        flight, self._flight = self._flight, []
        tokens = iter(torch.cat([drawn for _, drawn in flight]).tolist())
        left: list[tuple[R, Exception | None]] = []
        for seats, _ in flight:
            for seat, token in zip(seats, tokens, strict=False):  # the next seats' tokens follow
                if seat not in self._seats:
                    continue
                seat.ahead -= 1
                del seat.undo[:1]
                if seat.row.take(token):
                    if seat.undo:
                        seat.row.sampler.generator.set_state(seat.undo[0])
                    self._leave(seat)
                    left.append((seat.row, None))
        return left

    def _leave(self, seat: _Seat[R]) -> None:
        self._seats.remove(seat)
        self._free.append(seat.slot)


def _error_of(row: Row) -> Exception | None:
    try:
        row.check()
    except Exception as error:
        return error
    return None
