"""What a Bark engine does, whatever it is made of."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cloning.bark.config import BarkSpec
from cloning.progress import Watch
from cloning.prompt import Tokens, VoicePrompt
from errors import InvalidInput

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GenerationOptions:
    """How to draw tokens. `temperature` None: Suno's 0.7 / 0.7 / 0.5; otherwise one value for all three stages.

    Temperature 0 is greedy in all three. `min_eos_p`: speech ends as soon as the end is at least this likely
    (Suno's 0.2; 0.05 helps long texts; 0 switches it off). `seed` decides all that is drawn.
    `max_semantic_tokens`: the speech ends there at the latest; None means the checkpoint's window. `top_k` and `top_p`:
    the semantic and coarse stages draw from the k likeliest tokens only, or from the likeliest that together reach the
    probability p before the temperature, if both are given from what both keep. They change nothing at temperature 0.
    """

    temperature: float | None = None
    min_eos_p: float = 0.2
    seed: int = 0
    max_semantic_tokens: int | None = None
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if self.temperature is not None and not 0 <= self.temperature <= 2:
            raise InvalidInput("The temperature goes from 0 (always the likeliest) to 2.")
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

    @property
    def stage_temperatures(self) -> tuple[float, float, float]:
        """For the semantic, coarse and fine stage. The defaults are those of `suno-ai/bark`'s `generate_audio`."""
        return (0.7, 0.7, 0.5) if self.temperature is None else (self.temperature,) * 3


@dataclass(frozen=True, slots=True)
class Generated:
    """The tokens that were generated, without the history, and their sound: float32 (N,) at the spec's sample rate."""

    prompt: VoicePrompt
    samples: Samples


@dataclass(frozen=True)
class Utterance:
    """One window of speech that somebody wants: `text` in the voice of `history`, or in any voice."""

    text: str
    history: VoicePrompt | None
    options: GenerationOptions = field(default_factory=GenerationOptions)
    watch: Watch = field(default_factory=Watch)


class SpeechEngine(Protocol):
    """Generates windows of speech. May be used by several threads at once; then it works for all of them together."""

    @property
    def spec(self) -> BarkSpec:
        """The checkpoint's rates, vocabularies and lengths."""

    def count_text_tokens(self, text: str) -> int:
        """How many text tokens `text` has; `spec.max_text_tokens` fit one window."""

    def semantic(self, text: str, history: VoicePrompt | None, options: GenerationOptions, watch: Watch) -> Tokens:
        """The first stage alone: semantic tokens, int64 (S,), S may be 0. Raises InvalidInput for a text too long."""

    def generate(self, text: str, history: VoicePrompt | None, options: GenerationOptions, watch: Watch) -> Generated:
        """Speak `text` in the voice of `history`, or in any voice.

        The model may end at once: then the result is empty. Raises InvalidInput for a text that is too long, and
        Cancelled within one decode step of the cancellation; a GPU may have a few more of them before it (`decoding`).
        """

    def generate_many(self, utterances: Sequence[Utterance]) -> list[Generated]:
        """Speak several windows, together as far as there is room; the results are in the order of `utterances`.

        Each is what `generate` makes of it alone. Raises what the first one that fails raises, and drops the others.
        """

    def generate_each(self, utterances: Sequence[Utterance]) -> Generator[tuple[int, Generated], None, None]:
        """As `generate_many`, but tells of each as soon as it is done: its place in `utterances`, and the result.

        Whoever stops listening, by closing the iterator too, drops those that are not done.
        """
