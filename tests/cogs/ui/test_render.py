"""Names and texts stay text; news, cards and errors read well."""

import re
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogs.ui.render import (
    CONTENT_LIMIT,
    LABEL,
    file_stem,
    render_asked,
    render_card,
    render_clip,
    render_error,
    render_figures,
    render_jobs,
    render_question,
    render_refusal,
    render_speech,
    render_update,
    render_verdict,
    safe,
)
from storage.consent_records import ConsentRequest, ConsentState
from storage.records import JobKind, JobRecord, JobState, VoiceRecord
from studio.values import Update, Voice
from tests.fakes import REPORT
from tests.records import JOB, NOW, VOICE

MARKED = st.text(st.sampled_from("*_~`|<>@#[]()!:&1 a\n-.\\e"), max_size=60)


def job(**changes: Any) -> JobRecord:
    """A delivered line of speech, unless changed."""
    base = replace(
        JOB,
        state=JobState.DELIVERED,
        interaction_id=4,
        interaction_token="token",
        token_expires_at=NOW + timedelta(minutes=14),
        attempts=1,
        started_at=NOW,
        finished_at=NOW,
        result={"seconds": 1.0, "seed": 7},
    )
    return replace(base, **changes)


def voice_record(**changes: Any) -> VoiceRecord:
    """A voice whose owner is heard in it, unless changed."""
    base = replace(VOICE, description="calm", report=asdict(REPORT))
    return replace(base, **changes)


def request(**changes: Any) -> ConsentRequest:
    """A question that waits for its answer, unless changed."""
    base = ConsentRequest("q", 1, 2, 3, 4, {"name": "Ada"}, ConsentState.PENDING, NOW, NOW + timedelta(days=1))
    return replace(base, **changes)


@given(MARKED, st.integers(2, 80))
def test_safe_text_keeps_its_limit_and_mentions_nobody(text: str, limit: int) -> None:
    literal = safe(text, limit)
    assert len(literal) <= limit
    assert not re.search(r"(?<!\\)<[@#:/ta]", literal)
    assert not re.search(r"@(everyone|here)", literal)


@given(st.text(st.characters(categories=("L", "N", "Zs")), max_size=80))
def test_plain_words_are_not_changed(text: str) -> None:
    assert safe(text) == text


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("*loud*", r"\*loud\*"),
        ("<@123456789012345678>", "\\<@\u200b123456789012345678>"),
        ("@everyone", "@\u200beveryone"),
        ("<:wave:1>", r"\<:wave:1>"),
    ],
)
def test_markup_is_shown_as_typed(typed: str, shown: str) -> None:
    assert safe(typed) == shown


def test_long_text_ends_with_an_ellipsis() -> None:
    assert safe("a" * 50, 10) == "a" * 9 + "…"


