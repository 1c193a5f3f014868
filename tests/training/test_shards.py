"""Clips come back as they were written; a kill costs one shard at most, and damage is named."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import Conflict, InvalidInput, Unavailable
from training import shards
from training.shards import Clip, ClipShards, ShardWriter, read_shards, split_of


def make_clip(key: str, samples: int | None = 320, tokens: int = 5) -> Clip:
    random = np.random.default_rng(sum(key.encode()))
    audio = None if samples is None else random.integers(-9000, 9000, samples).astype(np.int16)
    return Clip(
        key=key,
        text=f"Text of {key}, with “quotes”\u2028and a line separator.",
        speaker=f"speaker {len(key)}",
        seed=7,
        sample_rate=16_000,
        audio=audio,
        semantic=random.integers(0, 65_536, tokens).astype(np.uint16),
        facts={"speed": 1.25, "durations": [1, 2, 3]},
    )


def same(one: Clip, other: Clip) -> bool:
    audio = (one.audio is None) == (other.audio is None)
    if one.audio is not None and other.audio is not None:
        audio = np.array_equal(one.audio, other.audio) and one.audio.dtype == other.audio.dtype
    rest = [(clip.key, clip.text, clip.speaker, clip.seed, clip.sample_rate, clip.facts) for clip in (one, other)]
    return audio and rest[0] == rest[1] and np.array_equal(one.semantic, other.semantic)


def write(folder: Path, *clips: Clip, size: int = 2, prefix: str = "clips") -> None:
    with ShardWriter(folder, size, prefix) as writer:
        for clip in clips:
            writer.add(clip)


clips = st.builds(
    Clip,
    key=st.text(),
    text=st.text(),
    speaker=st.text(),
    seed=st.integers(0, 2**63),
    sample_rate=st.integers(1, 96_000),
    audio=st.none() | st.lists(st.integers(-32_768, 32_767)).map(lambda values: np.array(values, np.int16)),
    semantic=st.lists(st.integers(0, 65_535)).map(lambda values: np.array(values, np.uint16)),
    facts=st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.floats(allow_nan=False))),
)


@given(st.lists(clips, unique_by=lambda clip: clip.key), st.integers(1, 4))
def test_any_clips_come_back(tmp_path_factory: pytest.TempPathFactory, written: list[Clip], size: int) -> None:
    folder = tmp_path_factory.mktemp("shards")
    write(folder, *written, size=size)

    stored = ClipShards(folder)
    stored.verify()
    assert len(stored) == len(written)
    assert all(same(stored[index], clip) for index, clip in enumerate(written))
    assert all(same(one, other) for one, other in zip(read_shards(folder), written, strict=True))


def test_names_and_lengths_are_known_without_reading_audio(tmp_path: Path) -> None:
    write(tmp_path, make_clip("a", tokens=3), make_clip("bb", None, tokens=4))

    stored = ClipShards(tmp_path)
    assert (stored.keys, stored.speakers) == (["a", "bb"], ["speaker 1", "speaker 2"])
    assert stored.texts[1].startswith("Text of bb")
    assert stored.lengths.tolist() == [3, 4]
    assert stored.facts(0)["durations"] == [1, 2, 3]
    assert stored[1].audio is None
    assert [stored.semantic(index).tolist() for index in (0, 1)] == [
        clip.semantic.tolist() for clip in read_shards(tmp_path)
    ]


def test_tokens_of_any_integer_type_are_kept_as_uint16(tmp_path: Path) -> None:
    clip = make_clip("a")
    write(tmp_path, Clip(**{**vars(clip), "semantic": clip.semantic.astype(np.int64)}))

    assert ClipShards(tmp_path)[0].semantic.dtype == np.uint16
    ClipShards(tmp_path).verify()


def test_writing_goes_on_behind_what_is_there(tmp_path: Path) -> None:
    write(tmp_path, *map(make_clip, "abc"))
    with ShardWriter(tmp_path, 2) as writer:
        assert writer.keys == {"a", "b", "c"}
        with pytest.raises(Conflict, match="already a clip b"):
            writer.add(make_clip("b"))
        writer.add(make_clip("d"))

    assert ClipShards(tmp_path).keys == ["a", "b", "c", "d"]
    assert [path.name for path in ClipShards(tmp_path).paths] == [f"clips-0000{number}.npz" for number in range(3)]


def test_processes_share_a_folder_under_their_own_prefixes(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, 1, "p-0") as first, ShardWriter(tmp_path, 1, "p-1") as second:
        first.add(make_clip("a"))
        second.add(make_clip("b"))

    assert ShardWriter(tmp_path, 1, "p-1").keys == {"b"}
    assert sorted(ClipShards(tmp_path).keys) == ["a", "b"]


def test_a_manifest_whose_shard_was_never_finished_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, *map(make_clip, "abcd"))
    (tmp_path / "clips-00001.npz").unlink()

    with ShardWriter(tmp_path, 2) as writer:
        assert writer.keys == {"a", "b"}
        writer.add(make_clip("e"))

    ClipShards(tmp_path).verify()
    assert ClipShards(tmp_path).keys == ["a", "b", "e"]


_ENDLESS = """
import itertools, sys
import numpy as np
from pathlib import Path
from training.shards import Clip, ShardWriter
with ShardWriter(Path(sys.argv[1]), 3) as writer:
    for number in itertools.count(len(writer.keys)):
        semantic = np.full(50, number % 60000)
        writer.add(Clip(str(number), "text", "speaker", 0, 16000, np.full(16000, number, np.int16), semantic))
