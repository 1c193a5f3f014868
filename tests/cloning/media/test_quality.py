"""What is wrong with a recording: speech that is spoilt on purpose is noticed, and clean speech is not."""

import io
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cloning.media import advice, quality
from cloning.media.audio import Recording, Samples, loudness, read_clip, resample
from cloning.media.reference import choose
from cloning.media.voice_activity import FRAME_SECONDS, analyse

ROOT = Path(__file__).parents[3]
CLIPS = [read_clip(ROOT / "simulator" / "media" / name) for name in ("reference.flac", "guest.flac")]
CLIP = CLIPS[0]
RATE = CLIP.sample_rate


def mp3(samples: Samples, rate: int) -> Samples:
    """The samples after an MP3 encoder."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="MP3")
    file.seek(0)
    coded: Samples = soundfile.read(file, dtype="float32")[0].astype(np.float32)
    return coded[: samples.size]


def opus(recording: Recording, bits: int) -> Recording:
    """The recording after an Opus encoder for speech, at this many bits per second."""
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono", options={"application": "voip"})
        stream.bit_rate = bits
        frame = av.AudioFrame.from_ndarray(resample(recording, 48_000).samples[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts = 48_000, 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    file.seek(0)
    with av.open(file, "r") as container:
        parts = [part.to_ndarray().reshape(-1) for part in container.decode(audio=0)]
    return Recording(np.concatenate(parts), 48_000)


def told(samples: Samples, rate: int = RATE) -> str:
    """The advice, as one text."""
    return " ".join(choose(Recording(samples, rate), rate=rate).report.advice)


def echoing(samples: Samples, rate: int, seconds: float) -> Samples:
    """The samples in a room with this reverberation time, the reflections half as strong as the direct sound."""
    size = int(seconds * rate)
    decay = np.random.default_rng(0).normal(size=size) * 10 ** (-3 * np.linspace(0, 1, size))
    response = decay / np.sqrt(2 * (decay**2).sum())
    response[0] += 1.0
    return np.convolve(samples, response)[: samples.size].astype(np.float32)


@pytest.mark.parametrize("clip", CLIPS, ids=["reference", "guest"])
def test_clean_speech_is_good(clip: Recording) -> None:
    report = choose(clip, rate=clip.sample_rate).report
    assert (report.verdict, [sentence for sentence in report.advice if "best" not in sentence]) == ("good", [])


@pytest.mark.parametrize("clip", CLIPS, ids=["reference", "guest"])
@pytest.mark.parametrize("gain", [1.0, 0.1])
@pytest.mark.parametrize("coded", [False, True])
def test_cut_off_peaks_are_noticed_at_any_level(clip: Recording, gain: float, coded: bool) -> None:
    cut = np.clip(clip.samples * (4 / np.abs(clip.samples).max()), -1, 1) * np.float32(gain)
    assert quality.cut_off(mp3(cut, clip.sample_rate) if coded else cut).mean() > 0.005
    assert quality.cut_off(mp3(clip.samples, clip.sample_rate) if coded else clip.samples).mean() < 0.001


def test_cut_off_peaks_of_one_side_are_noticed() -> None:
    moved = np.clip(CLIP.samples * 3 + 0.4, -1, 1)
    assert quality.cut_off(moved).mean() > 0.005


def test_telephone_speech_is_noticed_at_any_rate() -> None:
    narrow = resample(resample(CLIP, 8_000), 48_000)
    assert "telephone" in told(narrow.samples, 48_000)
    assert "telephone" not in told(resample(CLIP, 48_000).samples, 48_000)


@pytest.mark.parametrize("clip", CLIPS, ids=["reference", "guest"])
@pytest.mark.parametrize(("bits", "noticed"), [(6_000, True), (16_000, False)])
def test_a_strongly_compressed_recording_is_noticed(clip: Recording, bits: int, noticed: bool) -> None:
    report = choose(opus(clip, bits), rate=RATE).report
    assert ("no sound above 6 kHz" in " ".join(report.advice)) is noticed
    assert report.verdict == ("usable" if noticed else "good")


def test_the_limit_of_a_low_sample_rate_is_named() -> None:
    assert "no sound above 5.5125 kHz" in told(resample(CLIP, 11_025).samples, 11_025)


def test_interruptions_are_noticed() -> None:
    holed = CLIP.samples.copy()
    for start in range(0, holed.size, RATE // 5):
        holed[start : start + RATE // 50] = 0
    assert "interrupted" in told(holed)


@pytest.mark.parametrize(("seconds", "noticed"), [(0.2, False), (1.2, True)])
def test_an_echoing_room_is_noticed(seconds: float, noticed: bool) -> None:
    assert ("The room echoes" in told(echoing(CLIP.samples, RATE, seconds))) is noticed


def test_two_voices_in_turn_are_noticed() -> None:
    half = CLIP.samples[int(3.1 * RATE) : int(8.25 * RATE)]
    lower = resample(Recording(half, RATE), round(RATE * 1.6)).samples  # played at RATE: 8 semitones lower
    assert "Two people" in told(np.concatenate([half, np.zeros(RATE // 2, np.float32), lower]))


def test_one_click_does_not_keep_the_clip_quiet() -> None:
    clicked = CLIP.samples.copy()
    clicked[int(2.0 * RATE)] = 8 * np.abs(clicked).max()
    clip = choose(Recording(clicked / np.abs(clicked).max(), RATE), rate=RATE).clip
    assert loudness(clip.samples, RATE) == pytest.approx(-20, abs=1.0)


@given(arrays.arrays(np.float32, st.integers(0, 4_000), elements=st.floats(-1, 1, width=32)))
def test_what_is_measured_is_finite_for_any_samples(samples: Samples) -> None:
    mended = quality.without_clicks(samples, RATE)
    assert mended.shape == samples.shape
    assert np.isfinite(mended).all()
    assert quality.cut_off(samples).shape == samples.shape
    assert quality.dropouts(Recording(samples, RATE)) >= 0


def test_rumble_is_no_noise() -> None:
    rumble = (0.2 * np.sin(2 * np.pi * 8 * np.arange(CLIP.samples.size) / RATE)).astype(np.float32)
    assert "noise" not in told(CLIP.samples + rumble)


@pytest.mark.parametrize("start", [0.72, 3.56, 9.02])
def test_a_recording_that_starts_at_once_keeps_its_first_sound(start: float) -> None:
    first = analyse(Recording(CLIP.samples[int(start * RATE) :], RATE)).segments[0][0] * FRAME_SECONDS
    assert first <= 0.1


def test_a_clip_does_not_end_in_the_next_word() -> None:
    """Every window that may be chosen ends where the next phrase is not heard yet."""
    for clip in CLIPS:
        activity = analyse(clip)
        for (_, end), (following, _) in pairwise(activity.segments):
            quiet = activity.levels[end:following].min()
            assert activity.levels[following - 1] < quiet + 30


@pytest.mark.parametrize("clip", CLIPS, ids=["reference", "guest"])
@pytest.mark.parametrize(("noise_db", "verdict"), [(-45.0, "good"), (-25.0, "usable"), (-10.0, "poor")])
def test_pink_noise_is_noticed(clip: Recording, noise_db: float, verdict: str) -> None:
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(size=clip.samples.size))
    hertz = np.fft.rfftfreq(clip.samples.size, 1 / clip.sample_rate)
    spectrum = np.where(hertz < 20, 0, spectrum / np.sqrt(np.maximum(hertz, 20)))
    pink = np.fft.irfft(spectrum, clip.samples.size)
    pink *= np.sqrt(np.mean(np.square(clip.samples)) / np.mean(np.square(pink))) * 10 ** (noise_db / 20)
    report = choose(Recording((clip.samples + pink).astype(np.float32), clip.sample_rate), rate=RATE).report
    assert (report.verdict, "noise" in " ".join(report.advice)) == (verdict, verdict != "good")


@pytest.mark.parametrize(("noise_db", "severity"), [(-40.0, None), (-25.0, 1), (-10.0, 2)])
def test_noise_is_judged_by_its_level(noise_db: float, severity: int | None) -> None:
    assert [found for found, _ in advice.noisy(noise_db)] == ([] if severity is None else [severity])
