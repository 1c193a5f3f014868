"""Spoken consent to a clone of one's own recording: the sentence, the form, voice messages, and every refusal."""

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
from storage.sessions import Sessions
from studio.spoken_consent import SAY_WITHIN
from studio.studio import Studio
from tests.cogs.clone.test_cog import voices
from tests.cogs.conftest import World
from tests.cogs.library import labels_of
from tests.cogs.replies import answer, refusal
from tests.fakes import FakeExecutor, sound_bytes

Recording = tuple[str, bytes]
Ask = Callable[[], Awaitable[simcord.InteractionResult]]
SAID = ("said.ogg", sound_bytes("OGG"))

pytestmark = pytest.mark.usefixtures("spoken_consent")


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
