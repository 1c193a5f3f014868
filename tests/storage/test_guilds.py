import asyncio
from dataclasses import asdict
from datetime import timedelta

import pytest

from errors import NotFound
from storage.consent_records import ConsentKind, ConsentRequest, ConsentState, SpokenConsent
from storage.database import Storage
from storage.guilds import GuildRemains
from storage.records import AuditLine, ChannelOutput, GuildSettings, JobState, Pronunciation
from tests.storage.build import (
    ANNA,
    BORIS,
    CHANNEL,
    CLARA,
    GUILD,
    NOON,
    OTHER_GUILD,
    OTHER_ROLE,
    ROLE,
    add_voice,
    attest,
    reserve,
    speech_in,
)


async def test_an_unknown_server_has_the_defaults_and_no_row(storage: Storage) -> None:
    assert await storage.guilds.get(GUILD) == GuildSettings(GUILD)
    assert await storage.guilds.all_ids() == []


async def test_every_setting_is_kept(storage: Storage) -> None:
    settings = GuildSettings(
        guild_id=GUILD,
        clone_role_ids=frozenset({ROLE, OTHER_ROLE}),
        speak_role_ids=frozenset({ROLE}),
        channel_ids=frozenset({CHANNEL}),
        voices_per_member=10_001,
        voices_per_guild=2,
        jobs_per_hour_per_member=3,
        jobs_per_hour_per_guild=4,
        seconds_per_day_per_member=6,
        seconds_per_day_per_guild=7,
        text_length=8,
        retention_days=9,
        away_days=4,
        default_voice="v:10",
        channel_output=ChannelOutput.CHANNEL,
        channel_idle_minutes=11,
        channel_notice=True,
        read_length=12,
        read_per_minute=13,
        read_names=True,
        read_ignored_role_ids=frozenset({14}),
        consent=ConsentKind.SPOKEN,
    )
    assert set(asdict(settings).values()).isdisjoint(asdict(GuildSettings(99)).values())
    chosen = {name: value for name, value in asdict(settings).items() if name != "guild_id"}
    assert await storage.guilds.change(GUILD, **chosen) == (GuildSettings(GUILD), settings)
    assert await storage.guilds.get(GUILD) == settings
    assert await storage.guilds.get(OTHER_GUILD) == GuildSettings(OTHER_GUILD)
    cleared = {name: getattr(GuildSettings(GUILD), name) for name in chosen}
    assert await storage.guilds.change(GUILD, **cleared) == (settings, GuildSettings(GUILD))


async def test_two_who_change_different_settings_at_once_both_have_their_way(storage: Storage, twin: Storage) -> None:
    await asyncio.gather(
        *(side.guilds.change(GUILD, text_length=7) for side in [storage, twin] * 3),
        *(side.guilds.change(GUILD, retention_days=3) for side in [storage, twin] * 3),
    )
    assert await storage.guilds.get(GUILD) == GuildSettings(GUILD, text_length=7, retention_days=3)


async def test_a_server_that_only_has_voices_is_known_too(storage: Storage) -> None:
    await add_voice(storage, guild=OTHER_GUILD)
    await storage.audit.write(GUILD, ANNA, "clone")
    assert await storage.guilds.all_ids() == [GUILD, OTHER_GUILD]


async def fill(storage: Storage, guild: int) -> GuildRemains:
    await attest(storage, guild, CLARA)
    [attested], _ = await storage.voices.list(guild, None)
    voice = await add_voice(storage, guild=guild)
    reserved, clone = await reserve(storage, "Boris", guild=guild)
    job = await speech_in(storage, JobState.READY, guild=guild)
    request = ConsentRequest(
        f"ask-{guild}",
        guild,
        CHANNEL,
        BORIS,
        ANNA,
        {"name": "Anna"},
        ConsentState.PENDING,
        NOON,
        NOON + timedelta(days=1),
    )
    await storage.consents.request(request, limit=9)
    sentence = SpokenConsent(f"say-{guild}", guild, CHANNEL, ANNA, {"name": "Anna"}, "So be it.", NOON, NOON)
    await storage.spoken_consents.ask(sentence)
    await storage.guilds.change(guild, text_length=5)
    await storage.members.block(guild, BORIS, ANNA, "noise")
    word = Pronunciation("sql", "SQL", "sequel")
    await storage.pronunciations.put(guild, [word], limit=9, by=ANNA, line=AuditLine("pronunciation.add", "SQL"))
    await storage.audit.write(guild, ANNA, "member.block")
    return GuildRemains((attested.id, voice.id, reserved.id), (clone.id, job.id), (request.id, sentence.id))


async def test_deleting_a_server_leaves_nothing_of_it_and_everything_of_the_others(storage: Storage) -> None:
    remains = await fill(storage, GUILD)
    kept = await fill(storage, OTHER_GUILD)
    assert await storage.guilds.delete(GUILD) == remains
    assert await storage.guilds.all_ids() == [OTHER_GUILD]
    assert await storage.guilds.get(GUILD) == GuildSettings(GUILD)
    assert await storage.voices.list(GUILD, None, ready_only=False) == ([], 0)
    assert await storage.jobs.of_guild(GUILD, list(JobState)) == []
    assert await storage.members.blocked(GUILD) == []
    assert await storage.pronunciations.of_guild(GUILD) == []
    assert len(await storage.pronunciations.of_guild(OTHER_GUILD)) == 1
    assert await storage.consents.get(GUILD, ANNA) is None
    assert await storage.audit.read(GUILD) == ([], 0)
    with pytest.raises(NotFound):
        await storage.consents.get_request(remains.request_ids[0])
    assert await storage.guilds.delete(OTHER_GUILD) == kept


async def test_deleting_an_unknown_server_is_harmless(storage: Storage) -> None:
    assert await storage.guilds.delete(GUILD) == GuildRemains((), (), ())
    assert await storage.guilds.all_ids() == []


async def test_what_moderators_were_told_of_is_no_setting_and_outlives_a_change(storage: Storage) -> None:
    assert await storage.guilds.told_gone(GUILD) == frozenset()
    await storage.guilds.note_told_gone(GUILD, frozenset({5}))  # Nothing was decided: there is nothing to be told of.
    assert await storage.guilds.told_gone(GUILD) == frozenset()
    await storage.guilds.change(GUILD, clone_role_ids=frozenset({5, 6}))
    await storage.guilds.note_told_gone(GUILD, frozenset({5}))
    await storage.guilds.change(GUILD, text_length=77)
    assert await storage.guilds.told_gone(GUILD) == {5}
    (settings,) = await storage.guilds.all_settings()
    assert (settings.guild_id, settings.text_length) == (GUILD, 77)