"""


def test_a_kill_loses_only_the_unfinished_shard(tmp_path: Path) -> None:
    for round_number in range(1, 4):
        process = subprocess.Popen(
            [sys.executable, "-c", _ENDLESS, str(tmp_path)], cwd=Path(shards.__file__).parents[1]
        )
        before = len(list(tmp_path.glob("*.npz")))
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("*.npz"))) < before + 5 and time.monotonic() < deadline:
            time.sleep(0.003 * round_number)
        process.send_signal(signal.SIGKILL)
        process.wait()

    stored = ClipShards(tmp_path)
    stored.verify()
    assert len(stored) == 3 * len(stored.paths) >= 45
    assert stored.keys == [str(number) for number in range(len(stored))]


def damage_byte(path: Path, position: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(position * len(content))] ^= 0x55
    path.write_bytes(content)


@pytest.mark.parametrize("suffix", [".npz", ".jsonl"])
@pytest.mark.parametrize("damage", [lambda path: damage_byte(path, 0.45), lambda path: path.write_bytes(b"")])
def test_a_damaged_shard_is_named(tmp_path: Path, suffix: str, damage: Any) -> None:
    write(tmp_path, *map(make_clip, "abcd"))
    damage(tmp_path / f"clips-00001{suffix}")

    with pytest.raises(InvalidInput, match=r"shard clips-00001\.npz is damaged"):
        ClipShards(tmp_path).verify()


def test_a_shard_without_its_manifest_is_named(tmp_path: Path) -> None:
    write(tmp_path, make_clip("a"))
    (tmp_path / "clips-00000.jsonl").unlink()

    with pytest.raises(InvalidInput, match=r"clips-00000\.npz"):
        ClipShards(tmp_path)


def test_a_manifest_with_missing_lines_is_found(tmp_path: Path) -> None:
    write(tmp_path, *map(make_clip, "ab"))
    manifest = tmp_path / "clips-00000.jsonl"
    manifest.write_text(manifest.read_text("utf-8").split("\n")[0] + "\n", "utf-8")

    with pytest.raises(InvalidInput, match=r"clips-00000\.npz"):
        ClipShards(tmp_path).verify()


def test_what_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    clip = make_clip("a")
    with pytest.raises(InvalidInput, match="outside"):
        ShardWriter(tmp_path, 1).add(Clip(**{**vars(clip), "semantic": np.array([-1])}))
    with pytest.raises(InvalidInput, match="at least one"):
        ShardWriter(tmp_path, 0)


def test_a_disk_that_refuses_is_a_plain_sentence(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path / "folder", 1)
    (tmp_path / "folder").rmdir()

    with pytest.raises(Unavailable, match="could not be saved"):
        writer.add(make_clip("a"))


@given(st.text())
def test_a_split_is_one_of_three_and_nested(name: str) -> None:
    assert split_of(name) in {"train", "valid", "test"}
    assert split_of(name, test=1.0, valid=0.0) == "test"
    assert split_of(name, test=0.0, valid=1.0) == "valid"
    assert split_of(name, test=0.0, valid=0.0) == "train"
    if split_of(name, test=0.1) == "test":
        assert split_of(name, test=0.2) == "test"


def test_splits_never_move_and_have_their_shares() -> None:
    assert [split_of(f"speaker-{number}", test=0.3, valid=0.3) for number in range(6)] == SPLITS
    drawn = [split_of(str(number), test=0.1, valid=0.2) for number in range(4000)]
    assert drawn.count("test") == pytest.approx(400, abs=80)
    assert drawn.count("valid") == pytest.approx(800, abs=110)


SPLITS = ["valid", "valid", "train", "valid", "train", "test"]
