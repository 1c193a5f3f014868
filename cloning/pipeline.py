"""Clone voices and speak with them: from a recording to a prompt, and from a text to speech.

Uses one set of loaded models.
"""

import secrets
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from cloning.envelope import EnvelopeCorrection
from cloning.media import audio, recordings
from cloning.media.audio import Change, Recording, Samples
from cloning.media.report import QualityReport
from cloning.methods.registry import METHODS
from cloning.methods.subject import Subject
from cloning.model_set import LoadedModels
from cloning.progress import ProgressReporter
from cloning.prompt import VoicePrompt
from cloning.sentences import SayOptions, SentenceGenerator, pieces_of
from cloning.takes import VoiceFeatures
from cloning.text import splitting
from cloning.text.normalisation import normalise
from cloning.text.readable import readable
from cloning.watermark.marking import mark
from errors import InvalidInput

_SEED_LIMIT = 2**31
_FEATURE_SECONDS = 10.0
"""Seconds of a voice that are compared with takes."""
_FITTED_SECONDS = 10.0
"""Seconds of a voice to which the correction of its envelope is fitted."""
_REMEMBERED = 32
"""The number of voices whose corrections are kept: 13 KB each, and 32 KB of tokens."""


@dataclass(frozen=True)
class ClonedVoice:
    """A new voice: its prompt, its clip, the quality report, and the name of the maker of its semantic tokens."""

    prompt: VoicePrompt
    clip: Recording
    report: QualityReport
    quantizer: str


@dataclass(frozen=True)
class Speech:
    """`samples` float32 (N,) at `sample_rate`; the tokens of all sentences as one prompt; the seed."""

    samples: Samples
    sample_rate: int
    prompt: VoicePrompt
    seed: int
    sentences: int
    left_out: tuple[str, ...] = ()
    """Passages of the text that the model does not read."""

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return self.samples.size / self.sample_rate


@dataclass(frozen=True)
class Part:
    """Sentence `number` (from 0) of `of`, as it sounds in the Speech: `samples` float32 (N,).

    `pause`: seconds of silence between it and the next one.
    """

    number: int
    of: int
    samples: Samples
    sample_rate: int
    pause: float = 0.0

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return self.samples.size / self.sample_rate


def _ignore(part: Part) -> None:
    """Do nothing with a part: the caller of `say` needs only the whole."""


