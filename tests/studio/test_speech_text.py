"""Chat text made fit to be spoken."""

import contextlib
import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from errors import InvalidInput
from studio import speech_text
from studio.speech_text import RAW_LENGTH, clean

NAMES = {"1": "Ann", "2": "Mods", "3": "general", "4": "x_<@1>**Evil**"}


def said(text: str) -> str:
    return clean(text, NAMES, limit=1000)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Hi <@1> and <@!1>, see <#3>.", "Hi Ann and Ann, see general."),
        ("<@&2> unite", "Mods unite"),
        ("<@9> <@&9> <#9>", "someone a role a channel"),
        ("Ask <@4> now", "Ask x 1 Evil now"),
        ("@everyone and @here", "everyone and here"),
        ("good <:big_smile:123> day <a:wave:4>", "good big smile day wave"),
        ("see https://example.com/a_(b)?c=1.", "see link."),
        ("see <https://example.com>, ok", "see link, ok"),
        ("the [docs](https://x.y/z_(1)) say", "the docs say"),
        ("before ```py\nprint(1)\n``` after", "before code after"),
        ("unclosed ```code goes on", "unclosed code"),
        ("use `make run` now", "use make run now"),
        ("**bold** *it* __under__ _it_ ~~gone~~", "bold it under it gone"),
        ("# Title\n-# small\n> quoted\n- one\n- two!", "Title. small. quoted. one. two!"),
        ("snake_case and 2 * 3 and 2*3", "snake case and 2 * 3 and 2*3"),
        (r"\*not bold\*", "not bold"),
        ("[laughs] oh [sighs] well", "[laughs] oh [sighs] well"),
        ("♪ la la ♪", "♪ la la ♪"),
        ("fine 😀👍🏽👨‍👩‍👧🇩🇪 day", "fine day"),
        ("20°C © 2026", "20°C © 2026"),
        ("نمی‌خواهم", "نمی‌خواهم"),
        ("zero\u200bwidth", "zerowidth"),
        ("a < b and <3", "a < b and <3"),
        ("</say:123> works", "say works"),
        ("at <t:1700000000:R> in <id:customize>", "at a certain time in channels and roles"),
        ("see <id:browse>, <id:guide> and <id:linked-roles:123>", "see browse channels, server guide and linked roles"),
        ("<id:news>!", "a page of this server!"),
        ("listen <sound:0:123>.", "listen a sound."),
        ("write <mail@example.com>, or me.too+x@mail.example.org.", "write e-mail address, or e-mail address."),
        ("call <+15551234567> now", "call phone number now"),
        ("see example.com, discord.gg/abc or (youtu.be/x_y?t=1).", "see link, link or (link)."),
        ("I came.So did he. v1.2 of a.b, and/or node.js", "I came.So did he. v1.2 of a.b, and/or node.js"),
        ("  many   \t spaces ", "many spaces"),
    ],
)
def test_markup_is_read_aloud_sensibly(text: str, spoken: str) -> None:
    assert said(text) == spoken


@pytest.mark.parametrize(
    "text", ["", "   ", "😀😀", "** **", "...", "<", "\u200b", "♪", "~~~~", "\u3164\uffa0", "\u034f"]
)
def test_nothing_to_say(text: str) -> None:
    with pytest.raises(InvalidInput, match="nothing to say"):
        said(text)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("it was ||Anna|| all along", "it was spoiler all along"),
        ("**||bold\nand long||** end", "spoiler end"),
        ("||<@1> and https://a.b|| done", "spoiler done"),
        ("[||Anna||](https://a.b) did it", "spoiler did it"),
        ("||one|| two ||three||", "spoiler two spoiler"),
        ("never || closed", "never closed"),
        ("`||shown||`", "shown"),
    ],
)
def test_spoilers_are_never_spoken(text: str, spoken: str) -> None:
    assert said(text) == spoken


