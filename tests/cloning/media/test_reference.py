"""Choosing a reference: which seconds, how they are cut, what the member is told."""

import json
from dataclasses import asdict
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cloning.media.audio import Recording, Samples, loudness, read_clip, resample
from cloning.media.reference import Reference, _require_speech, choose
from cloning.media.report import report_from_json
from cloning.media.voice_activity import FRAME_SECONDS, Activity, analyse
from errors import InvalidInput
from tests.media.build import tone

CLIP = read_clip(Path(__file__).parents[3] / "simulator" / "media" / "reference.flac")
RATE = CLIP.sample_rate
HELLO, COUNTER, CHAIR = (0.5, 2.85), (3.1, 8.25), (8.5, 11.2)
"""The clip's sentences in seconds, each with silence around."""


@cache
def shipped(rate: int = RATE) -> Reference:
    return choose(CLIP, rate=rate)


def part(span: tuple[float, float]) -> Samples:
    return CLIP.samples[int(span[0] * RATE) : int(span[1] * RATE)].copy()


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * RATE), np.float32)


def noise(size: int, level: float) -> Samples:
    return np.random.default_rng(0).normal(0, level, size).astype(np.float32)


def chosen(*parts: Samples, rate: int = RATE, max_seconds: float = 10.0) -> Reference:
    return choose(Recording(np.concatenate(parts), RATE), rate=rate, max_seconds=max_seconds)


def refusal(samples: Samples) -> str:
    with pytest.raises(InvalidInput) as caught:
        choose(Recording(samples, RATE), rate=RATE)
    return caught.value.message


def pauses(clip: Recording) -> list[float]:
    segments = analyse(clip).segments
    return [(later[0] - earlier[1]) * FRAME_SECONDS for earlier, later in pairwise(segments)]


@pytest.mark.parametrize("rate", [16_000, 24_000])
def test_the_clip_that_ships_is_a_good_reference(rate: int) -> None:
    reference = shipped(rate)
    clip, report = reference.clip, reference.report
    assert clip.sample_rate == rate
    assert 8.5 < clip.seconds <= 10.0
    assert np.abs(clip.samples).max() <= 1.0
    assert loudness(clip.samples, rate) == pytest.approx(-20, abs=0.5)
    assert (report.verdict, report.advice) == ("good", ())
    assert report.total_seconds == pytest.approx(12.03, abs=0.01)
    assert report.used_start == pytest.approx(0.6, abs=0.15)
    assert report.used_end == pytest.approx(11.1, abs=0.2)
    assert len(report.waveform) == 64
    assert max(report.waveform) == pytest.approx(np.abs(clip.samples).max(), abs=0.001)


def test_the_report_crosses_a_process() -> None:
    report = shipped().report
    assert report_from_json(json.loads(json.dumps(asdict(report), allow_nan=False))) == report


def test_all_speech_is_kept_with_a_little_silence_at_the_end() -> None:
    found = analyse(shipped().clip)
    assert found.speech_seconds == pytest.approx(analyse(CLIP).speech_seconds, abs=0.3)
    end = found.segments[-1][1] * FRAME_SECONDS
    assert shipped().clip.seconds - end == pytest.approx(0.25, abs=0.1)


def test_long_silences_within_are_shortened() -> None:
    clip = chosen(part(HELLO), silence(5.0), part(CHAIR), silence(1.0)).clip
    assert max(pauses(clip)) == pytest.approx(0.6, abs=0.1)
    assert clip.seconds < 6.0


def test_a_recording_that_breaks_off_in_speech_gets_silence_and_advice() -> None:
    reference = chosen(part(COUNTER)[: int(3.0 * RATE)])
    assert not reference.clip.samples[-int(0.2 * RATE) :].any()
    assert any("ends during speech" in sentence for sentence in reference.report.advice)


def test_a_whole_sentence_is_preferred_to_a_later_one_that_breaks_off() -> None:
    report = chosen(part(COUNTER), silence(1.0), part(COUNTER)[: int(4.5 * RATE)], max_seconds=6.0).report
    assert report.used_end < 6.0


def test_of_two_equals_the_later_is_taken() -> None:
    report = chosen(part(COUNTER), silence(1.0), part(COUNTER), silence(1.0), max_seconds=6.0).report
    assert report.used_start > 5.5
    used = f"{report.used_end - report.used_start:.1f}"
    assert any(sentence.startswith(f"The best {used} s were used, from 0:06") for sentence in report.advice)


@pytest.mark.parametrize("spoil", ["noise", "clipping"])
def test_the_cleaner_part_is_taken_although_it_is_earlier(spoil: str) -> None:
    spoilt = part(COUNTER)
    spoilt = np.clip(spoilt * 40, -1, 1) if spoil == "clipping" else spoilt + noise(spoilt.size, 0.04)
    report = chosen(part(COUNTER), silence(1.0), spoilt, silence(1.0), max_seconds=6.0).report
    assert report.used_end < 6.0
    assert report.clipped_fraction == 0.0
    assert report.verdict != "poor"


