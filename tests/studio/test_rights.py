"""Rights and names."""

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from errors import InvalidInput, NotAllowed
from storage.records import GuildSettings, MemberRecord, Visibility, VoiceRecord
from studio import rights
from studio.names import DESCRIPTION_LENGTH, NAME_LENGTH, clean_description, clean_name
from studio.values import Actor
from tests.records import VOICE
from tests.studio.conftest import ANN, BOB, CHANNEL, GUILD, MOD, STRANGER, person

SETTINGS = GuildSettings(GUILD)
MEMBER = MemberRecord(GUILD, 1)
BLOCKED = replace(MEMBER, blocked_at=datetime(2026, 1, 1, tzinfo=UTC))


def voice(visibility: Visibility = Visibility.OWNER, **changes: object) -> VoiceRecord:
    own = replace(VOICE, guild_id=GUILD, owner_id=ANN.member_id, speaker_id=ANN.member_id, visibility=visibility)
    return replace(own, **changes)  # type: ignore[arg-type]  # field names and values come from the tests below


def test_a_blocked_member_may_do_nothing_with_voices() -> None:
    rights.may_act(ANN, SETTINGS, MEMBER)
    for actor in (ANN, MOD):
        with pytest.raises(NotAllowed, match="blocked"):
            rights.may_act(actor, SETTINGS, BLOCKED)


@pytest.mark.parametrize("rule", [rights.may_clone, rights.may_speak])
def test_everybody_may_unless_something_says_no(rule: object) -> None:
    assert callable(rule)
    rule(ANN, SETTINGS, MEMBER)
    with pytest.raises(NotAllowed, match="blocked"):
        rule(ANN, SETTINGS, BLOCKED)
    with pytest.raises(NotAllowed, match="blocked"):
        rule(MOD, SETTINGS, BLOCKED)
    elsewhere = replace(SETTINGS, channel_ids=frozenset({CHANNEL + 1}))
    with pytest.raises(NotAllowed, match="channel"):
        rule(ANN, elsewhere, MEMBER)
    rule(MOD, elsewhere, MEMBER)
    rule(ANN, replace(SETTINGS, channel_ids=frozenset({CHANNEL})), MEMBER)


def test_roles_are_separate_for_cloning_and_speaking() -> None:
    settings = replace(SETTINGS, clone_role_ids=frozenset({7}), speak_role_ids=frozenset({8}))
    cloner, speaker = person(1, roles=(7,)), person(1, roles=(8, 9))
    rights.may_clone(cloner, settings, MEMBER)
    rights.may_speak(speaker, settings, MEMBER)
    rights.may_clone(MOD, settings, MEMBER)
    with pytest.raises(NotAllowed, match="Cloning"):
        rights.may_clone(speaker, settings, MEMBER)
    with pytest.raises(NotAllowed, match="Speaking"):
        rights.may_speak(cloner, settings, MEMBER)


GONE = {
    "clone_role_ids": (rights.may_clone, "Cloning voices is limited to roles that were deleted"),
    "speak_role_ids": (rights.may_speak, "Speaking is limited to roles that were deleted"),
    "channel_ids": (rights.may_speak, "any channel right now"),
}


@pytest.mark.parametrize("field", GONE)
def test_where_all_that_was_chosen_is_gone_a_moderator_has_to_choose_again(field: str) -> None:
    rule, words = GONE[field]
    settings = replace(SETTINGS, **{field: frozenset({77, 78})})  # type: ignore[arg-type]  # the names of fields
    for existing in (None, frozenset({GUILD, 78})):  # not known, and one that is still there
        with pytest.raises(NotAllowed, match=r"certain roles|one of the channels"):
            rule(replace(ANN, existing_ids=existing), settings, MEMBER)
    with pytest.raises(NotAllowed, match=words) as refusal:
        rule(replace(ANN, existing_ids=frozenset({GUILD})), settings, MEMBER)
    assert "choose again with /admin settings" in refusal.value.message
    rule(replace(MOD, existing_ids=frozenset({GUILD})), settings, MEMBER)


@pytest.mark.parametrize(
    ("actor", "record", "allowed"),
    [
        (ANN, voice(), True),
        (BOB, voice(), False),
        (MOD, voice(), False),
        (MOD, voice(Visibility.EVERYONE), True),
        (BOB, voice(Visibility.EVERYONE), True),
        (STRANGER, voice(Visibility.EVERYONE), False),
        (replace(MOD, guild_id=GUILD + 1), voice(), False),
        (BOB, voice(Visibility.CHOSEN, member_ids=frozenset({BOB.member_id})), True),
        (BOB, voice(Visibility.OWNER, member_ids=frozenset({BOB.member_id})), False),
        (person(2, roles=(5,)), voice(Visibility.CHOSEN, role_ids=frozenset({5})), True),
        (person(2, roles=(6,)), voice(Visibility.CHOSEN, role_ids=frozenset({5})), False),
    ],
)
def test_who_may_use_a_voice(actor: Actor, record: VoiceRecord, allowed: bool) -> None:
    assert rights.may_use(actor, record) is allowed


