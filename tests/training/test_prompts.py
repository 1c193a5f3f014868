"""Prompts repeat by their numbers, fit the window, and come from texts in the right script only."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloning.text.durations import expected_seconds
from cloning.text.passages import PASSAGES
from cloning.text.splitting import LANGUAGES
from errors import InvalidInput
from training.prompts import CORPORA, PromptPlan, Prompts, Source, refuse_other_script


def prompts(source: Source = Source.MARKOV, language: str = "en", **settings: object) -> Prompts:
    return Prompts(PromptPlan(source, language, **settings), 13.0)  # type: ignore[arg-type]  # a plan's own fields


def test_a_prompt_is_the_same_each_time_and_another_with_another_seed() -> None:
    first, second, other = prompts(), prompts(), prompts(seed=1)

    assert [first[number] for number in range(20)] == [second[number] for number in (range(20))]
    assert [first[number] for number in range(20)] != [other[number] for number in range(20)]
    assert len({first[number] for number in range(100)}) > 60


def test_drawn_sentences_are_not_longer_than_asked_and_of_words_of_the_text() -> None:
    drawn = [prompts(longest=12)[number] for number in range(30)]
    words = set((CORPORA / "en.txt").read_text().replace('"', "").split())

    assert all(3 <= len(sentence.split()) <= 12 for sentence in drawn)
    assert {word for sentence in drawn for word in sentence.split()} <= words


def test_a_higher_order_keeps_longer_passages(tmp_path: Path) -> None:
    sentences = [f"the {a} cat saw the {b} dog near the {a} old {b} house today." for a in "xyz" for b in "uvw"]
    (tmp_path / "t.txt").write_text("\n".join(sentences * 2))

    high = prompts(files=(tmp_path / "t.txt",), order=12)
    low = prompts(files=(tmp_path / "t.txt",), order=1, longest=60)

    assert all(high[number] in " ".join(sentences) for number in range(10))
    assert any(low[number] not in " ".join(sentences) for number in range(10))


@given(st.integers(0, 10_000))
def test_every_prompt_fits_the_window(number: int) -> None:
    for source in Source:
        assert 0 < expected_seconds(CACHED[source][number], "en") <= 13.0


CACHED = {source: prompts(source) for source in Source}


def test_lines_and_chunks_begin_anew_when_all_are_said(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(
        "A first line of some length, which is long enough.\n\n---\nAnother line is here.\n"
    )

    lines = prompts(Source.LINES, files=(tmp_path / "t.txt",))

    assert {lines[0], lines[1]} == {lines[2], lines[3]}
    assert {lines[0], lines[1]} == {
        "A first line of some length, which is long enough.",
        "Another line is here.",
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_taken_in_its_own_script(language: str, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text((PASSAGES[language] + "\n") * 12, encoding="utf-8")

    for source in Source:
        assert prompts(source, language, files=(tmp_path / "t.txt",), longest=200)[0]


@pytest.mark.parametrize("language", ["hi", "ja", "ko", "ru", "zh"])
def test_another_script_is_refused(language: str) -> None:
    with pytest.raises(InvalidInput, match=LANGUAGES[language]):
        refuse_other_script(PASSAGES["en"], language, "x.txt")
    with pytest.raises(InvalidInput, match="Latin"):
        refuse_other_script(PASSAGES[language], "en", "x.txt")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"\xff\xfe\xff", "UTF-8"),
        (b"1234 5678", "Latin"),
        (b"Too few.", "needs 10"),
    ],
)
def test_a_file_of_no_use_is_named(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes(content)

    with pytest.raises(InvalidInput, match=says):
        prompts(files=(tmp_path / "t.txt",))


def test_missing_files_unknown_languages_and_odd_orders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no text"):
        prompts(files=(tmp_path / "none.txt",))
    with pytest.raises(InvalidInput, match="No German text comes"):
        prompts(language="de")
    with pytest.raises(InvalidInput, match="does not speak"):
        prompts(language="xx")
    with pytest.raises(InvalidInput, match="order"):
        prompts(order=0)


def test_a_chain_without_short_sentences_says_so(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(
        "\n".join(f"W{n} " + " ".join(f"w{n}x{k}" for k in range(15)) + "." for n in range(40))
    )

    with pytest.raises(InvalidInput, match="--longest"):
        prompts(files=(tmp_path / "t.txt",), longest=4)[0]
