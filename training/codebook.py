"""`python -m training codebook`: cluster HuBERT features, and give each cluster its most frequent semantic token.

The clusters themselves are the semantic tokens of AudioLM (Z. Borsos et al., 2022). Here they are a baseline for the
quantizer on the same clips.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans

from cloning.atomic_files import make_folder
from cloning.checkpoints import model_choice
from cloning.checkpoints.model_choice import ModelChoice
from cloning.checkpoints.published import BUNDLED
from cloning.methods.feature_clusters import Codebook
from errors import InvalidInput
from training.feature_cache import Example
from training.quantizer import Corpus, Data, Device, Hubert, Labelled, Model, load_corpus
from training.quantizer_report import Predictions, write_report

_FRAMES = 200_000
"""The number of frames that are clustered: 600 MB at the width of HuBERT base."""
_AT_ONCE = 4096
_TOP = 5


@dataclass(frozen=True)
class Fitted:
    """A codebook, and the five most frequent tokens of each cluster, int64 (K, 5), the most frequent first."""

    codebook: Codebook
    commonest: NDArray[np.int64]


def codebook_command(
    data: Data,
    out: Annotated[Path, typer.Option(help="The folder for the codebook and its report.")] = Path(
        ".training/quantizers/codebook"
    ),
    clusters: Annotated[int, typer.Option(min=1, help="The number of clusters.")] = 500,
    labelled: Labelled = None,
    model: Model = BUNDLED,
    hubert: Hubert = None,
    device: Device = "auto",
    seed: int = 0,
) -> None:
    """Make a codebook, and measure it on held-out clips."""
    place = model_choice.pick_device(device)
    corpus = load_corpus(data, ModelChoice(model=model, hubert=hubert), place, 0, labelled)
    make_codebook(corpus, out, clusters, seed)


def make_codebook(corpus: Corpus, out: Path, clusters: int, seed: int) -> None:
    """Write `codebook.safetensors` and its report into `out`, and print the table.

    Raises InvalidInput for too few frames, Unavailable if the folder cannot be written.
    """
    fitted = fit(corpus, clusters, seed)
    make_folder(out)
    predictions = {name: predict(fitted, examples) for name, examples in corpus.measured.items()}
    numbers = fitted.codebook.centroids.numel() + len(fitted.codebook.codes)
    print(write_report(out, "codebook", numbers, predictions, corpus.counts()))
    fitted.codebook.save(out / "codebook.safetensors")
    print(f"{out}: codebook.safetensors, report.md, report.json, confusion.png")


def fit(corpus: Corpus, clusters: int, seed: int) -> Fitted:
    """Cluster a sample of frames, then count the tokens of every frame. Raises InvalidInput for too few frames."""
    examples = corpus.train[0]
    frames = _drawn(examples, np.random.default_rng(seed))
    if len(frames) < clusters:
        raise InvalidInput(
            f"{len(frames)} frames cannot make {clusters} clusters. Give fewer --clusters, or make more clips."
        )
    means = MiniBatchKMeans(clusters, random_state=seed, batch_size=_AT_ONCE, n_init=3).fit(frames)
    centroids = torch.from_numpy(np.asarray(means.cluster_centers_, np.float32))
    unnamed = Codebook(centroids, torch.zeros(clusters, dtype=torch.int64))
    counts = np.zeros((clusters, corpus.vocabulary), np.int32)
    for example in examples:
        np.add.at(counts, (unnamed.clusters(_features(example)).numpy(), example.tokens), 1)
    counts[counts.sum(axis=1) == 0] = counts.sum(axis=0)  # an empty cluster gets the most frequent tokens of all
    commonest = np.argsort(-counts, axis=1, kind="stable")[:, :_TOP].astype(np.int64)
    return Fitted(Codebook(centroids, torch.from_numpy(commonest[:, 0].copy())), commonest)


def predict(fitted: Fitted, examples: Sequence[Example]) -> Predictions:
    """Return the codebook's tokens for clips; the cluster's five most frequent tokens are the top five."""
    true, predicted, among = [], [], []
    for example in examples:
        if len(example.tokens):
            top = fitted.commonest[fitted.codebook.clusters(_features(example)).numpy()]
            true.append(example.tokens)
            predicted.append(top[:, 0])
            among.append((top == example.tokens[:, None]).any(axis=1))
    return Predictions(true, predicted, among)


def _drawn(examples: Sequence[Example], random: np.random.Generator) -> NDArray[np.float32]:
    """Return a random sample of the frames of all clips, (N, D)."""
    share = min(1.0, _FRAMES / sum(len(example.tokens) for example in examples))
    return np.concatenate(
        [example.features[random.random(len(example.tokens)) < share].astype(np.float32) for example in examples]
    )


def _features(example: Example) -> torch.Tensor:
    return torch.from_numpy(example.features.astype(np.float32))
