"""Frame accuracy."""

from unittest.mock import create_autospec

import numpy as np

from cloning.media.audio import Recording
from cloning.model_set import LoadedModels
from cloning.prompt import Tokens
from research.evaluate.frames import frame_accuracy
from training.shards import Clip


def a_clip(speaker: str, labels: list[int], *, sound: bool = True) -> Clip:
    audio = np.zeros(len(labels) * 320, np.int16) if sound else None
    return Clip("key", "text", speaker, 0, 16_000, audio, np.array(labels, np.uint16), {})


def zeros(clip: Recording, language: str) -> tuple[Tokens, str]:
    return np.zeros(clip.samples.size // 320 - 1, np.int64), "zeros.pth"


def test_frames_that_are_right_are_counted_from_the_beginning() -> None:
    models = create_autospec(LoadedModels, instance=True)
    models.semantic_tokens.side_effect = zeros
    clips = [a_clip("ann", [0, 0, 1, 0]), a_clip("bob", [1, 1, 0]), a_clip("cat", [0, 0], sound=False)]
    found = frame_accuracy(models, clips)
    assert found is not None
    assert found.value == 2 / 5
    assert (found.low, found.high, found.count) == (0, 2 / 3, 2)
    assert frame_accuracy(models, []) is None
