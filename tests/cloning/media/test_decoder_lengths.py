"""Lengths, pauses and clocks: what is counted is decoded or stamped, never a header."""

from pathlib import Path

import numpy as np
import pytest

from tests.cloning.media.decoder_runs import FORMATS, decoded, outcome, refusal
from tests.media.build import Sound, coded, encoded, silent_flac, tone, wav, without_length


def loud(samples: Sound) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which tenths of a second hold sound."""
    tenths = samples[: samples.size // 4800 * 4800].reshape(-1, 4800)
    return np.asarray(np.abs(tenths).max(axis=1) > 0.05)


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("matroska", "libopus"),
        ("webm", "libopus"),
        ("matroska", "aac"),
        ("matroska", "pcm_s16le"),
        ("mp4", "aac"),
        ("mp4", "libopus"),
    ],
)
def test_a_pause_that_was_not_stored_is_kept(container: str, codec: str, tmp_path: Path) -> None:
    data = coded(container, codec, tone(4.0), pause=(2.0, 3.0))
    found = outcome(data, tmp_path)
    assert found.seconds == pytest.approx(7.0, abs=0.05)
    assert not found.has_holes
    heard = loud(np.fromfile(tmp_path / "out", "<f4"))
    assert heard[:20].all()
    assert not heard[21:50].any()
    assert heard[51:69].all()


def test_a_pause_is_kept_to_a_reasonable_length(tmp_path: Path) -> None:
    found = outcome(coded("webm", "libopus", tone(4.0), pause=(2.0, 3600.0)), tmp_path)
    assert found.seconds == pytest.approx(34.0, abs=0.05)


@pytest.mark.parametrize("container", ["matroska", "webm", "ogg", "mp4"])
def test_a_clock_may_begin_anywhere(container: str, tmp_path: Path) -> None:
    found = outcome(coded(container, "libopus", tone(2.0), start=3600.0), tmp_path)
    assert found.seconds == pytest.approx(2.0, abs=0.05)
    assert sum(length for _, length in found.pieces) == pytest.approx(96_000, abs=1000)


@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [
        ("adts", "aac", {}),
        ("matroska", "aac", {}),
        ("mp4", "aac", {"movflags": "frag_keyframe+empty_moov"}),
        ("mp4", "libopus", {}),
        ("ogg", "libopus", {}),
        ("mp3", "libmp3lame", {}),
    ],
)
def test_no_length_rests_on_what_the_header_says(
    container: str, codec: str, options: dict[str, str], tmp_path: Path
) -> None:
    """What is counted is decoded or stamped: an ADTS file's length is a guess, and Ogg Opus counts its lead-in."""
    data = coded(container, codec, tone(3.0), options=options)
    assert outcome(data, tmp_path, 3.04).seconds == pytest.approx(3.0, abs=0.03)
    assert outcome(data, tmp_path, 3.04, keep_seconds=1.0).seconds == pytest.approx(3.0, abs=0.03)
    assert "longer than 3 seconds" in refusal(data, tmp_path, 2.95)


@pytest.mark.parametrize("name", FORMATS)
def test_only_the_first_seconds_are_decoded_and_the_rest_is_counted(name: str, tmp_path: Path) -> None:
    found = outcome(FORMATS[name], tmp_path, keep_seconds=0.4)
    assert found.seconds == pytest.approx(1.0, abs=0.07)
    assert 0.4 <= sum(length for _, length in found.pieces) / found.sample_rate < 0.6


def test_three_hours_are_refused_whether_the_header_says_so_or_not(tmp_path: Path) -> None:
    bomb = silent_flac(3 * 3600)
    assert len(bomb) < 4 * 2**20
    assert "longer than 10 minutes" in refusal(bomb, tmp_path)
    assert "longer than 10 minutes" in refusal(without_length(bomb), tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".part"] == ["source"]


def test_a_guessed_length_is_not_believed(tmp_path: Path) -> None:
    """The first frames of a variable-rate MP3 can make it look many times as long as it is."""
    assert "longer than 2 seconds" in refusal(encoded("mp3", "libmp3lame", seconds=3), tmp_path, 2.0)
    _, samples = decoded(encoded("mp3", "libmp3lame", seconds=1), tmp_path, 2.0)
    assert samples.size < 60_000


def test_a_header_may_promise_more_than_the_file_holds(tmp_path: Path) -> None:
    """Recorders that stream to a pipe cannot go back to fill in the length."""
    data = (tone() * 32767).astype("<i2").tobytes()
    for claim in (0, 2**32 - 1):
        assert decoded(wav(data, claim=claim), tmp_path)[1].size == 48_000
