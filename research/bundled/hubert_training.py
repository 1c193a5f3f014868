"""Train the small HuBERT to classify the semantic tokens of clips with random rooms and microphones.

    python -m research hubert STEP [--work DIR] [--profile cpu|cuda] [--device cpu|cuda]

STEP is train, export or measure. The network is in `hubert`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
import typer
from torch import Tensor, nn
from torch.nn import functional

from research.bundled.clip_buffer import ClipBuffer, load_buffer
from research.bundled.hubert import TokenClassifier, export, load_classifier
from research.bundled.phones import PAUSE_BASE, THIRDS, phone_error
from training.loop import TOKENS, NotLearning, Schedule, train
from training.noise import add_noise
from training.room_acoustics import disturb, reverberate

CORPUS, HUBERT = "corpus", "hubert"
"""Folders in the recipe's working folder."""
EXPORTED = "model"
"""The folder in HUBERT with the exported network."""

_FRAMES = 150
"""Frames of a crop: 3 s."""
_VALID_CROPS, _TEST_CROPS = 40, 200
_HELD_OUT_HOURS = 0.5
_BEST = "best.safetensors"


_CONDITIONS: dict[str, Callable[[Tensor, np.random.Generator], Tensor]] = {
    "clean": lambda samples, random: samples,
    "20 dB": lambda samples, random: add_noise(samples, random, low=20.0, high=20.0, share=1.0),
    "10 dB": lambda samples, random: add_noise(samples, random, low=10.0, high=10.0, share=1.0),
    "room": lambda samples, random: reverberate(samples, random, share=1.0),
    "disturbed": disturb,
}
"""The conditions of measurement: name -> function that distorts the sound (B, N)."""


class ClassifierJob:
    """Trains a TokenClassifier, for training/loop.py."""

    _SMOOTHING = 0.05  # the boundaries of phones are not exact

    def __init__(
        self, classifier: TokenClassifier, train_buffer: ClipBuffer, valid_buffer: ClipBuffer, batch: int
    ) -> None:
        self.module = classifier
        self._buffer, self._batch = train_buffer, batch
        with torch.random.fork_rng():
            torch.manual_seed(0)
            random = np.random.default_rng(0)
            clean, self._wanted = valid_buffer.crops(random, _VALID_CROPS, _FRAMES)
            self._valid = {"clean": clean, "noisy": disturb(clean, random)}

    def loss(self, random: np.random.Generator) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Return the cross-entropy of one batch of distorted crops."""
        samples, wanted = self._buffer.crops(random, self._batch, _FRAMES)
        logits = self.module(disturb(samples, random)).float()
        wanted = wanted[:, : logits.shape[1]]
        right = (logits.argmax(dim=-1) == wanted).float().mean()
        loss = functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), label_smoothing=self._SMOOTHING)
        return loss, {"right": right.detach(), TOKENS: wanted.numel()}

    def validate(self) -> dict[str, float]:
        """Return the figures of `heard` for clean and distorted sound; "loss" is the mean of both cross-entropies."""
        figures = {
            f"{name}_{figure}": value
            for name, samples in self._valid.items()
            for figure, value in heard(self.module, samples, self._wanted).items()
        }
        return {"loss": (figures["clean_loss"] + figures["noisy_loss"]) / 2, **figures}

    def check(self, step: int, figures: dict[str, float]) -> None:
        """Raise NotLearning if under a third of the tokens are right from step 1000 on; the commonest token has 8 %."""
        if step >= 1_000 and figures["clean_token"] < 0.33:
            raise NotLearning(
                f"Only {figures['clean_token']:.0%} of the tokens are right after {step} steps; start again."
            )


def heard(classifier: nn.Module, samples: Tensor, wanted: Tensor) -> dict[str, float]:
    """Measure a classifier on samples, float (B, N), with their tokens, int64 (B, N / 320).

    "loss" is the cross-entropy, "token" and "unit" are the shares of frames with the right token and unit, "phones" is
    the phone error rate.
    """
    logits = classifier(samples).float()
    wanted = wanted[:, : logits.shape[1]]
    guess = logits.argmax(dim=-1)
    return {
        "loss": float(functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())),
        "token": float((guess == wanted).float().mean()),
        "unit": float((_units(guess) == _units(wanted)).float().mean()),
        "phones": phone_error(zip(wanted.cpu().numpy(), guess.cpu().numpy(), strict=True)),
    }


@dataclass(frozen=True)
class HubertProfile:
    """Schedule, batch size and hours of audio."""

    hours: float
    """Hours of audio in memory, 115 MB each."""
    batch: int
    schedule: Schedule


_SCHEDULE = Schedule(
    steps=6_500,
    warmup=200,
    learning_rate=2e-3,
    weight_decay=0.02,
    betas=(0.9, 0.98),
    optimizer="muon",
    validate_every=250,
    save_every=250,
    precision="bfloat16",
    ema=0.998,
)

HUBERT_PROFILES = {
    "cpu": HubertProfile(hours=8.0, batch=8, schedule=_SCHEDULE),
    "cuda": HubertProfile(hours=60.0, batch=96, schedule=replace(_SCHEDULE, steps=10_000)),
}


class HubertStep(StrEnum):
    """The steps, in order."""

    TRAIN = "train"
    EXPORT = "export"
    MEASURE = "measure"


def hubert_command(
    step: HubertStep,
    work: Annotated[Path, typer.Option(help="The recipe's working folder.")] = Path(".training/bundled"),
    profile: Annotated[Literal["cpu", "cuda"], typer.Option(help="The size of the recipe.")] = "cpu",
    device: Annotated[str, typer.Option(help="The torch device.")] = "cpu",
) -> None:
    """Train the bundled model's feature network, resume it, export it, or measure it."""
    run_hubert_step(step, work, HUBERT_PROFILES[profile], torch.device(device))


