"""Make the quantizer (the published network v0) and the codebook for the small HuBERT's features.

The folder of each is named by the HuBERT's fingerprint. `training.quantizer` and `training.codebook` do the training.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from errors import Unavailable
from research.bundled.hubert_training import CORPUS, EXPORTED, HUBERT
from research.bundled.phones import SEMANTIC_SIZE
from training.codebook import make_codebook
from training.feature_cache import fingerprint
from training.loop import Schedule, is_finished
from training.networks import NetworkChoice, initial_network
from training.quantizer import Corpus, clips_in, corpus_of, train_quantizer

QUANTIZER, CODEBOOK = "quantizer", "codebook"
"""Folders in the recipe's working folder."""


@dataclass(frozen=True)
class QuantizerProfile:
    """The amount of training data, and the sizes of the results."""

    hours: float
    """Hours of clips; the features of an hour are 58 MB."""
    copies: int
    """The number of distorted copies of each clip's sound for training."""
    width: int
    """The width of the quantizer's hidden states: with 160 its file has 1.8 MB."""
    batch: int
    schedule: Schedule
    clusters: int
    """The number of clusters of the codebook: with 500 its file has 0.3 MB."""


_CPU = QuantizerProfile(
    hours=2.5,
    copies=2,
    width=160,
    batch=16,
    schedule=Schedule(steps=2_000, warmup=100, learning_rate=1e-3, validate_every=200, save_every=100),
    clusters=500,
)

QUANTIZER_PROFILES = {
    "cpu": _CPU,
    "cuda": replace(_CPU, hours=10.0, batch=64, schedule=replace(_CPU.schedule, steps=4_000)),
}


def quantizer_file(work: Path) -> Path:
    """Return the path of the quantizer for the exported HuBERT. Raises Unavailable if there is no HuBERT."""
    return _folder(work, QUANTIZER) / "quantizer.pth"


def codebook_file(work: Path) -> Path:
    """Return the path of the codebook for the exported HuBERT. Raises Unavailable if there is no HuBERT."""
    return _folder(work, CODEBOOK) / "codebook.safetensors"


def make_small_quantizer(work: Path, profile: QuantizerProfile, device: torch.device) -> None:
    """Train the quantizer, or resume, and measure it on held-out clips. Does nothing if it is finished.

    Raises InvalidInput or Unavailable if its input is missing, Cancelled when it is stopped.
    """
    file = quantizer_file(work)
    if file.is_file() and is_finished(profile.schedule, file.parent):
        print("done", flush=True)
        return
    corpus = _corpus(work, profile, device, profile.copies)
    choice = NetworkChoice("v0", profile.width)
    module = initial_network(choice, corpus.width, corpus.vocabulary, None, profile.schedule.seed)
    train_quantizer(
        choice, module, corpus, file.parent, profile.schedule, batch=profile.batch, smoothing=0.0, device=device
    )


def make_small_codebook(work: Path, profile: QuantizerProfile, device: torch.device) -> None:
    """Make the codebook, and measure it on held-out clips. Does nothing if it is finished.

    Raises InvalidInput or Unavailable if its input is missing.
    """
    file = codebook_file(work)
    if file.is_file():
        print("done", flush=True)
        return
    make_codebook(_corpus(work, profile, device, copies=0), file.parent, profile.clusters, profile.schedule.seed)


def _corpus(work: Path, profile: QuantizerProfile, device: torch.device, copies: int) -> Corpus:
    return corpus_of(clips_in(work / CORPUS), _hubert(work), SEMANTIC_SIZE, device, copies, profile.hours)


def _folder(work: Path, kind: str) -> Path:
    return work / kind / fingerprint(_hubert(work))


def _hubert(work: Path) -> Path:
    folder = work / HUBERT / EXPORTED
    if not folder.is_dir():
        raise Unavailable(f"There is no feature network in {folder} yet; run the step hubert first.")
    return folder
