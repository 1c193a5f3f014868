"""A model that says what it reads: the rest is named or refused, and nothing of what it reads is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloning.text.readable import readable
from errors import InvalidInput


def test_a_model_that_does_not_say_what_it_reads_gets_everything() -> None:
    assert readable("Привет, world", "ru", ()).text == "Привет, world"


@pytest.mark.parametrize(
    ("written", "kept", "left_out"),
    [
        ("Hello there.", "Hello there.", ()),
        ("Hello, привет мир, and good night.", "Hello, , and good night.", ("привет мир",)),
        ("你好hello世界", "hello", ("你好", "世界")),
        ("say नमस्ते now", "say  now", ("नमस्ते",)),
        ("Straße, Łódź, café, ﬁne", "Strasse, Lódź, café, ﬁne", ()),
        ("α β γ is Greek 5", " is Greek 5", ("α β γ",)),
        ("one " + "ж" * 60, "one ", ("ж" * 39 + "…",)),
    ],
)
def test_what_english_letters_are_not_is_named(written: str, kept: str, left_out: tuple[str, ...]) -> None:
    read = readable(written, "en", ("en",))
    assert (read.text, read.left_out) == (kept, left_out)


def test_another_language_is_refused_with_those_it_reads() -> None:
    with pytest.raises(InvalidInput, match="reads English, and cannot speak German"):
        readable("Guten Tag", "de", ("en",))
    assert readable("Guten Tag, Straße", "de", ("de", "en")).text == "Guten Tag, Straße"


@pytest.mark.parametrize("written", ["Привет, мир!", "你好。", "שלום", "नमस्ते"])
def test_a_text_in_another_script_is_refused_with_what_is_read(written: str) -> None:
    with pytest.raises(InvalidInput, match="reads English only, and this text is in another script"):
        readable(written, "en", ("en",))


@given(st.text("abc é,. 12", min_size=1, max_size=60))
def test_what_is_read_is_never_changed(written: str) -> None:
    assert readable(written, "en", ("en",)).text == written


@given(st.text("ab жя你 ा,.", max_size=60))
def test_each_letter_is_kept_or_named(written: str) -> None:
    try:
        read = readable("x " + written, "en", ("en",))
    except InvalidInput:
        return
    assert not any(character in "жя你" for character in read.text)
    assert [character for character in read.text if character in "ab"] == [c for c in written if c in "ab"]
