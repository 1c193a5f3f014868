"""Crops are what lies on the buffer, and a buffer holds the clips of its split."""

from pathlib import Path

import numpy as np
import pytest
import torch

from errors import InvalidInput
from research.bundled.clip_buffer import ClipBuffer, load_buffer, split_of_clip
from research.bundled.codes import Codes, write_codes
from research.bundled.kokoro import BUILT_IN
from research.bundled.spectra import HOP
from tests.research.bundled import material
from training.shards import ShardWriter, split_of

CPU = torch.device("cpu")
SPEAKERS = [f"speaker-{number}" for number in range(60)]


def test_a_crop_is_what_lies_there() -> None:
    buffer = ClipBuffer(torch.arange(5 * HOP, dtype=torch.int16), torch.tensor([3, 1, 4, 1, 5], dtype=torch.int16))

    samples, semantic = buffer.at(torch.tensor([1, 2]), 2)

    assert semantic.tolist() == [[1, 4], [4, 1]]
    assert (samples[1] * 32_768).round().long().tolist() == list(range(2 * HOP, 4 * HOP))


def test_crops_come_from_the_whole_buffer_and_follow_the_generator() -> None:
    buffer = ClipBuffer(torch.arange(5, dtype=torch.int16).repeat_interleave(HOP), torch.arange(5, dtype=torch.int16))

    crops = [buffer.crops(np.random.default_rng(7), 200, 1)[1] for _ in range(2)]

    assert torch.equal(crops[0], crops[1])
    assert set(crops[0].flatten().tolist()) == {0, 1, 2, 3, 4}


def test_a_buffer_that_is_too_short_says_so() -> None:
    with pytest.raises(InvalidInput, match="not enough clips"):
        material.buffer(10).crops(np.random.default_rng(0), 1, 11)


def test_a_buffer_has_a_token_for_each_frame() -> None:
    with pytest.raises(InvalidInput):
        ClipBuffer(torch.zeros(HOP, dtype=torch.int16), torch.zeros(2, dtype=torch.int16))


def test_a_clip_is_held_out_with_its_speaker_or_its_text() -> None:
    kept = next(name for name in SPEAKERS if split_of(name) == "train")
    held_out = next(name for name in map(str, range(1000)) if split_of(name) == "test")

    assert split_of_clip(kept, kept) == "train"
    assert split_of_clip(kept, held_out) == split_of_clip(held_out, kept) == "test"


def test_the_built_in_voice_is_trained_on() -> None:
    assert {split_of(speaker) for speaker in BUILT_IN} == {"train"}


def test_a_buffer_holds_its_split_only(tmp_path: Path) -> None:
    clips = material.write_corpus(tmp_path, SPEAKERS)
    mine = [clip for clip in clips if split_of_clip(clip.speaker, clip.text) == "train"]

    buffer = load_buffer(tmp_path, "train", 1.0, CPU)

    assert len(buffer) == sum(len(clip.semantic) for clip in mine) < sum(len(clip.semantic) for clip in clips)
    assert mine[0].audio is not None
    assert np.array_equal(buffer.samples[: 60 * HOP].numpy(), mine[0].audio)


def test_a_buffer_with_codes_has_only_the_clips_that_have_some(tmp_path: Path) -> None:
    clips = material.write_corpus(tmp_path / "corpus", SPEAKERS)
    coded = [clip for clip in clips if split_of_clip(clip.speaker, clip.text) == "train"][:3]
    known = {clip.key: np.arange(8 * 50, dtype=np.uint16).reshape(8, 50) + number for number, clip in enumerate(coded)}
    with ShardWriter(tmp_path / "coded", 5) as writer:
        for clip in coded:
            writer.add(clip)
    write_codes(tmp_path / "coded", tmp_path / "codes", lambda clip: known[clip.key])

    buffer = load_buffer(tmp_path / "corpus", "train", 1.0, CPU, Codes(tmp_path / "codes"))

    assert len(buffer) == 3 * 50
    samples, codes = buffer.at(torch.tensor([0, 50]), 50)
    assert codes.shape == (2, 8, 50)
    for one, crop, heard in zip(coded, codes, samples, strict=False):
        assert one.audio is not None
        assert np.array_equal(crop.numpy(), known[one.key])
        assert np.array_equal(heard.numpy() * 32_768, one.audio[: 50 * HOP])


def test_a_buffer_is_no_longer_than_asked(tmp_path: Path) -> None:
    material.write_corpus(tmp_path, SPEAKERS)

    buffer = load_buffer(tmp_path, "train", 12.5 / 3600, CPU)

    assert 500 < len(buffer) <= 625


def test_no_clips_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="make the corpus"):
        load_buffer(tmp_path, "train", 1.0, CPU)
