"""Compute the least time of a row on a machine of known limits, from the bytes that it reads and its operations.

A pass through a model reads its matrices, one head and the keys and values of every row, and multiplies; the slower of
the two is the limit. In int8, keys and values are float16, as in Barkeep. Embeddings, norms, sampling and Python are
not counted, nor are reads from a processor's cache. For the codec and for cloning, only operations are counted
(`benchmarks.operations`). Does not import torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmarks.rows import CLONE_SECONDS, CLONE_STAGES, SPEC, STAGES, BenchmarkRow, Contender
from cloning.bark.config import InputLayout, Windows

_WEIGHT_BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0, "int8": 1.0}
_CACHE_BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0, "int8": 2.0}
_BLOCK = 1024
"""The number of positions of each model."""
_HEARD_RATE = 50
"""HuBERT's frames per second. A clip has one frame less, since the last would need samples after its end."""
_VOICE_FRAMES = int(CLONE_SECONDS * SPEC.frame_rate)


@dataclass(frozen=True)
class MachineLimits:
    """The limits of a machine: bytes per second, and floating-point operations per second by measured precision."""

    bandwidth: float
    rate: Mapping[str, float]

    def seconds(self, size: float, operations: float, dtype: str) -> float:
        """Return the least seconds of a pass that reads `size` bytes. Precisions without a rate get the fastest one."""
        return max(size / self.bandwidth, operations / self.rate.get(dtype, max(self.rate.values())))


@dataclass(frozen=True)
class Model:
    """One of Bark's models in a precision: its number of layers, its width, and the number of tokens of its head."""

    layers: int
    width: int
    head: int
    dtype: str

    def read(self, positions: int, *, causal: bool = True) -> tuple[float, float]:
        """Return (bytes, operations) of a pass over one row of `positions` positions."""
        attended = positions**2 / 2 if causal else positions**2
        seen = 1 if causal else positions
        multiplied = 2 * self._matrices * positions + 2 * self.head * self.width * seen
        return self._weights, multiplied + 4 * self.layers * self.width * attended

    def step(self, rows: int, positions: int) -> tuple[float, float]:
        """Return (bytes, operations) of one more position for each of `rows` rows of `positions` positions."""
        attended = rows * 2 * self.layers * self.width * positions
        multiplied = 2 * rows * (self._matrices + self.head * self.width)
        return self._weights + attended * _CACHE_BYTES[self.dtype], multiplied + 2 * attended

    @property
    def _matrices(self) -> int:
        return 12 * self.layers * self.width**2

    @property
    def _weights(self) -> float:
        return (self._matrices + self.head * self.width) * _WEIGHT_BYTES[self.dtype]


def least_seconds(
    row: BenchmarkRow,
    contender: Contender,
    windows: Windows,
    semantic: int,
    size: Mapping[str, int],
    machine: MachineLimits,
    codec: float,
) -> dict[str, float]:
    """Return the limit of each stage of a row with lines of `semantic` tokens, in the contender's windows.

    size: of `benchmarks.checkpoints.SHAPES`. codec: operations of the codec per frame.
    """
    lines = row.lines * contender.takes
    together = lines if contender.together(row) else 1
    times = lines / together
    frames, voiced = SPEC.frames(semantic), row.voices > 0
    model = Model(size["num_layers"], size["hidden_size"], SPEC.codebook_size, contender.dtype)
    longer = replace(model, head=SPEC.semantic_vocab + 1)

    def total(passes: list[tuple[float, float]]) -> float:
        return sum(machine.seconds(*one, contender.dtype) for one in passes)

    context = SPEC.max_text_tokens + 1
    spoken = [longer.read(context)] * together
    spoken += [longer.step(together, context + done) for done in range(1, semantic)]
    short = windows is Windows.SHORT_HISTORY
    most = SPEC.max_fine_history // 2 if short else SPEC.max_fine_history
    history = min(_VOICE_FRAMES, most) if voiced else 0
    window = min(SPEC.max_fine_input, history + frames) if short else SPEC.max_fine_input
    further = range(0, frames + history - SPEC.max_fine_input, SPEC.max_fine_history)
    books = SPEC.fine_books - SPEC.coarse_books
    fine = [model.read(window, causal=False)] * (books * (1 + len(further)))
    return {
        "semantic": times * total(spoken),
        "coarse": times * total(_coarse(model, together, frames, windows, voiced=voiced)),
        "fine": lines * total(fine),
        "audio": machine.seconds(0, lines * frames * codec, "float32"),
    }


def _coarse(model: Model, rows: int, frames: int, windows: Windows, *, voiced: bool) -> list[tuple[float, float]]:
    """Return (bytes, operations) of every pass of the coarse stage."""
    layout = InputLayout.from_config({}).with_windows(windows, SPEC, _BLOCK)
    past = _VOICE_FRAMES * SPEC.coarse_books if voiced else 0
    tokens = frames * SPEC.coarse_books
    passes = []
    for done in range(0, tokens, layout.coarse_window):
        context = layout.coarse_input + 1 + min(layout.coarse_history, past + done)
        passes += [model.read(context)] * rows
        following = min(layout.coarse_window, tokens - done)
        passes += [model.step(rows, context + step) for step in range(1, following)]
    return passes


def least_clone_seconds(machine: MachineLimits, operations: Mapping[str, float]) -> dict[str, float]:
    """Return the limit of each stage of cloning, in float32."""
    return {stage: machine.seconds(0, count, "float32") for stage, count in operations.items()}


def units(row: BenchmarkRow, semantic: int) -> dict[str, int]:
    """Return the number of units of each stage, for its speed: tokens, codec frames or HuBERT frames."""
    if not row.lines:
        heard = int(CLONE_SECONDS * _HEARD_RATE) - 1
        return dict(zip(CLONE_STAGES, (heard, heard, _VOICE_FRAMES), strict=True))
    frames = row.lines * SPEC.frames(semantic)
    counts = (
        row.lines * semantic,
        frames * SPEC.coarse_books,
        frames * (SPEC.fine_books - SPEC.coarse_books),
        frames,
    )
    return dict(zip(STAGES, counts, strict=True))
