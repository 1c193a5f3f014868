"""`python -m training quantizer`: a network that reads HuBERT's features and names Bark's semantic tokens.

Knows options, folders and order; the networks stand in `networks`, how they learn in `quantizer_job`, what is measured
in `quantizer_report`.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from cloning import models
from cloning.bark.config import BarkSpec
from cloning.checkpoints import load_into, load_state
from cloning.features import HubertFeatures
from cloning.models import BUNDLED, ModelChoice
from cloning.prompt import BARK
from cloning.published import BARK as PUBLISHED
from errors import InvalidInput, Unavailable
from training.division import divide
from training.feature_cache import CLEAN, NOISY, Example, FeatureCache, fingerprint, rooms
from training.loop import Schedule, train
from training.networks import NETWORKS, OURS, NetworkChoice, begin
from training.quantizer_job import QuantizerJob, refuse_unfit
from training.quantizer_report import guess, write_report
from training.settings_file import keep_settings
from training.shards import Shards

_RUNS = Path(".training/quantizers")
_SETTINGS = "settings.json"
_VALIDATED = 200
"""Clips that are looked at during training; the report looks at all that are held out."""


@dataclass(frozen=True)
class Corpus:
    """Features and tokens. train: one list a copy of the sound; valid: all that is held out, by the copy's name."""

    train: Sequence[Sequence[Example]]
    valid: dict[str, Sequence[Example]]
    width: int
    vocabulary: int

    def counts(self) -> np.ndarray:
        """How often each token is in what is learned from, int64 (V,)."""
        return np.bincount(np.concatenate([one.tokens for one in self.train[0]]), minlength=self.vocabulary)


Data = Annotated[Path, typer.Option(help="A folder of clips with sound and tokens, as `data` and `import` make them.")]
Model = Annotated[str, typer.Option(help="The Bark model that spoke them: bundled, suno/bark or a directory.")]
Hubert = Annotated[str | None, typer.Option(help="A hub id or a directory. Default: the model's own.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]


def quantizer_command(
    data: Data,
    network: Annotated[str, typer.Option(help=f"{', '.join(NETWORKS)}.")] = OURS,
    out: Annotated[Path | None, typer.Option(help="The run's folder. Default: .training/quantizers/NETWORK.")] = None,
    start: Annotated[
        Path | None, typer.Option(help="A quantizer's file to go on from, such as a published .pth.")
    ] = None,
    width: Annotated[
        int | None, typer.Option(help="Of the hidden states. Default: 1024 as published, 512 of ours.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="How long. More steps later go on from the last one.")] = 10_000,
    batch: Annotated[int, typer.Option(min=1, help="Clips to a step.")] = 16,
    rate: Annotated[float | None, typer.Option(min=0.0, help="The learning rate. Default: by network.")] = None,
    copies: Annotated[int, typer.Option(min=0, help="Disturbed copies of the sound that are learned from too.")] = 2,
    patience: Annotated[int, typer.Option(min=1, help="Ends after so many validations without progress.")] = 10,
    model: Model = BUNDLED,
    hubert: Hubert = None,
    device: Device = "auto",
    seed: int = 0,
) -> None:
    """Train a quantizer, or go on training it; then measure it on clips that were held out."""
    choice = NetworkChoice(network, width)
    folder = out or _RUNS / network
    place = models.pick_device(device)
    corpus = load_corpus(data, ModelChoice(model=model, hubert=hubert), place, copies)
    settings: dict[str, object] = {
        "data": str(data),
        "network": network,
        "width": width,
        "start": str(start) if start else None,
    }
    settings |= {"rate": rate, "copies": copies, "model": model, "hubert": hubert, "seed": seed}
    module = begin(choice, corpus.width, corpus.vocabulary, start, seed)
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
    shown = {name: _some(examples) for name, examples in corpus.valid.items()}
    job = QuantizerJob(module, corpus.train, shown, batch=batch, smoothing=choice.smoothing, device=place)
    started = time.monotonic()
    try:
        best = train(job, schedule, folder, device=place)
    except torch.OutOfMemoryError as fault:
        raise Unavailable(
            f"There is no memory left on {place} for {batch} clips at once. Give a smaller --batch: the command goes "
            "on from its last checkpoint."
        ) from fault
    print(f"trained for {time.monotonic() - started:.0f} s", flush=True)
    load_into(module, load_state(best), best)
    module.to(place).eval()
    for suffix in dict.fromkeys((choice.suffix, ".safetensors")):
        module.save(folder / f"quantizer{suffix}")
    guesses = {name: guess(module, examples, place) for name, examples in corpus.valid.items()}
    weights = sum(parameter.numel() for parameter in module.parameters())
    print(write_report(folder, network, weights, guesses, corpus.counts()))
    print(f"{folder}: quantizer{choice.suffix}, report.md, report.json, confusion.png, log.csv, curves.png")


def load_corpus(data: Path, choice: ModelChoice, device: torch.device, copies: int) -> Corpus:
    """Features and tokens of the clips in `data`; features are made if they are not there yet.

    Raises InvalidInput for clips that cannot be learned from, Unavailable if a model is missing or the disk is full.
    """
    shards = Shards(data)
    if not len(shards):
        raise InvalidInput(f"There are no clips in {data}. Make some with `data`, or take them over with `import`.")
    division = divide(shards.speakers, shards.texts)
    if not division.by_speaker:
        print("Too few speakers to hold any out: only the texts that are measured on are new.", flush=True)
    directory = models.resolve_hubert(choice)
    hubert = HubertFeatures(directory, device)
    cache = FeatureCache(data / "features", shards, fingerprint(directory), hubert)
    train_copies = [CLEAN, *(rooms(number) for number in range(1, copies + 1))]
    corpus = Corpus(
        [cache.examples(copy, division.train) for copy in train_copies],
        {copy: cache.examples(copy, division.valid) for copy in (CLEAN, NOISY)},
        hubert.size,
        vocabulary_of(choice),
    )
    refuse_unfit([*corpus.train[0], *corpus.valid[CLEAN]], corpus.vocabulary)
    print(f"{len(division.train)} clips to learn from, {len(division.valid)} to measure on", flush=True)
    return corpus


def vocabulary_of(choice: ModelChoice) -> int:
    """How many semantic tokens a model has. Suno's are known without a download."""
    if choice.model in PUBLISHED:
        return BARK.semantic_vocab
    return BarkSpec.from_directory(models.resolve_bark(choice)).semantic_vocab


def _some(examples: Sequence[Example]) -> list[Example]:
    """A fixed draw of the clips that are held out."""
    chosen = np.random.default_rng(0).permutation(len(examples))[:_VALIDATED]
    return [examples[place] for place in sorted(chosen)]
