"""Attempts at a sentence of consent: what counts as one, and what a recording in between cannot spoil."""

import asyncio
from dataclasses import replace
from unittest.mock import AsyncMock

import pytest

from cloning.consent.answer import SpokenAnswer
from errors import Conflict, InvalidInput, NotFound, Unavailable
from studio.spoken_consent import ATTEMPTS
from tests.studio.conftest import ANN, StudioHarness, until
from tests.studio.spoken_sentences import GENERATED, NO_VOICE, NO_WORDS, SAID, asked, lines

pytestmark = pytest.mark.usefixtures("asks_for_speech")


@pytest.mark.parametrize(
    ("heard", "sentence", "reason"),
    [(NO_WORDS, "something else", "words"), (NO_VOICE, "voice does not sound", "voice"), (GENERATED, "mark", "mark")],
)
async def test_what_is_missing_is_told_and_counted(
    harness: StudioHarness, heard: SpokenAnswer, sentence: str, reason: str
) -> None:
    question = await asked(harness)
    harness.executor.heard = heard
    for left in (2, 1):
        with pytest.raises(InvalidInput, match=f"{sentence}.*You have {left} more attempt"):
            await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)
    assert harness.files() == [f"uploads/{question.id}"]
    with pytest.raises(InvalidInput, match=r"last attempt.*Use /clone"):
        await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)
    assert harness.files() == []
    assert [line for line in await lines(harness) if line[0] == "consent.fail"] == [("consent.fail", reason)] * 3
    harness.executor.heard = replace(heard, words=5, statement=1.0, likeness=0.9, is_generated=False)
    with pytest.raises(NotFound):
        await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)
    assert harness.executor.requests == []


async def test_a_file_without_speech_is_an_attempt_and_is_deleted(harness: StudioHarness) -> None:
    question = await asked(harness)
    harness.executor.fail_next("InvalidInput", "I heard only silence in this recording.")
    with pytest.raises(InvalidInput, match=r"only silence.*2 more attempts"):
        await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)
    assert harness.files() == [f"uploads/{question.id}"]
    with pytest.raises(InvalidInput, match="empty"):
        await harness.studio.spoken.answer(question.id, ANN.member_id, b"")


async def test_a_worker_that_dies_leaves_no_recording_of_the_answer(harness: StudioHarness) -> None:
    question = await asked(harness)
    harness.executor.fail_next("Unavailable", "The speech worker stopped.")
    with pytest.raises(Unavailable):
        await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)
    assert harness.files() == [f"uploads/{question.id}"]


async def test_only_a_recording_that_was_listened_to_is_an_attempt(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = await asked(harness)
    for _ in range(ATTEMPTS):
        harness.executor.fail_next("Unavailable", "The speech worker stopped.")
        with pytest.raises(Unavailable):
            await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)
    with monkeypatch.context() as broken:
        broken.setattr(harness.executor, "listen", AsyncMock(side_effect=RuntimeError("unexpected")))
        with pytest.raises(RuntimeError):
            await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)
    assert (await harness.studio.spoken.find(question.id, ANN.member_id)).attempts == 0
    harness.executor.heard, yes = NO_VOICE, harness.executor.heard
    with pytest.raises(InvalidInput, match="2 more attempts"):
        await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)
    harness.executor.heard = yes
    accepted = await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)
    assert (await harness.ended(accepted.id)).state == "delivered"


async def test_a_yes_that_could_not_be_stored_is_no_attempt(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = await asked(harness)
    with monkeypatch.context() as broken:
        broken.setattr(
            harness.storage.acceptance, "accept_clone", AsyncMock(side_effect=Unavailable("The database is busy."))
        )
        for _ in range(ATTEMPTS):
            with pytest.raises(Unavailable):
                await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)
    accepted = await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)
    assert (await harness.ended(accepted.id)).state == "delivered"


async def test_no_attempts_are_promised_for_a_sentence_that_was_replaced_meanwhile(harness: StudioHarness) -> None:
    question = await asked(harness)
    harness.executor.fail_next("InvalidInput", "This file is not a recording.")
    release = harness.executor.hold()
    answer = asyncio.create_task(harness.studio.spoken.answer(question.id, ANN.member_id, SAID))
    await until(lambda: bool(harness.executor.listened), "the recording to be listened to")
    await asked(harness, "Newer")
    release()
    with pytest.raises(NotFound, match="newer one"):
        await answer


async def test_recordings_sent_at_once_are_no_more_attempts(harness: StudioHarness) -> None:
    question = await asked(harness)
    harness.executor.heard = NO_VOICE
    outcomes = await asyncio.gather(
        *(harness.studio.spoken.answer(question.id, ANN.member_id, SAID) for _ in range(ATTEMPTS + 3)),
        return_exceptions=True,
    )
    assert all(isinstance(each, InvalidInput | Conflict) for each in outcomes)
    assert len(harness.executor.listened) <= ATTEMPTS


async def test_a_yes_that_is_being_listened_to_is_not_lost_to_later_recordings(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if those would use up the attempts, which deletes the recording that is to be cloned."""
    question = await asked(harness)
    heard, go_on = asyncio.Event(), asyncio.Event()
    yes = harness.executor.heard

    async def listen(*_: object) -> SpokenAnswer:
        if heard.is_set():
            return NO_VOICE
        heard.set()
        await go_on.wait()
        return yes

    monkeypatch.setattr(harness.executor, "listen", listen)
    first = asyncio.create_task(harness.studio.spoken.answer(question.id, ANN.member_id, SAID))
    await heard.wait()
    for _ in range(ATTEMPTS):
        with pytest.raises(Conflict, match="still listening"):
            await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)
    assert (await harness.studio.spoken.find(question.id, ANN.member_id)).attempts == 1
    go_on.set()
    assert (await harness.ended((await first).id)).state == "delivered"
