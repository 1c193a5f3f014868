"""Generate and measure lines of speech in cloned voices: the cells from which every table is computed.

All results are stored, so that nothing is generated twice.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from cloning.cli import AI_TAGS
from cloning.media import audio, recordings, reference
from cloning.media.audio import Recording
from cloning.methods.registry import METHODS
from cloning.methods.subject import Subject
from cloning.model_set import LoadedModels
from cloning.pipeline import SpeechPipeline
from cloning.progress import ProgressReporter
from cloning.prompt import VoicePrompt
from cloning.sentences import SayOptions
from errors import BarkeepError, Cancelled, InvalidInput
from research.evaluate.references import SpeakerRecordings, TranscribedRecording
from research.evaluate.store import Store, Value
from research.metrics.measurement import Meter
from research.metrics.recogniser import WordErrors, word_errors
from research.metrics.speakers import Embedding, similarity
from training.shards import Clip, recording_of

BUILT_IN, CODEC = "built-in", "codec"
"""Names used in place of a method: the model's built-in voices, and the codec alone."""


@dataclass(frozen=True)
class Cell:
    """The measurements of one line. `failed`: the error message if there is no speech; then all words are wrong.

    `speaker`: "" for the built-in voices and the codec. `heard`: the recognised words. `wrong`: word errors among
    `words`. `similarities`: to each reference speaker, 0..1. `log_f0`: see `research.metrics.pitch`. `quality`:
    DNSMOS. `clone_seconds` and `say_seconds`: processing time; `seconds`: length of the speech. `sample`: the file's
    path in the trial's folder.
    """

    method: str
    speaker: str
    text: str
    seed: int
    failed: str = ""
    heard: str = ""
    wrong: int = 0
    words: int = 0
    similarities: dict[str, float] | None = None
    log_f0: float | None = None
    quality: float = 0.0
    clone_seconds: float = 0.0
    say_seconds: float = 0.0
    seconds: float = 0.0
    sample: str = ""

    @property
    def errors(self) -> WordErrors:
        """The word errors; all words of a failed line count as missing."""
        return WordErrors(self.wrong, self.words)

    @classmethod
    def of(cls, value: Value) -> Self:
        """Restore a cell from a stored value."""
        return cls(**value)


@dataclass(frozen=True)
class MeasuredSpeaker:
    """A measured reference: the cloned recording, its embedding and pitch, and the embedding of another recording."""

    name: str
    take: TranscribedRecording
    voice: Embedding
    log_f0: float | None
    other: Embedding | None


