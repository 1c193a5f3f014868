"""Measure a quantizer on held-out clips: figures, a table, and a picture of its confusions."""

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
"""Classes of tokens by their frequency in the training clips; each quarter has a fourth of all frames."""

_TOP = 5
_SHOWN = 24
"""The number of tokens in the picture."""
_PICTURE_INCHES = (8.0, 7.0)


@dataclass(frozen=True)
class QuantizerFigures:
    """Figures on one copy of the held-out clips.

    accuracy, top5: shares of the frames. edit_distance: insertions, deletions and substitutions in the tokens of whole
    clips, divided by the number of true tokens. runs_distance: the same with repeated tokens merged. bands: accuracy by
    frequency, for the bands that occur.
    """

    frames: int
    accuracy: float
    top5: float
    edit_distance: float
    runs_distance: float
    bands: Mapping[str, float]


@dataclass(frozen=True)
class Predictions:
    """Predictions for clips: the true tokens, the most likely ones, and whether the top five hold the true one."""

    true: Sequence[NDArray[np.int64]]
    predicted: Sequence[NDArray[np.int64]]
    among: Sequence[NDArray[np.bool_]]


@torch.inference_mode()
def predict(quantizer: FeatureQuantizer, examples: Sequence[Example], device: torch.device) -> Predictions:
    """Return the predictions for clips, in the order of their lengths; clips without tokens are left out."""
    true, predicted, among = [], [], []
    for batch in batches([example for example in examples if len(example.tokens)], device):
        hidden = quantizer.hidden(batch.features, batch.lengths)
        for row, length in enumerate(batch.lengths.tolist()):
            logits = quantizer.fc(hidden[row, :length])
            top = logits.topk(min(_TOP, logits.shape[-1]), dim=-1).indices
            wanted = batch.tokens[row, :length]
            true.append(wanted.cpu().numpy())
            predicted.append(top[:, 0].cpu().numpy())
            among.append((top == wanted[:, None]).any(dim=1).cpu().numpy())
    return Predictions(true, predicted, among)


def measure(predictions: Predictions, counts: NDArray[np.int64]) -> QuantizerFigures:
    """Compute the figures of predictions. counts: how often each token occurs in the training clips, (V,)."""
    true, predicted = np.concatenate(predictions.true), np.concatenate(predictions.predicted)
    right = true == predicted
    band = bands(counts)[true]
    return QuantizerFigures(
        frames=len(true),
        accuracy=float(right.mean()),
        top5=float(np.concatenate(predictions.among).mean()),
        edit_distance=_distance(predictions.true, predictions.predicted),
        runs_distance=_distance(
            [_runs(one) for one in predictions.true], [_runs(one) for one in predictions.predicted]
        ),
        bands={
            name: float(right[band == number].mean()) for number, name in enumerate(BANDS) if (band == number).any()
        },
    )


def bands(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the index in `BANDS` of each token, (V,)."""
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    places = np.empty(len(counts), np.int64)
    places[order] = np.minimum(before * 4 // max(1, int(counts.sum())), 3)
    places[counts == 0] = len(BANDS) - 1
    return places


def confusion(predictions: Predictions) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the N most frequent true tokens, int64 (N,), and the shares with which each is predicted as each.

    The shares are float64 (N, N + 1); the last column has those of all other tokens.
    """
    true, predicted = np.concatenate(predictions.true), np.concatenate(predictions.predicted)
    tokens, counts = np.unique(true, return_counts=True)
    shown = tokens[np.argsort(-counts, kind="stable")[:_SHOWN]]
    shares = np.zeros((len(shown), len(shown) + 1))
    for row, token in enumerate(shown):
        taken = predicted[true == token]
        shares[row, :-1] = (taken[:, None] == shown).mean(axis=0)
        shares[row, -1] = 1.0 - shares[row, :-1].sum()
    return shown, shares


def write_report(
    folder: Path, name: str, weights: int, copies: Mapping[str, Predictions], counts: NDArray[np.int64]
) -> str:
    """Write the figures, the table and the picture into `folder`; return the table.

    Raises Unavailable if the folder cannot be written.
    """
    measured = {copy: measure(predictions, counts) for copy, predictions in copies.items()}
    figures = {"network": name, "weights": weights, **{copy: asdict(one) for copy, one in measured.items()}}
    write_atomically(folder / FIGURES, json.dumps(figures, indent=1).encode())
    table = _table(name, weights, measured)
    write_atomically(folder / TABLE, table.encode())
    _draw(folder / CONFUSION, next(iter(copies.values())))
    return table


def _table(name: str, weights: int, measured: Mapping[str, QuantizerFigures]) -> str:
    frames = next(iter(measured.values())).frames
    lines = [
        f"{name}: {weights:,} weights, measured on {frames:,} held-out frames.",
        "",
        "| sound | accuracy | top 5 | edit distance | of runs | " + " | ".join(BANDS) + " |",
        "|---" * (5 + len(BANDS)) + "|",
    ]
    for copy, one in measured.items():
        cells = [f"{value:.1%}" for value in (one.accuracy, one.top5, one.edit_distance, one.runs_distance)]
        cells += [f"{one.bands[band]:.1%}" if band in one.bands else "" for band in BANDS]
        lines.append(f"| {copy} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _draw(path: Path, predictions: Predictions) -> None:
    from matplotlib.figure import Figure  # takes a second, which commands that draw nothing need not wait

    shown, shares = confusion(predictions)
    picture = Figure(figsize=_PICTURE_INCHES, layout="constrained")
    axes = picture.subplots()
    image = axes.imshow(shares, vmin=0.0, vmax=1.0, cmap="magma", aspect="auto")
    names = [str(token) for token in shown]
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(range(len(names) + 1), [*names, "other"], rotation=90)
    axes.set(xlabel="predicted token", ylabel="true token, most frequent first")
    picture.colorbar(image, label="share of the true token's frames")
    picture.savefig(path, dpi=100)


def _distance(true: Sequence[NDArray[np.int64]], predicted: Sequence[NDArray[np.int64]]) -> float:
    edits = sum(Levenshtein.distance(one.tolist(), other.tolist()) for one, other in zip(true, predicted, strict=True))
    return edits / sum(len(one) for one in true)


def _runs(tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    first: NDArray[np.int64] = tokens[np.insert(tokens[1:] != tokens[:-1], 0, True)]
    return first
