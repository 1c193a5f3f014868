"""Who says what."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import InvalidInput, NotFound
from research.evaluate.plan import ProgressPrinter, lines, read_texts

NAMES = st.integers(1, 9).map(lambda count: [f"speaker {number}" for number in range(count)])
TEXTS = st.integers(1, 7).map(lambda count: [f"text {number}" for number in range(count)])


@given(NAMES, TEXTS, st.integers(1, 4), st.integers(1, 3))
def test_every_voice_says_as_much_and_neighbours_say_the_same(
    speakers: list[str], texts: list[str], each: int, seeds: int
) -> None:
    planned = list(lines(speakers, texts, each, seeds))
    said = {name: {(line.text, line.seed) for line in planned if line.speaker == name} for name in speakers}
    assert {len(some) for some in said.values()} == {min(each, len(texts)) * seeds}
    assert len(planned) == len(set(planned))
    for one, other in zip(speakers[::2], speakers[1::2], strict=False):
        assert said[one] == said[other]


def test_all_texts_are_heard() -> None:
    texts = [f"text {number}" for number in range(10)]
    assert {line.text for line in lines(list("abcdefgh"), texts, 3, 1)} == set(texts)


def test_texts_are_the_lines_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("One.\n\n  Two. \n", encoding="utf-8-sig")
    assert read_texts(path) == ["One.", "Two."]
    path.write_text("\n \n")
    with pytest.raises(InvalidInput, match="no text"):
        read_texts(path)
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InvalidInput, match="UTF-8"):
        read_texts(path)
    with pytest.raises(NotFound, match=r"none\.txt"):
        read_texts(tmp_path / "none.txt")


def test_progress_tells_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    progress = ProgressPrinter("quantizer", 3)
    for _ in range(3):
        progress.step()
    assert capsys.readouterr().out == "quantizer: 3 of 3, 0 min left\n"
