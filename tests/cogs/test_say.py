"""/say and "Say this": words become a queued line of speech, and its answer arrives where it should."""

from collections.abc import Awaitable, Callable
from typing import Any

import discord
import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from cloning.text.splitting import LANGUAGES
from cloning.worker.protocol import SpeakRequest
from cogs.client import Barkeep
from cogs.options import TEXT_LENGTH
from storage.records import Visibility
from studio.studio import Studio
from tests.cogs.conftest import Clone, World
from tests.cogs.replies import answer, labels, refusal
from tests.fakes import FakeExecutor


def spoken(executor: FakeExecutor) -> list[SpeakRequest]:
    return [request for request in executor.requests if isinstance(request, SpeakRequest)]


def options_of(bot: Barkeep, name: str) -> dict[str, dict[str, Any]]:
    command = bot.tree.get_command(name)
    assert command is not None
    return {option["name"]: option for option in command.to_dict(bot.tree)["options"]}


async def test_speech_arrives_with_its_words_a_label_and_buttons(
    channel: ChannelHandle, member: MemberActor, clone: Clone
) -> None:
    await clone("Ada")
    shown = await member.slash(channel, "say", text="Good *evening*.", voice="Ada")
    assert answer(shown).content == f"🔊 **Ada** · AI-generated voice · asked by <@{member.id}>\n>>> Good evening."
    assert not shown.ephemeral
    assert [file.filename for file in answer(shown).attachments] == ["ada.ogg"]
    assert (await answer(shown).attachments[0].read()).startswith(b"OggS")
    assert labels(answer(shown)) == ["Another take", "Delete"]


async def test_every_option_reaches_the_worker(
    channel: ChannelHandle, member: MemberActor, clone: Clone, executor: FakeExecutor, guild: GuildHandle
) -> None:
    await clone("Ada")
    await member.slash(
        channel, "say", text="Guten Abend.", voice="Ada", language="de", temperature=0.3, seed=99, private=True
    )
    request = spoken(executor)[-1]
    assert (request.text, request.language, request.temperature, request.seed) == ("Guten Abend.", "de", 0.3, 99)
    assert request.max_bytes == discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES


async def test_private_speech_is_for_one_pair_of_ears(
    channel: ChannelHandle, member: MemberActor, clone: Clone
) -> None:
    await clone("Ada")
    shown = await member.slash(channel, "say", text="A secret.", voice="Ada", private=True)
    assert shown.ephemeral
    assert answer(shown).attachments


async def test_without_a_voice_the_default_speaks(channel: ChannelHandle, member: MemberActor, clone: Clone) -> None:
    await clone("Ada")
    shown = await member.slash(channel, "say", text="Hello.")
    assert "**Ada**" in answer(shown).content


async def test_news_while_waiting(
    env: simcord.Env, channel: ChannelHandle, member: MemberActor, clone: Clone, executor: FakeExecutor
) -> None:
    await clone("Ada")
    release = executor.hold()
    first = await member.slash(channel, "say", text="One.", voice="Ada")
    second = await member.slash(channel, "say", text="Two.", voice="Ada")
    assert answer(first).content.startswith("🎙️")
    assert answer(second).content == "⏳ In the queue. You are next."
    release()
    await env.settle()
    assert ">>> One." in answer(first).content
    assert ">>> Two." in answer(second).content


async def test_edits_are_few(
    env: simcord.Env, channel: ChannelHandle, member: MemberActor, clone: Clone, executor: FakeExecutor
) -> None:
    await clone("Ada")
    release = executor.hold()
    await member.slash(channel, "say", text="One.", voice="Ada")
    before = len(edits(env))
    release()
    await env.settle()
    assert before == 1
    assert len(edits(env)) == 2


def edits(env: simcord.Env) -> list[Any]:
    """The edits of the last interaction's answer."""
    patches = [entry for entry in env.http_requests if entry.method == "PATCH" and "/webhooks/" in entry.path]
    return [entry for entry in patches if entry.path == patches[-1].path] if patches else []


