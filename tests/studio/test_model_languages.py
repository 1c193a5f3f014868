"""What the loaded model does not read is refused at the command, before anything is kept or queued."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from errors import InvalidInput
from studio.values import CloneOrder, SayOrder
from tests.fakes import prompt_bytes, sound_bytes
from tests.studio.conftest import ANN, BOB, MAX_BYTES, House

Deed = Callable[[House], Awaitable[object]]


def reads(house: House, *languages: str) -> None:
    """Let the loaded model say which languages it reads; none: it does not say."""
    assert house.executor.ready is not None
    house.executor.ready = replace(house.executor.ready, languages=languages)


def say(text: str, language: str | None = None, voice: str | None = None) -> Deed:
    order = SayOrder(text, voice, language)
    return lambda house: house.studio.speech.submit(ANN, order, {}, None, max_bytes=MAX_BYTES)


def clone(language: str) -> Deed:
    order = CloneOrder("Hans", language)
    return lambda house: house.studio.clones.submit(ANN, order, sound_bytes(), None, attested=True)


def ask(language: str) -> Deed:
    order = CloneOrder("Hans", language)
    return lambda house: house.studio.clones.ask_author(ANN, BOB.member_id, order, sound_bytes())


def bring(language: str) -> Deed:
    return lambda house: house.studio.library.import_(ANN, "Hans", prompt_bytes(), attested=True, language=language)


REFUSED = [
    say("Guten Abend.", "de"),
    say("Guten Abend.", voice="German speaker 1"),
    say("добрый вечер"),
    clone("de"),
    ask("de"),
    bring("de"),
]


@pytest.mark.parametrize("action", REFUSED)
async def test_another_language_is_refused_and_leaves_nothing(house: House, action: Deed) -> None:
    reads(house, "en")
    with pytest.raises(InvalidInput, match="reads English"):
        await action(house)
    assert house.executor.requests == []
    assert house.files() == []
    assert await house.storage.jobs.of_member(ANN.guild_id, ANN.member_id) == []


@pytest.mark.parametrize("action", [say("Good evening."), clone("en"), ask("en"), bring("en")])
async def test_a_language_that_it_reads_is_taken(house: House, action: Deed) -> None:
    reads(house, "en")
    await action(house)


@pytest.mark.parametrize("action", REFUSED)
async def test_where_the_model_does_not_say_everything_is_taken(house: House, action: Deed) -> None:
    await action(house)


async def test_a_line_is_said_again_only_in_a_language_that_is_read(house: House) -> None:
    receipt = await house.studio.speech.submit(ANN, SayOrder("Guten Abend.", None, "de"), {}, None, max_bytes=MAX_BYTES)
    await house.ended(receipt.job.id)
    reads(house, "en")
    with pytest.raises(InvalidInput, match="reads English"):
        await house.studio.speech.repeat(ANN, receipt.job.id, None, max_bytes=MAX_BYTES)
