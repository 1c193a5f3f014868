"""/privacy: what is kept is shown, handed over, and deleted."""

import io
import json
import zipfile
from collections.abc import Awaitable, Callable

import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from cogs import files
from cogs.client import Barkeep
from storage.records import JobState, NewVoice, VoiceModels
from studio.studio import Studio
from tests.cogs.conftest import Clone
from tests.cogs.library import ROOMY, add_voice, followed, labels_of, names, second_server, shown, text_of
from tests.fakes import FakeExecutor

Restart = Callable[[], Awaitable[Barkeep]]


async def heard_in(studio: Studio, guild: GuildHandle, owner: MemberActor, speaker: MemberActor, name: str) -> None:
    """A voice of `owner` in which `speaker` is heard."""
    new = NewVoice(guild.id, owner.id, speaker.id, name, "en")
    models = VoiceModels("tiny", "tiny", "tiny")
    await studio.storage.voices.add(new, models, has_clip=False, member_limit=ROOMY, guild_limit=ROOMY)


async def test_a_newcomer_has_nothing_here(channel: ChannelHandle, member: MemberActor) -> None:
    summary = shown(await member.slash(channel, "privacy show"))
    assert summary.ephemeral
    text = text_of(summary)
    assert "Your consent to cloning: not given" in text
    assert "Voices you own: none" in text
    assert labels_of(summary) == []


async def test_everything_kept_is_shown(
    studio: Studio,
    channel: ChannelHandle,
    member: MemberActor,
    other: MemberActor,
    moderator: MemberActor,
    guild: GuildHandle,
    clone: Clone,
) -> None:
    await clone("Ada")
    await member.slash(channel, "say", text="Good evening.", voice="Ada")
    await member.slash(channel, "voices default", voice="Ada")
    await heard_in(studio, guild, other, member, "Mira by Otto")
    await moderator.slash(channel, "admin block", member=member)
    text = text_of(shown(await member.slash(channel, "privacy show")))
    for words in (
        "version 1",
        "Voices you own: Ada",
        "Other members' voices made from your speech: Mira by Otto",
        "Default voice: Ada",
        "2, with their texts; each is deleted after 30 days",
        "A moderator has blocked you",
    ):
        assert words in text


async def test_the_export_is_a_zip_of_records_recordings_and_prompts(
    channel: ChannelHandle, member: MemberActor, other: MemberActor, clone: Clone
) -> None:
    await clone("Ada")
    await clone("Otto", by=other)
    await member.slash(channel, "say", text="Good evening.", voice="Ada")
    out = shown(await member.slash(channel, "privacy export"))
    assert out.ephemeral
    (file,) = out.attachments
    assert file.filename == "my-voice-data.zip"
    with zipfile.ZipFile(io.BytesIO(await file.read())) as archive:
        records = json.loads(archive.read("data.json"))
        kept = archive.namelist()
    assert records["member_id"] == member.id
    assert [voice["name"] for voice in records["voices"]] == ["Ada"]
    assert "Good evening." in json.dumps(records["jobs"])
    assert sum(name.endswith((".npz", ".flac")) for name in kept) == 2
    assert "Otto" not in json.dumps(records)


