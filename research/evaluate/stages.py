"""`python -m research stages`: measure which part of a model loses the words and the voice.

Held-out clips are generated again from earlier and earlier points: from all codec tokens, from their first books (the
fine stage adds the rest), from the clip's true semantic tokens (the coarse stage continues in a cloned voice), and from
the text. The difference between two rows is the loss in one part. True semantic tokens are known only for speakers of
the bundled model's recipe. The coarse and the fine stage run in transformers.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import torch
import typer
from transformers.models.bark import generation_configuration_bark

from cloning.checkpoints import model_choice
from cloning.checkpoints.libraries import transformers
from cloning.checkpoints.model_choice import ModelChoice
from cloning.checkpoints.published import BUNDLED
from cloning.media import audio, recordings, reference
from cloning.media.audio import Recording, Samples
from cloning.methods.registry import METHODS
from cloning.methods.subject import Subject
from cloning.model_set import LoadedModels
from cloning.pipeline import SpeechPipeline
from cloning.progress import ProgressReporter
from cloning.prompt import Tokens, VoicePrompt
from cloning.sentences import SayOptions
from research.bundled.layout import COARSE_BOOKS, COARSE_OFFSETS, CODEBOOK_SIZE
from research.evaluate.figures import FIGURES, Cells
from research.evaluate.heldout import ARCHIVE, HeldOutVoices, KokoroVoices, held_out_sentences, require_true_tokens
from research.evaluate.plan import lines
from research.evaluate.references import read_references
from research.evaluate.trial import Cell
from research.metrics.measurement import Meter, ModelMeter
from research.metrics.recogniser import word_errors
from research.metrics.speakers import Embedding, similarity
from training.shards import Clip, recording_of

WAYS = ("uncoded", "the codec", "true coarse tokens", "true semantic tokens", "text")
_SHOWN = FIGURES[:4]
"""Word error, similarity to the reference and to others, right speaker picked."""


def stages_command(
    model: Annotated[str, typer.Option(help="bundled, or a directory that its recipe made.")] = BUNDLED,
    voices: Annotated[int, typer.Option(min=2, help="Held-out voices.")] = 20,
    sentences: Annotated[int, typer.Option(min=1, help="The number of texts per voice.")] = 2,
    references: Annotated[Path, typer.Option(help="The folder for the voices' recordings.")] = Path(".training/stages"),
    kokoro_voices: KokoroVoices = ARCHIVE,
) -> None:
    """Measure words and voice of held-out clips, generated again from the true input of each stage."""
    models = LoadedModels(ModelChoice(model, device="cpu"))
    require_true_tokens(models)
    held_out = HeldOutVoices(kokoro_voices)
    held_out.write_references(references, voices)
    clips = {
        one.speaker: reference.choose(recordings.read(one.take.path), rate=models.engine.spec.sample_rate).clip
        for one in read_references(references)
    }
    meter = ModelMeter()
    known = {speaker: meter.voice(clip) for speaker, clip in clips.items()}
    prompts = {
        speaker: METHODS["quantizer"](models, Subject(clip, "en"), ProgressReporter()).prompt
        for speaker, clip in clips.items()
    }
    cells: dict[str, list[Cell]] = {way: [] for way in WAYS}
    stages = Stages(models)
    for line in lines(list(clips), held_out_sentences(), sentences, seeds=1):
        clip = held_out.clip(line.speaker, line.text)
        if clip is None:
            continue
        for way, samples in stages.ways(clip, prompts[line.speaker]):
            cells[way].append(measured(way, clip, Recording(samples, stages.sample_rate), meter, known))
    print("\n".join(table(cells)))


class Stages:
    """The parts of a Bark checkpoint, each of which can be given its true input."""

    def __init__(self, models: LoadedModels) -> None:
        self.sample_rate = models.codec.sample_rate
        self._codec = models.codec
        self._pipeline = SpeechPipeline(models)
        bark: Any = transformers.BarkModel.from_pretrained(model_choice.resolve_bark(models.choice))
        self._bark = bark.eval()
        named, kinds = bark.generation_config, cast(Any, generation_configuration_bark)
        self._settings = {
            "semantic_generation_config": kinds.BarkSemanticGenerationConfig(**named.semantic_config),
            "coarse_generation_config": kinds.BarkCoarseGenerationConfig(**named.coarse_acoustics_config),
            "codebook_size": CODEBOOK_SIZE,
        }
        self._fine_settings = kinds.BarkFineGenerationConfig(**named.fine_acoustics_config)

    def ways(self, clip: Clip, voice: VoicePrompt) -> Iterator[tuple[str, Samples]]:
        """Yield the clip, generated again in each of WAYS, float32 (N,) at `sample_rate`. Deterministic."""
        samples = audio.resample(recording_of(clip), self.sample_rate).samples
        codes = self._codec.encode(samples)
        generators: Mapping[str, Callable[[], Samples]] = {
            "uncoded": lambda: samples,
            "the codec": lambda: self._codec.decode(codes),
            "true coarse tokens": lambda: self._codec.decode(self._fine(codes[:COARSE_BOOKS], voice)),
            "true semantic tokens": lambda: self._codec.decode(self._fine(self._coarse(clip, voice), voice)),
            "text": lambda: self._pipeline.say(clip.text, voice, SayOptions(seed=0), ProgressReporter()).samples,
        }
        for way in WAYS:
            torch.manual_seed(0)
            yield way, generators[way]()

    @torch.inference_mode()
    def _coarse(self, clip: Clip, voice: VoicePrompt) -> Tokens:
        semantic = torch.from_numpy(clip.semantic.astype(np.int64))[None]
        flat = self._bark.coarse_acoustics.generate(semantic, history_prompt=_history(voice), **self._settings)
        tokens: Tokens = flat.numpy().reshape(-1, COARSE_BOOKS).T - COARSE_OFFSETS[:, None]
        return tokens

    @torch.inference_mode()
    def _fine(self, coarse: Tokens, voice: VoicePrompt) -> Tokens:
        flat = torch.from_numpy((coarse.T + COARSE_OFFSETS).reshape(1, -1))
        tokens: Tokens = self._bark.fine_acoustics.generate(
            flat, history_prompt=_history(voice), fine_generation_config=self._fine_settings, **self._settings
        )[0].numpy()
        return tokens


def measured(way: str, clip: Clip, recording: Recording, meter: Meter, known: Mapping[str, Embedding]) -> Cell:
    """Return the cell of a clip that was generated again in a way. known: the voices of all speakers."""
    heard, voice = meter.words(recording), meter.voice(recording)
    errors = word_errors(clip.text, heard)
    return Cell(
        way,
        clip.speaker,
        clip.text,
        0,
        heard=heard,
        wrong=errors.wrong,
        words=errors.words,
        similarities={speaker: similarity(voice, one) for speaker, one in known.items()},
    )


def table(cells: Mapping[str, Cells]) -> list[str]:
    """Return lines of Markdown: a row for each way, with intervals over speakers."""
    headings = ["made from", *(figure.heading for figure in _SHOWN)]
    rows = [[way, *(figure.text(figure.of(found)) for figure in _SHOWN)] for way, found in cells.items()]
    return [f"| {' | '.join(row)} |" for row in [headings, ["---"] * len(headings), *rows]]


def _history(voice: VoicePrompt) -> dict[str, torch.Tensor]:
    return {
        "semantic_prompt": torch.from_numpy(voice.semantic),
        "coarse_prompt": torch.from_numpy(voice.coarse),
        "fine_prompt": torch.from_numpy(voice.fine),
    }