async def test_mentions_are_spoken_as_names_and_never_ping(
    env: simcord.Env,
    channel: ChannelHandle,
    member: MemberActor,
    other: MemberActor,
    clone: Clone,
    executor: FakeExecutor,
    guild: GuildHandle,
) -> None:
    await clone("Ada")
    role = guild.create_role("Barflies")
    shown = await member.slash(
        channel, "say", text=f"Ask <@{other.id}>, <@&{role.id}> or <#{channel.id}> @everyone", voice="Ada"
    )
    words = spoken(executor)[-1].text
    assert "otto" in words
    assert "Barflies" in words
    assert "voices" in words
    assert "<" not in words
    assert not answer(shown).message.mention_everyone


async def test_an_unknown_mention_is_no_hindrance(
    env: simcord.Env, channel: ChannelHandle, member: MemberActor, clone: Clone, executor: FakeExecutor
) -> None:
    await clone("Ada")
    await member.slash(channel, "say", text="Ask <@123456789012345678> now", voice="Ada")
    assert spoken(executor)[-1].text == "Ask someone now"


async def test_a_message_is_said_in_the_default_voice(
    channel: ChannelHandle, member: MemberActor, other: MemberActor, clone: Clone, executor: FakeExecutor
) -> None:
    await clone("Ada")
    message = await other.send(channel, f"Cheers <@{member.id}> **all**")
    shown = await member.context_menu(channel, "Say this", message)
    assert spoken(executor)[-1].text == "Cheers mira all"
    assert answer(shown).attachments


async def test_a_message_without_words_is_refused(channel: ChannelHandle, member: MemberActor) -> None:
    message = await member.send(channel, "", attachments=[("a.png", b"1")])
    shown = await member.context_menu(channel, "Say this", message)
    assert shown.ephemeral
    assert "no words" in answer(shown).content


@pytest.mark.parametrize(
    ("text", "voice", "words"),
    [
        ("Hello.", "Nobody", "no such voice"),
        ("Hello.", "Adda", "Did you mean Ada?"),
        ("Hello.", "\x00\ud800", "no such voice"),
        ("Hello.", "v:999999999999999999", "no such voice"),
        ("Hello.", "s:../../etc/passwd", "no such built-in speaker"),
        ("word " * 800, "Ada", "3,999"),
        ("🎉 🎉", "Ada", "nothing to say"),
        ("a" * 1001, "Ada", "1,000"),
    ],
)
async def test_refusals_are_private(
    channel: ChannelHandle, member: MemberActor, clone: Clone, text: str, voice: str, words: str
) -> None:
    await clone("Ada")
    shown = await member.slash(channel, "say", text=text, voice=voice)
    assert words in refusal(shown)


async def test_a_private_refusal_is_in_its_place(channel: ChannelHandle, member: MemberActor) -> None:
    shown = await member.slash(channel, "say", text="🎉", private=True)
    assert shown.ephemeral
    assert "nothing to say" in answer(shown).content
    assert shown.followups == []


async def test_a_voice_deleted_after_autocomplete_is_a_refusal(
    channel: ChannelHandle, member: MemberActor, clone: Clone, studio: Studio, guild: GuildHandle
) -> None:
    await clone("Ada")
    (choice,) = [c for c in await member.autocomplete(channel, "say", "voice", "ad") if c["name"] == "Ada"]
    voice_id = int(choice["value"].removeprefix("v:"))
    await studio.storage.voices.delete(guild.id, voice_id)
    shown = await member.slash(channel, "say", text="Hello.", voice=choice["value"])
    assert refusal(shown)


async def test_a_voice_of_another_server_does_not_exist(
    env: simcord.Env, member: MemberActor, clone: Clone, channel: ChannelHandle
) -> None:
    await clone("Ada")
    (choice,) = [c for c in await member.autocomplete(channel, "say", "voice", "ad") if c["name"] == "Ada"]
    elsewhere = env.create_guild("Elsewhere")
    room = elsewhere.create_text_channel("room")
    same_person = elsewhere.add_member(member.user)
    assert all(c["name"] != "Ada" for c in await same_person.autocomplete(room, "say", "voice", "ad"))
    for voice in (choice["value"], "Ada"):
        shown = await same_person.slash(room, "say", text="Hello.", voice=voice)
        assert refusal(shown)