def test_who_is_heard_may_know_and_delete_but_not_use_or_manage() -> None:
    record = voice(speaker_id=BOB.member_id)
    assert rights.may_know(BOB, record)
    assert not rights.may_use(BOB, record)
    rights.may_delete(BOB, record)
    rights.may_delete(MOD, record)
    with pytest.raises(NotAllowed):
        rights.may_manage(BOB, record)
    with pytest.raises(NotAllowed):
        rights.may_delete(person(9), record)


def test_a_moderator_sees_manages_and_deletes_a_private_voice_but_does_not_speak_with_it_or_take_it_away() -> None:
    record = voice()
    assert rights.may_know(MOD, record)
    assert not rights.may_know(BOB, record)
    assert not rights.may_know(replace(MOD, guild_id=GUILD + 1), record)
    assert not rights.may_use(MOD, record)
    rights.may_manage(MOD, record)
    rights.may_delete(MOD, record)
    with pytest.raises(NotAllowed, match="owner"):
        rights.may_take_away(MOD, record)


def test_a_moderator_may_make_a_voice_private_and_nothing_else() -> None:
    record = voice(Visibility.EVERYONE)
    rights.may_share(ANN, record, Visibility.CHOSEN)
    rights.may_share(MOD, record, Visibility.OWNER)
    for visibility in (Visibility.CHOSEN, Visibility.EVERYONE):
        with pytest.raises(NotAllowed, match="make it private"):
            rights.may_share(MOD, record, visibility)
    with pytest.raises(NotAllowed, match="owner"):
        rights.may_share(BOB, record, Visibility.OWNER)


def test_only_moderators_moderate() -> None:
    rights.must_moderate(MOD)
    with pytest.raises(NotAllowed, match="moderators"):
        rights.must_moderate(ANN)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Ann", "Ann"),
        ("  Ann \n of   Green Gables ", "Ann of Green Gables"),
        ("Ｆｕｌｌ width", "Full width"),
        ("Zoë O’Neill-2 (old)", "Zoë O’Neill-2 (old)"),
        ("Молодец", "Молодец"),
        ("हिन्दी", "हिन्दी"),
        ("日本語", "日本語"),
        ("x" * 32, "x" * 32),
        ("A + B & C!", "A + B & C!"),
    ],
)
def test_good_names_are_kept(name: str, kept: str) -> None:
    assert clean_name(name) == kept


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "1 to 32"),
        (" \n ", "1 to 32"),
        ("x" * 33, "33 characters"),
        ("x" * 200, "200 characters"),
        ("<@123>", "mention"),
        ("<@&123> x", "mention"),
        ("<#1>", "mention"),
        ("hi @everyone", "mention"),
        ("@here", "mention"),
        ("a@b", "can't contain @"),
        ("**bold**", r"can't contain \*"),
        ("a_b", "can't contain _"),
        ("`code`", "can't contain `"),
        ("||x||", r"can't contain \|"),
        ("[a](b)", r"can't contain \["),
        ("<:smile:123>", "emoji"),
        ("<a:smile:123>", "emoji"),
        ("Ann 😀", "emoji"),
        ("1\ufe0f\u20e3 Ann", "invisible|unusual"),
        ("1\u20e3", "unusual"),
        ("A\u200bnn", "invisible"),
        ("\u202eAnn", "invisible"),
        ("A\x00nn", "invisible"),
        ("Ann\u034f", "invisible"),
        ("\u3164", "invisible"),
        ("\uffa0\u1160", "invisible"),
        ("Ann\U000e0101", "invisible"),
        ("...", "letter or digit"),
        ("v:12", "unusual"),
        ("a/b", "unusual"),
        ("Z\u0363\u0364\u0365\u0366algo", "accents"),
    ],
)
def test_bad_names_are_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        clean_name(name)


@given(st.text(max_size=60))
@example("Ann\u0301")
def test_a_kept_name_is_clean_and_stays_the_same(name: str) -> None:
    try:
        kept = clean_name(name)
    except InvalidInput as error:
        assert error.message.endswith(".")
        return
    assert 1 <= len(kept) <= NAME_LENGTH
    assert clean_name(kept) == kept
    assert not set(kept) & set("*_~`|\\<>#[]@:/\n")
    assert all(unicodedata.category(character)[0] != "C" for character in kept)


@given(st.text(max_size=400))
def test_descriptions_are_visible_single_lines(text: str) -> None:
    try:
        kept = clean_description(text)
    except InvalidInput as error:
        assert "200" in error.message
        return
    assert len(kept) <= DESCRIPTION_LENGTH
    assert kept == kept.strip()
    assert all(unicodedata.category(character)[0] != "C" for character in kept)
    assert clean_description(kept) == kept
