"""The buttons of a voice's card: words for it, the clone beside its recording, the figures."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle

from cloning.text.splitting import LANGUAGES
from cloning.worker.protocol import SpeakRequest
from cogs.client import Barkeep
from cogs.ui.voice_buttons import HELLO
from tests.cogs.conftest import Clone
from tests.cogs.library import followed, shown, text_of
from tests.cogs.replies import answer, refusal
from tests.fakes import FakeExecutor


@pytest.fixture
async def card(clone: Clone) -> simcord.ResponseMessage:
    """The card of a German voice."""
    return answer(await clone("Ada", language="de"))


def test_a_voice_introduces_itself_in_every_language() -> None:
    assert set(HELLO) == set(LANGUAGES)


async def test_hear_it_plays_the_clone_and_the_recording_both_labelled(
    card: simcord.ResponseMessage, member: MemberActor, executor: FakeExecutor
) -> None:
    heard = await member.click(card, label="Hear it")
    assert "**Ada** · AI-generated voice" in shown(heard).content
    assert shown(heard).ephemeral
    assert "The recording that **Ada** was made from" in followed(heard).content
    assert followed(heard).ephemeral
    request = executor.requests[-1]
    assert isinstance(request, SpeakRequest)
    assert request.text == HELLO["de"]


async def test_a_voice_introduces_itself_in_a_language_that_the_model_reads(
    card: simcord.ResponseMessage, channel: ChannelHandle, member: MemberActor, executor: FakeExecutor
) -> None:
    listed = shown(await member.slash(channel, "voices list"))
    await member.select(listed, ["s:v2/de_speaker_1"], custom_id="listen")
    german = executor.requests[-1]
    assert isinstance(german, SpeakRequest)
    assert (german.text, german.language) == (HELLO["de"], "de")
    assert executor.ready is not None
    executor.ready = replace(executor.ready, languages=("en",))
    await member.click(card, label="Hear it")
    english = executor.requests[-1]
    assert isinstance(english, SpeakRequest)
    assert (english.text, english.language) == (HELLO["en"], "en")


async def test_words_are_said_in_the_voice_of_the_card(
    card: simcord.ResponseMessage, member: MemberActor, restart: Callable[[], Awaitable[Barkeep]]
) -> None:
    await restart()
    form = await member.click(card, label="Say something with it")
    said = answer(await member.submit_modal(form, {"text": "Good evening."}))
    assert said.content.startswith("🔊 **Ada** · AI-generated voice")
    assert said.content.endswith("\n>>> Good evening.")
    assert not said.ephemeral


async def test_figures_are_for_the_presser_alone(card: simcord.ResponseMessage, member: MemberActor) -> None:
    figures = await member.click(card, label="Figures")
    assert answer(figures).ephemeral
    assert "Used part: 9.5 s" in text_of(answer(figures))


@pytest.mark.parametrize("label", ["Hear it", "Say something with it", "Figures"])
async def test_a_private_voices_buttons_are_for_those_who_may_use_it(
    card: simcord.ResponseMessage, other: MemberActor, label: str
) -> None:
    refused = await other.click(card, label=label)
    assert refused.modal is None
    assert "voice" in refusal(refused)


async def test_without_the_right_to_attach_nothing_is_queued(
    clone: Clone, channel: ChannelHandle, quiet_channel: ChannelHandle, member: MemberActor, executor: FakeExecutor
) -> None:
    await clone("Ada")
    quiet = answer(await member.slash(quiet_channel, "voices info", voice="Ada"))
    done = len(executor.requests)
    assert "attach files" in refusal(await member.click(quiet, label="Hear it"))
    assert len(executor.requests) == done
