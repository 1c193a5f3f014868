"""Looking for the mark in files: what was coded, mixed with other speech, cut short or damaged."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from cloning.media import audio
from cloning.media.audio import Recording, Samples
from cloning.watermark.checking import WINDOW_SECONDS, check, check_file, confidences
from cloning.watermark.finding import Finding, explained
from cloning.watermark.marking import mark
from errors import InvalidInput
from tests.media.build import PEOPLE, coded, person, silent_flac, speech

RATE = 24_000


def reply() -> Samples:
    """A marked reply as Barkeep makes it."""
    return audio.polish(speech("guest", RATE), RATE, mark)


def saved(path: Path, samples: Samples, rate: int = RATE) -> Path:
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


def test_a_reply_is_found_after_it_was_sent_and_coded_again_at_24_kilobits(tmp_path: Path) -> None:
    sent = tmp_path / "reply.ogg"
    audio.write(sent, reply(), RATE, tags={})
    again = tmp_path / "again.ogg"
    received, rate = soundfile.read(sent, dtype="float32")
    again.write_bytes(coded("ogg", "libopus", received.astype(np.float32), rate=rate, options={"b": "24k"}))
    for path in (sent, again):
        found = check_file(path)
        assert (found.verdict, found.seconds) == ("marked", found.total_seconds)
        assert sum(end - start for start, end in found.spans) > 0.8 * found.seconds


def test_the_reply_in_the_readme_carries_the_mark() -> None:
    found = check_file(Path(__file__).parents[3] / "docs" / "samples" / "reply.ogg")
    assert (found.verdict, found.seconds) == ("marked", found.total_seconds)


def test_of_a_long_recording_only_the_generated_seconds_are_marked() -> None:
    people = np.concatenate([person(path, RATE) for path in PEOPLE])
    made = reply()[: 4 * RATE]
    one = np.concatenate([people, made, people, people])
    found = check([Recording(one, RATE)])
    start = people.size / RATE
    assert found.verdict == "marked"
    (span,) = found.spans
    assert span[0] == pytest.approx(start, abs=WINDOW_SECONDS)
    assert span[1] == pytest.approx(start + 4.0, abs=WINDOW_SECONDS)
    assert check([Recording(people, RATE)]).spans == ()


def test_windows_are_numbered_through_all_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate([speech(rate=16_000), person(PEOPLE[0], 16_000), speech("guest", 16_000)])
    at_once = confidences(whole)
    monkeypatch.setattr("cloning.watermark.checking._PIECE_SECONDS", 7.5)
    in_pieces = confidences(whole)
    assert in_pieces.shape == at_once.shape
    assert np.abs(in_pieces - at_once).max() < 0.3  # at the seams, the network sees silence beyond the piece
    assert np.median(np.abs(in_pieces - at_once)) < 1e-3


@pytest.mark.parametrize("marked_channel", [0, 1])
def test_a_mark_in_one_of_two_channels_is_found(tmp_path: Path, marked_channel: int) -> None:
    channels = [person(PEOPLE[0], RATE)[: 6 * RATE], reply()[: 6 * RATE]]
    channels = channels[::-1] if marked_channel == 0 else channels
    assert check_file(saved(tmp_path / "two.wav", np.stack(channels, axis=1))).verdict == "marked"


def test_what_goes_beyond_full_scale_is_turned_down(tmp_path: Path) -> None:
    assert check_file(saved(tmp_path / "loud.wav", reply() * 50)).verdict == "marked"


@pytest.mark.parametrize("hertz", [50, 110, 220, 600, 2000, 4000])
def test_a_tone_is_not_taken_for_generated_speech(hertz: int) -> None:
    sound = (0.3 * np.sin(2 * np.pi * hertz * np.arange(5 * RATE) / RATE)).astype(np.float32)
    found = check([Recording(sound, RATE)])
    assert (found.verdict, found.spans) == ("unmarked", ())


def test_a_tone_beside_generated_speech_is_not_marked() -> None:
    sound = (0.3 * np.sin(2 * np.pi * 220 * np.arange(5 * RATE) / RATE)).astype(np.float32)
    found = check([Recording(np.concatenate([sound, reply()]), RATE)])
    assert found.verdict == "marked"
    assert found.spans[0][0] > 5.0 - WINDOW_SECONDS


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (np.zeros(RATE, np.float32), "silent"),
        (np.full(RATE, np.nan, np.float32), "silent"),
        (np.full(RATE // 4, 0.1, np.float32), "shorter than 0.5 seconds"),
    ],
)
def test_what_cannot_be_judged_is_refused(tmp_path: Path, samples: Samples, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        check_file(saved(tmp_path / "a.wav", samples))


def test_other_files_and_hours_of_silence_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no recording")
    with pytest.raises(InvalidInput, match="not a recording"):
        check_file(tmp_path / "a.txt")
    (tmp_path / "a.flac").write_bytes(silent_flac(3600))
    with pytest.raises(InvalidInput, match="longer than"):
        check_file(tmp_path / "a.flac")


def test_three_minutes_are_looked_at_and_the_rest_is_named(tmp_path: Path) -> None:
    long = np.tile(person(PEOPLE[0]), 40)[: 8_000 * 200]
    found = check_file(saved(tmp_path / "long.wav", long, 8_000))
    assert found.verdict == "unmarked"
    assert (found.seconds, found.total_seconds) == pytest.approx((180, 200), abs=0.1)
    assert explained(found).endswith("Only the first 3:00 of 3:20 were checked.")


def test_words_name_the_places_and_promise_nothing() -> None:
    spans = tuple((float(2 * place), float(2 * place + 1)) for place in range(40, 48))
    marked = explained(Finding("marked", 0.97, spans, 100.0, 100.2))
    assert "at 1:20 to 1:21, 1:22 to 1:23," in marked
    assert "and 2 more places (confidence 0.97 of 1)" in marked
    assert "or by another program with the same mark" in marked
    assert "and 1 more place (confidence" in explained(Finding("marked", 0.97, spans[:7], 100.0, 100.2))
    unclear = explained(Finding("unclear", 0.7, (), 3.0, 3.0))
    assert "This proves nothing" in unclear
    assert "does not show that a person said it" in explained(Finding("unmarked", 0.1, (), 3.0, 3.0))
