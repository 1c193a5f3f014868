"""`python -m training quantizer`: train a network that predicts Bark's semantic tokens from HuBERT features.

The networks are in `networks`, the loss in `quantizer_job`, the measurements in `quantizer_report`.
"""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from cloning.bark.config import BarkSpec
from cloning.checkpoints import model_choice
from cloning.checkpoints.model_choice import ModelChoice
from cloning.checkpoints.published import BARK as PUBLISHED
from cloning.checkpoints.published import BUNDLED
from cloning.checkpoints.weights import load_into, load_state
from cloning.media.audio import resample
from cloning.methods.hubert import SAMPLE_RATE, HubertFeatures
from cloning.methods.quantizer_network import SEMANTIC_RATE_HZ, FeatureQuantizer
from cloning.prompt import BARK
from errors import InvalidInput, Unavailable
from training.feature_cache import CLEAN, NOISY, Example, FeatureCache, Features, aligned, fingerprint, rooms
from training.held_out import split_clips
from training.loop import Schedule, train
from training.networks import NETWORKS, OURS, NetworkChoice, initial_network
from training.quantizer_job import QuantizerJob, check_examples
from training.quantizer_report import predict, write_report
from training.settings_file import keep_settings
from training.shards import Clip, ClipShards, read_shards, recording_of

_RUNS = Path(".training/quantizers")
_SETTINGS = "settings.json"
_RECORDINGS = "recordings"
_HELD_OUT = 0.1
"""If the hours are limited: the amount of held-out clips, as a share of the training clips."""
_VALIDATED = 200
"""The number of clips for validation during training; the report measures all that are held out."""


@dataclass(frozen=True)
class Corpus:
    """Features and tokens. train: the training clips, once per copy of the sound. valid: the held-out ones, by copy.

    width: of the features. vocabulary: the number of tokens. recordings: speech that Bark did not generate, with its
    true tokens; used in reports only.
    """

    train: Sequence[Sequence[Example]]
    valid: dict[str, Sequence[Example]]
    width: int
    vocabulary: int
    recordings: Sequence[Example] = ()

    @property
    def measured(self) -> dict[str, Sequence[Example]]:
        """The sets of clips in reports, by name."""
        return {**self.valid, **({_RECORDINGS: self.recordings} if self.recordings else {})}

    def counts(self) -> np.ndarray:
        """Return how often each token occurs in the training clips, int64 (V,)."""
        return np.bincount(np.concatenate([one.tokens for one in self.train[0]]), minlength=self.vocabulary)


