"""The message menu "Clone this voice" on one's own message: the form, and every refusal."""

from collections.abc import Awaitable, Callable

import pytest
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from cogs.client import Barkeep
from storage.records import VoiceState
from studio.studio import Studio
from tests.cogs.clone.test_cog import Recording
from tests.cogs.conftest import Clone
from tests.cogs.replies import answer, refusal
from tests.fakes import sound_bytes


async def test_ones_own_message_is_cloned_after_a_form(
    channel: ChannelHandle, guild: GuildHandle, member: MemberActor, studio: Studio
) -> None:
    message = await member.send(channel, "listen", attachments=[("voice.ogg", sound_bytes("OGG"))])
    form = await member.context_menu(channel, "Clone this voice", message)
    assert form.modal is not None
    done = await member.submit_modal(form, {"name": "Mira", "language": ["fr"], "consent": True})
    assert answer(done).embeds[0].title == "🎤 Mira is ready"
    record = await studio.storage.voices.find(guild.id, "Mira")
    assert record is not None
    assert (record.language, record.speaker_id, record.state) == ("fr", member.id, VoiceState.READY)


async def test_what_was_filled_in_is_not_lost_when_the_form_is_refused(
    channel: ChannelHandle, clone: Clone, member: MemberActor
) -> None:
    await clone("Ada")
    message = await member.send(channel, attachments=[("voice.ogg", sound_bytes("OGG"))])
    form = await member.context_menu(channel, "Clone this voice", message)
    filled = {"name": "Ada", "language": ["de"], "description": "deep", "consent": True}
    refused = await member.submit_modal(form, filled)
    assert "already a voice called Ada" in refusal(refused)
    again = await member.click(answer(refused), label="Go on")
    assert again.modal is not None
    assert "deep" in str(again.modal["components"])
    unticked = await member.submit_modal(again, {**filled, "name": "Bea", "consent": False})
    assert "confirm" in refusal(unticked)
    last = await member.click(answer(unticked), label="Go on")
    done = await member.submit_modal(last, {**filled, "name": "Bea"})
    assert answer(done).embeds[0].title == "🎤 Bea is ready"


async def test_a_form_from_before_a_restart_is_answered(
    channel: ChannelHandle, member: MemberActor, recording: Recording, restart: Callable[[], Awaitable[Barkeep]]
) -> None:
    shown = await member.slash(channel, "clone", name="Ada", audio=recording)
    await restart()
    done = await member.submit_modal(shown, {"consent": True})
    assert "no longer know this form" in refusal(done)
    assert "use the command again" in refusal(done)


async def test_a_forward_does_not_say_whose_voice_it_is(
    channel: ChannelHandle, member: MemberActor, other: MemberActor
) -> None:
    message = await other.send(channel, attachments=[("voice.ogg", sound_bytes("OGG"))])
    forwarded = await member.forward(message, channel)
    told = refusal(await member.context_menu(channel, "Clone this voice", forwarded))
    assert "message was forwarded" in told


@pytest.mark.parametrize("attachments", [[], [("photo.png", b"1")]])
async def test_a_message_without_a_recording_is_refused(
    channel: ChannelHandle, member: MemberActor, attachments: list[Recording]
) -> None:
    message = await member.send(channel, "hello", attachments=attachments)
    assert "no recording" in refusal(await member.context_menu(channel, "Clone this voice", message))


async def test_the_bots_own_speech_cannot_be_cloned(channel: ChannelHandle, clone: Clone, member: MemberActor) -> None:
    await clone("Ada")
    said = await member.slash(channel, "say", text="Hello.", voice="Ada")
    shown = await member.context_menu(channel, "Clone this voice", answer(said))
    assert "bot" in refusal(shown)