async def test_an_export_that_is_too_large_says_so(
    channel: ChannelHandle, member: MemberActor, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    await clone("Ada")
    monkeypatch.setattr(files, "upload_limit", lambda _: 1000)
    refused = shown(await member.slash(channel, "privacy export"))
    assert refused.ephemeral
    assert "Discord allows" in refused.content
    assert refused.attachments == []


async def test_an_export_needs_the_right_to_attach(quiet_channel: ChannelHandle, member: MemberActor) -> None:
    refused = shown(await member.slash(quiet_channel, "privacy export"))
    assert "can't attach files" in refused.content


async def test_forgetting_asks_first_and_then_leaves_nothing(
    studio: Studio,
    channel: ChannelHandle,
    member: MemberActor,
    other: MemberActor,
    guild: GuildHandle,
    clone: Clone,
    executor: FakeExecutor,
    restart: Restart,
) -> None:
    await clone("Ada")
    await clone("Otto", by=other)
    await heard_in(studio, guild, other, member, "Mira by Otto")
    await heard_in(studio, guild, member, other, "Otto by Mira")
    executor.hold()
    await member.slash(channel, "say", text="Never to be said.", voice="Ada")
    question = shown(await member.slash(channel, "privacy forget"))
    assert question.ephemeral
    for words in ("Ada, Otto by Mira", "Mira by Otto", "texts: 2", "your consent"):
        assert words in text_of(question)
    assert await names(studio, guild) == ["Ada", "Mira by Otto", "Otto", "Otto by Mira"]
    bot = await restart()
    done = shown(await member.click(question, label="Delete everything"))
    assert done.content.startswith("Done: 3 voices and 2 jobs were deleted")
    assert await names(bot.studio, guild) == ["Otto"]
    assert await bot.studio.storage.consents.get(guild.id, member.id) is None
    assert await bot.studio.storage.jobs.of_member(guild.id, member.id, states=tuple(JobState)) == []
    assert "Voices you own: none" in text_of(shown(await member.slash(channel, "privacy show")))


async def test_one_can_think_better_of_it(
    studio: Studio, channel: ChannelHandle, member: MemberActor, guild: GuildHandle, clone: Clone
) -> None:
    await clone("Ada")
    question = shown(await member.slash(channel, "privacy forget"))
    assert shown(await member.click(question, label="Cancel")).content == "Nothing was changed."
    assert await names(studio, guild) == ["Ada"]


async def test_a_block_outlives_forgetting(
    channel: ChannelHandle, member: MemberActor, moderator: MemberActor, clone: Clone
) -> None:
    await clone("Ada")
    await moderator.slash(channel, "admin block", member=member)
    question = shown(await member.slash(channel, "privacy forget"))
    assert "blocked you" in text_of(question)
    done = shown(await member.click(question, label="Delete everything"))
    assert "The moderators' block stays." in done.content
    assert "blocked" in followed(await member.slash(channel, "say", text="Hello")).content


async def test_withdrawing_consent_takes_every_voice_of_oneself(
    studio: Studio, channel: ChannelHandle, member: MemberActor, other: MemberActor, guild: GuildHandle, clone: Clone
) -> None:
    await clone("Ada")
    await heard_in(studio, guild, other, member, "Mira by Otto")
    await heard_in(studio, guild, member, other, "Otto by Mira")
    summary = shown(await member.slash(channel, "privacy show"))
    question = shown(await member.click(summary, label="Withdraw consent…"))
    assert question.ephemeral
    assert "Ada, Mira by Otto." in text_of(question)
    done = shown(await member.click(question, label="Withdraw it"))
    assert "2 voices made from your speech" in done.content
    assert await names(studio, guild) == ["Otto by Mira"]
    assert await studio.storage.consents.get(guild.id, member.id) is None


async def test_another_server_is_not_touched_and_not_shown(
    env: simcord.Env, studio: Studio, channel: ChannelHandle, member: MemberActor, guild: GuildHandle
) -> None:
    attic, attic_channel, _ = second_server(env)
    there = attic.add_member(member.user)
    await add_voice(studio, channel, member, "Here")
    await add_voice(studio, attic_channel, there, "There")
    shown_here = text_of(shown(await member.slash(channel, "privacy show")))
    assert "Here" in shown_here
    assert "There" not in shown_here
    out = shown(await member.slash(channel, "privacy export"))
    with zipfile.ZipFile(io.BytesIO(await out.attachments[0].read())) as archive:
        assert b"There" not in archive.read("data.json")
    question = shown(await member.slash(channel, "privacy forget"))
    assert "There" not in text_of(question)
    await member.click(question, label="Delete everything")
    assert await names(studio, guild) == []
    assert await names(studio, attic) == ["There"]
    assert await studio.storage.consents.get(attic.id, there.id) is not None


async def test_discord_in_trouble_keeps_the_data(
    env: simcord.Env, studio: Studio, channel: ChannelHandle, member: MemberActor, guild: GuildHandle, clone: Clone
) -> None:
    await clone("Ada")
    question = shown(await member.slash(channel, "privacy forget"))
    env.inject_error("POST", "/interactions/*/callback", status=401, code=50027)
    await member.click(question, label="Delete everything")
    assert await names(studio, guild) == ["Ada"]
