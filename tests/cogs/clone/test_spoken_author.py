"""Spoken consent of the author of a message: in direct messages, in a channel, and taken back."""

from dataclasses import replace
from typing import Any

import discord
import pytest
import simcord
from simcord.actors import MemberActor, _dispatch_actor_interaction, _resolve_visible_command
from simcord.backend.serializers import message_payload
from simcord.builders import ChannelHandle, GuildHandle, UserHandle
from simcord.enums import AppCommandType, InteractionType

from cogs.clone.spoken import MENU
from storage.consent_records import ConsentKind
from studio.studio import Studio
from tests.cogs.clone.test_cog import voices
from tests.cogs.clone.test_consent import CLOSED_DM
from tests.cogs.clone.test_spoken import SAID
from tests.cogs.replies import answer
from tests.fakes import FakeExecutor, sound_bytes

pytestmark = pytest.mark.usefixtures("spoken_consent")


async def clone_voice_of(channel: ChannelHandle, member: MemberActor, other: MemberActor) -> None:
    """Send a recording as `other`, and choose "Clone this voice" on it as `member`."""
    message = await other.send(channel, "listen to me", attachments=[("otto.ogg", sound_bytes("OGG"))])
    form = await member.context_menu(channel, "Clone this voice", message)
    await member.submit_modal(form, {"name": "Otto", "language": ["de"]})


async def asked_of_other(channel: ChannelHandle, member: MemberActor, other: MemberActor) -> discord.Message:
    """Ask `other` for their voice in direct messages, and press Allow as them. Returns the question."""
    await clone_voice_of(channel, member, other)
    question = last_direct_message(other)
    await other.user.click(question, label="Allow")
    return question


def last_direct_message(member: MemberActor) -> discord.Message:
    message = member.user.dm_channel.last_message
    assert message is not None
    return message


def buttons_of(message: discord.Message) -> list[str | None]:
    children = discord.ui.View.from_message(message).children
    return [item.label for item in children if isinstance(item, discord.ui.Button)]


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
async def question(
    spoken_consent: None, channel: ChannelHandle, member: MemberActor, other: MemberActor
) -> discord.Message:
    """The question to an author in direct messages, who pressed Allow and was sent a sentence."""
    return await asked_of_other(channel, member, other)


@pytest.fixture
async def public(env: simcord.Env, channel: ChannelHandle, member: MemberActor, other: MemberActor) -> discord.Message:
    """The sentence for an author with closed direct messages: a message in the channel, with its buttons."""
    env.inject_error("POST", CLOSED_DM, status=403, code=50007)
    await clone_voice_of(channel, member, other)
    question = channel.last_message
    assert question is not None
    await other.click(question, label="Allow")
    return question


@pytest.mark.usefixtures("question")
async def test_an_author_says_it_in_the_direct_message(
    member: MemberActor, other: MemberActor, studio: Studio, guild: GuildHandle, executor: FakeExecutor
) -> None:
    sentence = last_direct_message(other)
    assert "I agree to a copy" in (sentence.embeds[0].description or "")
    assert buttons_of(sentence) == ["Upload a recording…", "New sentence", "Deny"]
    assert await voices(studio, guild) == []
    yes, executor.heard = executor.heard, replace(executor.heard, likeness=0.1)
    form = await other.user.click(sentence, label="Upload a recording…")
    [told_once] = (await other.user.submit_modal(form, {"recording": SAID})).followups
    assert "voice does not sound" in told_once.content
    executor.heard = yes
    await other.user.click(sentence, label="New sentence")
    renewed = last_direct_message(other)
    assert renewed.embeds[0].description != sentence.embeds[0].description
    form = await other.user.click(renewed, label="Upload a recording…")
    await other.user.submit_modal(form, {"recording": SAID})
    told = last_direct_message(other)
    assert told.content.startswith("✅ You allowed it")
    record = await studio.storage.voices.find(guild.id, "Otto")
    assert record is not None
    assert (record.owner_id, record.speaker_id) == (member.id, other.id)
    await other.user.click(told, label="Take it back")
    assert await voices(studio, guild) == []


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


