"""/clone and "Clone this voice" for one's own recordings: consent, news, the card, and every refusal."""

import io
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import simcord
from PIL import Image
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from cloning.worker.protocol import CloneRequest
from cogs.client import Barkeep
from errors import Unavailable
from storage.sessions import Sessions
from studio.studio import Studio
from tests.cogs.conftest import Clone
from tests.cogs.library import followed
from tests.cogs.library import shown as response_of
from tests.cogs.replies import answer, labels, refusal
from tests.fakes import FakeExecutor, prompt_bytes, sound_bytes

Recording = tuple[str, bytes]


async def voices(studio: Studio, guild: GuildHandle) -> list[str]:
    records, _ = await studio.storage.voices.list(guild.id, None, ready_only=False)
    return [record.name for record in records]


async def test_each_clone_asks_for_the_members_word(
    channel: ChannelHandle, member: MemberActor, recording: Recording
) -> None:
    first = await member.slash(channel, "clone", name="Ada", audio=recording)
    assert first.modal is not None
    done = await member.submit_modal(first, {"consent": True})
    assert answer(done).embeds[0].title == "🎤 Ada is ready"
    second = await member.slash(channel, "clone", name="Bea", audio=recording)
    assert second.modal is not None
    assert "store both on the machine" in str(second.modal["components"])
    done = await member.submit_modal(second, {"consent": True})
    assert answer(done).embeds[0].title == "🎤 Bea is ready"


async def test_without_a_tick_nothing_is_made(
    channel: ChannelHandle,
    guild: GuildHandle,
    member: MemberActor,
    recording: Recording,
    studio: Studio,
    executor: FakeExecutor,
) -> None:
    shown = await member.slash(channel, "clone", name="Ada", audio=recording)
    done = await member.submit_modal(shown, {"consent": False})
    assert "confirm" in refusal(done)
    assert await voices(studio, guild) == []
    assert executor.requests == []
    again = await member.click(answer(done), label="Go on")
    assert again.modal is not None
    made = await member.submit_modal(again, {"consent": True})
    assert answer(made).embeds[0].title == "🎤 Ada is ready"


async def test_the_card_has_a_picture_and_a_button_to_hear_it(clone: Clone) -> None:
    card = answer(await clone("Ada", language="de", description="calm & low"))
    fields = {field.name: field.value for field in card.embeds[0].fields}
    assert fields["Language"] == "German"
    assert card.embeds[0].description == "✅ **Good**: the recording was clear.\ncalm & low"
    (picture,) = card.attachments
    assert Image.open(io.BytesIO(await picture.read())).format == "PNG"
    assert labels(card) == ["Say something with it", "Hear it", "Figures"]


async def test_the_worker_gets_the_bytes_and_the_language(
    clone: Clone, executor: FakeExecutor, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    submit = executor.submit

    async def note(request: Any) -> None:
        seen.append(request.source.read_bytes())
        await submit(request)

    monkeypatch.setattr(executor, "submit", note)
    await clone("Ada", language="pl")
    (request,) = executor.requests
    assert isinstance(request, CloneRequest)
    assert request.language == "pl"
    assert seen == [recording[1]]


async def test_the_clip_is_heard_by_those_who_may_use_the_voice(
    channel: ChannelHandle, clone: Clone, member: MemberActor, other: MemberActor, moderator: MemberActor
) -> None:
    card = answer(await clone("Ada"))
    heard = await member.click(card, label="Hear it")
    assert heard.ephemeral
    assert [file.filename for file in response_of(heard).attachments] == ["ada.ogg"]
    assert [file.filename for file in followed(heard).attachments] == ["ada-clip.flac"]
    for listener in (other, moderator):
        assert not answer(await listener.click(card, label="Hear it")).attachments


async def test_the_button_works_after_a_restart(
    clone: Clone, member: MemberActor, restart: Callable[[], Awaitable[Barkeep]]
) -> None:
    card = answer(await clone("Ada"))
    await restart()
    heard = await member.click(card, label="Hear it")
    assert response_of(heard).attachments
    assert followed(heard).attachments


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("*loud*", "*"),
        ("<@123456789012345678>", "mention"),
        ("@everyone", "mention"),
        ("Ada 🎤", "emoji"),
        ("a\u200bb", "invisible"),
        ("   ", "1 to 32"),
    ],
)
async def test_bad_names_are_refused_before_anything_else(
    channel: ChannelHandle,
    guild: GuildHandle,
    member: MemberActor,
    recording: Recording,
    studio: Studio,
    name: str,
    words: str,
) -> None:
    shown = await member.slash(channel, "clone", name=name, audio=recording)
    assert shown.modal is None
    assert words in refusal(shown)
    assert await voices(studio, guild) == []


async def test_a_taken_name_is_refused_whatever_its_case_and_another_one_can_be_entered(
    channel: ChannelHandle, clone: Clone, other: MemberActor, recording: Recording
) -> None:
    await clone("Ada")
    shown = await clone("ADA", by=other, description="deep")
    assert "choose another name" in refusal(shown)
    form = await other.click(answer(shown), label="Go on")
    assert form.modal is not None
    assert "deep" in str(form.modal["components"])
    done = await other.submit_modal(form, {"name": "Bea", "language": ["en"], "description": "deep", "consent": True})
    assert answer(done).embeds[0].title == "🎤 Bea is ready"


async def test_a_recording_without_speech_leaves_nothing_behind(
    clone: Clone, executor: FakeExecutor, studio: Studio, guild: GuildHandle
) -> None:
    executor.fail_next("InvalidInput", "No speech was found in the recording.")
    shown = await clone("Ada")
    assert refusal(shown) == "⚠️ The cloning failed. No speech was found in the recording."
    assert await voices(studio, guild) == []


