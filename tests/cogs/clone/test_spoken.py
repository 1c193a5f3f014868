"""Spoken consent as members meet it: the sentence, the form, voice messages, and every refusal."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import discord
import pytest
import simcord
from simcord.actors import MemberActor, _dispatch_actor_interaction, _resolve_visible_command
from simcord.backend.serializers import message_payload
from simcord.builders import ChannelHandle, GuildHandle, UserHandle
from simcord.enums import AppCommandType, InteractionType

from cogs.client import Barkeep
from cogs.clone.spoken import MENU, render_sentence
from storage.consent_records import ConsentKind
from storage.sessions import Sessions
from studio.spoken_consent import SAY_WITHIN
from studio.studio import Studio
from tests.cogs.clone.test_cog import voices
from tests.cogs.clone.test_consent import CLOSED_DM
from tests.cogs.conftest import World
from tests.cogs.library import labels_of
from tests.cogs.replies import answer, refusal
from tests.fakes import FakeExecutor, sound_bytes

Recording = tuple[str, bytes]
Ask = Callable[[], Awaitable[simcord.InteractionResult]]
SAID = ("said.ogg", sound_bytes("OGG"))


@pytest.fixture(autouse=True)
async def _spoken(channel: ChannelHandle, moderator: MemberActor) -> None:
    shown = answer(await moderator.slash(channel, "admin settings", consent="spoken"))
    fields = {field.name: field.value for field in shown.embeds[0].fields}
    assert fields["Members agree to a clone"] == "by saying a sentence"


@pytest.fixture
async def ask(channel: ChannelHandle, member: MemberActor, recording: Recording) -> Ask:
    """/clone up to the sentence."""

    async def ask() -> simcord.InteractionResult:
        form = await member.slash(channel, "clone", name="Ada", audio=recording)
        return await member.submit_modal(form, {"consent": True})

    return ask


async def say(member: MemberActor, shown: simcord.InteractionResult) -> simcord.InteractionResult:
    """Press the button of a sentence, and send a recording with the form."""
    form = await member.click(answer(shown), label="Upload a recording…")
    return await member.submit_modal(form, {"recording": SAID})


def told(shown: simcord.InteractionResult) -> str:
    """What a member reads after a recording that does not count, beside the sentence."""
    [message] = shown.followups
    assert message.ephemeral
    return message.content


async def test_the_sentence_is_shown_said_and_the_voice_made(
    ask: Ask,
    channel: ChannelHandle,
    member: MemberActor,
    studio: Studio,
    guild: GuildHandle,
    executor: FakeExecutor,
    recording: Recording,
) -> None:
    shown = await ask()
    assert answer(shown).ephemeral
    embed = answer(shown).embeds[0]
    assert "I agree to a copy of my voice: " in (embed.description or "")
    assert "Language" not in [field.name for field in embed.fields]
    assert await voices(studio, guild) == []
    await say(member, shown)
    card = channel.history()[-1]
    assert card.embeds[0].title == "🎤 Ada is ready"
    assert labels_of(answer(shown)) == []
    assert "The voice is being made" in answer(shown).content
    [(clip, said, sentence)] = executor.listened
    assert (clip, said) == (recording[1], SAID[1])
    assert sentence in (embed.description or "")


async def test_a_voice_message_is_taken_by_the_menu(
    ask: Ask, channel: ChannelHandle, member: MemberActor, other: MemberActor
) -> None:
    await ask()
    message = await member.send(channel, attachments=[SAID])
    assert "own messages" in refusal(await other.context_menu(channel, MENU, message))
    heard = answer(await member.context_menu(channel, MENU, message))
    assert heard.ephemeral
    assert "I heard you" in heard.content
    assert channel.history()[-1].embeds[0].title == "🎤 Ada is ready"
    assert "no sentence" in refusal(await member.context_menu(channel, MENU, message))


async def test_what_is_missing_is_told_privately_and_the_button_stays(
    ask: Ask, member: MemberActor, executor: FakeExecutor, studio: Studio, guild: GuildHandle
) -> None:
    shown = await ask()
    yes, executor.heard = executor.heard, replace(executor.heard, words=0, text="@everyone buy it")
    missing = told(await say(member, shown))
    assert "I understood" in missing
    assert "@everyone" not in missing
    assert "2 more attempts" in missing
    assert answer(shown).content == ""
    assert labels_of(answer(shown)) == ["Upload a recording…"]
    executor.heard = replace(yes, likeness=0.3)
    assert "1 more attempt " in told(await say(member, shown))
    assert "last attempt" in told(await say(member, shown))
    executor.heard = yes
    assert "no longer valid" in told(await say(member, shown))
    assert await voices(studio, guild) == []


async def test_the_form_opens_before_the_database_is_read(
    ask: Ask, member: MemberActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Discord waits three seconds for a form; a database under load may take longer."""
    shown = await ask()

    def busy(_: Sessions, **__: object) -> None:
        raise AssertionError("the database was used before the form was shown")

    monkeypatch.setattr(Sessions, "read", busy)
    monkeypatch.setattr(Sessions, "write", busy)
    form = await member.click(answer(shown), label="Upload a recording…")
    assert form.modal is not None
    assert "I agree to a copy of my voice" in str(form.modal)


