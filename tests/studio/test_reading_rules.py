"""Which messages are read aloud, and in which words."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import InvalidInput
from storage.records import GuildSettings, MemberRecord
from studio import speech_text
from studio.reading_rules import Pace, Written, is_read, words_for
from studio.values import Actor

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
SETTINGS = GuildSettings(1)
NAMES = {"1": "Ann"}


def words(text: str, *, settings: GuildSettings = SETTINGS, named: bool = False) -> str:
    return words_for(Written(9, "*Ann* 🦊", text), NAMES, settings, named=named)


def said(text: str) -> str:
    return speech_text.spoken(speech_text.with_pictures_named(words(text)), limit=1000)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("hello <@1>, **look**", "hello Ann, look"),
        ("see https://a.b/c and `x = 1` and ```py\nx\n```", "see link and code and code"),
        ("it was ||Anna|| 😀😀 👨‍👩‍👧 all along", "it was spoiler emoji all along"),
        ("good 🇩🇪 1️⃣ ❤️ <:big_smile:1>", "good emoji 1 emoji big smile"),
        ("🔥", "emoji"),
        ("♪ la ♪", "♪ la ♪"),
    ],
)
def test_what_is_no_word_becomes_one(text: str, spoken: str) -> None:
    assert said(text) == spoken


@pytest.mark.parametrize(
    ("text", "things", "spoken"),
    [
        ("look", {"attachments": 1}, "look. attachment"),
        ("", {"attachments": 3, "stickers": 1}, "3 attachments. sticker"),
        ("", {"stickers": 2}, "2 stickers"),
    ],
)
def test_attachments_and_stickers_are_told(text: str, things: dict[str, int], spoken: str) -> None:
    assert words_for(Written(9, "Ann", text, **things), {}, SETTINGS, named=False) == spoken


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_nothing_is_made_of_nothing(text: str) -> None:
    assert words(text, named=True) == ""


def test_the_author_is_named_as_others_see_them() -> None:
    assert words("hi", named=True) == "Ann said: hi"
    nobody = Written(9, "🦊", "hi")
    assert words_for(nobody, {}, SETTINGS, named=True) == "Someone said: hi"
    long = Written(9, "x" * 100, "hi")
    assert words_for(long, {}, SETTINGS, named=True) == "x" * 32 + " said: hi"


def test_a_long_message_ends_with_a_whole_word() -> None:
    settings = GuildSettings(1, read_length=20)
    assert words("one two three four five six", settings=settings) == "one two three four and so on"
    assert words("x" * 50, settings=settings) == "x" * 20 + " and so on"
    assert words("12345678901234567890", settings=settings) == "12345678901234567890"


def test_a_spoiler_is_not_opened_by_the_end_of_what_is_read() -> None:
    settings = GuildSettings(1, read_length=20)
    assert "secret" not in words("it was a long way ||to the secret that nobody knows||", settings=settings)


@given(st.text("ab |`*_\\<@1>\n😀", max_size=120), st.booleans(), st.integers(1, 3000), st.integers(20, 300))
def test_what_is_read_fits_what_the_server_allows_and_no_spoiler_is_in_it(
    text: str, named: bool, text_length: int, read_length: int
) -> None:
    settings = GuildSettings(1, text_length=max(60, text_length), read_length=read_length)
    made = words(
        f"{text.replace('|', '')} ||Anna|| {text}".replace("`", "").replace("\\", ""), settings=settings, named=named
    )
    assert "Anna" not in made
    assert len(made) <= settings.text_length
    try:
        speech_text.spoken(speech_text.with_pictures_named(made), limit=speech_text.RAW_LENGTH)
    except InvalidInput:
        assert not any(character.isalnum() for character in made)


def actor(*roles: int) -> Actor:
    return Actor(1, 2, 3, frozenset(roles), is_moderator=False)


@pytest.mark.parametrize(
    ("member", "read"),
    [
        (MemberRecord(1, 2), True),
        (MemberRecord(1, 2, unread=True), False),
        (MemberRecord(1, 2, ignored=True), False),
        (MemberRecord(1, 2, blocked_at=NOON), False),
    ],
)
def test_who_is_read(member: MemberRecord, read: bool) -> None:
    assert is_read(actor(7), SETTINGS, member) is read


def test_ignored_roles_are_not_read() -> None:
    settings = GuildSettings(1, read_ignored_role_ids=frozenset({7}))
    assert not is_read(actor(7, 8), settings, MemberRecord(1, 2))
    assert is_read(actor(8), settings, MemberRecord(1, 2))


def test_each_member_has_a_pace_of_their_own() -> None:
    pace = Pace()
    assert [pace.allows(1, 2, NOON, 2) for _ in range(3)] == [True, True, False]
    assert pace.allows(1, 3, NOON, 2)
    assert pace.allows(9, 2, NOON, 2)
    assert not pace.allows(1, 2, NOON + timedelta(seconds=59), 2)
    assert pace.allows(1, 2, NOON + timedelta(seconds=60), 2)


def test_who_was_not_read_for_a_minute_is_forgotten() -> None:
    pace = Pace()
    for member in range(100):
        pace.allows(1, member, NOON, 5)
    pace.allows(1, 200, NOON + timedelta(minutes=2), 5)
    assert len(pace._read) == 1