def test_speech_without_any_pause_is_cut_to_the_limit() -> None:
    reference = chosen(*[part((3.6, 5.6))] * 6, max_seconds=8.0)
    assert 6.0 < reference.clip.seconds <= 8.0
    assert reference.report.used_end == pytest.approx(12.0, abs=0.3)


@pytest.mark.parametrize("max_seconds", [3.0, 10.0])
def test_the_limit_holds(max_seconds: float) -> None:
    reference = chosen(CLIP.samples, CLIP.samples, max_seconds=max_seconds)
    assert reference.clip.seconds <= max_seconds + 0.001


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (silence(0.0), "empty"),
        (silence(5.0), "only silence"),
        (noise(RATE * 5, 1e-5), "only silence"),
        (np.full(RATE * 3, np.nan, np.float32), "only silence"),
        (np.full(RATE * 3, 0.5, np.float32), "only silence"),
        (noise(RATE * 5, 0.1), "no speech"),
        (tone(5.0, RATE), "no speech"),
        (np.concatenate([silence(1.0), part((0.7, 1.0)), silence(1.0)]), "I heard only 0.3 s"),
        (part((0.7, 1.0)), "shorter than the 1 s of speech that a voice needs"),
        (np.full(1, 0.5, np.float32), "shorter than the 1 s"),
    ],
)
def test_what_holds_too_little_speech_is_refused_with_the_reason(samples: Samples, reason: str) -> None:
    assert reason in refusal(samples)


def test_what_was_heard_is_never_rounded_up_to_what_is_needed() -> None:
    with pytest.raises(InvalidInput, match=r"only 0\.9 s .* needs 1 s"):
        _require_speech(0.992, 1.0, "this recording")


def test_of_a_long_recording_only_the_beginning_is_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[float] = []

    def listen(recording: Recording) -> Activity:
        heard.append(recording.seconds)
        return analyse(recording)

    monkeypatch.setattr("cloning.media.reference.LISTENED_SECONDS", 6.0)
    monkeypatch.setattr("cloning.media.reference.analyse", listen)
    report = choose(CLIP, rate=RATE).report
    assert heard == [6.0]
    assert report.total_seconds == pytest.approx(CLIP.seconds, abs=0.01)
    assert report.used_end <= 6.0
    assert "The recording is long, so only its first 0.1 minutes were listened to." in report.advice
    assert not any("ends during speech" in sentence for sentence in report.advice)
    later = np.concatenate([silence(6.0), CLIP.samples])
    assert "only silence in the first 0.1 minutes" in refusal(later)
    assert "no speech in the first 0.1 minutes" in refusal(np.concatenate([tone(6.0, RATE), CLIP.samples]))


@pytest.mark.parametrize(
    ("samples", "verdict", "advice"),
    [
        (part(HELLO), "poor", "Only 1."),
        (part(COUNTER), "usable", "Only 4."),
        (CLIP.samples + noise(CLIP.samples.size, 0.008), "usable", "some noise"),
        (CLIP.samples + noise(CLIP.samples.size, 0.03), "poor", "a lot of noise"),
        (np.clip(CLIP.samples * 3, -1, 1), "usable", "peaks are cut off"),
        (np.clip(CLIP.samples * 20, -1, 1), "poor", "peaks are cut off"),
        (CLIP.samples * 0.1, "usable", "very quiet"),
        (CLIP.samples * 0.03, "poor", "very quiet"),
    ],
)
def test_the_member_hears_what_to_record_better(samples: Samples, verdict: str, advice: str) -> None:
    report = choose(Recording(samples, RATE), rate=RATE).report
    assert (report.verdict, sum(advice in sentence for sentence in report.advice)) == (verdict, 1)


def test_telephone_quality_is_named() -> None:
    report = choose(resample(CLIP, 8_000), rate=RATE).report
    assert report.verdict == "usable"
    assert "sound of a telephone" in report.advice[0]


def test_an_offset_and_stray_values_do_no_harm() -> None:
    spoilt = CLIP.samples * 0.5 + 0.3
    spoilt[::5000] = np.nan
    spoilt[7::50_000] = np.inf
    reference = choose(Recording(spoilt, RATE), rate=RATE)
    clean = shipped()
    assert np.isfinite(reference.clip.samples).all()
    assert abs(reference.clip.samples.mean()) < 0.001
    assert reference.report.used_start == pytest.approx(clean.report.used_start, abs=0.5)
    assert reference.report.speech_seconds == pytest.approx(clean.report.speech_seconds, abs=1.0)


def test_the_recording_itself_is_left_alone() -> None:
    samples = CLIP.samples.copy()
    choose(CLIP, rate=RATE)
    assert np.array_equal(samples, CLIP.samples)