async def test_a_recording_that_discord_lost_is_a_refusal(
    env: simcord.Env,
    channel: ChannelHandle,
    guild: GuildHandle,
    member: MemberActor,
    recording: Recording,
    studio: Studio,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = await member.slash(channel, "clone", name="Ada", audio=recording)
    monkeypatch.setattr(env.backend, "cdn", {})
    done = await member.submit_modal(shown, {"consent": True})
    assert "upload it again" in refusal(done)
    assert await voices(studio, guild) == []


async def test_too_large_a_recording_is_refused_before_it_is_read(
    channel: ChannelHandle, member: MemberActor, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.clones.MAX_RECORDING_BYTES", 10)
    shown = await member.slash(channel, "clone", name="Ada", audio=("a.wav", b"12345678901"))
    assert shown.modal is None
    assert refusal(shown)


@pytest.mark.parametrize("status", [500, 429])
async def test_trouble_of_discord_before_the_form_is_a_sentence(
    env: simcord.Env, channel: ChannelHandle, member: MemberActor, recording: Recording, status: int
) -> None:
    env.inject_error("POST", "/interactions/*/callback", status=status)
    shown = await member.slash(channel, "clone", name="Ada", audio=recording)
    assert "Discord is having problems" in refusal(shown)


@pytest.mark.parametrize("status", [500, 429])
async def test_trouble_of_discord_after_the_form_is_a_sentence_and_leaves_nothing(
    env: simcord.Env,
    channel: ChannelHandle,
    guild: GuildHandle,
    member: MemberActor,
    recording: Recording,
    studio: Studio,
    status: int,
) -> None:
    shown = await member.slash(channel, "clone", name="Ada", audio=recording)
    env.inject_error("POST", "/interactions/*/callback", status=status)
    done = await member.submit_modal(shown, {"consent": True})
    assert "Discord is having problems" in refusal(done)
    assert await voices(studio, guild) == []


async def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    clone: Clone, guild: GuildHandle, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise Unavailable("The disk is full. Ask the owner of this bot to make room.")

    monkeypatch.setattr(studio.storage.files, "put_upload", full)
    assert "disk is full" in refusal(await clone("Ada"))
    assert await voices(studio, guild) == []


async def test_a_restart_in_the_middle_of_a_clone_loses_nothing(
    clone: Clone, executor: FakeExecutor, restart: Callable[[], Awaitable[Barkeep]], env: simcord.Env
) -> None:
    executor.hold()
    shown = await clone("Ada")
    await restart()
    await env.settle()
    assert answer(shown).embeds[0].title == "🎤 Ada is ready"


async def test_a_name_that_no_voice_may_have_is_not_suggested(
    env: simcord.Env, channel: ChannelHandle, guild: GuildHandle
) -> None:
    for name, suggested in (("Zoë", "Zoë"), ("🎤 star 🎤", None)):
        person = guild.add_member(env.create_user("someone", global_name=name))
        message = await person.send(channel, attachments=[("voice.ogg", sound_bytes("OGG"))])
        form = (await person.context_menu(channel, "Clone this voice", message)).modal
        assert form is not None
        assert form["components"][0]["component"].get("value") == suggested


async def test_without_leave_to_attach_nothing_begins(
    quiet_channel: ChannelHandle, member: MemberActor, recording: Recording
) -> None:
    shown = await member.slash(quiet_channel, "clone", name="Ada", audio=recording)
    assert "attach files" in refusal(shown)


async def test_a_blocked_member_is_refused(
    channel: ChannelHandle,
    guild: GuildHandle,
    member: MemberActor,
    moderator: MemberActor,
    recording: Recording,
    studio: Studio,
) -> None:
    await studio.storage.members.block(guild.id, member.id, moderator.id, "noise")
    shown = await member.slash(channel, "clone", name="Ada", audio=recording)
    assert "blocked" in refusal(await member.submit_modal(shown, {"consent": True}))
    assert not (await studio.storage.voices.list(guild.id, None, ready_only=False))[1]


async def test_a_member_who_lost_the_role_meanwhile_is_refused(
    channel: ChannelHandle, guild: GuildHandle, member: MemberActor, recording: Recording, studio: Studio
) -> None:
    shown = await member.slash(channel, "clone", name="Ada", audio=recording)
    await studio.storage.guilds.change(guild.id, clone_role_ids=frozenset({1}))
    done = await member.submit_modal(shown, {"consent": True})
    assert "roles" in refusal(done)
    assert await voices(studio, guild) == []


async def test_the_options_carry_their_limits(bot: Barkeep) -> None:
    command = bot.tree.get_command("clone")
    assert command is not None
    options = {option["name"]: option for option in command.to_dict(bot.tree)["options"]}
    assert (options["name"]["min_length"], options["name"]["max_length"]) == (1, 32)
    assert options["description"]["max_length"] == 200
    assert len(options["language"]["choices"]) == 13


async def test_forms_open_before_the_database_is_read(
    channel: ChannelHandle,
    member: MemberActor,
    other: MemberActor,
    recording: Recording,
    studio: Studio,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Discord waits three seconds for a form; a database under load may take longer."""
    messages = [await who.send(channel, attachments=[("voice.ogg", sound_bytes("OGG"))]) for who in (member, other)]

    def busy(_: Sessions, **__: object) -> None:
        raise AssertionError("the database was used before the form was shown")

    monkeypatch.setattr(Sessions, "read", busy)
    monkeypatch.setattr(Sessions, "write", busy)
    shown = [await member.context_menu(channel, "Clone this voice", message) for message in messages]
    shown.append(await member.slash(channel, "clone", name="Ada", audio=recording))
    shown.append(await member.slash(channel, "voices import", name="Ada", file=("ada.npz", prompt_bytes())))
    assert all(form.modal is not None for form in shown)
