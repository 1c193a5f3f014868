"""Measure the share of frames whose predicted semantic token is right, on labelled clips."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cloning.model_set import LoadedModels
from research.metrics.statistics import Estimate, estimate
from training.shards import Clip, recording_of


@dataclass(frozen=True)
class Frames:
    """The numbers of right and of all frames of one clip."""

    speaker: str
    right: int
    count: int


def frame_accuracy(models: LoadedModels, clips: Iterable[Clip]) -> Estimate | None:
    """Return the share of frames with the right token by the English quantizer, with an interval over speakers.

    Predicted and true tokens start together, and are cut to the shorter length. Clips without sound are left out.
    """
    return estimate(
        [_frames(models, clip) for clip in clips if clip.audio is not None],
        _accuracy,
        lambda frames: frames.speaker,
    )


def _frames(models: LoadedModels, clip: Clip) -> Frames:
    found, _ = models.semantic_tokens(recording_of(clip), "en")
    length = min(found.size, clip.semantic.size)
    return Frames(clip.speaker, int(np.count_nonzero(found[:length] == clip.semantic[:length])), length)


def _accuracy(items: Sequence[Frames]) -> float | None:
    count = sum(item.count for item in items)
    return sum(item.right for item in items) / count if count else None
