"""The decoder's child from outside: what it hands over, and what its end means."""

import sys
from pathlib import Path

import numpy as np
import pytest

from cloning.media import decoding
from errors import InvalidInput, Unavailable
from tests.media.build import coded, encoded, tone, wav


def decoder_that(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(decoding, "_DECODER", (sys.executable, "-c", code))


def source(folder: Path) -> Path:
    path = folder / "source.flac"
    path.write_bytes(encoded("flac", "flac", seconds=2.0))
    return path


def test_a_file_is_decoded_in_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = source(tmp_path)
    monkeypatch.chdir(tmp_path)
    found = decoding.decode(Path(path.name), keep_seconds=1.5)
    (samples,) = found.pieces
    assert (found.sample_rate, found.track, found.tracks) == (48_000, 1, 1)
    assert found.seconds == pytest.approx(2.0)
    assert samples.dtype == np.float32
    assert samples.shape == pytest.approx((72_000, 1), abs=5_000)
    assert np.abs(samples).max() == pytest.approx(0.3, abs=0.001)


def test_channels_come_as_they_are_and_nothing_is_cut_off(tmp_path: Path) -> None:
    two = np.stack([tone(1.0, level=3.0), -tone(1.0)])
    path = tmp_path / "float.wav"
    path.write_bytes(wav(two.T.astype("<f4").tobytes(), bits=32, tag=3, channels=2))
    (samples,) = decoding.decode(path).pieces
    assert np.array_equal(samples, two.T)


def test_each_stretch_has_its_own_channels(tmp_path: Path) -> None:
    stereo = coded("ogg", "libopus", np.repeat(tone(1.0)[None], 2, 0), layout="stereo")
    path = tmp_path / "chained.ogg"
    path.write_bytes(coded("ogg", "libopus", tone(2.0)) + stereo)
    assert [piece.shape for piece in decoding.decode(path).pieces] == [(96_000, 1), (48_000, 2)]


def test_more_channels_than_anybody_has_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "many.wav"
    path.write_bytes(wav(np.repeat((tone() * 32767).astype("<i2")[:, None], 12, 1).tobytes(), channels=12))
    assert [piece.shape for piece in decoding.decode(path).pieces] == [(48_000, 8)]


def test_the_childs_refusal_is_raised_here(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be opened"):
        decoding.decode(tmp_path / "gone.wav")
    with pytest.raises(InvalidInput, match="longer than 1 seconds"):
        decoding.decode(source(tmp_path), max_seconds=1.0)


def test_too_little_memory_is_a_refusal(tmp_path: Path) -> None:
    path = tmp_path / "one-block.flac"
    path.write_bytes(encoded("flac", "flac"))
    with pytest.raises(InvalidInput, match=r"memory|damaged|gave up"):
        decoding.decode(path, memory_mb=0)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "gave up"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "gave up"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "took too long"),
        ("import time; time.sleep(60)", "took too long"),
    ],
)
def test_a_child_that_dies_or_hangs_is_the_files_error(
    code: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder_that(monkeypatch, code)
    with pytest.raises(InvalidInput, match=reason):
        decoding.decode(source(tmp_path), timeout=1.0)


def test_a_child_that_cannot_start_is_not_the_files_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    decoder_that(monkeypatch, "import a_module_that_is_missing")
    with pytest.raises(Unavailable, match="did not start"):
        decoding.decode(source(tmp_path))
    assert "a_module_that_is_missing" in caplog.text
    monkeypatch.setattr(decoding, "_DECODER", (str(tmp_path / "no python"),))
    with pytest.raises(Unavailable, match="no room"):
        decoding.decode(source(tmp_path))


def test_a_full_disk_is_not_the_files_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder_that(monkeypatch, """print('{"kind": "Unavailable", "message": "The disk is full."}')""")
    with pytest.raises(Unavailable, match="disk is full"):
        decoding.decode(source(tmp_path))
