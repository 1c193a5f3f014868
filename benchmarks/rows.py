"""The rows and the contenders of the benchmark. Does not import torch, whose memory would be measured too."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cloning.bark.config import BarkSpec, Windows, pick_windows
from cloning.prompt import VoicePrompt

SHAPES = {
    "small": {"num_layers": 12, "num_heads": 12, "hidden_size": 768},
    "large": {"num_layers": 24, "num_heads": 16, "hidden_size": 1024},
    "tiny": {"num_layers": 2, "num_heads": 2, "hidden_size": 64},
}
"""`suno/bark-small`, `suno/bark`, and a small one to test the benchmark."""

STAGES = ("semantic", "coarse", "fine", "audio")
"""The stages of speaking."""
CLONE_STAGES = ("features", "quantizer", "codec")
"""The stages of cloning."""
SPEC = BarkSpec.from_configs({}, {})
"""The spec of the published checkpoints."""
CLONE_SECONDS = 10.0
"""The length of the reference clip."""
TEXT_TOKENS = 40
"""The number of tokens of every text, without padding."""


@dataclass(frozen=True)
class BenchmarkRow:
    """A task: speak `lines` lines in `voices` voices (0: without a voice), or, with 0 lines, clone a voice."""

    name: str
    title: str
    lines: int
    voices: int
    busy: int = 0
    """The number of other programs that each use a core at the same time."""


ROWS = {
    row.name: row
    for row in (
        BenchmarkRow("sentence", "One sentence in a cloned voice", 1, 1),
        BenchmarkRow("busy", "The same, while two other programs use a core each", 1, 1, busy=2),
        BenchmarkRow("unvoiced", "One sentence in no voice in particular, which is all that bark.cpp can do", 1, 0),
        BenchmarkRow("clone", "A voice cloned from 10 s", 0, 1),
        BenchmarkRow("paragraph", "A paragraph of 8 sentences in one voice", 8, 1),
        BenchmarkRow("members", "8 members at once, each with a voice of their own", 8, 8),
    )
}


@dataclass(frozen=True)
class Contender:
    """An implementation, and the rows in which it is measured.

    dtype: the precision; "auto": the bot's choice on this machine. batched: lines in the same voice are generated
    together. fast: uses Barkeep's preset `fast`. takes: how often Barkeep generates each line. compiled: uses
    torch.compile. cuda: measured on CUDA only.
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
        """Whether the contender is Barkeep's engine."""
        return self.family == OURS

    def windows(self, device: str) -> Windows:
        """Return the windows of its coarse and fine stage on a type of torch device, as the bot chooses them."""
        return pick_windows("fast" if self.fast else "auto", self.dtype, device) if self.ours else Windows.EXACT

    def together(self, row: BenchmarkRow) -> bool:
        """Return whether it speaks all lines of `row` at once, instead of one after the other."""
        return row.lines * self.takes > 1 and (self.ours or (self.batched and row.voices == 1))


OURS = "barkeep"
_SPOKEN = ("sentence", "unvoiced", "paragraph", "members")
_VOICED = ("sentence", "paragraph", "members")
_OPTION = ("sentence", "members")
_ALONE = ("sentence", "unvoiced", "members")
_ALL = tuple(ROWS)
_QUIET = tuple(name for name, row in ROWS.items() if not row.busy)

CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(OURS, OURS, "auto", _ALL),
        Contender("barkeep-fast", OURS, "auto", _OPTION, fast=True),
        Contender("barkeep-float32", OURS, "float32", _SPOKEN),
        Contender("barkeep-bfloat16", OURS, "bfloat16", _SPOKEN),
        Contender("barkeep-int8", OURS, "int8", _ALONE),
        Contender("barkeep-takes2", OURS, "auto", ("sentence",), takes=2),
        Contender("barkeep-float16", OURS, "float16", _SPOKEN, cuda=True),
        Contender("transformers", "transformers", "float32", _QUIET),
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
class BenchmarkLine:
    """A line: its voice, its length in semantic tokens, and its seed."""

    voice: VoicePrompt | None
    semantic_tokens: int
    seed: int


@dataclass
class LineResults:
    """The result of some lines: the number of samples, seconds until the first line was done, seconds of each stage."""

    samples: int = 0
    first: float = 0.0
    stages: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, stages: dict[str, float], seconds: float, samples: npt.NDArray[np.float32]) -> None:
        """Add lines that were spoken after all others and took `seconds`."""
        self.first = self.first or seconds
        for stage, spent in stages.items():
            self.stages[stage] += spent
        self.samples += samples.size
