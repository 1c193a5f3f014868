"""From files as people make them to the clip: what is cloned, and what the report says of the rest."""

from pathlib import Path

import numpy as np
import pytest

from cloning.media import recordings
from cloning.media.reference import Reference
from cloning.progress import ProgressReporter
from errors import Cancelled, InvalidInput
from tests.media.build import Sound, coded, speech, wav

RATE = 24_000
QUIET = np.random.default_rng(0).normal(0, 1e-4, speech().size).astype(np.float32)


def chosen(data: bytes, folder: Path) -> Reference:
    (folder / "recording").write_bytes(data)
    return recordings.choose(folder / "recording", ProgressReporter(), rate=RATE, memory_mb=1024)


def float_wav(samples: Sound) -> bytes:
    """(N,) or (N, C) at 48 kHz."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    return wav(samples.astype("<f4").tobytes(), bits=32, tag=3, channels=channels)


def said(reference: Reference) -> str:
    return " ".join(reference.report.advice)


def likeness(reference: Reference, of: str) -> float:
    """The greatest correlation of the clip's first seconds with a recording, wherever they come from."""
    clip, whole = reference.clip.samples[: 2 * RATE], speech(of, RATE)
    size = 2 ** int(np.ceil(np.log2(whole.size + clip.size)))
    found = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(clip, size)), size)[: whole.size - clip.size]
    energy = np.cumsum(np.pad(whole.astype(np.float64) ** 2, (1, 0)))
    power = energy[clip.size : clip.size + found.size] - energy[: found.size]
    return float(np.max(found / np.sqrt(power * (clip.astype(np.float64) ** 2).sum() + 1e-9)))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """What becomes of the recording as one channel of 16 bits."""
    return chosen(coded("wav", "pcm_s16le", speech()), tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize("scale", [2.5, 8.0, 32768.0])
def test_a_float_wav_beyond_full_scale_is_the_same_voice_and_not_clipped(
    scale: float, plain: Reference, tmp_path: Path
) -> None:
    loud = speech() / np.abs(speech()).max() * scale
    found = chosen(float_wav(loud), tmp_path)
    assert np.corrcoef(found.clip.samples, plain.clip.samples)[0, 1] > 0.999
    assert found.report.clipped_fraction == 0
    assert found.report.advice == plain.report.advice


def test_what_was_clipped_in_the_file_still_is(tmp_path: Path) -> None:
    clipped = np.clip(speech() * 8, -1, 1)
    assert "peaks are cut off" in said(chosen(coded("wav", "pcm_s16le", clipped), tmp_path))


@pytest.mark.parametrize("right", [-1.0, -0.9])
def test_an_inverted_channel_does_not_silence_the_voice(right: float, plain: Reference, tmp_path: Path) -> None:
    found = chosen(float_wav(np.stack([speech(), right * speech()], axis=1)), tmp_path)
    assert np.corrcoef(found.clip.samples, plain.clip.samples)[0, 1] > 0.999
    assert found.report.loudness_lufs == plain.report.loudness_lufs


def test_a_call_with_a_speaker_to_each_channel_gives_one_voice_and_says_so(tmp_path: Path) -> None:
    guest = speech("guest")[: speech().size]
    found = chosen(float_wav(np.stack([speech() + QUIET, guest + QUIET[::-1]], axis=1)), tmp_path)
    assert "The channels hold different voices; only the " in said(found)
    assert max(likeness(found, "reference"), likeness(found, "guest")) > 0.95


TRACKS = (speech("guest")[: speech().size], speech())


@pytest.mark.parametrize(("default", "voice", "number"), [(None, "guest", 1), (0, "guest", 1), (1, "reference", 2)])
def test_the_default_track_is_cloned_and_the_report_says_that_there_are_two(
    default: int | None, voice: str, number: int, tmp_path: Path
) -> None:
    found = chosen(coded("matroska", "aac", *TRACKS, default=default), tmp_path)
    assert likeness(found, voice) > 0.9
    assert f"The file has 2 soundtracks; only number {number} was used." in found.report.advice


@pytest.mark.parametrize("container", ["matroska", "mp4"])
@pytest.mark.parametrize("first", [np.zeros_like(speech()), 100 * QUIET])
def test_where_the_first_track_has_no_speech_another_is_taken(container: str, first: Sound, tmp_path: Path) -> None:
    found = chosen(coded(container, "aac", first, speech()), tmp_path)
    assert likeness(found, "reference") > 0.9
    assert "only number 2 was used" in said(found)


def test_without_speech_in_any_track_the_first_tells_why(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="only silence"):
        chosen(coded("matroska", "aac", np.zeros_like(speech()), 100 * QUIET), tmp_path)


def test_a_pause_that_was_not_stored_stands_between_the_words(plain: Reference, tmp_path: Path) -> None:
    found = chosen(coded("webm", "libopus", speech(), pause=(6.0, 5.0)), tmp_path)
    assert found.report.total_seconds == pytest.approx(plain.report.total_seconds + 5, abs=0.05)


def test_a_damaged_part_is_told_of_and_the_verdict_is_not_good(plain: Reference, tmp_path: Path) -> None:
    data = coded("flac", "flac", speech())
    middle = len(data) // 2
    found = chosen(data[:middle] + bytes(3000) + data[middle + 3000 :], tmp_path)
    assert plain.report.verdict == "good"
    assert found.report.verdict == "usable"
    assert "A part in the middle of the file is damaged" in said(found)


def test_of_a_long_recording_only_the_beginning_is_decoded_and_the_length_is_the_whole(tmp_path: Path) -> None:
    found = chosen(coded("flac", "flac", np.tile(speech("reference", 16_000), 20), rate=16_000), tmp_path)
    assert found.report.total_seconds == pytest.approx(240.5, abs=0.01)
    assert "only its first 3 minutes were listened to" in said(found)


def test_the_whole_is_read_where_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "two.wav"
    path.write_bytes(float_wav(np.stack([speech(), -speech()], axis=1)))
    recording = recordings.read(path)
    assert recording.sample_rate == 48_000
    assert np.array_equal(recording.samples, speech())


def test_cancelling_stops_before_the_file_is_read(tmp_path: Path) -> None:
    def stop(stage: str, fraction: float) -> None:
        raise Cancelled(stage)

    with pytest.raises(Cancelled, match="reading the recording"):
        recordings.choose(tmp_path / "gone", ProgressReporter(stop), rate=RATE, memory_mb=1024)