async def test_other_members_voices_are_offered_only_when_shared(
    channel: ChannelHandle,
    member: MemberActor,
    other: MemberActor,
    clone: Clone,
    studio: Studio,
    guild: GuildHandle,
) -> None:
    await clone("Ada")
    assert not [c for c in await other.autocomplete(channel, "say", "voice", "ad") if c["name"] == "Ada"]
    record = await studio.storage.voices.find(guild.id, "Ada")
    assert record is not None
    await studio.storage.voices.share(guild.id, record.id, Visibility.EVERYONE, frozenset(), frozenset())
    assert [c for c in await other.autocomplete(channel, "say", "voice", "ad") if c["name"] == "Ada"]


async def test_autocomplete_is_short_and_never_fails(
    channel: ChannelHandle, member: MemberActor, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    for typed in ("", "a" * 100, "<@1>", "%_\\'\""):
        assert len(await member.autocomplete(channel, "say", "voice", typed)) <= 25

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the database is gone")

    monkeypatch.setattr(studio.library, "search", broken)
    assert await member.autocomplete(channel, "say", "voice", "a") == []


async def test_the_options_carry_their_limits(bot: Barkeep) -> None:
    options = options_of(bot, "say")
    assert (options["text"]["min_length"], options["text"]["max_length"]) == (1, TEXT_LENGTH)
    assert (options["temperature"]["min_value"], options["temperature"]["max_value"]) == (0.0, 1.5)
    assert (options["seed"]["min_value"], options["seed"]["max_value"]) == (0, 2**31 - 1)
    assert {choice["value"] for choice in options["language"]["choices"]} == set(LANGUAGES)
    assert options["voice"]["autocomplete"]


async def test_without_leave_to_attach_nothing_begins(
    quiet_channel: ChannelHandle, member: MemberActor, executor: FakeExecutor
) -> None:
    shown = await member.slash(quiet_channel, "say", text="Hello.")
    assert shown.ephemeral
    assert "attach files" in answer(shown).content
    assert executor.requests == []


async def test_a_error_of_the_worker_is_the_answer(
    channel: ChannelHandle, member: MemberActor, executor: FakeExecutor
) -> None:
    executor.fail_next("Unavailable", "The model is not there.")
    shown = await member.slash(channel, "say", text="Hello.")
    assert answer(shown).content == "⚠️ The speech failed. The model is not there."
    assert not answer(shown).attachments


async def test_a_lost_worker_costs_one_retry_and_one_answer(
    channel: ChannelHandle, member: MemberActor, executor: FakeExecutor
) -> None:
    executor.lose_next()
    shown = await member.slash(channel, "say", text="Hello.")
    assert len(spoken(executor)) == 2
    assert answer(shown).attachments
    assert shown.followups == []


async def test_a_restart_in_the_queue_loses_nothing(
    channel: ChannelHandle,
    member: MemberActor,
    clone: Clone,
    executor: FakeExecutor,
    restart: Callable[[], Awaitable[Barkeep]],
    env: simcord.Env,
) -> None:
    await clone("Ada")
    executor.hold()
    first = await member.slash(channel, "say", text="One.", voice="Ada")
    second = await member.slash(channel, "say", text="Two.", voice="Ada")
    await restart()
    await env.settle()
    assert ">>> One." in answer(first).content
    assert ">>> Two." in answer(second).content


async def test_eight_members_at_once_are_answered_together(
    world: World, guild: GuildHandle, channel: ChannelHandle, executor: FakeExecutor
) -> None:
    executor._capacity = 8
    release = executor.hold()
    members = [guild.add_member(world.env.create_user(f"member{number}")) for number in range(8)]
    shown = [await one.slash(channel, "say", text=f"I am {number}.") for number, one in enumerate(members)]
    assert len(executor.requests) == 8
    assert not any(answer(one).attachments for one in shown)
    release()
    await world.env.settle()
    assert all(answer(one).attachments for one in shown)


async def test_the_words_of_a_forwarded_message_are_spoken(
    channel: ChannelHandle, member: MemberActor, other: MemberActor, executor: FakeExecutor
) -> None:
    forwarded = await member.forward(await other.send(channel, "Pass it on."), channel)
    await member.context_menu(channel, "Say this", forwarded)
    request = executor.requests[-1]
    assert isinstance(request, SpeakRequest)
    assert request.text == "Pass it on."
