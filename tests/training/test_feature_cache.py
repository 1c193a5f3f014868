"""Features are made once, in the right places, and never mistaken for another corpus's or another HuBERT's."""

import errno
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from errors import InvalidInput, Unavailable
from training.feature_cache import CLEAN, NOISY, FeatureCache, rooms
from training.shards import Clip, ClipShards, ShardWriter


class Hubert:
    """Frames of 320 samples: their first sample and their mean. Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, samples: NDArray[np.float32]) -> Tensor:
        self.asked += 1
        frames = torch.from_numpy(samples[: len(samples) // 320 * 320].reshape(-1, 320))
        return torch.stack([frames[:, 0], frames.mean(dim=1)], dim=1)


def corpus(folder: Path, clips: int = 5, *, seed: int = 0) -> ClipShards:
    random = np.random.default_rng(seed)
    with ShardWriter(folder, 2) as writer:
        for number in range(clips):
            audio = random.integers(-9000, 9000, 320 * (20 + number)).astype(np.int16)
            semantic = np.arange(19 + 2 * number, dtype=np.uint16)
            writer.add(Clip(f"c{number}", f"t{number}", f"s{number}", 0, 16_000, audio, semantic))
    return ClipShards(folder)


def test_tails_are_cut_to_the_shorter_of_features_and_tokens(tmp_path: Path) -> None:
    shards = corpus(tmp_path / "clips")

    examples = FeatureCache(tmp_path / "cache", shards, "h", Hubert()).examples(CLEAN, [4, 0])

    assert [len(one.tokens) for one in examples] == [24, 19]
    assert examples[0].tokens.tolist() == list(range(24))
    audio = shards[4].audio
    assert audio is not None
    assert np.allclose(examples[0].features[:, 0], audio[: 24 * 320 : 320] / 2**15, atol=1e-3)


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    shards, hubert = corpus(tmp_path / "clips"), Hubert()
    first = FeatureCache(tmp_path / "cache", shards, "h", hubert).examples(rooms(1), range(5))
    asked = hubert.asked

    second = FeatureCache(tmp_path / "cache", shards, "h", hubert).examples(rooms(1), range(5))

    assert asked == hubert.asked == 5
    assert all(np.array_equal(one.features, other.features) for one, other in zip(first, second, strict=True))


def test_another_hubert_and_a_corpus_made_anew_have_their_own(tmp_path: Path) -> None:
    first, other = corpus(tmp_path / "a"), corpus(tmp_path / "b", seed=1)
    FeatureCache(tmp_path / "cache", first, "h", Hubert()).examples(CLEAN, range(5))

    for shards, name in ((first, "g"), (other, "h")):
        hubert = Hubert()
        FeatureCache(tmp_path / "cache", shards, name, hubert).examples(CLEAN, range(5))
        assert hubert.asked == 5


def test_copies_differ_and_are_always_the_same(tmp_path: Path) -> None:
    shards = corpus(tmp_path / "clips")
    made = {
        copy: [
            FeatureCache(tmp_path / folder, shards, "h", Hubert()).examples(copy, [1])[0].features for folder in "xy"
        ]
        for copy in (CLEAN, NOISY, rooms(1), rooms(2))
    }

    assert all(np.array_equal(one, other) for one, other in made.values())
    assert len({one.tobytes() for one, _ in made.values()}) == 4


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    shards = corpus(tmp_path / "clips")
    cache = FeatureCache(tmp_path / "cache", shards, "h", Hubert())
    cache.examples(CLEAN, [0])
    next(path for path in (tmp_path / "cache").iterdir() if "frames" not in path.name).write_bytes(b"no array")

    with pytest.raises(InvalidInput, match="compute them again"):
        cache.examples(CLEAN, [0])


def test_a_full_disk_is_said_and_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    shards = corpus(tmp_path / "clips")
    monkeypatch.setattr(np, "save", full)

    with pytest.raises(Unavailable, match="disk is full"):
        FeatureCache(tmp_path / "cache", shards, "h", Hubert()).examples(CLEAN, [0])
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_memory_on_the_device_is_said(tmp_path: Path) -> None:
    def hungry(samples: NDArray[np.float32]) -> Tensor:
        raise torch.OutOfMemoryError

    with pytest.raises(Unavailable, match="not enough memory"):
        FeatureCache(tmp_path / "cache", corpus(tmp_path / "clips"), "h", hungry).examples(CLEAN, [0])


def test_clips_without_sound_are_refused(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "clips", 1) as writer:
        writer.add(Clip("quiet", "t", "s", 0, 16_000, None, np.arange(5, dtype=np.uint16)))

    with pytest.raises(InvalidInput, match="quiet has no sound"):
        FeatureCache(tmp_path / "cache", ClipShards(tmp_path / "clips"), "h", Hubert()).examples(CLEAN, [0])
