"""What is measured and of whom. Free of torch: the memory of whoever imports this is its own."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cloning.bark.config import BarkSpec
from cloning.prompt import VoicePrompt

SHAPES = {
    "small": {"num_layers": 12, "num_heads": 12, "hidden_size": 768},
    "large": {"num_layers": 24, "num_heads": 16, "hidden_size": 1024},
    "tiny": {"num_layers": 2, "num_heads": 2, "hidden_size": 64},
}
"""`suno/bark-small`, `suno/bark`, and one to try this program with."""

STAGES = ("semantic", "coarse", "fine", "audio")
"""Of speaking."""
CLONE_STAGES = ("features", "quantizer", "codec")
"""Of cloning."""
SPEC = BarkSpec.from_configs({}, {})
"""Of the published checkpoints."""
CLONE_SECONDS = 10.0
"""How long the reference clip is."""
TEXT_TOKENS = 40
"""How long every text is; the models read it padded anyway."""


@dataclass(frozen=True)
class Row:
    """A task: so many lines in so many voices, 0 for no voice in particular. No lines: a voice is cloned."""

    name: str
    title: str
    lines: int
    voices: int


ROWS = {
    row.name: row
    for row in (
        Row("sentence", "One sentence in a cloned voice", 1, 1),
        Row("unvoiced", "One sentence in no voice in particular, which is all that bark.cpp can do", 1, 0),
        Row("clone", "A voice cloned from 10 s", 0, 1),
        Row("paragraph", "A paragraph of 8 sentences in one voice", 8, 1),
        Row("members", "8 members at once, each with a voice of their own", 8, 8),
    )
}


@dataclass(frozen=True)
class Contender:
    """Somebody who is measured, and in which rows.

    batched: lines in the same voice go together. fast: our preset. takes: how often ours generates each line, of which
    one is kept. compiled: by torch.compile. cuda: only there.
    """

    name: str
    family: str
    dtype: str
    rows: tuple[str, ...]
    batched: bool = False
    fast: bool = False
    takes: int = 1
    compiled: bool = False
    cuda: bool = False

    @property
    def ours(self) -> bool:
        """Whether it is the engine of this repository."""
        return self.family == OURS

    def together(self, row: Row) -> bool:
        """Whether it speaks all lines of `row` at once. If not: one after the other."""
        return row.lines * self.takes > 1 and (self.ours or (self.batched and row.voices == 1))


OURS = "barkeep"
_SPOKEN = ("sentence", "unvoiced", "paragraph", "members")
_VOICED = ("sentence", "paragraph", "members")
_OPTION = ("sentence", "members")
_ALONE = ("sentence", "unvoiced", "members")
_ALL = tuple(ROWS)

CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(OURS, OURS, "float32", _ALL),
        Contender("barkeep-fast", OURS, "float32", _OPTION, fast=True),
        Contender("barkeep-bfloat16", OURS, "bfloat16", _SPOKEN),
        Contender("barkeep-int8", OURS, "int8", _ALONE),
        Contender("barkeep-takes2", OURS, "float32", ("sentence",), takes=2),
        Contender("barkeep-float16", OURS, "float16", _SPOKEN, cuda=True),
        Contender("transformers", "transformers", "float32", _ALL),
        Contender("transformers-batch", "transformers", "float32", ("paragraph",), batched=True),
        Contender("transformers-bfloat16", "transformers", "bfloat16", _VOICED),
        Contender("transformers-bfloat16-batch", "transformers", "bfloat16", ("paragraph",), batched=True),
        Contender("transformers-float16", "transformers", "float16", _SPOKEN, cuda=True),
        Contender("transformers-float16-batch", "transformers", "float16", ("paragraph",), batched=True, cuda=True),
        Contender("transformers-compiled", "transformers", "float16", _ALONE, compiled=True, cuda=True),
        Contender("suno", "suno", "float32", _SPOKEN),
        Contender("bark.cpp", "bark.cpp", "float32", ("unvoiced",)),
        Contender("bark.cpp-float16", "bark.cpp", "float16", ("unvoiced",)),
        Contender("bark.cpp-int8", "bark.cpp", "int8", ("unvoiced",)),
    )
}


@dataclass(frozen=True)
class Line:
    """Something to say: in which voice, how many semantic tokens long, with which seed."""

    voice: VoicePrompt | None
    semantic_tokens: int
    seed: int


@dataclass
class Told:
    """What came of some lines: how many samples, seconds until the first line was done, seconds spent on each stage."""

    samples: int = 0
    first: float = 0.0
    stages: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, stages: dict[str, float], seconds: float, samples: npt.NDArray[np.float32]) -> None:
        """A line, or several, that took so long after those before."""
        self.first = self.first or seconds
        for stage, spent in stages.items():
            self.stages[stage] += spent
        self.samples += samples.size


class Speaker(Protocol):
    """Somebody who can speak lines."""

    def speak(self, lines: list[Line]) -> Told:
        """All of them, as quickly as may be."""
