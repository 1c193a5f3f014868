"""Recordings: writing and reading back, levels."""

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cloning.media import audio, recordings
from cloning.media.audio import Recording
from errors import InvalidInput, LimitReached, NotFound, Unavailable
from tests.media.build import tone

TAGS = {"title": "Grüße", "artist": "Barkeep", "comment": "AI-generated speech", "AI_GENERATED": "true"}


def noise(seconds: float, rate: int = 24_000) -> audio.Samples:
    return np.random.default_rng(0).normal(0, 0.1, int(seconds * rate)).astype(np.float32)


@pytest.mark.parametrize("suffix", [".ogg", ".wav", ".flac"])
@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 48_000])
def test_what_is_written_sounds_the_same(suffix: str, rate: int, tmp_path: Path) -> None:
    path = tmp_path / f"speech{suffix}"
    audio.write(path, tone(2.0, rate), rate, tags=TAGS)
    recording = audio.resample(recordings.read(path), rate)
    assert recording.seconds == pytest.approx(2.0, abs=0.001)
    if suffix == ".ogg":
        spectrum = np.abs(np.fft.rfft(recording.samples))
        assert np.argmax(spectrum) / recording.seconds == pytest.approx(220, abs=1)
    else:
        assert np.abs(recording.samples - tone(2.0, rate)).max() < 1 / 32767
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_opus_is_coded_at_the_samples_own_rate_where_it_can_be(tmp_path: Path) -> None:
    for rate, coded in ((24_000, 24_000), (16_000, 16_000), (22_050, 24_000), (96_000, 48_000)):
        audio.write(tmp_path / "speech.ogg", tone(1.0, rate), rate, tags={})
        assert soundfile.info(tmp_path / "speech.ogg").samplerate == coded


@pytest.mark.parametrize("seconds", [0.005, 0.1, 0.5, 1.0, 2.3456])
@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 48_000])
def test_an_ogg_begins_at_zero_and_is_as_long_as_its_samples(seconds: float, rate: int, tmp_path: Path) -> None:
    samples = tone(seconds, rate)
    audio.write(tmp_path / "speech.ogg", samples, rate, tags={})
    with av.open(str(tmp_path / "speech.ogg")) as container:
        frames = list(container.decode(audio=0))
        assert frames[0].pts == container.streams.audio[0].start_time == 0
    assert sum(frame.samples for frame in frames) == pytest.approx(samples.size * 48_000 / rate, abs=2)


def tags_of(path: Path) -> dict[str, str]:
    with av.open(str(path)) as container:
        return {**container.metadata, **container.streams.audio[0].metadata}


@pytest.mark.parametrize("suffix", [".ogg", ".flac"])
def test_all_tags_survive_in_ogg_and_flac(suffix: str, tmp_path: Path) -> None:
    audio.write(tmp_path / f"speech{suffix}", tone(), 48_000, tags=TAGS)
    assert tags_of(tmp_path / f"speech{suffix}").items() >= TAGS.items()


def test_tags_without_a_field_in_wav_join_the_comment(tmp_path: Path) -> None:
    audio.write(tmp_path / "speech.wav", tone(), 48_000, tags=TAGS)
    found = tags_of(tmp_path / "speech.wav")
    assert (found["title"], found["artist"]) == ("Grüße", "Barkeep")
    assert found["comment"] == "AI-generated speech; AI_GENERATED=true"
    audio.write(tmp_path / "speech.wav", tone(), 48_000, tags={"AI_GENERATED": "true"})
    assert tags_of(tmp_path / "speech.wav")["comment"] == "AI_GENERATED=true"


@pytest.mark.parametrize("max_bytes", [60_000, 40_000, 20_000])
def test_opus_fits_the_limit_and_keeps_its_length(max_bytes: int, tmp_path: Path) -> None:
    path = tmp_path / "speech.ogg"
    audio.write(path, noise(10.0), 24_000, tags=TAGS, max_bytes=max_bytes)
    assert max_bytes / 2 < path.stat().st_size <= max_bytes
    assert recordings.read(path).seconds == pytest.approx(10.0, abs=0.001)


@pytest.mark.parametrize(("suffix", "max_bytes"), [(".ogg", 4_000), (".flac", 100_000), (".wav", 100_000)])
def test_what_cannot_fit_is_refused(suffix: str, max_bytes: int, tmp_path: Path) -> None:
    with pytest.raises(LimitReached, match=r"10 seconds of sound do not fit into a file of 0\.\d MiB"):
        audio.write(tmp_path / f"speech{suffix}", noise(10.0), 24_000, tags={}, max_bytes=max_bytes)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"must end in \.ogg, \.wav, \.flac"):
        audio.write(tmp_path / "speech.mp3", tone(), 48_000, tags={})
    with pytest.raises(InvalidInput, match="no sound"):
        audio.write(tmp_path / "speech.wav", tone(0.0), 48_000, tags={})
    with pytest.raises(Unavailable, match="could not be saved"):
        audio.write(tmp_path / "no folder" / "speech.wav", tone(), 48_000, tags={})