class Trial:
    """Makes and measures cells with one set of models. `folder` gets samples and voices, `store` the figures."""

    def __init__(
        self,
        models: LoadedModels,
        references: Sequence[SpeakerRecordings],
        meter: Meter,
        store: Store,
        folder: Path,
        *,
        language: str = "en",
        converter: str = "world",
    ) -> None:
        self.models = models
        self._references = references
        self._meter = meter
        self._store = store
        self._folder = folder
        self._language = language
        self._converter = converter
        self._pipeline = SpeechPipeline(models)
        self._clips: dict[Path, Recording] = {}

    @cached_property
    def speakers(self) -> dict[str, MeasuredSpeaker]:
        """The measured references. Raises InvalidInput, with the file's name, for an unusable one."""
        return {one.speaker: self._speaker(one) for one in self._references}

    def cloned(self, method: str, speaker: str, text: str, seed: int) -> Cell:
        """Measure `text` in a voice that `method` makes from the speaker's clip."""
        key = f"{method}|{speaker}|{seed}|{text}"
        return Cell.of(self._store.once(key, lambda: self._measured(method, self.speakers[speaker], text, seed)))

    def built_in(self, speaker: str, text: str, seed: int) -> Cell:
        """Measure `text` in one of the model's built-in voices."""

        def measured() -> Value:
            return self._said(Cell(BUILT_IN, "", text, seed), self.models.speakers.load(speaker))

        return Cell.of(self._store.once(f"{BUILT_IN}|{speaker}|{seed}|{text}", measured))

    def through_codec(self, clip: Clip) -> Cell:
        """Measure a clip that was only encoded and decoded by the codec."""

        def measured() -> Value:
            codec = self.models.codec
            samples = codec.decode(codec.encode(audio.resample(recording_of(clip), codec.sample_rate).samples))
            return self._heard(Cell(CODEC, "", clip.text, 0), Recording(samples, codec.sample_rate))

        return Cell.of(self._store.once(f"{CODEC}|{clip.speaker}||{clip.text}", measured))

    def _speaker(self, one: SpeakerRecordings) -> MeasuredSpeaker:
        heard = self._voice(f"reference|{one.speaker}", one.take)
        others = [self._voice(f"other|{one.speaker}|{take.path.name}", take) for take in one.others]
        return MeasuredSpeaker(
            one.speaker,
            one.take,
            _embedding(heard),
            heard["log_f0"],
            _embedding(others[0]) if others else None,
        )

    def _clip(self, take: TranscribedRecording) -> Recording:
        """Return the clip that Barkeep chooses from a recording."""
        if take.path not in self._clips:
            try:
                recording = recordings.read(take.path)
                chosen = reference.choose(recording, rate=self.models.engine.spec.sample_rate)
            except InvalidInput as error:
                raise InvalidInput(f"{take.path.name}: {error.message}") from error
            self._clips[take.path] = chosen.clip
        return self._clips[take.path]

    def _voice(self, key: str, take: TranscribedRecording) -> Value:
        def measured() -> Value:
            figures = self._meter.all(self._clip(take))
            return {"voice": figures.voice.tolist(), "log_f0": figures.log_f0}

        return self._store.once(key, measured)

    def _measured(self, method: str, speaker: MeasuredSpeaker, text: str, seed: int) -> Value:
        cell = Cell(method, speaker.name, text, seed)
        try:
            prompt, seconds = self._clone(method, speaker, seed)
        except Cancelled:
            raise
        except BarkeepError as error:
            return _failure(cell, error, self._language)
        return self._said(cell, prompt, clone_seconds=seconds)

    def _clone(self, method: str, speaker: MeasuredSpeaker, seed: int) -> tuple[VoicePrompt, float]:
        """Return the voice and the seconds of cloning. A voice is cloned once for all texts."""
        path = self._folder / "voices" / method / f"{speaker.name}-{seed}.npz"
        spec = self.models.engine.spec.prompt

        def make() -> Value:
            transcript = speaker.take.transcript or None
            subject = Subject(self._clip(speaker.take), self._language, transcript, seed, self._converter)
            started = time.perf_counter()
            clone = METHODS[method](self.models, subject, ProgressReporter())
            seconds = time.perf_counter() - started
            path.parent.mkdir(parents=True, exist_ok=True)
            clone.prompt.save(path)
            return {"seconds": seconds}

        seconds = self._store.once(f"clone|{method}|{speaker.name}|{seed}", make)["seconds"]
        return VoicePrompt.load(path, spec), seconds

    def _said(self, cell: Cell, prompt: VoicePrompt, *, clone_seconds: float = 0.0) -> Value:
        started = time.perf_counter()
        try:
            speech = self._pipeline.say(
                cell.text, prompt, SayOptions(self._language, seed=cell.seed), ProgressReporter()
            )
        except Cancelled:
            raise
        except BarkeepError as error:
            return _failure(cell, error, self._language)
        say_seconds = time.perf_counter() - started
        value = self._heard(cell, Recording(speech.samples, speech.sample_rate))
        return {**value, "clone_seconds": clone_seconds, "say_seconds": say_seconds}

    def _heard(self, cell: Cell, recording: Recording) -> Value:
        """Measure the speech of a cell, and save it as a sample."""
        try:
            heard = self._meter.all(recording)
        except InvalidInput as error:
            return _failure(cell, error, self._language)
        path = self._sample_path(cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        audio.write(path, recording.samples, recording.sample_rate, tags={"title": cell.text[:100], **AI_TAGS})
        errors = word_errors(cell.text, heard.words, self._language)
        measured: dict[str, Any] = {
            "heard": heard.words,
            "wrong": errors.wrong,
            "words": errors.words,
            "similarities": {name: similarity(heard.voice, one.voice) for name, one in self.speakers.items()},
            "log_f0": heard.log_f0,
            "quality": heard.opinion.overall,
            "seconds": recording.seconds,
            "sample": path.relative_to(self._folder).as_posix(),
        }
        return {**asdict(cell), **measured}

    def _sample_path(self, cell: Cell) -> Path:
        letters = "".join(letter if letter.isalnum() else " " for letter in cell.text.lower())
        name = "-".join([part for part in (cell.speaker, *letters.split()[:5], str(cell.seed)) if part])
        return self._folder / "samples" / cell.method / f"{name}.flac"


def _embedding(value: Value) -> Embedding:
    voice: Embedding = np.asarray(value["voice"], np.float32)
    return voice


def _failure(cell: Cell, error: BarkeepError, language: str) -> Value:
    """Return the value of a cell without speech, with all words missing."""
    missing = word_errors(cell.text, "", language)
    return {**asdict(cell), "failed": error.message, "wrong": missing.wrong, "words": missing.words}
