from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloning.text import durations, splitting
from errors import InvalidInput

ALPHABET = "abc déł한の。！？.,;:!?…♪[]()'\" \n-—।"
LANGUAGE = st.sampled_from(sorted(splitting.LANGUAGES))


def squeezed(value: str) -> str:
    return "".join(value.split())


@given(st.text(ALPHABET, max_size=400) | st.text(max_size=200), LANGUAGE)
def test_nothing_is_lost_and_every_piece_fits(written: str, language: str) -> None:
    if not written.split():
        with pytest.raises(InvalidInput):
            splitting.sentences(written, language)
        return
    pieces = splitting.sentences(written, language, max_seconds=4.0)
    assert squeezed("".join(pieces)) == squeezed(written)
    assert all(piece and piece == piece.strip() for piece in pieces)
    assert all(durations.expected_seconds(piece, language) <= 4.0 for piece in pieces)


@given(st.lists(st.text("abcdefgh.,!?", min_size=1, max_size=12), min_size=1, max_size=80), LANGUAGE)
def test_ordinary_words_stay_whole(words: list[str], language: str) -> None:
    assert " ".join(splitting.sentences(" ".join(words), language)).split() == words


@given(st.text(ALPHABET, min_size=1, max_size=200).filter(str.strip))
def test_a_token_limit_holds(written: str) -> None:
    pieces = splitting.sentences(written, "en", count_tokens=lambda piece: len(piece.encode()), max_tokens=16)
    assert all(len(piece.encode()) <= 16 for piece in pieces)


def test_sentences_end_where_a_reader_ends_them() -> None:
    written = (
        "Dr. Smith went to the market in the morning. He bought three apples and a loaf of bread! Why did he do so?"
    )
    assert splitting.sentences(written, "en") == [
        "Dr. Smith went to the market in the morning.",
        "He bought three apples and a loaf of bread! Why did he do so?",
    ]


def test_tags_and_songs_stay_whole() -> None:
    tag = "[clears throat. Twice.]"
    song = "♪ In the jungle. The mighty jungle. The lion sleeps tonight. ♪"
    pieces = splitting.sentences(
        f"This is a rather long beginning {tag} of it all. {song} That was a very nice song.", "en"
    )
    assert sum(tag in piece for piece in pieces) == 1
    assert sum(song in piece for piece in pieces) == 1


def test_a_long_sentence_is_divided_at_clauses_into_similar_parts() -> None:
    clause = "the river went on and on through the hills"
    pieces = splitting.sentences(", ".join([clause] * 9) + ".", "en")
    assert len(pieces) >= 2
    assert all(piece.startswith("the river") for piece in pieces)
    lengths = [len(piece) for piece in pieces]
    assert min(lengths) > 0.5 * max(lengths)


def test_short_sentences_join_a_neighbour() -> None:
    assert splitting.sentences("Yes. No. Oh.", "en") == ["Yes. No. Oh."]


def test_lines_are_boundaries() -> None:
    first, second = "a line of verse without any mark at its end", "and another line of verse that has none either"
    assert splitting.sentences(f"{first}\n\n{second}", "en") == [first, second]


def test_languages_without_spaces() -> None:
    pieces = splitting.sentences("今日はとても良い天気ですから、公園へ散歩に行きましょう。" * 6, "ja")
    assert len(pieces) > 3
    assert all(piece.endswith(("。", "、")) for piece in pieces)


def test_unknown_languages_are_refused_with_the_list() -> None:
    with pytest.raises(InvalidInput, match="en, de"):
        splitting.sentences("Hello", "xx")


@pytest.mark.parametrize(
    ("longer", "shorter"), [("Well...", "Well."), ("He said “no.”", "He said, "), ("so;", "so,"), ("so,", "so")]
)
def test_pauses_follow_punctuation(longer: str, shorter: str) -> None:
    assert splitting.pause_after(longer) > splitting.pause_after(shorter)


MARKED = [
    line.split("\t") for line in Path(__file__).with_name("sentences.tsv").read_text(encoding="utf-8").splitlines()
]
"""Language and text, " | " where a sentence ends: twenty sentences and more in each language."""
UNCUT = {"天黑了…… | 我们回家吧。", "Zob. s. 12, rozdz. 3. | Potem dalej.", "Bkz. s. 12, no. 5. | Sonra devam edin."}
"""Where an end is doubtful, so that it is none."""


@pytest.mark.parametrize(("language", "marked"), MARKED)
def test_sentences_are_cut_where_they_surely_end(language: str, marked: str) -> None:
    parts = marked.split(" | ")
    joint = "" if language in ("ja", "zh") else " "
    cut = [piece.strip() for piece in splitting._sentences_of(joint.join(parts) + " ", language)]
    assert cut == ([joint.join(parts)] if marked in UNCUT else parts)


def test_what_is_doubtful_is_cut_where_it_does_not_fit() -> None:
    written = "Am 17. Juni kam der Mann mit dem Hut. Im 18. Jahrhundert gab es noch keine Busse und auch keine Bahnen."
    assert splitting.sentences(written, "de", max_seconds=20) != splitting.sentences(written, "de", max_seconds=4)
    first = "Er wohnt sehr weit weg in einem kleinen Haus Nr. 17. Meine Schwester wohnt dagegen ganz nah am Bahnhof."
    assert splitting.sentences(first, "de", max_seconds=20) == [first]
    assert splitting.sentences(first, "de", max_seconds=5)[0].endswith("Nr. 17.")


def test_wrapped_lines_are_no_boundaries() -> None:
    wrapped = "this line was wrapped by hand, long before it came to\nits end, and goes on in lower case here."
    assert splitting.sentences(wrapped, "en") == [wrapped.replace("\n", " ")]
