"""How words are said: whole words, once, and in a time that grows with the text."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import InvalidInput
from storage.records import Pronunciation
from studio import speech_text
from studio.pronunciations import SAY_LENGTH, WORD_LENGTH, Dictionary, entry_of, key_of


def dictionary(*pairs: tuple[str, str], match_case: bool = False) -> Dictionary:
    return Dictionary([entry_of(word, say, match_case=match_case) for word, say in pairs])


@pytest.mark.parametrize(
    ("word", "text", "said"),
    [
        ("SQL", "sql, SQL and Sql.", "X, X and X."),
        ("can", "you can, you can't", "you X, you can't"),
        ("Ada", "Ada's bar, ADA’S bar, Adam", "X's bar, X’S bar, Adam"),
        ("IRM", "l'IRM et d’IRM", "l'X et d’X"),
        ("m", "I'm 5 m tall", "I'm 5 X tall"),
        ("gnu", "_GNU_ **gnu**/gnu-like gnus", "_X_ **X**/X-like gnus"),
        ("cafe\u0301", "CAFÉ und cafe\u0301", "X und X"),
        ("straße", "STRAẞE, straße, strasse", "X, X, strasse"),
        ("don't", "don’t I", "X I"),
        ("New York", "new\nyork, New York", "X, X"),
        ("東京", "東京都", "X都"),
        ("C++", "C++ and C", "X and C"),
        ("🔥", "🔥🔥!", "X X !"),
        ("🇩🇪", "in 🇩🇪", "in X"),
        ("laughs", "[laughs] he laughs", "[laughs] he X"),
        ("node.js", "node.js, node", "X, node"),
        ("T_T", "T_T", "X"),
    ],
)
def test_whole_words_are_replaced(word: str, text: str, said: str) -> None:
    applied = dictionary((word, "X")).applied(text)
    assert " ".join(applied.split()) == " ".join(said.split())


def test_the_longest_word_counts_and_nothing_is_replaced_twice() -> None:
    known = dictionary(("New York", "the city"), ("York", "a town"), ("new", "york"), ("city", "village"))
    assert known.applied("New York, York, new, city") == "the city, a town, york, village"


def test_capitals_count_where_a_moderator_wants_them() -> None:
    exact = entry_of("US", "you ess", match_case=True)
    any_case = entry_of("us", "uz", match_case=False)
    assert Dictionary([exact]).applied("US us Us") == "you ess us Us"
    assert Dictionary([exact, any_case]).applied("US us Us") == "you ess uz uz"


@pytest.mark.parametrize(
    "word",
    [
        "",
        "  ",
        "...",
        "\u200b",
        "<@1>",
        "@everyone",
        "a.com",
        "https://a.b",
        "`x`",
        "||x||",
        "[laughs]",
        "a [b] c",
    ],
)
def test_what_is_never_read_as_a_word_is_refused(word: str) -> None:
    with pytest.raises(InvalidInput) as error:
        entry_of(word, "x", match_case=False)
    assert error.value.message.endswith(".")


@pytest.mark.parametrize("say", ["", "😀", "||", "x" * (SAY_LENGTH + 1), "x" * 100_000])
def test_what_cannot_be_said_is_refused(say: str) -> None:
    with pytest.raises(InvalidInput):
        entry_of("word", say, match_case=False)


def test_a_word_and_its_way_are_kept_as_they_are_read() -> None:
    entry = entry_of(" New \u200b York ", "**the** <@1> [sighs]", match_case=False)
    assert (entry.word, entry.say, entry.key) == ("New York", "the someone [sighs]", "new york")
    assert entry_of("x" * WORD_LENGTH, "x", match_case=False).word == "x" * WORD_LENGTH
    with pytest.raises(InvalidInput, match="51"):
        entry_of("x" * (WORD_LENGTH + 1), "x", match_case=False)


_WORDS = "York york SQL sql Ada Ada's 's l' 🔥 🇩🇪 🇩 _ * . - ẞ İ [ ] [laughs] 东京 กรุง don’t || <@1> @ 1,5"
_PIECES = st.sampled_from([*_WORDS.split(), "New York", " ", "\n", "e\u0301", "\u0301", "\u200d", "\ufe0f"])
_TEXTS = st.lists(_PIECES, max_size=25).map("".join) | st.text(max_size=40)


@given(st.lists(st.tuples(_TEXTS, _TEXTS), max_size=6), _TEXTS)
def test_any_dictionary_leaves_what_it_does_not_know_and_any_text_can_be_cleaned(
    pairs: list[tuple[str, str]], text: str
) -> None:
    entries = []
    for word, say in pairs:
        try:
            entries.append(entry_of(word, say, match_case=len(word) % 2 == 0))
        except InvalidInput:
            continue
        kept = entries[-1]
        assert entry_of(kept.word, kept.say, match_case=kept.match_case).key == kept.key
        assert Dictionary([kept]).applied(kept.word).strip() == kept.say
    applied = Dictionary(entries).applied(text)
    folded = key_of(unicodedata.normalize("NFC", text), match_case=False)
    if not any(key_of(entry.word, match_case=False) in folded for entry in entries):
        assert applied == (unicodedata.normalize("NFC", text) if entries else text)
    try:
        spoken = speech_text.spoken(applied, limit=speech_text.RAW_LENGTH)
    except InvalidInput:
        return
    assert spoken == " ".join(spoken.split())


@given(st.lists(st.sampled_from(["ada", "otto", "york", "new"]), max_size=30), st.permutations(["otto", "york"]))
def test_each_place_is_replaced_once(words: list[str], said: list[str]) -> None:
    known = dictionary(("ada", said[0]), ("otto", said[1]), ("york", "ada"))
    expected = {"ada": said[0], "otto": said[1], "york": "ada", "new": "new"}
    assert known.applied(" ".join(words)) == " ".join(expected[word] for word in words)


class CountingDict(dict[tuple[bool, str], str]):
    looks = 0

    def get(self, key: object, default: object = None) -> str | None:  # type: ignore[override]  # counts
        self.looks += 1
        return super().get(key, default)  # type: ignore[call-overload, no-any-return]  # as the caller meant it


@pytest.mark.parametrize("piece", ["a", "a ", "aa ", "🔥", "🇩", "a\u0301", "'s", "l'", "a_", "a-"])
def test_a_hostile_text_costs_a_few_looks_for_each_of_its_characters(piece: str) -> None:
    known = Dictionary([Pronunciation("a " * size + "b", "a", "x") for size in range(WORD_LENGTH // 2)])
    known._say = counting = CountingDict(known._say)
    text = (piece * speech_text.RAW_LENGTH)[: speech_text.RAW_LENGTH]
    known.applied(text)
    assert counting.looks <= 2 * (len(text) + 1) * len(known._lengths)


def test_a_text_that_the_dictionary_makes_huge_is_refused_before_it_is_cleaned() -> None:
    known = dictionary(("a", "x" * SAY_LENGTH))
    with pytest.raises(InvalidInput, match="as it is spoken"):
        speech_text.spoken(known.applied("a " * 4000), limit=1000)
