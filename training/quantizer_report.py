"""How good a quantizer is on clips that it has not learned from: figures, a table, and a picture of what it confuses.

Knows nothing of training.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from cloning.atomic_files import write_atomically
from cloning.methods.quantizer_network import FeatureQuantizer
from training.feature_cache import Example
from training.quantizer_job import batches

FIGURES, TABLE, CONFUSION = "report.json", "report.md", "confusion.png"

BANDS = ("commonest quarter", "second quarter", "third quarter", "rarest quarter", "never learned")
"""Tokens by how often they are in the clips learned from; each quarter has a fourth of all their frames."""

_TOP = 5
_SHOWN = 24
"""Tokens in the picture."""
_PICTURE_INCHES = (8.0, 7.0)


@dataclass(frozen=True)
class Measured:
    """Figures on one copy of the held-out clips.

    accuracy, top5: shares of the frames. edit_distance: of whole clips' tokens, insertions, deletions and substitutions
    by the number of true tokens. runs_distance: the same, where repetitions of a token count once. bands: accuracy by
    frequency, without those that do not occur.
    """

    frames: int
    accuracy: float
    top5: float
    edit_distance: float
    runs_distance: float
    bands: Mapping[str, float]


@dataclass(frozen=True)
class Guesses:
    """What a quantizer says: for every clip the true tokens, the likeliest, and whether the top five have the true."""

    true: Sequence[NDArray[np.int64]]
    guessed: Sequence[NDArray[np.int64]]
    among: Sequence[NDArray[np.bool_]]


@torch.inference_mode()
def guess(quantizer: FeatureQuantizer, examples: Sequence[Example], device: torch.device) -> Guesses:
    """Let a quantizer read clips, in the order of their lengths; those without tokens are left out."""
    true, guessed, among = [], [], []
    for batch in batches([example for example in examples if len(example.tokens)], device):
        hidden = quantizer.hidden(batch.features, batch.lengths)
        for row, length in enumerate(batch.lengths.tolist()):
            logits = quantizer.fc(hidden[row, :length])
            top = logits.topk(min(_TOP, logits.shape[-1]), dim=-1).indices
            wanted = batch.tokens[row, :length]
            true.append(wanted.cpu().numpy())
            guessed.append(top[:, 0].cpu().numpy())
            among.append((top == wanted[:, None]).any(dim=1).cpu().numpy())
    return Guesses(true, guessed, among)


def measure(guesses: Guesses, counts: NDArray[np.int64]) -> Measured:
    """Figures of guesses. counts: how often each token is in the clips learned from, (V,)."""
    true, guessed = np.concatenate(guesses.true), np.concatenate(guesses.guessed)
    right = true == guessed
    band = bands(counts)[true]
    return Measured(
        frames=len(true),
        accuracy=float(right.mean()),
        top5=float(np.concatenate(guesses.among).mean()),
        edit_distance=_distance(guesses.true, guesses.guessed),
        runs_distance=_distance([_runs(one) for one in guesses.true], [_runs(one) for one in guesses.guessed]),
        bands={
            name: float(right[band == number].mean()) for number, name in enumerate(BANDS) if (band == number).any()
        },
    )


def bands(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(V,): the place in `BANDS` of each token."""
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    places = np.empty(len(counts), np.int64)
    places[order] = np.minimum(before * 4 // max(1, int(counts.sum())), 3)
    places[counts == 0] = len(BANDS) - 1
    return places


def confusion(guesses: Guesses) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The commonest true tokens, and (N, N + 1): which share of each is taken for which; the last column: others."""
    true, guessed = np.concatenate(guesses.true), np.concatenate(guesses.guessed)
    tokens, counts = np.unique(true, return_counts=True)
    shown = tokens[np.argsort(-counts, kind="stable")[:_SHOWN]]
    shares = np.zeros((len(shown), len(shown) + 1))
    for row, token in enumerate(shown):
        taken = guessed[true == token]
        shares[row, :-1] = (taken[:, None] == shown).mean(axis=0)
        shares[row, -1] = 1.0 - shares[row, :-1].sum()
    return shown, shares


def write_report(
    folder: Path, name: str, weights: int, copies: Mapping[str, Guesses], counts: NDArray[np.int64]
) -> str:
    """Write the figures, the table and the picture into `folder`; returns the table. Raises Unavailable."""
    measured = {copy: measure(guesses, counts) for copy, guesses in copies.items()}
    figures = {"network": name, "weights": weights, **{copy: asdict(one) for copy, one in measured.items()}}
    write_atomically(folder / FIGURES, json.dumps(figures, indent=1).encode())
    table = _table(name, weights, measured)
    write_atomically(folder / TABLE, table.encode())
    _draw(folder / CONFUSION, next(iter(copies.values())))
    return table


def _table(name: str, weights: int, measured: Mapping[str, Measured]) -> str:
    frames = next(iter(measured.values())).frames
    lines = [
        f"{name}: {weights:,} weights, measured on {frames:,} frames that were held out.",
        "",
        "| sound | accuracy | top 5 | edit distance | of runs | " + " | ".join(BANDS) + " |",
        "|---" * (5 + len(BANDS)) + "|",
    ]
    for copy, one in measured.items():
        cells = [f"{value:.1%}" for value in (one.accuracy, one.top5, one.edit_distance, one.runs_distance)]
        cells += [f"{one.bands[band]:.1%}" if band in one.bands else "" for band in BANDS]
        lines.append(f"| {copy} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _draw(path: Path, guesses: Guesses) -> None:
    from matplotlib.figure import Figure  # takes a second, which commands that draw nothing need not wait

    shown, shares = confusion(guesses)
    picture = Figure(figsize=_PICTURE_INCHES, layout="constrained")
    axes = picture.subplots()
    image = axes.imshow(shares, vmin=0.0, vmax=1.0, cmap="magma", aspect="auto")
    names = [str(token) for token in shown]
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(range(len(names) + 1), [*names, "other"], rotation=90)
    axes.set(xlabel="taken for", ylabel="true token, the commonest first")
    picture.colorbar(image, label="share of the true token's frames")
    picture.savefig(path, dpi=100)


def _distance(true: Sequence[NDArray[np.int64]], guessed: Sequence[NDArray[np.int64]]) -> float:
    edits = sum(Levenshtein.distance(one.tolist(), other.tolist()) for one, other in zip(true, guessed, strict=True))
    return edits / sum(len(one) for one in true)


def _runs(tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    first: NDArray[np.int64] = tokens[np.insert(tokens[1:] != tokens[:-1], 0, True)]
    return first
