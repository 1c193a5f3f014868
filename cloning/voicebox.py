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
from cloning.bark.config import BarkSpec
from cloning.bark.engine import Generated, GenerationOptions, Utterance
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
    """How to say it. `temperature` None: Suno's; 0: greedy. `seed` None: a random one, told in the Speech.

    `top_k` and `top_p`: as in GenerationOptions.
    """

    language: str = "en"
    temperature: float | None = None
    seed: int | None = None
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        text.check_language(self.language)
        GenerationOptions(self.temperature, seed=self.seed or 0, top_k=self.top_k, top_p=self.top_p)  # knows the ranges


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
        converter: str = "world",
        scratch: Path | None = None,
    ) -> Clone:
        """Make a voice from a media file of any common format. `scratch`: where temporary files may lie.

        `method`: one of METHODS; `transcript` and `converter` are explained at `methods.Subject`.
        Raises InvalidInput for what is no usable speech, Unavailable for missing models, Cancelled.
        """
        watch.report(READING, 0.0)
        recording = audio.decode(source, memory_mb=self._decoder_memory_mb, scratch=scratch)
        watch.report(CHOOSING, 0.0)
        chosen = reference.choose(recording, rate=self.models.engine.spec.sample_rate)
        subject = Subject(chosen.clip, text.check_language(language), transcript, converter=converter)
        made = METHODS[method](self.models, subject, watch)
        return Clone(made.prompt, chosen.clip, chosen.report, made.maker)

    def reclone(self, clip: Recording, language: str, watch: Watch) -> VoicePrompt:
        """The prompt of a clip that an earlier clone chose, for the models that are loaded now."""
        return METHODS["quantizer"](self.models, Subject(clip, text.check_language(language)), watch).prompt

    def say(self, words: str, voice: VoicePrompt | None, options: SayOptions, watch: Watch) -> Speech:
        """Speak a text of any length in a voice; without one, in the voice that the first sentence happens to get.

        Every sentence is generated from the same prompt, since feeding the last one back would pile up noise, and so
        they are generated together. The same seed, text, voice and models make the same speech. Raises InvalidInput for
        an empty text, Unavailable if the model makes no sound, Cancelled.
        """
        spec = self.models.engine.spec
        pieces = self._pieces(words, options.language)
        seed = secrets.randbelow(_SEED_LIMIT) if options.seed is None else options.seed
        sentences = [_Sentence(piece, number, seed) for number, piece in enumerate(pieces)]
        parts: list[Generated] = []
        if voice is None and len(pieces) > 1:
            parts = self._takes(sentences[:1], None, options, watch.within(f"sentence 1 of {len(pieces)}: "))
            watch = watch.within(f"sentences 2 to {len(pieces)}: ")
            if parts[0].prompt.seconds(spec.prompt) >= _ENOUGH_SECONDS:
                voice = parts[0].prompt
        parts += self._takes(sentences[len(parts) :], voice, options, watch)
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

    def _takes(
        self, sentences: list["_Sentence"], voice: VoicePrompt | None, options: SayOptions, watch: Watch
    ) -> list[Generated]:
        """The sentences, generated together. A take without sound is repeated once with another seed."""
        engine = self.models.engine
        done: dict[int, Generated] = {}
        for take in range(_TAKES):
            wanted = [sentence for sentence in sentences if sentence.number not in done]
            utterances = [
                Utterance(sentence.text, voice, sentence.options(options, take, engine.spec), part)
                for sentence, part in zip(wanted, watch.together(len(wanted)), strict=True)
            ]
            for sentence, generated in zip(wanted, engine.generate_many(utterances), strict=True):
                if joining.is_usable(generated.samples):
                    done[sentence.number] = generated
            if len(done) == len(sentences):
                return [done[sentence.number] for sentence in sentences]
            _log.warning("%d sentences have no usable sound in take %d", len(sentences) - len(done), take + 1)
        raise Unavailable("The model made no sound for this text. Try again with another seed, text or voice.")


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A piece of a text, its place in it, and the seed of the whole."""

    text: str
    number: int
    seed: int

    def options(self, options: SayOptions, take: int, spec: BarkSpec) -> GenerationOptions:
        """How to generate it. Every sentence and every take draws from a seed of its own."""
        drawn = int(np.random.SeedSequence([self.seed, self.number, take]).generate_state(1)[0])
        limit = spec.semantic_tokens(text.longest_seconds(self.text, options.language))
        return GenerationOptions(
            options.temperature, seed=drawn, max_semantic_tokens=limit, top_k=options.top_k, top_p=options.top_p
        )


def _joined(prompts: list[VoicePrompt]) -> VoicePrompt:
    return VoicePrompt(
        np.concatenate([prompt.semantic for prompt in prompts]),
        np.concatenate([prompt.coarse for prompt in prompts], axis=1),
        np.concatenate([prompt.fine for prompt in prompts], axis=1),
    )