def run_hubert_step(step: HubertStep, work: Path, profile: HubertProfile, device: torch.device) -> None:
    """Run or resume one step in the folder `work`.

    Raises InvalidInput or Unavailable if its input is missing, NotLearning when a gate fails, Cancelled when it is
    stopped.
    """
    folder = work / HUBERT
    if step is HubertStep.EXPORT:
        export(load_classifier(folder / _BEST, torch.device("cpu")), folder / EXPORTED)
    elif step is HubertStep.MEASURE:
        _measure(load_classifier(folder / _BEST, device), load_buffer(work / CORPUS, "test", _HELD_OUT_HOURS, device))
    else:
        _train(work, profile, device)


def _train(work: Path, profile: HubertProfile, device: torch.device) -> None:
    buffers = (
        load_buffer(work / CORPUS, "train", profile.hours, device),
        load_buffer(work / CORPUS, "valid", _HELD_OUT_HOURS, device),
    )
    torch.manual_seed(profile.schedule.seed)
    job = ClassifierJob(TokenClassifier().to(device), *buffers, profile.batch)
    train(job, profile.schedule, work / HUBERT, device=device)


@torch.inference_mode()
def _measure(classifier: TokenClassifier, buffer: ClipBuffer) -> None:
    """Print the figures on held-out speakers and sentences: clean, in noise, in rooms, and with all effects."""
    samples, wanted = buffer.crops(np.random.default_rng(0), _TEST_CROPS, _FRAMES)
    torch.manual_seed(0)
    for name, change in _CONDITIONS.items():
        figures = heard(classifier, change(samples, np.random.default_rng(0)), wanted)
        print(name.ljust(9), " ".join(f"{figure} {value:.3f}" for figure, value in figures.items()), flush=True)


def _units(tokens: Tensor) -> Tensor:
    """Map the three thirds of a unit to one number; silences keep their tokens."""
    return torch.where(tokens < PAUSE_BASE, tokens // THIRDS, tokens)