@pytest.mark.usefixtures("question")
async def test_asking_for_a_new_sentence_is_no_yes(
    channel: ChannelHandle, other: MemberActor, moderator: MemberActor, studio: Studio, guild: GuildHandle
) -> None:
    """Also where moderators have meanwhile decided that a button is enough."""
    await moderator.slash(channel, "admin settings", consent="checkbox")
    await other.user.click(last_direct_message(other), label="New sentence")
    assert await voices(studio, guild) == []
    again = last_direct_message(other)
    assert buttons_of(again) == ["Allow", "Deny"]
    assert "no longer" in (again.embeds[0].description or "")
    await other.user.click(again, label="Allow")
    assert await voices(studio, guild) == ["Otto"]


@pytest.mark.usefixtures("question")
async def test_an_authors_voice_message_leaves_a_button_to_take_the_yes_back(
    other: MemberActor, studio: Studio, guild: GuildHandle
) -> None:
    files = other.user._env.backend.store_attachments(other.user.dm_channel.id, [SAID])
    said = await other.user.send_dm(attachments=files)
    verdict = answer(await said_in_direct_messages(other.user, said))
    assert not verdict.ephemeral
    assert verdict.content.startswith("✅ You allowed it")
    await other.user.click(verdict, label="Take it back")
    assert await voices(studio, guild) == []


@pytest.mark.usefixtures("question")
async def test_where_several_servers_wait_the_member_chooses_which_sentence_they_said(
    env: simcord.Env,
    member: MemberActor,
    other: MemberActor,
    studio: Studio,
    guild: GuildHandle,
    executor: FakeExecutor,
) -> None:
    elsewhere = env.create_guild("Elsewhere")
    there = elsewhere.create_text_channel("voices")
    await studio.storage.guilds.change(elsewhere.id, consent=ConsentKind.SPOKEN)
    await asked_of_other(there, elsewhere.add_member(member.user), elsewhere.add_member(other.user))
    files = other.user._env.backend.store_attachments(other.user.dm_channel.id, [SAID])
    said = await other.user.send_dm(attachments=files)
    choice = answer(await said_in_direct_messages(other.user, said))
    assert "More than one server waits" in choice.content
    assert executor.listened == []
    [asked] = await studio.storage.spoken_consents.of_member(guild.id, other.id)
    [later] = await studio.storage.spoken_consents.of_member(elsewhere.id, other.id)
    offered = {
        (option["label"], option["description"])
        for row in choice.components
        for menu in row["components"]
        for option in menu["options"]
    }
    assert offered == {(later.sentence, "Elsewhere"), (asked.sentence, "The Snug")}
    yes, executor.heard = executor.heard, replace(executor.heard, words=0)
    refused = await other.user.select(choice, values=[asked.id])
    assert "2 more attempts" in refused.followups[0].content
    assert (await studio.storage.spoken_consents.get(later.id)).attempts == 0
    executor.heard = yes
    await other.user.select(choice, values=[asked.id])
    assert any(each.content.startswith("✅ You allowed it") for each in other.user.dm_channel.history())
    assert [sentence for _, _, sentence in executor.listened] == [asked.sentence] * 2
    assert await voices(studio, guild) == ["Otto"]
    assert await voices(studio, elsewhere) == []


async def test_an_answered_question_shows_its_answer_when_it_is_pressed_again(
    question: discord.Message, channel: ChannelHandle, other: MemberActor, studio: Studio, guild: GuildHandle
) -> None:
    said = await other.send(channel, attachments=[SAID])
    verdict = answer(await other.context_menu(channel, MENU, said))
    assert verdict.ephemeral
    assert verdict.content.startswith("✅ You allowed it")
    await other.user.click(question, label="Deny")
    shown = last_direct_message(other)
    assert shown.content.startswith("✅ You allowed it")
    assert await voices(studio, guild) == ["Otto"]
    await other.user.click(shown, label="Take it back")
    assert await voices(studio, guild) == []
