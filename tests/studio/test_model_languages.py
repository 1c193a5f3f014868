"""What the loaded model does not read is refused at the command, before anything is kept or queued."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from errors import InvalidInput
from studio.values import CloneOrder, SayOrder
from tests.fakes import prompt_bytes, sound_bytes
from tests.studio.conftest import ANN, BOB, MAX_BYTES, StudioHarness

Deed = Callable[[StudioHarness], Awaitable[object]]


def reads(harness: StudioHarness, *languages: str) -> None:
    """Let the loaded model say which languages it reads; none: it does not say."""
    assert harness.executor.ready is not None
    harness.executor.ready = replace(harness.executor.ready, languages=languages)


def say(text: str, language: str | None = None, voice: str | None = None) -> Deed:
    order = SayOrder(text, voice, language)
    return lambda harness: harness.studio.speech.submit(ANN, order, {}, None, max_bytes=MAX_BYTES)


def clone(language: str) -> Deed:
    order = CloneOrder("Hans", language)
    return lambda harness: harness.studio.clones.submit(ANN, order, sound_bytes(), None, attested=True)


def ask(language: str) -> Deed:
    order = CloneOrder("Hans", language)
    return lambda harness: harness.studio.clone_requests.ask_author(ANN, BOB.member_id, order, sound_bytes())


def bring(language: str) -> Deed:
    return lambda harness: harness.studio.voice_files.import_(
        ANN, "Hans", prompt_bytes(), attested=True, language=language
    )


REFUSED = [
    say("Guten Abend.", "de"),
    say("Guten Abend.", voice="German speaker 1"),
    say("добрый вечер"),
    clone("de"),
    ask("de"),
    bring("de"),
]


@pytest.mark.parametrize("action", REFUSED)
async def test_another_language_is_refused_and_leaves_nothing(harness: StudioHarness, action: Deed) -> None:
    reads(harness, "en")
    with pytest.raises(InvalidInput, match="reads English"):
        await action(harness)
    assert harness.executor.requests == []
    assert harness.files() == []
    assert await harness.storage.jobs.of_member(ANN.guild_id, ANN.member_id) == []


@pytest.mark.parametrize("action", [say("Good evening."), clone("en"), ask("en"), bring("en")])
async def test_a_language_that_it_reads_is_taken(harness: StudioHarness, action: Deed) -> None:
    reads(harness, "en")
    await action(harness)


@pytest.mark.parametrize("action", REFUSED)
async def test_where_the_model_does_not_say_everything_is_taken(harness: StudioHarness, action: Deed) -> None:
    await action(harness)


async def test_a_line_is_said_again_only_in_a_language_that_is_read(harness: StudioHarness) -> None:
    accepted = await harness.studio.speech.submit(
        ANN, SayOrder("Guten Abend.", None, "de"), {}, None, max_bytes=MAX_BYTES
    )
    await harness.ended(accepted.id)
    reads(harness, "en")
    with pytest.raises(InvalidInput, match="reads English"):
        await harness.studio.speech.repeat(ANN, accepted.id, None, max_bytes=MAX_BYTES)