class SpeechPipeline:
    """`clone` and `say` with one set of models.

    `decoder_memory_mb` bounds the process that decodes recordings. `watermark`: whether speech gets the inaudible mark.
    """

    def __init__(self, models: LoadedModels, *, decoder_memory_mb: int = 1024, watermark: bool = False) -> None:
        self.models = models
        self.decoder_memory_mb = decoder_memory_mb
        self._watermark = watermark
        self._correction_of_tokens = lru_cache(_REMEMBERED)(self._fitted_correction)

    def clone(
        self,
        source: Path,
        language: str,
        reporter: ProgressReporter,
        *,
        method: str = "quantizer",
        transcript: str | None = None,
        converter: str = "world",
        scratch: Path | None = None,
    ) -> ClonedVoice:
        """Make a voice from a media file of any common format. `scratch`: the folder for temporary files.

        `method`: one of METHODS; `transcript` and `converter`: see `methods.subject.Subject`. Raises InvalidInput for a
        file without usable speech, Unavailable for missing models, Cancelled.
        """
        rate = self.models.engine.spec.sample_rate
        chosen = recordings.choose(source, reporter, rate=rate, memory_mb=self.decoder_memory_mb, scratch=scratch)
        subject = Subject(chosen.clip, splitting.check_language(language), transcript, converter=converter)
        cloned = METHODS[method](self.models, subject, reporter)
        return ClonedVoice(cloned.prompt, chosen.clip, chosen.report, cloned.maker)

    def reclone(self, clip: Recording, language: str, reporter: ProgressReporter) -> VoicePrompt:
        """Return the prompt of a clip from an earlier clone, made with the models that are loaded now."""
        return METHODS["quantizer"](self.models, Subject(clip, splitting.check_language(language)), reporter).prompt

    def say(
        self,
        words: str,
        voice: VoicePrompt | None,
        options: SayOptions,
        reporter: ProgressReporter,
        hear: Callable[[Part], None] = _ignore,
    ) -> Speech:
        """Speak a text of any length in a voice; without one, in the random voice of the first sentence.

        Every sentence uses the same prompt, since feeding back the previous one accumulates noise; so all are generated
        together. `hear` gets each sentence, in order, as soon as it and the earlier ones are done. The same seed, text,
        voice and models make the same speech. Raises InvalidInput for an empty text or one that the model does not
        read, Unavailable if the model makes no sound, Cancelled.
        """
        rate = self.models.engine.spec.sample_rate
        read = readable(words, options.language, self.models.engine.spec.languages)
        in_words = normalise(read.text, options.language) if options.normalise else read.text
        pieces = self._pieces(in_words, options.language)
        seed = secrets.randbelow(_SEED_LIMIT) if options.seed is None else options.seed
        compared = self._voice_features(voice) if options.takes > 1 else None
        generator = SentenceGenerator(self.models.engine, pieces, options, seed, compared)
        change = self._change_for(voice)
        prompts: list[VoicePrompt] = []
        sounds: list[Samples] = []
        gaps = [audio.gap(splitting.pause_after(piece)) for piece in pieces[:-1]]
        with closing(generator.generate(voice, reporter)) as spoken:
            for generated in spoken:
                prompts.append(generated.prompt)
                sounds.append(audio.polish(generated.samples, rate, change))
                hear(Part(len(sounds) - 1, len(pieces), sounds[-1], rate, [*gaps, 0.0][len(sounds) - 1]))
        samples = audio.join(sounds, gaps, rate)
        return Speech(samples, rate, _joined(prompts), seed, len(pieces), read.left_out)

    def _change_for(self, voice: VoicePrompt | None) -> Change:
        """Return the change to the sound of each sentence: the correction of its envelope, then the watermark."""
        correction = self._correction(voice)

        def change(samples: Samples, rate: int) -> Samples:
            corrected = samples if correction is None else correction(samples)
            return mark(corrected, rate) if self._watermark else corrected

        return change

    def _correction(self, voice: VoicePrompt | None) -> EnvelopeCorrection | None:
        """Return the correction for a voice, fitted at its first use; None without a voice or for other models."""
        spec = self.models.engine.spec
        if voice is None or not spec.envelope_correction:
            return None
        return self._correction_of_tokens(voice.fine[:, -round(_FITTED_SECONDS * spec.frame_rate) :].tobytes())

    def _fitted_correction(self, tokens: bytes) -> EnvelopeCorrection | None:
        """Fit the correction to a voice. `tokens`: int64 (fine books, T) as bytes, which the cache can hash."""
        spec, codec = self.models.engine.spec, self.models.codec
        codes = np.frombuffer(tokens, np.int64).reshape(spec.fine_books, -1).copy()  # torch needs a writable array
        coarse, fine = codec.decode(codes[: spec.coarse_books]), codec.decode(codes)
        return EnvelopeCorrection.fit(coarse, fine, spec.sample_rate, spec.envelope_correction)

    def _voice_features(self, voice: VoicePrompt | None) -> VoiceFeatures | None:
        """Return the sound of a voice, from the end of its own tokens; None without usable sound."""
        if voice is None:
            return None
        spec = self.models.engine.spec
        samples = self.models.codec.decode(voice.fine[:, -round(_FEATURE_SECONDS * spec.frame_rate) :])
        return VoiceFeatures.of(samples, spec.sample_rate) if audio.is_usable(samples) else None

    def _pieces(self, words: str, language: str) -> list[str]:
        """Split the text into windows, without pieces that the tokenizer drops entirely (control characters)."""
        engine = self.models.engine
        spoken = [piece for piece in pieces_of(engine, words, language) if engine.count_text_tokens(piece) > 0]
        if not spoken and any(character.isalnum() for character in words):
            raise InvalidInput("The model in use cannot read any letter of this text. Write it in another script.")
        if not spoken:
            raise InvalidInput("There is no text to speak.")
        return spoken


def _joined(prompts: list[VoicePrompt]) -> VoicePrompt:
    return VoicePrompt(
        np.concatenate([prompt.semantic for prompt in prompts]),
        np.concatenate([prompt.coarse for prompt in prompts], axis=1),
        np.concatenate([prompt.fine for prompt in prompts], axis=1),
    )