@given(st.text("ab *_~`[]()<>@|\n\\", max_size=30), st.text("ab *_~`>\n", max_size=30))
def test_no_spoiler_is_spoken_wherever_it_stands(before: str, after: str) -> None:
    assume("|" not in before and "`" not in before and not before.endswith("\\") and "(" not in before)
    assert "Anna" not in clean(f"x {before}||Anna Anna||{after}", NAMES, limit=1000)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("a line that was wrapped\nby hand goes on\nand ends.", "a line that was wrapped by hand goes on and ends."),
        ("first thing\nSecond thing", "first thing. Second thing"),
        ("a verse\n\nand another", "a verse. and another"),
        ("we met *under*\n**the** bridge", "we met under the bridge"),
        ("> quoted and\n> wrapped\nanswered", "quoted and wrapped. answered"),
        ("# title\nbody", "title. body"),
        ("- milk\n- bread", "milk. bread"),
        ("* milk\nof goats", "milk of goats"),
        ("Они шли\nдолго", "Они шли долго"),
    ],
)
def test_wrapped_lines_go_on_and_other_lines_end(text: str, spoken: str) -> None:
    assert said(text) == spoken


@pytest.mark.parametrize("pair", ["~|", "|~", "*~|"])
def test_nested_marks_are_not_peeled_one_by_one(pair: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = 0

    def counted(text: str) -> str:
        nonlocal rounds
        rounds += 1
        return stripped_once(text)

    stripped_once = speech_text._stripped_once
    monkeypatch.setattr(speech_text, "_stripped_once", counted)
    assert said("say this " + pair * 450 + pair[::-1] * 450 + " now") == "say this now"
    assert rounds < 10


def test_too_long_is_refused_never_cut() -> None:
    assert clean("a" * 100, {}, limit=100) == "a" * 100
    with pytest.raises(InvalidInput, match=r"101 characters.*100"):
        clean("a" * 101, {}, limit=100)
    with pytest.raises(InvalidInput, match="6,000"):
        clean("a" * 6000, {}, limit=1000)
    with pytest.raises(InvalidInput, match="characters"):
        clean("*" * (RAW_LENGTH + 1), {}, limit=1000)


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What each round of looking for markup was given: each reads the whole text."""
    seen: list[str] = []
    once = speech_text._stripped_once

    def noted(text: str) -> str:
        seen.append(text)
        return once(text)

    monkeypatch.setattr(speech_text, "_stripped_once", noted)
    return seen


@pytest.mark.parametrize(
    "piece", ["*", "_", "`", "```", "[", "](", "<@", "<:a:", "[a](http://", "http://a(", "\\", "||", "> ", "\n-", "@"]
)
def test_hostile_repetition_comes_to_an_end(rounds: list[str], piece: str) -> None:
    """A pattern that tried every way to divide such a text would not."""
    text = (piece * RAW_LENGTH)[: RAW_LENGTH - 1] + "x"
    with contextlib.suppress(InvalidInput):
        assert "\n" not in clean(text, {}, limit=RAW_LENGTH)
    assert len(rounds) <= 3


_MARKUP = (
    "<@1> <@&2> <#3> <@4> <:a_b:1> @everyone ** * _ __ ~~ || ` ``` # > - "
    "[x](https://a.b) https://a.b/c a.b/c a@b.cc <a@b.cc> <sound:0:1> <id:x:1> [laughs] \\ < @ é 2 😀"
)
_PIECES = st.sampled_from([*_MARKUP.split(), "\n", "\n# ", "\n> ", " word ", "\u200d"])


@given(st.one_of(st.text(max_size=200), st.lists(_PIECES, max_size=30).map("".join)))
@example("|*|0")
def test_what_is_spoken_is_one_clean_line(text: str) -> None:
    try:
        spoken = clean(text, NAMES, limit=1000)
    except InvalidInput as error:
        assert error.message.endswith(".")
        return
    assert 1 <= len(spoken) <= 1000
    assert spoken == " ".join(spoken.split())
    assert not re.search(r"<(@|#|a?:\w+:)|\*\*|__|~~|\|\||`", spoken)
    assert any(character.isalnum() for character in spoken)


@given(st.lists(st.from_regex(r"[A-Za-z]{1,10}[,.!?]?", fullmatch=True), min_size=1, max_size=40))
def test_plain_words_are_never_changed(words: list[str]) -> None:
    text = " ".join(words)
    assert clean(text, NAMES, limit=1000) == text


@given(st.lists(st.sampled_from(["[laughs]", "[sighs]", "[clears throat]", "hello", "you"]), min_size=1, max_size=20))
def test_tags_stay(words: list[str]) -> None:
    text = " ".join(words)
    assert clean(text, {}, limit=1000) == text