@given(st.text(max_size=40))
def test_file_names_are_plain_ascii(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", file_stem(name))


def test_a_file_is_named_after_its_voice() -> None:
    assert file_stem("Zoë O’Neil") == "zoe-oneil"
    assert file_stem("声") == "voice"


@pytest.mark.parametrize(
    ("update", "words"),
    [
        (Update(position=0), "Starting"),
        (Update(position=1), "You are next."),
        (Update(position=3), "2 before you."),
        (Update(stage="semantic tokens", fraction=0.5), "Semantic tokens ▰▰▰▰▰▱▱▱▱▱"),
        (Update(stage="codec", fraction=7.0), "▰" * 10),
        (Update(retrying=True), "again"),
        (Update(position=3, seconds_left=41.0), "2 before you. · about 45 s until it begins"),
        (Update(stage="codec", fraction=0.5, seconds_left=0.2), "▱ · about 5 s left"),
        (Update(stage="codec", fraction=0.5, seconds_left=55.1), "▱ · about 1 min left"),
        (Update(stage="codec", fraction=0.5, seconds_left=200.0), "▱ · about 3 min left"),
    ],
)
def test_news(update: Update, words: str) -> None:
    assert words in render_update(update)


def test_speech_names_the_voice_labels_it_and_quotes_the_words() -> None:
    text = render_speech(job(order={"text": "Hello *there*"}), Voice("v:1", "A_d_a"))
    assert text == f"🔊 **A\\_d\\_a** · {LABEL} · asked by <@3>\n>>> Hello \\*there\\*"


def test_speech_names_what_the_model_did_not_read() -> None:
    text = render_speech(job(order={"text": "Hi"}, result={"seed": 7, "left_out": ["привет", "*你好*"]}), None)
    assert "left it out: привет · \\*你好\\*\n>>> Hi" in text


def test_long_speech_fits_a_message_with_a_mention_before_it() -> None:
    text = render_speech(job(order={"text": "*" * 4000}), Voice("v:1", "Ada"))
    assert len(f"<@{2**63}> {text}") <= CONTENT_LIMIT
    assert text.endswith("…")


def test_speech_without_kept_words_or_voice_is_still_labelled() -> None:
    assert LABEL in render_speech(job(order={}, result=None), None)


def test_errors_say_what_happened() -> None:
    failed = job(kind=JobKind.CLONE, state=JobState.FAILED, error_message="No speech was found.")
    assert render_error(failed) == "⚠️ The cloning failed. No speech was found."
    assert "try again" in render_error(job(state=JobState.FAILED))
    assert render_error(job(state=JobState.CANCELLED)) == "🛑 The speech was cancelled."


def test_the_card_tells_the_verdict_owner_and_language_without_figures() -> None:
    embed = render_card(voice_record(name="Ada_1"))
    assert embed.title == "🎤 Ada\\_1 is ready"
    assert embed.description == "✅ **Good**: the recording was clear.\ncalm"
    assert {field.name: field.value for field in embed.fields} == {"Owner": "<@3>", "Language": "German"}


@pytest.mark.parametrize(("verdict", "word"), [("usable", "👍 **Usable**"), ("poor", "🔁 **Record again**")])
def test_the_card_says_what_to_record_better(verdict: str, word: str) -> None:
    report = {**asdict(REPORT), "verdict": verdict, "advice": ["There is some noise.", "It is very quiet."]}
    embed = render_card(voice_record(report=report, description=""))
    assert embed.description == f"{word}, because:\n• There is some noise.\n• It is very quiet."


def test_the_figures_of_a_recording() -> None:
    embed = render_figures(voice_record(name="Ada_1"))
    fields = {field.name: field.value for field in embed.fields}
    assert embed.title == "📏 Ada\\_1: its recording"
    assert embed.description == "• The clearest 9.5 seconds were used."
    assert fields["The recording"] == "12.0 s, with 9.5 s of speech"
    assert fields["Used part"] == "9.5 s"
    assert fields["In the used part"] == "loudness -22 LUFS\nnoise -48 dB\nclipped 0.0%"


def test_of_a_long_recording_the_speech_is_that_of_its_beginning() -> None:
    report = {**asdict(REPORT), "total_seconds": 600.0, "speech_seconds": 140.0}
    fields = {field.name: field.value for field in render_figures(voice_record(report=report)).fields}
    assert fields["The recording"] == "600.0 s, with 140.0 s of speech in the first 3 minutes"


def test_a_recording_is_not_taken_for_the_voice() -> None:
    assert "<@3> speaking, not AI" in render_clip(voice_record())
    assert "<@9> speaking, not AI" in render_clip(voice_record(speaker_id=9))


def test_the_card_of_another_persons_voice_names_them() -> None:
    fields = {field.name: field.value for field in render_card(voice_record(speaker_id=9)).fields}
    assert fields["Speaker"] == "<@9>"


def test_the_card_of_an_imported_voice_has_no_report() -> None:
    fields = {field.name for field in render_card(voice_record(report=None, description="")).fields}
    assert fields == {"Owner", "Language"}


def test_a_card_with_much_advice_fits_an_embed() -> None:
    report = {**asdict(REPORT), "advice": ["*" * 2000] * 50, "verdict": "_" * 5000}
    record = voice_record(report=report, description="#" * 5000, name="|" * 500)
    for embed in (render_card(record), render_figures(record)):
        assert len(embed) <= 6000
        assert all(len(field.value or "") <= 1024 for field in embed.fields)


def test_jobs_are_numbered_and_placed() -> None:
    waiting = job(id="a", state=JobState.QUEUED, order={"text": "x" * 300})
    cloning = job(id="b", kind=JobKind.CLONE, state=JobState.RUNNING, order={"name": "Ada"})
    text = render_jobs([(waiting, 2), (cloning, 0)]).description or ""
    first, second = text.split("\n")
    assert first.startswith("**1.** Speech “xxx")
    assert "waiting, 2 in the queue" in first
    assert second.startswith("**2.** Clone “Ada” · running")


def test_no_jobs_is_a_sentence() -> None:
    assert "/clone" in (render_jobs([]).description or "")


def test_many_long_jobs_fit_an_embed() -> None:
    assert len(render_jobs([(job(order={"text": "*" * 500}), None)] * 20)) <= 6000


def test_the_question_names_everything_and_escapes_names() -> None:
    embed = render_question(request(order={"name": "A*"}), "https://discord.com/x", "mi*ra", "Th_e Sn_ug")
    assert "mi\\*ra" in (embed.description or "")
    assert "Th\\_e Sn\\_ug" in (embed.description or "")
    assert embed.fields[0].value == "A\\*"


def test_what_people_are_told_about_a_question() -> None:
    assert "<@4>" in render_asked(request())
    assert "<@4>" in render_refusal(request())
    assert "allowed" in render_verdict(request(state=ConsentState.ALLOWED))
    assert "no" in render_verdict(request(state=ConsentState.DENIED))
