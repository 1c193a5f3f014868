"""The rows of the goals."""

import pytest

from research.evaluate.goals import Bar, ClonedVoices, Goal, exchanged, goals, pitch_correlation
from research.metrics.statistics import Estimate
from tests.research.evaluate.cells import a_cell, a_speaker

NAMES = [f"v{number:02d}" for number in range(12)]


def likeness(most: str) -> dict[str, float]:
    return {name: 0.9 if name == most else 0.5 for name in NAMES}


def voices(picked: dict[str, str], pitches: dict[str, float] | None = None) -> ClonedVoices:
    speakers = {name: a_speaker(name, place, 5 + place / 10, place) for place, name in enumerate(NAMES)}
    cells = [a_cell(name, likeness(most), log_f0=(pitches or {}).get(name)) for name, most in picked.items()]
    return ClonedVoices(cells, speakers)


def test_a_goal_is_met_where_its_bars_say_so() -> None:
    def met(value: float, required: Bar | None, aim: Bar | None) -> str:
        return Goal("", Estimate(value, value, value, 1), required, aim).met

    low, high = Bar(0.4), Bar(0.7)
    assert [met(value, low, high) for value in (0.3, 0.4, 0.7)] == ["no", "required", "aim"]
    few, fewer = Bar(0.3, at_most=True), Bar(0.12, at_most=True)
    assert [met(value, few, fewer) for value in (0.31, 0.3, 0.1)] == ["no", "required", "aim"]
    assert [met(value, None, high) for value in (0.6, 0.8)] == ["reported", "aim"]
    assert met(0.6, None, None) == "reported"
    assert Goal("", None, low).met == "not measured"
    assert Goal("", Estimate(1, 1, 1, 1), low, lacks="10 voices").met == "needs 10 voices"


def test_a_row_as_text() -> None:
    goal = Goal("words", Estimate(0.2, 0.1, 0.3, 5), Bar(0.3, at_most=True), None, beside="chance 5 %")
    assert goal.cells == ("words", "<= 30 %", "reported", "20.0 % (10.0–30.0); chance 5 %", "required")


def test_the_right_one_of_ten_is_picked() -> None:
    right = voices({name: name for name in NAMES[:6]} | dict.fromkeys(NAMES[6:], "v00"))
    rows = {goal.name: goal for goal in goals([], [], right, None, None)}
    picked = rows["the right one of 10 held-out voices is picked"].measured
    assert picked is not None
    assert picked.value == pytest.approx(0.5)
    assert rows["log-F0 correlation of clone and reference, 12 voices"].lacks == "20 voices"
    assert "ceiling with real audio 100 %" in rows["the right one of 10 held-out voices is picked"].cells[3]


def test_the_codec_alone_and_the_clones_are_rated() -> None:
    people = voices({name: name for name in NAMES})
    codec = [a_cell("", {}, text=f"line {number}", quality=2.9) for number in range(3)]
    rows = {goal.name: goal for goal in goals(codec, codec, people, None, None)}
    assert rows["DNSMOS of the codec alone"].cells[1:3] == (">= 2.8", ">= 3.2")
    assert rows["DNSMOS of the codec alone"].met == "required"
    assert rows["DNSMOS of cloned voices"].met == "aim"
    assert rows["word error of the built-in voices, 3 held-out sentences"].lacks == "60 sentences"


def test_prompts_are_exchanged_if_both_voices_follow() -> None:
    both = {"v00": "v00", "v01": "v01"}
    one = {"v02": "v02", "v03": "v02"}
    found = exchanged(voices(both | one))
    assert found is not None
    assert (found.value, found.count) == (0.5, 2)


def test_pitch_follows_over_voices() -> None:
    same = {name: name for name in NAMES}
    follows = pitch_correlation(voices(same, {name: 4 + place / 20 for place, name in enumerate(NAMES)}))
    assert follows is not None
    assert follows.value == pytest.approx(1.0)
    assert pitch_correlation(voices(same)) is None


def test_real_recordings_are_compared_with_chance() -> None:
    people = voices({name: name for name in NAMES})
    rows = goals([], [], people, people, Estimate(0.5, 0.4, 0.6, 3))
    (picked,) = (row for row in rows if "real recordings: the right" in row.name)
    assert picked.measured is not None
    assert picked.measured.value == 1.0
    assert "chance 8 %" in picked.cells[3]
    (margin,) = (row for row in rows if "more similar" in row.name)
    assert margin.measured is not None
    assert margin.measured.value == pytest.approx(0.4)
    assert (margin.met, picked.met) == ("aim", "aim")
    named = {row.name: row.met for row in rows}
    assert named["quantizer frame accuracy on held-out voices"] == "reported"
