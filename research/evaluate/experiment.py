"""Run the whole evaluation: generate and measure every line, and collect the results. Existing results are reused.

`trial` measures a line; `figures` and `goals` compute the results.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

from cloning.checkpoints import model_choice
from cloning.checkpoints.model_choice import ModelChoice
from cloning.model_set import LoadedModels
from errors import Unavailable
from research.bundled import kokoro
from research.bundled.phones import SEMANTIC_SIZE
from research.evaluate.frames import frame_accuracy
from research.evaluate.goals import ClonedVoices, goals
from research.evaluate.heldout import SENTENCES, HeldOutVoices
from research.evaluate.plan import PlannedLine, ProgressPrinter, lines
from research.evaluate.references import SpeakerRecordings, digest
from research.evaluate.report import Results
from research.evaluate.store import Store
from research.evaluate.trial import BUILT_IN, CODEC, Cell, Trial
from research.metrics.measurement import Meter
from research.metrics.statistics import Estimate

_MAIN = "quantizer"
"""The method that the goals are about."""
_RECORDINGS = "recordings"
_BUILT_IN_SEED = 0


@dataclass(frozen=True)
class ExperimentSettings:
    """The settings: each voice speaks `sentences` of `texts`, with `seeds` seeds each, all in `language`."""

    choice: ModelChoice
    methods: tuple[str, ...]
    texts: tuple[str, ...]
    sentences: int
    seeds: int
    language: str = "en"
    converter: str = "world"


def evaluate(
    settings: ExperimentSettings,
    references: Sequence[SpeakerRecordings],
    people: Sequence[SpeakerRecordings] | None,
    held_out: HeldOutVoices | None,
    meter: Meter,
    out: Path,
) -> Results:
    """Generate and measure every line, and the other figures that the goals need. Results in `out` are reused.

    people: references of real persons, if any. held_out: English recordings, to measure the codec alone and the
    quantizer's frames; without them, both are left out.

    Raises InvalidInput for unusable references, Unavailable for missing models or a full disk.
    """
    loaded = LoadedModels(settings.choice)
    trial = _trial(settings, loaded, references, meter, out)
    clones = {method: _clones(trial, method, settings) for method in settings.methods}
    main = settings.methods[0] if _MAIN not in clones else _MAIN
    real = None
    if people:
        real_trial = _trial(settings, loaded, people, meter, out / _RECORDINGS)
        real = ClonedVoices(_clones(real_trial, main, settings), real_trial.speakers)
    built_in, codec = _without_clones(trial, settings, held_out)
    frames = _frames(loaded, held_out, len(trial.speakers)) if held_out else None
    return Results(
        _facts(settings, main, trial),
        {**clones, **({BUILT_IN: built_in} if built_in else {}), **({CODEC: codec} if codec else {})},
        goals(built_in, codec, ClonedVoices(clones[main], trial.speakers), real, frames),
        main,
    )


def _trial(
    settings: ExperimentSettings,
    loaded: LoadedModels,
    references: Sequence[SpeakerRecordings],
    meter: Meter,
    folder: Path,
) -> Trial:
    choice = settings.choice
    run = "-".join(
        [
            _models_digest(choice, settings.language),
            digest(list(references)),
            settings.converter,
            choice.dtype,
            choice.preset,
        ]
    )
    store = Store(folder / "cells.jsonl", run)
    return Trial(loaded, references, meter, store, folder, language=settings.language, converter=settings.converter)


def _clones(trial: Trial, method: str, settings: ExperimentSettings) -> list[Cell]:
    planned: list[PlannedLine] = list(lines(list(trial.speakers), settings.texts, settings.sentences, settings.seeds))
    progress = ProgressPrinter(method, len(planned))
    cells = []
    for line in planned:
        cells.append(trial.cloned(method, line.speaker, line.text, line.seed))
        progress.step()
    return cells


def _without_clones(
    trial: Trial, settings: ExperimentSettings, held_out: HeldOutVoices | None
) -> tuple[list[Cell], list[Cell]]:
    """Measure lines in the built-in voices, which take turns, and the codec alone on Kokoro's recordings of them."""
    texts = settings.texts[:SENTENCES]
    if not trial.models.speakers.names:
        return [], []
    voices = _built_in_voices(trial.models.speakers.names)
    progress = ProgressPrinter(BUILT_IN, len(texts))
    built_in, codec = [], []
    for (speaker, voice), text in zip(cycle(voices), texts, strict=False):
        built_in.append(trial.built_in(speaker, text, _BUILT_IN_SEED))
        clip = held_out.clip(voice, text) if held_out else None
        if clip is not None:
            codec.append(trial.through_codec(clip))
        progress.step()
    return built_in, codec


def _built_in_voices(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return for each built-in voice of the recipe a pair: a speaker of the model, and the voice's name in Kokoro.

    The speaker is the one with the voice's name, or else the first. names: those of the model's speakers.
    """
    speakers = {name.lower(): name for name in names}
    return [(speakers.get(voice, names[0]), voice) for voice in kokoro.BUILT_IN]


def _frames(loaded: LoadedModels, held_out: HeldOutVoices, speakers: int) -> Estimate | None:
    """Return the quantizer's frame accuracy; None if the model's semantic tokens are not the recipe's."""
    if loaded.engine.spec.semantic_vocab != SEMANTIC_SIZE:
        return None
    return frame_accuracy(loaded, held_out.labelled_clips(speakers))


def _models_digest(choice: ModelChoice, language: str) -> str:
    """Return a digest of the content of the models' files."""
    made = hashlib.blake2b(digest_size=8)
    for path in _model_files(choice, language):
        with path.open("rb") as file:
            made.update(hashlib.file_digest(file, "blake2b").digest())
    return made.hexdigest()


def _model_files(choice: ModelChoice, language: str) -> Iterator[Path]:
    yield from sorted(path for path in model_choice.resolve_bark(choice).rglob("*") if path.is_file())
    try:
        yield from sorted(path for path in model_choice.resolve_hubert(choice).iterdir() if path.is_file())
        yield model_choice.resolve_quantizer(choice, language)
        yield model_choice.resolve_codebook(choice)
    except Unavailable:
        return  # not every method needs them; a method that does raises the error itself


def _facts(settings: ExperimentSettings, main: str, trial: Trial) -> dict[str, str]:
    return {
        "date": datetime.now(UTC).strftime("%d %B %Y"),
        "model": f"{settings.choice.model}, {settings.choice.dtype}, preset {settings.choice.preset}",
        "voices": f"{len(trial.speakers)}, {settings.sentences} of {len(settings.texts)} sentences each, "
        f"{settings.seeds} seed{'s' if settings.seeds > 1 else ''}",
        "language": settings.language,
        "converter": settings.converter,
        "goals are measured with": main,
    }