def test_samples_beyond_full_scale_do_not_wrap(tmp_path: Path) -> None:
    audio.write(tmp_path / "speech.wav", np.array([2.0, -2.0] * 100, np.float32), 24_000, tags={})
    assert np.abs(soundfile.read(tmp_path / "speech.wav")[0][:2] - [1.0, -1.0]).max() < 0.001


def test_a_clip_is_read_back(tmp_path: Path) -> None:
    audio.write(tmp_path / "clip.flac", tone(1.0, 24_000), 24_000, tags={})
    clip = audio.read_clip(tmp_path / "clip.flac")
    assert clip.sample_rate == 24_000
    assert clip.samples.dtype == np.float32
    assert np.abs(clip.samples - tone(1.0, 24_000)).max() < 1 / 32767


def test_a_clip_that_is_gone_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="gone"):
        audio.read_clip(tmp_path / "clip.flac")
    (tmp_path / "clip.flac").write_bytes(b"fLaC and nothing else")
    with pytest.raises(InvalidInput, match="damaged"):
        audio.read_clip(tmp_path / "clip.flac")


@pytest.mark.parametrize(("start", "end"), [(48_000, 24_000), (22_050, 24_000), (24_000, 16_000), (24_000, 24_000)])
def test_resampling_keeps_pitch_level_and_length(start: int, end: int) -> None:
    result = audio.resample(Recording(tone(1.0, start), start), end)
    assert result.sample_rate == end
    assert result.samples.dtype == np.float32
    inner = slice(end // 10, -end // 10)
    assert np.abs(result.samples[inner] - tone(1.0, end)[inner]).max() < 1e-3


def test_peaks_are_those_of_equal_parts() -> None:
    ramp = np.linspace(0, 1, 6400, dtype=np.float32)
    levels = audio.peaks(-ramp)
    assert len(levels) == 64
    assert levels == tuple(sorted(levels))
    assert levels[-1] == 1.0
    assert audio.peaks(ramp[:0], 4) == (0.0, 0.0, 0.0, 0.0)


@given(
    arrays.arrays(np.float32, st.integers(0, 300), elements=st.floats(-2, 2, width=32) | st.just(float("nan"))),
    st.integers(1, 100),
)
def test_peaks_are_levels_for_any_samples(samples: audio.Samples, n: int) -> None:
    levels = audio.peaks(samples, n)
    assert len(levels) == n
    assert all(0.0 <= level <= 1.0 for level in levels)


def test_loudness_of_a_reference_tone() -> None:
    """EBU Tech 3341: a 1 kHz sine at -23 dBFS in both channels reads -23 LUFS; in one channel 3 dB less."""
    time = np.arange(48_000 * 5) / 48_000
    sine = (10 ** (-23 / 20) * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)
    assert audio.loudness(sine, 48_000) == pytest.approx(-26.0, abs=0.1)
    assert audio.loudness(sine[:4800], 48_000) == pytest.approx(-26.0, abs=0.5)


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros(24_000, np.float32), noise(1.0) * 1e-6])
def test_silence_has_a_finite_loudness_and_is_not_amplified(samples: audio.Samples) -> None:
    assert audio.loudness(samples, 24_000) == audio.SILENCE_LUFS
    assert np.array_equal(audio.normalise(samples, 24_000), samples)


@pytest.mark.parametrize("level", [0.01, 0.05, 5.0])
def test_normalising_reaches_the_target(level: float) -> None:
    assert audio.loudness(audio.normalise(noise(2.0) * level, 24_000), 24_000) == pytest.approx(-20.0, abs=0.1)


def test_normalising_never_clips() -> None:
    spiky = noise(2.0) * 0.01
    spiky[::5000] = 0.9
    result = audio.normalise(spiky, 24_000, target=-10.0)
    assert np.abs(result).max() <= 10 ** (-1 / 20) + 1e-6


@settings(max_examples=50, deadline=None)
@given(arrays.arrays(np.float32, st.integers(1, 4000), elements=st.floats(-1, 1, width=32)))
def test_any_samples_are_normalised_without_clipping(samples: audio.Samples) -> None:
    result = audio.normalise(samples, 16_000)
    assert result.shape == samples.shape
    assert np.isfinite(result).all()
    assert np.abs(result).max() <= max(np.abs(samples).max(), 10 ** (-1 / 20) + 1e-6)
