"""The tables about the mark, on a few recordings and without models that speak."""

from pathlib import Path

import numpy as np
import pytest

from cloning.media import audio
from cloning.media.audio import Recording
from errors import InvalidInput
from research.evaluate import mark
from research.evaluate.mark import Compared, chosen, detection_table, hearing_table, interval, marked
from research.evaluate.treatments import TREATMENTS
from tests.media.build import PEOPLE, person, speech


def test_exact_intervals() -> None:
    assert interval(0, 200) == pytest.approx((0.0, 0.0183), abs=1e-4)
    assert interval(200, 200) == pytest.approx((0.9817, 1.0), abs=1e-4)
    assert interval(5, 10) == pytest.approx((0.187, 0.813), abs=1e-3)


def people(folder: Path, speakers: int, recordings: int, seconds: float = 2.0) -> None:
    for speaker in range(speakers):
        (folder / f"speaker{speaker}").mkdir()
        for number in range(recordings):
            tone = np.full(round(seconds * 8_000), 0.01 * (speaker + 1), np.float32)
            audio.write(folder / f"speaker{speaker}" / f"{number:03d}.wav", tone, 8_000, tags={})


def test_people_are_taken_in_turn_and_never_those_that_thresholds_were_chosen_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mark, "_CHOSEN_ON", 2)
    people(tmp_path, 2, 4)
    levels = [round(float(recording.samples[8_000]), 2) for recording in chosen(tmp_path, 3)]
    assert levels == [0.01, 0.02, 0.01]
    with pytest.raises(InvalidInput, match="only 4 usable"):
        chosen(tmp_path, 5)


def test_short_and_damaged_ones_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mark, "_CHOSEN_ON", 0)
    people(tmp_path, 1, 2, seconds=1.0)
    (tmp_path / "speaker0" / "009.wav").write_bytes(b"no recording")
    with pytest.raises(InvalidInput, match="only 0"):
        chosen(tmp_path, 1)


def test_marked_and_unmarked_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    plain = [Recording(speech("guest", 24_000)[24_000 : 5 * 24_000], 24_000)]
    real = [Recording(person(path), 8_000) for path in PEOPLE]
    table = detection_table(plain, [marked(one) for one in plain], real)
    rows = {row.split("|")[1].strip(): row for row in table.splitlines()}
    assert rows["people"].startswith("| people | 3 | 0 |")
    assert rows["generated, unmarked"].startswith("| generated, unmarked | 1 | 0 | 0 | 1 |")
    assert rows["marked"].startswith("| marked | 1 | 1 | 0 | 0 | 2.5% to 100.0% |")
    assert rows["marked, Ogg Opus, 24 kbit/s"].startswith("| marked, Ogg Opus, 24 kbit/s | 1 | 1 |")
    assert {f"marked, {name}" for name in TREATMENTS} <= rows.keys()
    assert "3 recordings of people" in capsys.readouterr().out


def test_a_marked_line_is_as_loud_as_before() -> None:
    plain = Recording(audio.normalise(speech(rate=24_000)[24_000:96_000], 24_000), 24_000)
    assert audio.loudness(marked(plain).samples, 24_000) == pytest.approx(-20, abs=0.05)


def test_differences_have_intervals_over_voices() -> None:
    measured = [
        Compared(f"voice{number // 2}", (3.0, 3.0 + 0.1 * (number % 2)), (1, 2), 10, (0.8, 0.8), 0.99)
        for number in range(8)
    ]
    table = hearing_table("lines", measured)
    assert "| lines, 8 | without the mark | with it | difference, 95 % |" in table
    assert "| DNSMOS, 1 to 5 | 3.000 | 3.050 | +0.050 (+0.050 to +0.050) |" in table
    assert "| word error rate | 0.100 | 0.200 | +0.100 (+0.100 to +0.100) |" in table
    assert "with and without the mark: +0.990" in table
