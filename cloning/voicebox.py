"""Clones voices and speaks with them: the whole way from a recording to a prompt, and from a text to speech.

Uses one set of loaded models. Knows nothing of jobs, members or storage.
"""

import logging
import secrets
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cloning import audio, joining, reference, text
from cloning.audio import Recording, Samples
from cloning.bark.engine import Generated, GenerationOptions
from cloning.loaded import LoadedModels
from cloning.methods import METHODS, Subject
from cloning.prompt import VoicePrompt
from cloning.protocol import QualityReport
from cloning.watch import Watch
from errors import InvalidInput, Unavailable

READING, CHOOSING = "reading the recording", "choosing the best seconds"
"""The first stages of a clone; those of the method and of the engine follow."""

_TAKES = 2
_SEED_LIMIT = 2**31
_ENOUGH_SECONDS = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clone:
    """A new voice: its prompt, the clip that it was made from, what was measured, and what made its tokens."""

    prompt: VoicePrompt
    clip: Recording
    report: QualityReport
    quantizer: str


@dataclass(frozen=True, slots=True)
class SayOptions:
    """How to say it. `temperature` None: Suno's; 0: greedy. `seed` None: a random one, told in the Speech."""

    language: str = "en"
    temperature: float | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        text.check_language(self.language)
        GenerationOptions(self.temperature, seed=self.seed or 0)  # knows the ranges


@dataclass(frozen=True)
class Speech:
    """`samples` float32 (N,) at `sample_rate`; the tokens of all sentences as one prompt; the seed that was used."""

    samples: Samples
    sample_rate: int
    prompt: VoicePrompt
    seed: int
    sentences: int

    @property
    def seconds(self) -> float:
        """The length."""
        return self.samples.size / self.sample_rate


class Voicebox:
    """`clone` and `say` with one set of models. `decoder_memory_mb` bounds the process that decodes recordings."""

    def __init__(self, models: LoadedModels, *, decoder_memory_mb: int = 1024) -> None:
        self.models = models
        self._decoder_memory_mb = decoder_memory_mb

    def clone(
        self,
        source: Path,
        language: str,
        watch: Watch,
        *,
        method: str = "quantizer",
        transcript: str | None = None,
    ) -> Clone:
        """Make a voice from a media file of any common format.

        Raises InvalidInput for what is no usable speech, Unavailable for missing models, Cancelled.
        """
        watch.report(READING, 0.0)
        recording = audio.decode(source, memory_mb=self._decoder_memory_mb)
        watch.report(CHOOSING, 0.0)
        chosen = reference.choose(recording, rate=self.models.engine.spec.sample_rate)
        made = METHODS[method](self.models, Subject(chosen.clip, text.check_language(language), transcript), watch)
        return Clone(made.prompt, chosen.clip, chosen.report, made.maker)

    def reclone(self, clip: Recording, language: str, watch: Watch) -> VoicePrompt:
        """The prompt of a clip that an earlier clone chose, for the models that are loaded now."""
        return METHODS["quantizer"](self.models, Subject(clip, text.check_language(language)), watch).prompt

    def say(self, words: str, voice: VoicePrompt | None, options: SayOptions, watch: Watch) -> Speech:
        """Speak a text of any length in a voice; without one, in the voice that the first sentence happens to get.

        Every sentence is generated from the same prompt, since feeding the last one back would pile up noise. The same
        seed, text, voice and models make the same speech. Raises InvalidInput for an empty text, Unavailable if the
        model makes no sound, Cancelled.
        """
        spec = self.models.engine.spec
        pieces = self._pieces(words, options.language)
        seed = secrets.randbelow(_SEED_LIMIT) if options.seed is None else options.seed
        parts: list[Generated] = []
        for number, piece in enumerate(pieces):
            part_watch = watch if len(pieces) == 1 else watch.within(f"sentence {number + 1} of {len(pieces)}: ")
            parts.append(self._take(piece, voice, options, (seed, number), part_watch))
            if voice is None and parts[0].prompt.seconds(spec.prompt) >= _ENOUGH_SECONDS:
                voice = parts[0].prompt
        pauses = [text.pause_after(piece) for piece in pieces[:-1]]
        samples = joining.join([part.samples for part in parts], pauses, spec.sample_rate)
        return Speech(samples, spec.sample_rate, _joined([part.prompt for part in parts]), seed, len(pieces))

    def _pieces(self, words: str, language: str) -> list[str]:
        """The text in windows; what the tokenizer drops entirely (control characters) is no piece."""
        engine = self.models.engine
        window = min(text.WINDOW_SECONDS, engine.spec.window_seconds)
        pieces = text.sentences(
            words,
            language,
            max_seconds=window,
            count_tokens=engine.count_text_tokens,
            max_tokens=engine.spec.max_text_tokens,
        )
        spoken = [piece for piece in pieces if engine.count_text_tokens(piece) > 0]
        if not spoken:
            raise InvalidInput("There is no text to speak.")
        return spoken

    def _take(
        self, piece: str, voice: VoicePrompt | None, options: SayOptions, seed: tuple[int, int], watch: Watch
    ) -> Generated:
        """One sentence. A take without sound is repeated once with another seed."""
        engine = self.models.engine
        limit = engine.spec.semantic_tokens(text.longest_seconds(piece, options.language))
        for take in range(_TAKES):
            drawn = int(np.random.SeedSequence([*seed, take]).generate_state(1)[0])
            generation = GenerationOptions(options.temperature, seed=drawn, max_semantic_tokens=limit)
            generated = engine.generate(piece, voice, generation, watch)
            if joining.is_usable(generated.samples):
                return generated
            _log.warning("take %d of a sentence has no usable sound", take + 1)
        raise Unavailable("The model made no sound for this text. Try again with another seed, text or voice.")


def _joined(prompts: list[VoicePrompt]) -> VoicePrompt:
    return VoicePrompt(
        np.concatenate([prompt.semantic for prompt in prompts]),
        np.concatenate([prompt.coarse for prompt in prompts], axis=1),
        np.concatenate([prompt.fine for prompt in prompts], axis=1),
    )