Data = Annotated[Path, typer.Option(help="A folder of clips with sound and tokens, made by `data` or `import`.")]
Model = Annotated[str, typer.Option(help="The Bark model of the clips: bundled, suno/bark or a directory.")]
Labelled = Annotated[
    Path | None,
    typer.Option(help="A folder of recordings with their true tokens, which the report also measures."),
]
Hubert = Annotated[str | None, typer.Option(help="A hub id or a directory. Default: the model's own.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]


def quantizer_command(
    data: Data,
    network: Annotated[str, typer.Option(help=f"{', '.join(NETWORKS)}.")] = OURS,
    out: Annotated[Path | None, typer.Option(help="The run's folder. Default: .training/quantizers/NETWORK.")] = None,
    start: Annotated[
        Path | None, typer.Option(help="A quantizer's file to start from, such as a published .pth.")
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(help="The width of the hidden states. Default: 1024 as published, 512 for Barkeep's own."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="The number of steps; a larger one continues the run.")] = 10_000,
    batch: Annotated[int, typer.Option(min=1, help="Clips per step.")] = 16,
    rate: Annotated[float | None, typer.Option(min=0.0, help="The learning rate. Default: by network.")] = None,
    copies: Annotated[int, typer.Option(min=0, help="Distorted copies of the sound for training.")] = 2,
    smoothing: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="The share of a frame's target that its two neighbours get.")
    ] = 0.0,
    patience: Annotated[int, typer.Option(min=1, help="Stop after this many validations without progress.")] = 10,
    labelled: Labelled = None,
    model: Model = BUNDLED,
    hubert: Hubert = None,
    device: Device = "auto",
    seed: int = 0,
) -> None:
    """Train a quantizer, or continue; then measure it on held-out clips."""
    choice = NetworkChoice(network, width)
    folder = out or _RUNS / network
    place = model_choice.pick_device(device)
    corpus = load_corpus(data, ModelChoice(model=model, hubert=hubert), place, copies, labelled)
    settings: dict[str, object] = {
        "data": str(data),
        "network": network,
        "width": width,
        "start": str(start) if start else None,
        "smoothing": smoothing,
    }
    settings |= {"rate": rate, "copies": copies, "model": model, "hubert": hubert, "seed": seed}
    module = initial_network(choice, corpus.width, corpus.vocabulary, start, seed)
    keep_settings(folder / _SETTINGS, settings)
    every = min(500, max(1, steps // 10))
    schedule = Schedule(
        steps=steps,
        warmup=min(200, steps // 10),
        learning_rate=rate or choice.learning_rate,
        validate_every=every,
        save_every=every,
        patience=patience,
        precision="bfloat16" if place.type == "cuda" else "float32",
        seed=seed,
    )
    try:
        train_quantizer(choice, module, corpus, folder, schedule, batch=batch, smoothing=smoothing, device=place)
    except torch.OutOfMemoryError as error:
        raise Unavailable(
            f"There is not enough memory on {place} for {batch} clips at once. Give a smaller --batch: the command "
            "continues from its last checkpoint."
        ) from error


def train_quantizer(
    choice: NetworkChoice,
    module: FeatureQuantizer,
    corpus: Corpus,
    folder: Path,
    schedule: Schedule,
    *,
    batch: int,
    smoothing: float,
    device: torch.device,
) -> None:
    """Train a network of `choice`, or continue; then write `quantizer.*` and the report into `folder`.

    batch, smoothing: see `QuantizerJob`. Raises Cancelled and Unavailable as `training.loop.train` does.
    """
    shown = {name: _some(examples) for name, examples in corpus.valid.items()}
    job = QuantizerJob(module, corpus.train, shown, batch=batch, smoothing=smoothing, device=device)
    started = time.monotonic()
    best = train(job, schedule, folder, device=device)
    print(f"trained for {time.monotonic() - started:.0f} s", flush=True)
    load_into(module, load_state(best), best)
    module.to(device).eval()
    predictions = {name: predict(module, examples, device) for name, examples in corpus.measured.items()}
    weights = sum(parameter.numel() for parameter in module.parameters())
    print(write_report(folder, choice.name, weights, predictions, corpus.counts()))
    with TemporaryDirectory(dir=folder) as apart:  # so that no reader sees a partial file
        for name in dict.fromkeys((f"quantizer{choice.suffix}", "quantizer.safetensors")):
            module.save(Path(apart, name))
            Path(apart, name).replace(folder / name)
    print(f"{folder}: quantizer{choice.suffix}, report.md, report.json, confusion.png, log.csv, curves.png")


def load_corpus(
    data: Path, choice: ModelChoice, device: torch.device, copies: int, labelled: Path | None = None
) -> Corpus:
    """Load features and tokens of all clips in `data`, by the models of `choice`. Raises as `corpus_of` does.

    labelled: a folder of recordings of people with their true tokens, for the report only.
    """
    shards = clips_in(data)
    hubert, vocabulary = model_choice.resolve_hubert(choice), vocabulary_of(choice)
    corpus = corpus_of(shards, hubert, vocabulary, device, copies)
    if labelled is None:
        return corpus
    clips_in(labelled)
    return replace(corpus, recordings=examples_of(HubertFeatures(hubert, device), read_shards(labelled)))


def examples_of(hubert: Features | HubertFeatures, clips: Iterable[Clip]) -> list[Example]:
    """Return the features and the true tokens of clips with sound."""
    return [
        aligned(hubert(resample(recording_of(clip), SAMPLE_RATE).samples).to(torch.float16).cpu().numpy(), clip)
        for clip in clips
    ]


def clips_in(data: Path) -> ClipShards:
    """Return the clips in a folder. Raises InvalidInput if there are none, or a manifest is damaged."""
    shards = ClipShards(data)
    if not len(shards):
        raise InvalidInput(f"There are no clips in {data}. Make some with `data`, or import them with `import`.")
    return shards


def corpus_of(
    shards: ClipShards, hubert: Path, vocabulary: int, device: torch.device, copies: int, hours: float = math.inf
) -> Corpus:
    """Return features and tokens of clips; missing features are computed and stored beside the shards.

    hubert: its directory. vocabulary: the number of tokens. hours: the maximum of training sound, sampled from all of
    it; a tenth as much is held out.

    Raises InvalidInput for unusable clips, Unavailable if a model is missing or the disk is full.
    """
    division = split_clips(shards.speakers, shards.texts)
    if not division.by_speaker:
        print("There are too few speakers to hold any out; only the texts of the held-out clips are new.", flush=True)
    learned = _drawn(division.train, shards.lengths, hours)
    held_out = _drawn(division.valid, shards.lengths, _HELD_OUT * hours)
    reader = HubertFeatures(hubert, device)
    cache = FeatureCache(shards.paths[0].parent / "features", shards, fingerprint(hubert), reader)
    train_copies = [CLEAN, *(rooms(number) for number in range(1, copies + 1))]
    corpus = Corpus(
        [cache.examples(copy, learned) for copy in train_copies],
        {copy: cache.examples(copy, held_out) for copy in (CLEAN, NOISY)},
        reader.size,
        vocabulary,
    )
    check_examples([*corpus.train[0], *corpus.valid[CLEAN]], corpus.vocabulary)
    print(f"{len(learned)} clips to learn from, {len(held_out)} to measure on", flush=True)
    return corpus


def _drawn(places: Sequence[int], lengths: NDArray[np.int64], hours: float) -> list[int]:
    """Return a sample of the clips at `places` that lasts `hours`, at least one. lengths: of all clips, in tokens."""
    order = np.random.default_rng(0).permutation(np.array(places))
    fitting = np.cumsum(lengths[order]) <= hours * 3600 * SEMANTIC_RATE_HZ
    chosen: list[int] = np.sort(order[: max(1, int(fitting.sum()))]).tolist()
    return chosen


def vocabulary_of(choice: ModelChoice) -> int:
    """Return a model's number of semantic tokens, of Suno's models without a download."""
    if choice.model in PUBLISHED:
        return BARK.semantic_vocab
    return BarkSpec.from_directory(model_choice.resolve_bark(choice)).semantic_vocab


def _some(examples: Sequence[Example]) -> list[Example]:
    """Return a fixed sample of the held-out clips."""
    chosen = np.random.default_rng(0).permutation(len(examples))[:_VALIDATED]
    return [examples[place] for place in sorted(chosen)]
