"""The records about a member as embeds."""

from dataclasses import fields, replace

import pytest
from simcord.components import validate_embeds

from cogs.privacy.render_privacy import (
    EVERYWHERE,
    render_forget_question,
    render_forgotten,
    render_overview,
    render_privacy,
    render_revoke_question,
    render_revoked,
)
from storage.consent_records import Consent
from studio.privacy import combined
from studio.values import Erased, PrivacySummary
from tests.cogs.voices.test_render_library import RECORD, text_of
from tests.records import NOW

SUMMARY = PrivacySummary(
    consent=Consent(1, 10, 1, NOW),
    default_voice=None,
    owned=(RECORD,),
    heard_in=(),
    jobs=3,
    requests=1,
    refusals=0,
    audit_lines=4,
    blocked=False,
    retention_days=30,
)


def test_what_is_kept_about_a_member() -> None:
    shown = text_of(render_privacy(SUMMARY))
    for words in ("Anna", "version 1", "3, with their texts", "30 days"):
        assert words in shown
    assert "not given" in text_of(render_privacy(replace(SUMMARY, consent=None)))
    assert "not given" not in text_of(render_privacy(replace(SUMMARY, consent=None, allowed=1)))
    assert "another member's request for one recording: 1" in text_of(render_privacy(replace(SUMMARY, allowed=1)))
    assert "Blocked" in text_of(render_privacy(replace(SUMMARY, blocked=True)))


def test_the_question_says_exactly_what_goes_and_what_stays() -> None:
    embed = render_forget_question(replace(SUMMARY, blocked=True))
    assert (embed.description or "").startswith("**This is deleted for good**")
    assert "Anna" in (embed.description or "")
    assert "block" in (embed.fields[0].value or "")
    assert "4 lines" in (embed.fields[0].value or "")
    assert "that were refused" not in (embed.fields[0].value or "")
    refused = render_forget_question(replace(SUMMARY, requests=3, refusals=2))
    assert "to clone a voice: 1" in (refused.description or "")
    assert "that were refused: 2" in (refused.fields[0].value or "")


def test_withdrawing_names_the_voices_in_which_the_member_is_heard() -> None:
    of_somebody_else = replace(RECORD, name="Ben", speaker_id=11)
    heard = replace(RECORD, name="Copy of me", owner_id=11)
    asked = render_revoke_question(replace(SUMMARY, owned=(RECORD, of_somebody_else), heard_in=(heard,))).description
    assert "Anna, Copy of me." in (asked or "")
    assert "Ben" not in (asked or "")
    assert "1 voice made from your speech" in render_revoked(Erased(1, 0))


def test_withdrawing_everything_says_how_one_permission_is_taken_back() -> None:
    heard = replace(RECORD, name="Copy of me", owner_id=11)
    everything = render_revoke_question(replace(SUMMARY, heard_in=(heard,))).description or ""
    assert "To delete only one of them, use `/voices delete`" in everything
    assert "only one" not in (render_revoke_question(SUMMARY).description or "")


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_forgotten(kept: bool) -> None:
    sentence = render_forgotten(Erased(voices=2, jobs=5, consents=1, block_kept=kept))
    assert "2 voices and 5 jobs" in sentence
    assert ("block" in sentence) is kept


def test_privacy_fits_discord_with_many_long_names() -> None:
    records = tuple(replace(RECORD, name="*" * 32) for _ in range(300))
    crowded = replace(SUMMARY, owned=records, heard_in=records, blocked=True)
    validate_embeds([render_privacy(crowded).to_dict()])
    validate_embeds([render_forget_question(crowded).to_dict()])
    validate_embeds([render_revoke_question(crowded).to_dict()])


def test_who_is_not_read_aloud_reads_so_and_that_it_stays() -> None:
    for wish in ({"unread": True}, {"ignored": True}):
        summary = replace(SUMMARY, **wish)  # type: ignore[arg-type]  # both are flags
        assert "messages read" in text_of(render_privacy(summary))
        assert "not read aloud: otherwise" in text_of(render_forget_question(summary))
    assert "read aloud" not in text_of(render_forget_question(SUMMARY))


def test_servers_are_listed_by_name_and_the_rest_is_counted() -> None:
    records = tuple(replace(RECORD, name="*" * 32) for _ in range(300))
    crowded = replace(SUMMARY, owned=records, heard_in=records, blocked=True)
    embed = render_overview([("_" * 100, crowded)] * 40)
    validate_embeds([embed.to_dict()])
    assert "33 more servers" in (embed.description or "")
    one = render_overview([("The *Snug*", SUMMARY)])
    assert one.fields[0].name == "The \\*Snug\\*"
    assert "Anna" in (one.fields[0].value or "")
    assert one.description is None
    assert "Nothing, on any server" in (render_overview([]).description or "")


def test_several_servers_are_one_question() -> None:
    elsewhere = replace(SUMMARY, owned=(replace(RECORD, name="Ben"),), jobs=4, requests=2, refusals=2, blocked=True)
    both = combined([SUMMARY, elsewhere])
    embed = render_forget_question(both, EVERYWHERE)
    assert embed.title == "Delete everything about you on all servers?"
    assert "Anna, Ben" in (embed.description or "")
    assert "texts: 7" in (embed.description or "")
    stays = embed.fields[0].value or ""
    assert "8 lines" in stays
    assert "were refused: 2" in stays
    assert "blocked you" in stays


def test_no_kind_of_record_is_left_out_of_the_question() -> None:
    every = {field.name: 2 for field in fields(PrivacySummary) if field.type is int}
    every |= {field.name: True for field in fields(PrivacySummary) if field.type is bool}
    one = replace(SUMMARY, **every)  # type: ignore[arg-type]  # each field has a value of its type
    assert combined([one]) == replace(one, has_default=False)


def test_a_default_voice_that_cannot_be_used_is_not_named() -> None:
    chosen = text_of(render_privacy(replace(SUMMARY, has_default=True)))
    assert "one is chosen" in chosen
    assert "none" in text_of(render_privacy(SUMMARY))
