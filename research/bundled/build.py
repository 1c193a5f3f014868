"""Build the bundled model: data, codec, features and tokens, the three stages, and one folder with the result.

    python -m research bundled [--work DIR] [--profile cpu|cuda] [--device auto|cpu|cuda] [--step NAME]

A stopped step continues where it was. This module defines the order, folders and sizes; each step's own module has the
training.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import torch
import typer

from cloning.bark.bark import BarkEngine
from cloning.bark.precision import PRECISIONS
from cloning.checkpoints.published import BUNDLED_DIRECTORY
from cloning.checkpoints.speakers import ANY_SPEAKER, Speakers
from cloning.checkpoints.weights import load_into, load_state
from cloning.codec import Codec
from research.bundled import corpus, package
from research.bundled.built_in import choose_prompts, sentences_to_compare
from research.bundled.coarse import CoarseJob
from research.bundled.codec import ADVERSARIAL, DECODER, ENCODER, FINETUNE, TEACHER, load_codec
from research.bundled.codec_steps import (
    CODEC,
    CODEC_PROFILES,
    CORPUS,
    PREDICTED,
    PROMPTS,
    CodecProfile,
    CodecStep,
    run_codec_step,
)
from research.bundled.codes import Codes, write_codes
from research.bundled.distortion import DistortionJob
from research.bundled.export import assemble, prompts_of, write, write_speakers
from research.bundled.fine import FineJob
from research.bundled.finetuning import Predictor, load_fine
from research.bundled.gpt import new_coarse, new_fine, new_semantic
from research.bundled.hubert_training import (
    EXPORTED,
    HUBERT,
    HUBERT_PROFILES,
    HubertProfile,
    HubertStep,
    run_hubert_step,
)
from research.bundled.kokoro import BUILT_IN, VOICES
from research.bundled.layout import Size, Sizes
from research.bundled.pronunciation import held_out, pronounced
from research.bundled.quantizer_steps import (
    QUANTIZER_PROFILES,
    QuantizerProfile,
    codebook_file,
    make_small_codebook,
    make_small_quantizer,
    quantizer_file,
)
from research.bundled.semantic import SemanticJob
from research.bundled.sentences import Sentences
from research.bundled.speech import SpeechTokens
from research.bundled.stretched import write_corpus
from research.bundled.teacher import load_teacher
from training.loop import Schedule, is_finished, train
from training.shards import ClipShards, Split

WORK = Path(".training/bundled")
SPEECH, TEXT = "speech", "text"
MODEL = "model"
"""The folder of the exported model in the working folder."""
_SPEAKERS = {name.title(): name for name in BUILT_IN}
"""The names of the built-in speakers in the data, by the names that members see."""
_SENTENCES_MEASURED = 40
_BEST = "best.safetensors"


class Profile(StrEnum):
    """The hardware that the recipe is sized for."""

    CPU = "cpu"
    CUDA = "cuda"


class Step(StrEnum):
    """The steps, in order."""

    SPEECH = "speech"
    CORPUS = "corpus"
    TEACHER = "teacher"
    CODES = "codes"
    DECODER = "decoder"
    ADVERSARIAL = "adversarial"
    ENCODER = "encoder"
    PROMPTS = "prompts"
    HUBERT = "hubert"
    QUANTIZER = "quantizer"
    CODEBOOK = "codebook"
    TEXT = "text"
    COARSE = "coarse"
    SEMANTIC = "semantic"
    FINE = "fine"
    DISTORTION = "distortion"
    PREDICTED = "predicted"
    FINETUNE = "finetune"
    EXPORT = "export"
    SPEAKERS = "speakers"
    MEASURE = "measure"
    INSTALL = "install"


AcousticJob = CoarseJob | FineJob
UNASKED = tuple(step for step in Step if step is not Step.INSTALL)
"""The steps that run by default. Only an explicit `install` replaces the model in the repository."""


@dataclass(frozen=True)
class Course:
    """Schedule and batch size of one transformer."""

    schedule: Schedule
    batch: int


@dataclass(frozen=True)
class BuildRecipe:
    """All settings of a profile."""

    plan: corpus.Plan
    processes: int
    codec: CodecProfile
    hubert: HubertProfile
    quantizer: QuantizerProfile
    coarse: Course
    semantic: Course
    fine: Course
    distortion: Course
    sizes: Sizes


_SIZES = Sizes(
    semantic=Size(layers=6, heads=4, width=192),
    coarse=Size(layers=6, heads=4, width=256),
    fine=Size(layers=4, heads=4, width=192),
)
_SCHEDULE = Schedule(
    steps=4_200,
    warmup=200,
    learning_rate=3e-3,
    weight_decay=0.02,
    optimizer="muon",
    validate_every=500,
    save_every=100,
    precision="bfloat16",
    ema=0.998,
)

RECIPES = {
    Profile.CPU: BuildRecipe(
        plan=corpus.PLANS["cpu"],
        processes=2,
        codec=CODEC_PROFILES["cpu"],
        hubert=HUBERT_PROFILES["cpu"],
        quantizer=QUANTIZER_PROFILES["cpu"],
        coarse=Course(_SCHEDULE, batch=8),
        semantic=Course(replace(_SCHEDULE, steps=3_600), batch=32),
        fine=Course(replace(_SCHEDULE, steps=7_300), batch=16),
        distortion=Course(replace(_SCHEDULE, steps=800, warmup=50, learning_rate=4e-4), batch=16),
        sizes=_SIZES,
    ),
    Profile.CUDA: BuildRecipe(
        plan=corpus.PLANS["cuda"],
        processes=16,
        codec=CODEC_PROFILES["cuda"],
        hubert=HUBERT_PROFILES["cuda"],
        quantizer=QUANTIZER_PROFILES["cuda"],
        coarse=Course(replace(_SCHEDULE, steps=14_000, warmup=500, save_every=500), batch=64),
        semantic=Course(replace(_SCHEDULE, steps=6_000, warmup=500, save_every=500), batch=256),
        fine=Course(replace(_SCHEDULE, steps=8_000, warmup=500, save_every=500), batch=64),
        distortion=Course(replace(_SCHEDULE, steps=800, warmup=50, learning_rate=4e-4), batch=64),
        sizes=_SIZES,
    ),
}
"""A batch of the coarse model has 8,000 positions on a CPU and 64,000 on CUDA."""


def bundled_command(
    work: Annotated[Path, typer.Option(help="The working folder.")] = WORK,
    profile: Annotated[Profile | None, typer.Option(help="The size of the recipe. Default: by device.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    step: Annotated[Step | None, typer.Option(help="Run only this step. Default: all but install.")] = None,
) -> None:
    """Build the bundled model, or continue; it can be stopped at any time."""
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    recipe = RECIPES[profile or Profile(torch.device(chosen).type)]
    build = Build(work, recipe, torch.device(chosen))
    for one in UNASKED if step is None else [step]:
        print(f"== {one}", flush=True)
        build.do(one)


class Build:
    """The steps in one working folder."""

    def __init__(self, work: Path, recipe: BuildRecipe, device: torch.device) -> None:
        self._work = work
        self._recipe = recipe
        self._device = device
        codec = recipe.codec
        self._runs: dict[Step, tuple[Schedule, Path]] = {
            Step.TEACHER: (codec.teacher, work / CODEC / TEACHER),
            Step.DECODER: (codec.decoder, work / CODEC / DECODER),
            Step.ADVERSARIAL: (codec.adversarial, work / CODEC / ADVERSARIAL),
            Step.ENCODER: (codec.encoder, work / CODEC / ENCODER),
            Step.FINETUNE: (codec.finetune, work / CODEC / FINETUNE),
            Step.COARSE: (recipe.coarse.schedule, work / Step.COARSE),
            Step.SEMANTIC: (recipe.semantic.schedule, work / Step.SEMANTIC),
            Step.FINE: (recipe.fine.schedule, work / Step.FINE),
            Step.DISTORTION: (recipe.distortion.schedule, work / Step.DISTORTION),
        }
        """Schedule and folder of each step that only trains a network."""
        self._steps: dict[Step, Callable[[], None]] = {
            Step.SPEECH: lambda: self._speak("speech"),
            Step.CORPUS: lambda: write_corpus(work / SPEECH, work / CORPUS),
            Step.HUBERT: self._make_hubert,
            Step.QUANTIZER: lambda: make_small_quantizer(work, recipe.quantizer, device),
            Step.CODEBOOK: lambda: make_small_codebook(work, recipe.quantizer, device),
            Step.TEXT: lambda: self._speak("text"),
            Step.COARSE: self._train_coarse,
            Step.SEMANTIC: self._train_semantic,
            Step.FINE: self._train_fine,
            Step.DISTORTION: self._train_distortion,
            Step.PREDICTED: self._predict_fine_codes,
            Step.EXPORT: self._export,
            Step.SPEAKERS: self._choose_speakers,
            Step.MEASURE: self._measure,
            Step.INSTALL: lambda: package.install(work / MODEL, BUNDLED_DIRECTORY),
        }
        """The functions of all steps except those of the codec, which `codec_steps` runs."""

    def do(self, step: Step) -> None:
        """Run or resume one step; a finished training is not repeated.

        Raises InvalidInput or Unavailable if its input is missing, NotLearning when a gate fails, Cancelled when it is
        stopped, LimitReached if the exported model is too large.
        """
        if step in self._runs and is_finished(*self._runs[step]):
            print("done", flush=True)
        elif step in self._steps:
            self._steps[step]()
        else:
            run_codec_step(CodecStep(step), self._work, self._recipe.codec, self._device)

    def _speak(self, kind: corpus.Kind) -> None:
        recipe, work = self._recipe, self._work
        corpus.make(kind, work / kind, recipe.plan, work / VOICES, processes=recipe.processes)

    def _make_hubert(self) -> None:
        hubert = self._recipe.hubert
        if is_finished(hubert.schedule, self._work / HUBERT):
            print("done", flush=True)
        else:
            run_hubert_step(HubertStep.TRAIN, self._work, hubert, self._device)
        run_hubert_step(HubertStep.EXPORT, self._work, hubert, self._device)

    def _train_coarse(self) -> None:
        recipe = self._recipe
        job = self._acoustic(CoarseJob, recipe.sizes.coarse, recipe.coarse)
        train(job, *self._runs[Step.COARSE], device=self._device)

    def _train_fine(self) -> None:
        recipe = self._recipe
        train(self._acoustic(FineJob, recipe.sizes.fine, recipe.fine), *self._runs[Step.FINE], device=self._device)

    def _train_distortion(self) -> None:
        recipe = self._recipe
        kind = partial(DistortionJob, self._work / Step.FINE / _BEST)
        job = self._acoustic(kind, recipe.sizes.fine, recipe.distortion)
        train(job, *self._runs[Step.DISTORTION], device=self._device)

    def _predict_fine_codes(self) -> None:
        """Write codes of the corpus with fine books predicted by the fine model, as in use."""
        corpus, codec = self._work / CORPUS, self._work / CODEC
        fine = load_fine(self._work / Step.DISTORTION / _BEST, self._recipe.sizes.fine)
        predict = Predictor(fine, Codes(codec), Codes(codec / PROMPTS), ClipShards(corpus))
        write_codes(corpus, codec / PREDICTED, predict)

    def _train_semantic(self) -> None:
        recipe = self._recipe
        folders = [self._work / CORPUS, self._work / TEXT]
        learned, valid = Sentences.load(folders, "train"), Sentences.load(folders, "valid")
        print(f"{len(learned.all)} sentences, {learned.hours:.1f} hours", flush=True)
        torch.manual_seed(recipe.semantic.schedule.seed)
        job = SemanticJob(recipe.sizes.semantic, learned, valid, batch=recipe.semantic.batch, device=self._device)
        train(job, *self._runs[Step.SEMANTIC], device=self._device)

    def _acoustic(self, kind: Callable[..., AcousticJob], size: Size, course: Course) -> AcousticJob:
        learned, valid = self._speech("train"), self._speech("valid")
        print(f"{len(learned)} clips of {len(learned.names)} speakers, {learned.hours:.1f} hours", flush=True)
        codebooks = load_teacher(self._work / CODEC / TEACHER / _BEST, torch.device("cpu")).quantizer.embed
        torch.manual_seed(course.schedule.seed)
        return kind(size, learned, valid, codebooks, batch=course.batch, device=self._device)

    def _export(self) -> None:
        sizes, work = self._recipe.sizes, self._work
        parts: dict[str, Any] = {
            Step.SEMANTIC: new_semantic(sizes.semantic),
            Step.COARSE: new_coarse(sizes.coarse),
            Step.DISTORTION: new_fine(sizes.fine),
        }
        for step, module in parts.items():
            load_into(module, load_state(work / step / _BEST), work / step / _BEST)
        semantic, coarse, fine = parts.values()
        bark = assemble(sizes, semantic, coarse, fine, load_codec(work / CODEC))
        with TemporaryDirectory(dir=work) as apart:
            speech = self._speech("train")
            speakers = {shown: prompts_of(speech, name)[0] for shown, name in _SPEAKERS.items()}
            write(bark, speakers, Path(apart, package.BARK))
            parts = {
                package.BARK: Path(apart, package.BARK),
                package.HUBERT: work / HUBERT / EXPORTED,
                package.QUANTIZER: quantizer_file(work),
                package.CODEBOOK: codebook_file(work),
            }
            package.gather(parts, work / MODEL)

    def _choose_speakers(self) -> None:
        """Replace the prompts of the built-in speakers in the exported model by better ones."""
        model = self._work / MODEL
        chosen = choose_prompts(self._speech("train"), _SPEAKERS, model, sentences_to_compare())
        write_speakers(chosen, model / package.BARK)
        package.write_checksums(model)

    def _measure(self) -> None:
        """Print the phone errors of the exported model; `research evaluate` measures its sound."""
        cpu = torch.device("cpu")
        folder = self._work / MODEL / package.BARK
        codec = Codec(folder, cpu)
        engine = BarkEngine.load(folder, precision=PRECISIONS["float32"], device=cpu, decode=codec.decode, batch=1)
        voice = Speakers(folder, engine.spec.prompt).load(ANY_SPEAKER)
        for result in pronounced(engine, held_out(self._work / TEXT, _SENTENCES_MEASURED), voice):
            print(result, flush=True)

    def _speech(self, split: Split) -> SpeechTokens:
        codec = self._work / CODEC
        return SpeechTokens.load(self._work / CORPUS, codec, codec / PROMPTS, split)