async def test_the_button_works_after_a_restart(
    ask: Ask, channel: ChannelHandle, member: MemberActor, restart: Callable[[], Awaitable[Barkeep]]
) -> None:
    shown = await ask()
    await restart()
    await say(member, shown)
    assert channel.history()[-1].embeds[0].title == "🎤 Ada is ready"


async def test_too_late(ask: Ask, world: World, member: MemberActor, studio: Studio, guild: GuildHandle) -> None:
    shown = await ask()
    world.later(SAY_WITHIN.total_seconds() + 1)
    assert "time for this sentence is over" in told(await say(member, shown))
    assert await voices(studio, guild) == []


async def test_without_the_recogniser_nothing_is_cloned_and_nothing_set(
    channel: ChannelHandle,
    member: MemberActor,
    moderator: MemberActor,
    recording: Recording,
    executor: FakeExecutor,
    studio: Studio,
    guild: GuildHandle,
) -> None:
    executor.consent_languages = ()
    form = await member.slash(channel, "clone", name="Ada", audio=recording)
    assert "make consent" in refusal(await member.submit_modal(form, {"consent": True}))
    await moderator.slash(channel, "admin settings", consent="checkbox")
    assert "make consent" in refusal(await moderator.slash(channel, "admin settings", consent="spoken"))
    assert (await studio.storage.guilds.get(guild.id)).consent is ConsentKind.CHECKBOX


async def test_an_author_says_it_in_the_direct_message(
    channel: ChannelHandle,
    member: MemberActor,
    other: MemberActor,
    studio: Studio,
    guild: GuildHandle,
    executor: FakeExecutor,
) -> None:
    message = await other.send(channel, "listen to me", attachments=[("otto.ogg", sound_bytes("OGG"))])
    form = await member.context_menu(channel, "Clone this voice", message)
    await member.submit_modal(form, {"name": "Otto", "language": ["de"]})
    question = other.user.dm_channel.last_message
    assert question is not None
    await other.user.click(question, label="Allow")
    sentence = other.user.dm_channel.last_message
    assert sentence is not None
    assert "I agree to a copy" in (sentence.embeds[0].description or "")
    buttons = [item for item in discord.ui.View.from_message(sentence).children if isinstance(item, discord.ui.Button)]
    assert [button.label for button in buttons] == ["Upload a recording…", "New sentence", "Deny"]
    assert await voices(studio, guild) == []
    yes, executor.heard = executor.heard, replace(executor.heard, likeness=0.1)
    form = await other.user.click(sentence, label="Upload a recording…")
    [told_once] = (await other.user.submit_modal(form, {"recording": SAID})).followups
    assert "voice does not sound" in told_once.content
    executor.heard = yes
    await other.user.click(sentence, label="New sentence")
    renewed = other.user.dm_channel.last_message
    assert renewed is not None
    assert renewed.embeds[0].description != sentence.embeds[0].description
    form = await other.user.click(renewed, label="Upload a recording…")
    await other.user.submit_modal(form, {"recording": SAID})
    told = other.user.dm_channel.last_message
    assert told is not None
    assert told.content.startswith("✅ You allowed it")
    record = await studio.storage.voices.find(guild.id, "Otto")
    assert record is not None
    assert (record.owner_id, record.speaker_id) == (member.id, other.id)
    await other.user.click(told, label="Take it back")
    assert await voices(studio, guild) == []


async def asked_of_other(channel: ChannelHandle, member: MemberActor, other: MemberActor) -> discord.Message:
    """The question to another member, after they pressed Allow: the sentence."""
    message = await other.send(channel, "listen to me", attachments=[("otto.ogg", sound_bytes("OGG"))])
    form = await member.context_menu(channel, "Clone this voice", message)
    await member.submit_modal(form, {"name": "Otto", "language": ["de"]})
    question = other.user.dm_channel.last_message
    assert question is not None
    await other.user.click(question, label="Allow")
    return question


async def said_in_direct_messages(user: UserHandle, message: discord.Message) -> simcord.InteractionResult:
    """Choose the menu on a direct message, for which simcord has no method of its own."""
    backend, channel = user._env.backend, user.dm_channel
    menu = _resolve_visible_command(user, channel.id, MENU, AppCommandType.MESSAGE)
    stored = backend.get_message(channel.id, message.id)
    data = {
        "id": menu["id"],
        "name": MENU,
        "type": AppCommandType.MESSAGE,
        "target_id": str(message.id),
        "resolved": {"messages": {str(message.id): dict(message_payload(backend, stored))}},
    }
    return await _dispatch_actor_interaction(user, InteractionType.APPLICATION_COMMAND, channel, data)


