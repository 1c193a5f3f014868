"""Types and steps shared by the methods: the clip and its words, and a prompt with parts of equal length.

All methods take the codec tokens from the clip; they differ in the semantic tokens.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cloning.bark.config import BarkSpec
from cloning.media import audio
from cloning.media.audio import Recording
from cloning.progress import ProgressReporter
from cloning.prompt import Tokens, VoicePrompt
from errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from cloning.model_set import LoadedModels  # imports torch, which the list of methods does not need

SEMANTIC, CODES = "semantic tokens", "codec tokens"
"""The names of the stages, as members see them."""

_MIN_SECONDS = 0.5
"""Far less than a voice needs. Below a quarter of a second, the ratio of the lengths cannot be right."""


@dataclass(frozen=True)
class Subject:
    """The input of a method: the chosen clip, its language, and its words if they are known.

    `seed` seeds the method's sampling. `converter`: one of `converters.CONVERTERS`, for the method conversion.
    """

    clip: Recording
    language: str
    transcript: str | None = None
    seed: int = 0
    converter: str = "world"


@dataclass(frozen=True)
class ClonedPrompt:
    """A prompt, and the maker of its semantic tokens: the file of a quantizer or codebook, a converter or a method."""

    prompt: VoicePrompt
    maker: str


class Method(Protocol):
    """Makes a prompt. Raises InvalidInput if the subject is incomplete, Unavailable if a model is missing."""

    def __call__(self, models: "LoadedModels", subject: Subject, reporter: ProgressReporter, /) -> ClonedPrompt:
        """Return the prompt of `subject`."""


def seed_of(subject: Subject, number: int) -> int:
    """Return the seed for piece `number` of the text."""
    return int(np.random.SeedSequence([subject.seed, number]).generate_state(1)[0])


def codes_of(models: "LoadedModels", clip: Recording, reporter: ProgressReporter) -> Tokens:
    """Return the codec tokens of a clip, int64 (books, T)."""
    reporter.report(CODES, 0.0)
    codes: Tokens = models.codec.encode(audio.resample(clip, models.codec.sample_rate).samples)
    reporter.report(CODES, 1.0)
    return codes


def prompt_of(semantic: Tokens, codes: Tokens, spec: BarkSpec) -> VoicePrompt:
    """Build a prompt of semantic tokens (S,) and codec tokens (books, T) of the same clip, cut to equal length.

    Both start with the clip, so the longer one loses its tail, until T == floor(S * frame rate / semantic rate) as in
    Suno's presets. Raises InvalidInput if the clip is too short, Unavailable if a model made almost no tokens.
    """
    of_clip = spec.semantic_tokens_within(codes.shape[1])
    length = min(semantic.size, of_clip)
    frames = spec.frames(length)
    fine = codes[: spec.fine_books, :frames]
    prompt = VoicePrompt(semantic[:length], fine[: spec.coarse_books].copy(), fine)
    if prompt.seconds(spec.prompt) < _MIN_SECONDS:
        if of_clip > spec.semantic_tokens(_MIN_SECONDS):
            raise Unavailable("The model could not make a voice from this clip. Try again, or send another recording.")
        raise InvalidInput("This clip is too short to make a voice from. Record about 10 seconds.")
    prompt.validate(spec.prompt)
    return prompt
