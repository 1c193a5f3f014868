"""Spoken consent as members meet it: the sentence, the form, voice messages, and every refusal."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import discord
import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from cogs.client import Barkeep
from cogs.clone.spoken import MENU, render_sentence
from storage.consent_records import ConsentKind
from studio.spoken_consent import SAY_WITHIN
from studio.studio import Studio
from tests.cogs.clone.test_cog import voices
from tests.cogs.conftest import World
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


async def test_the_sentence_is_shown_said_and_the_voice_made(
    ask: Ask, member: MemberActor, studio: Studio, guild: GuildHandle, executor: FakeExecutor, recording: Recording
) -> None:
    shown = await ask()
    assert answer(shown).ephemeral
    embed = answer(shown).embeds[0]
    assert "I agree to a copy of my voice: " in (embed.description or "")
    assert "Language" not in [field.name for field in embed.fields]
    assert await voices(studio, guild) == []
    card = answer(await say(member, shown))
    assert card.embeds[0].title == "🎤 Ada is ready"
    assert not card.ephemeral
    [(clip, said, sentence)] = executor.listened
    assert (clip, said) == (recording[1], SAID[1])
    assert sentence in (embed.description or "")


async def test_a_voice_message_is_taken_by_the_menu(
    ask: Ask, channel: ChannelHandle, member: MemberActor, other: MemberActor
) -> None:
    await ask()
    message = await member.send(channel, attachments=[SAID])
    assert "own messages" in refusal(await other.context_menu(channel, MENU, message))
    made = await member.context_menu(channel, MENU, message)
    assert answer(made).embeds[0].title == "🎤 Ada is ready"
    assert "no sentence" in refusal(await member.context_menu(channel, MENU, message))


async def test_what_is_missing_is_told_privately_and_the_button_stays(
    ask: Ask, member: MemberActor, executor: FakeExecutor, studio: Studio, guild: GuildHandle
) -> None:
    shown = await ask()
    yes, executor.heard = executor.heard, replace(executor.heard, words=0, text="@everyone buy it")
    told = refusal(await say(member, shown))
    assert "I understood" in told
    assert "@everyone" not in told
    assert "2 more attempts" in told
    executor.heard = replace(yes, likeness=0.3)
    assert "1 more attempt " in refusal(await say(member, shown))
    assert "last attempt" in refusal(await say(member, shown))
    executor.heard = yes
    assert "no longer valid" in refusal(await member.click(answer(shown), label="Upload a recording…"))
    assert await voices(studio, guild) == []


async def test_the_button_works_after_a_restart(
    ask: Ask, member: MemberActor, restart: Callable[[], Awaitable[Barkeep]]
) -> None:
    shown = await ask()
    await restart()
    assert answer(await say(member, shown)).embeds[0].title == "🎤 Ada is ready"


async def test_too_late(ask: Ask, world: World, member: MemberActor, studio: Studio, guild: GuildHandle) -> None:
    shown = await ask()
    world.later(SAY_WITHIN.total_seconds() + 1)
    assert "time for this sentence is over" in refusal(await say(member, shown))
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