@pytest.fixture
async def public(env: simcord.Env, channel: ChannelHandle, member: MemberActor, other: MemberActor) -> discord.Message:
    """The sentence of an author with closed direct messages: a message in the channel, with its buttons."""
    env.inject_error("POST", CLOSED_DM, status=403, code=50007)
    message = await other.send(channel, "listen to me", attachments=[("otto.ogg", sound_bytes("OGG"))])
    form = await member.context_menu(channel, "Clone this voice", message)
    await member.submit_modal(form, {"name": "Otto", "language": ["de"]})
    question = channel.last_message
    assert question is not None
    await other.click(question, label="Allow")
    return question


async def test_another_member_changes_nothing_of_a_sentence_that_all_see(
    public: discord.Message,
    channel: ChannelHandle,
    member: MemberActor,
    other: MemberActor,
    executor: FakeExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edited: list[object] = []
    edit = discord.Interaction.edit_original_response

    async def noted(self: discord.Interaction, **values: Any) -> discord.InteractionMessage:
        edited.append(values.get("content"))
        return await edit(self, **values)

    monkeypatch.setattr(discord.Interaction, "edit_original_response", noted)
    form = await member.click(public, label="Upload a recording…")
    [told_them] = (await member.submit_modal(form, {"recording": SAID})).followups
    assert told_them.ephemeral
    assert "Only the member" in told_them.content
    assert (edited, executor.listened) == ([], [])


async def test_a_yes_is_told_where_its_message_was_deleted(
    public: discord.Message, env: simcord.Env, other: MemberActor, studio: Studio, guild: GuildHandle
) -> None:
    """Moderators can delete it while the form is open; simcord refuses the form then, so its answers are injected."""
    form = await other.click(public, label="Upload a recording…")
    for _ in ("listening", "verdict"):
        env.inject_error("PATCH", "/webhooks/*/messages/@original", status=404, code=10008)
    [verdict] = (await other.submit_modal(form, {"recording": SAID})).followups
    assert verdict.ephemeral
    assert verdict.content.startswith("✅ You allowed it")
    assert await voices(studio, guild) == ["Otto"]
    await other.click(verdict, label="Take it back")
    assert await voices(studio, guild) == []


async def test_asking_for_a_new_sentence_is_no_yes(
    channel: ChannelHandle,
    member: MemberActor,
    other: MemberActor,
    moderator: MemberActor,
    studio: Studio,
    guild: GuildHandle,
) -> None:
    """Also where moderators have meanwhile decided that a button is enough."""
    await asked_of_other(channel, member, other)
    await moderator.slash(channel, "admin settings", consent="checkbox")
    sentence = other.user.dm_channel.last_message
    assert sentence is not None
    await other.user.click(sentence, label="New sentence")
    assert await voices(studio, guild) == []
    question = other.user.dm_channel.last_message
    assert question is not None
    buttons = [item for item in discord.ui.View.from_message(question).children if isinstance(item, discord.ui.Button)]
    assert [button.label for button in buttons] == ["Allow", "Deny"]
    assert "no longer" in (question.embeds[0].description or "")
    await other.user.click(question, label="Allow")
    assert await voices(studio, guild) == ["Otto"]


async def test_an_authors_voice_message_leaves_a_button_to_take_the_yes_back(
    channel: ChannelHandle, member: MemberActor, other: MemberActor, studio: Studio, guild: GuildHandle
) -> None:
    await asked_of_other(channel, member, other)
    files = other.user._env.backend.store_attachments(other.user.dm_channel.id, [SAID])
    said = await other.user.send_dm(attachments=files)
    verdict = answer(await said_in_direct_messages(other.user, said))
    assert not verdict.ephemeral
    assert verdict.content.startswith("✅ You allowed it")
    await other.user.click(verdict, label="Take it back")
    assert await voices(studio, guild) == []


async def test_an_answered_question_shows_its_answer_when_it_is_pressed_again(
    channel: ChannelHandle, member: MemberActor, other: MemberActor, studio: Studio, guild: GuildHandle
) -> None:
    question = await asked_of_other(channel, member, other)
    said = await other.send(channel, attachments=[SAID])
    verdict = answer(await other.context_menu(channel, MENU, said))
    assert verdict.ephemeral
    assert verdict.content.startswith("✅ You allowed it")
    await other.user.click(question, label="Deny")
    shown = other.user.dm_channel.last_message
    assert shown is not None
    assert shown.content.startswith("✅ You allowed it")
    assert await voices(studio, guild) == ["Otto"]
    await other.user.click(shown, label="Take it back")
    assert await voices(studio, guild) == []


@pytest.mark.parametrize(
    ("locale", "told"), [(discord.Locale.british_english, False), (discord.Locale.german, True)], ids=str
)
async def test_the_language_is_named_where_it_is_not_the_members(
    ask: Ask, member: MemberActor, studio: Studio, guild: GuildHandle, locale: discord.Locale, told: bool
) -> None:
    await ask()
    [asked] = await studio.storage.spoken_consents.of_member(guild.id, member.id)
    embed = render_sentence(asked, locale, studio.spoken.languages)
    assert ("Language" in [field.name for field in embed.fields]) is told
