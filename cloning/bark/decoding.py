"""Generate many rows at once with a causal model, each with its own context, length and samples.

Continuous batching: finished rows leave and new ones enter between two steps, without restarting others. On a GPU the
host does not wait for every token: it reads them every few steps, and rows that had ended by then have gone too far;
surplus tokens are dropped and their generators restored, so the result is the same. Tokens stay on the device until
then; reading them waits for it. `semantic` and `coarse` define the contexts; the scheduler admits rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from cloning.bark.cache import Cache
from cloning.bark.linear import Matrix
from cloning.bark.model import Transformer
from cloning.bark.sampling import BatchSampler, Sampler

STRIDE = 8
"""Steps of a GPU between two reads by the host. A cancelled row still leaves at the next step."""


class CausalModel(Protocol):
    """A causal model with its embeddings and heads."""

    transformer: Transformer
    heads: Sequence[Matrix]
    """Each predicts its own tokens; all have the same number."""
    embeddings: Tensor
    """(input vocabulary, width)"""
    offsets: Sequence[int]
    """For each head, the offset of its tokens in `embeddings`."""
    vocabulary: int
    """The number of tokens of a head."""
    end: int | None
    """The token that ends the speech, which is never read; None: nothing ends it."""


@dataclass(frozen=True, slots=True)
class RowState:
    """The state of a row before a step: its slot, the number of cached positions, and the head that is next."""

    slot: int
    length: int
    turn: int


class Batch:
    """The state of `slots` rows on the device, any of which may step together: the cache, the last tokens, and the
    samplers. For a CPU: reads no more than necessary."""

    def __init__(self, model: CausalModel, slots: int) -> None:
        transformer = model.transformer
        self.model = model
        self.slots = slots
        self.cache: Cache = transformer.cache(slots)
        self.sampling = BatchSampler(slots, model.vocabulary, model.end, transformer.device)
        self._last = torch.zeros(slots, dtype=torch.int64, device=transformer.device)
        self._offsets = torch.tensor(model.offsets, device=transformer.device)

    def read(self, context: Tensor, slot: int, turn: int, sampler: Sampler) -> Tensor:
        """Read a row's context, (T, width), and draw its next token -> int64 (1,)."""
        self.sampling.draw_noise(slot, sampler)
        hidden = self.model.transformer.read(context, self.cache, slot)
        rows = slice(slot, slot + 1)
        tokens = self.sampling.choose(self.model.heads[turn](hidden), rows, keep_all=sampler.keeps_all)
        self._last[rows] = tokens.clamp(min=0) + self._offsets[turn]
        return tokens

    def step(self, states: Sequence[RowState], samplers: Sequence[Sampler]) -> Tensor:
        """Read every row's last token and draw its next one -> int64 (rows,), or END."""
        for state, sampler in zip(states, samplers, strict=True):
            self.sampling.draw_noise(state.slot, sampler)
        slots, lengths = [state.slot for state in states], [state.length for state in states]
        rows, turns = torch.tensor(slots), torch.tensor([state.turn for state in states])
        lasts = self.model.embeddings[self._last[rows]]
        hidden = self.model.transformer.step(lasts, self.cache, slots, lengths)
        logits = self._logits(hidden, turns, sorted({state.turn for state in states}))
        tokens = self.sampling.choose(logits, rows, keep_all=all(sampler.keeps_all for sampler in samplers))
        self._last[rows] = tokens.clamp(min=0) + self._offsets[turns]
        return tokens

    def _logits(self, hidden: Tensor, turns: Tensor, heads: Sequence[int]) -> Tensor:
        """Return the logits of each row's own head, if all are among `heads`.

        A head computes all rows: its cost is reading its weight.
        """
        logits = self.model.heads[heads[0]](hidden)
        for head in heads[1:]:
            logits = torch.where((turns == head)[:, None], self.model.heads[head](hidden), logits)
        return logits


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
    """Runs a causal model with the rows of a batch, up to all of its slots. `stride` None: STRIDE on a GPU; 1 on a
    CPU."""

    def __init__(self, batch: Batch, *, stride: int | None = None) -> None:
        self._batch = batch
        self._stride = stride or (1 if batch.model.transformer.device.type == "cpu" else STRIDE)
        self._free = list(range(batch.slots))
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
