"""The interface of a Bark engine."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cloning.bark.config import BarkSpec
from cloning.progress import ProgressReporter
from cloning.prompt import Tokens, VoicePrompt
from errors import InvalidInput

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GenerationOptions:
    """How to draw tokens. `temperature` None: those of the checkpoint; otherwise one value for all three stages.

    Temperature 0 is greedy in all three. `min_eos_p`: speech ends as soon as the end is at least this likely (Suno's
    0.2; 0.05 helps long texts; 0 switches it off). `seed` seeds all sampling. `max_semantic_tokens`: the maximum
    length; None means the checkpoint's window. `top_k` and `top_p`: the semantic and coarse stages draw only from the k
    most likely tokens, or from the most likely ones that together reach the probability p before the temperature; if
    both are given, from those that both keep. They change nothing at temperature 0.
    """

    temperature: float | None = None
    min_eos_p: float = 0.2
    seed: int = 0
    max_semantic_tokens: int | None = None
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if self.temperature is not None and not 0 <= self.temperature <= 2:
            raise InvalidInput("The temperature is a number from 0 (always the most likely token) to 2.")
        if not 0 <= self.min_eos_p <= 1:
            raise InvalidInput("min_eos_p is a probability, from 0 to 1.")
        if not 0 <= self.seed < 2**63:
            raise InvalidInput("The seed is a whole number from 0 to 9223372036854775807.")
        if self.max_semantic_tokens is not None and self.max_semantic_tokens < 1:
            raise InvalidInput("At least one semantic token has to be generated.")
        if self.top_k is not None and self.top_k < 1:
            raise InvalidInput("top_k is a number of tokens, at least 1.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise InvalidInput("top_p is a probability above 0, up to 1.")


@dataclass(frozen=True, slots=True)
class Generated:
    """The generated tokens, without the history, and their sound: float32 (N,) at the spec's sample rate."""

    prompt: VoicePrompt
    samples: Samples


@dataclass(frozen=True)
class Utterance:
    """One window of speech to generate: `text` in the voice of `history`, or in a random voice."""

    text: str
    history: VoicePrompt | None
    options: GenerationOptions = field(default_factory=GenerationOptions)
    reporter: ProgressReporter = field(default_factory=ProgressReporter)


class SpeechEngine(Protocol):
    """Generates windows of speech. Several threads may use it at once; their windows are generated together."""

    @property
    def spec(self) -> BarkSpec:
        """The checkpoint's rates, vocabularies and lengths."""

    def count_text_tokens(self, text: str) -> int:
        """Return the number of text tokens of `text`; `spec.max_text_tokens` fit one window."""

    def semantic(
        self, text: str, history: VoicePrompt | None, options: GenerationOptions, reporter: ProgressReporter
    ) -> Tokens:
        """Run the first stage alone: semantic tokens, int64 (S,), S >= 0. Raises InvalidInput for a text too long."""

    def generate(
        self, text: str, history: VoicePrompt | None, options: GenerationOptions, reporter: ProgressReporter
    ) -> Generated:
        """Speak `text` in the voice of `history`, or in a random voice.

        The model may end at once: then the result is empty. Raises InvalidInput for a text that is too long, and
        Cancelled within one decode step of the cancellation; a GPU may have a few queued steps before it (`decoding`).
        """

    def generate_many(self, utterances: Sequence[Utterance]) -> list[Generated]:
        """Speak several windows together as far as there is room; the results are in the order of `utterances`.

        Each equals the result of `generate` for it alone. Raises the error of the first one that fails, and drops the
        others.
        """

    def generate_each(self, utterances: Sequence[Utterance]) -> Generator[tuple[int, Generated], None, None]:
        """Yield the results of `generate_many` as they are done: the index in `utterances`, and the result.

        Closing the iterator drops unfinished utterances.
        """
