from collections.abc import Awaitable, Callable
from dataclasses import replace

import discord
import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from cogs.client import Barkeep
from storage.records import JobRecord, JobState
from studio.house import Studio
from tests.cogs.conftest import Clone, World
from tests.cogs.library import actor_in, add_voice, followed, labels_of, second_server, shown, text_of
from tests.fakes import FakeExecutor

Restart = Callable[[], Awaitable[Barkeep]]


async def names(studio: Studio, guild: GuildHandle) -> list[str]:
    voices, _ = await studio.storage.voices.list(guild.id, None, ready_only=False)
    return [voice.name for voice in voices]


async def say(
    studio: Studio, channel: ChannelHandle, member: MemberActor, text: str, *, private: bool = False
) -> JobRecord:
    """Ask for a line of speech; the job."""
    await member.slash(channel, "say", text=text, voice="s:v2/en_speaker_0", private=private)
    jobs = await studio.storage.jobs.of_member(member.guild.id, member.id)
    return next(job for job in jobs if job.order["text"] == text)


COMMANDS: list[tuple[str, dict[str, object]]] = [
    ("settings", {}),
    ("voices", {}),
    ("block", {}),
    ("unblock", {}),
    ("queue", {}),
    ("audit", {}),
    ("stats", {}),
    ("purge", {"older_than_days": 0}),
]


# who may


async def test_members_do_not_see_the_commands(channel: ChannelHandle, member: MemberActor) -> None:
    assert not [name for name in member.available_commands(channel) if name.startswith("admin")]


async def test_every_command_is_checked_here_whatever_the_server_allows(
    env: simcord.Env, channel: ChannelHandle, member: MemberActor, other: MemberActor, guild: GuildHandle
) -> None:
    command = env.backend.find_command("admin", guild.id, type=1)
    assert command is not None
    guild.set_command_permissions(int(command["id"]), {guild.default_role: True})
    listed = {name.removeprefix("admin ") for name in member.available_commands(channel) if name.startswith("admin")}
    assert listed == {name for name, _ in COMMANDS}
    for name, options in COMMANDS:
        given = {"member": other} if name == "block" else options
        refused = shown(await member.slash(channel, f"admin {name}", **given))
        assert refused.ephemeral
        assert "Manage Server" in refused.content, name


async def test_administrators_are_moderators(env: simcord.Env, channel: ChannelHandle, guild: GuildHandle) -> None:
    role = guild.create_role("Owners", permissions=discord.Permissions(administrator=True))
    owner = guild.add_member(env.create_user("olga"), roles=[role])
    assert "Settings" in text_of(shown(await owner.slash(channel, "admin settings")))


async def test_every_button_and_menu_is_checked_again(
    env: simcord.Env,
    studio: Studio,
    channel: ChannelHandle,
    member: MemberActor,
    other: MemberActor,
    guild: GuildHandle,
    executor: FakeExecutor,
) -> None:
    role = guild.create_role("Temps", permissions=discord.Permissions(manage_guild=True))
    temp = guild.add_member(env.create_user("tia"), roles=[role])
    record = await add_voice(studio, channel, member, "Ada")
    executor.hold()
    job = await say(studio, channel, member, "Hello.")
    await temp.slash(channel, "admin block", member=other)
    panel = shown(await temp.slash(channel, "admin settings"))
    voices = shown(await temp.slash(channel, "admin voices"))
    queue = shown(await temp.slash(channel, "admin queue"))
    blocked = shown(await temp.slash(channel, "admin unblock"))
    purge = shown(await temp.slash(channel, "admin purge", member=member))
    remove = shown(await temp.select(voices, [f"v:{record.id}"]))
    env.backend.remove_member_role(guild.id, temp.id, role.id)
    await env.settle()
    presses = {
        "roles": temp.select(panel, [role], custom_id="settings:clone_role_ids"),
        "channels": temp.select(panel, [channel], custom_id="settings:channel_ids"),
        "form": temp.click(panel, label="Texts…"),
        "defaults": temp.click(panel, label="Back to defaults…"),
        "menu": temp.select(voices, [f"v:{record.id}"]),
        "removal": temp.click(remove, label="Remove it"),
        "cancel": temp.click(queue, label="Cancel 1"),
        "unblock": temp.click(blocked, label="Unblock 1"),
        "purge": temp.click(purge, label="Delete for good"),
    }
    for name, press in presses.items():
        result = await press
        refused = result.followups[0] if result.followups else shown(result)
        assert refused.ephemeral, name
        assert "moderator" in refused.content, name
        assert result.modal is None
    assert await names(studio, guild) == ["Ada"]
    assert (await studio.storage.jobs.get(job.id)).state in (JobState.QUEUED, JobState.RUNNING)
    assert (await studio.storage.guilds.get(guild.id)).clone_role_ids == frozenset()
    assert (await studio.storage.members.get(guild.id, other.id)).blocked_at is not None


# settings


async def test_roles_and_channels_are_chosen_in_menus(
    env: simcord.Env,
    studio: Studio,
    channel: ChannelHandle,
    member: MemberActor,
    moderator: MemberActor,
    guild: GuildHandle,
    restart: Restart,
) -> None:
    bards = guild.create_role("Bards")
    stage = guild.create_text_channel("stage")
    panel = shown(await moderator.slash(channel, "admin settings"))
    assert panel.ephemeral
    assert "Who may clone: everyone" in text_of(panel)
    panel = shown(await moderator.select(panel, [bards], custom_id="settings:clone_role_ids"))
    assert f"Who may clone: <@&{bards.id}>" in text_of(panel)
    bot = await restart()
    panel = shown(await moderator.select(panel, [bards], custom_id="settings:speak_role_ids"))
    panel = shown(await moderator.select(panel, [stage], custom_id="settings:channel_ids"))
    assert f"Where: <#{stage.id}>" in text_of(panel)
    settings = await bot.studio.storage.guilds.get(guild.id)
    assert settings.clone_role_ids == settings.speak_role_ids == frozenset({bards.id})
    assert settings.channel_ids == frozenset({stage.id})
    refused = followed(await member.slash(stage, "say", text="Hello."))
    assert "kept for certain roles" in refused.content
    panel = shown(await moderator.select(panel, [], custom_id="settings:speak_role_ids"))
    assert "Who may speak: everyone" in text_of(panel)
    assert "AI-generated" in shown(await member.slash(stage, "say", text="Hello.")).content


async def test_numbers_are_typed_in_forms(
    studio: Studio, channel: ChannelHandle, moderator: MemberActor, guild: GuildHandle
) -> None:
    panel = shown(await moderator.slash(channel, "admin settings"))
    form = await moderator.click(panel, label="Limits per member…")
    assert form.modal is not None
    assert form.modal["title"] == "Limits per member"
    values = {"voices_per_member": "2", "jobs_per_hour_per_member": " 7 ", "seconds_per_day_per_member": "90"}
    panel = shown(await moderator.submit_modal(form, values))
    assert "Voices: 2 per member" in text_of(panel)
    form = await moderator.click(panel, label="Limits of the server…")
    values = {"voices_per_guild": "20", "jobs_per_hour_per_guild": "70", "seconds_per_day_per_guild": "900"}
    panel = shown(await moderator.submit_modal(form, values))
    form = await moderator.click(panel, label="Texts…")
    panel = shown(await moderator.submit_modal(form, {"text_length": "80", "retention_days": "3"}))
    assert "Longest text: 80 characters" in text_of(panel)
    settings = await studio.storage.guilds.get(guild.id)
    assert (settings.voices_per_member, settings.jobs_per_hour_per_member) == (2, 7)
    assert (settings.seconds_per_day_per_member, settings.seconds_per_day_per_guild) == (90, 900)
    assert (settings.voices_per_guild, settings.jobs_per_hour_per_guild) == (20, 70)
    assert (settings.text_length, settings.retention_days) == (80, 3)


async def test_a_bad_number_changes_nothing(
    studio: Studio, channel: ChannelHandle, moderator: MemberActor, guild: GuildHandle
) -> None:
    before = await studio.storage.guilds.get(guild.id)
    panel = shown(await moderator.slash(channel, "admin settings"))
    for text_length, words in {
        "many": "whole number",
        "-3": "whole number",
        "0": "from 1 to",
        "99999": "from 1 to",
    }.items():
        form = await moderator.click(panel, label="Texts…")
        result = await moderator.submit_modal(form, {"text_length": text_length, "retention_days": "3"})
        refused = result.followups[0] if result.followups else shown(result)
        assert refused.ephemeral
        assert words in refused.content
    assert await studio.storage.guilds.get(guild.id) == before


async def test_back_to_defaults_asks_first(
    studio: Studio, channel: ChannelHandle, moderator: MemberActor, guild: GuildHandle
) -> None:
    fresh = await studio.storage.guilds.get(guild.id)
    await studio.storage.guilds.save(
        replace(fresh, voices_per_member=1, channel_ids=frozenset({channel.id}), retention_days=2)
    )
    panel = shown(await moderator.slash(channel, "admin settings"))
    question = shown(await moderator.click(panel, label="Back to defaults…"))
    assert question.ephemeral
    assert "5 per member" in text_of(question)
    done = shown(await moderator.click(question, label="Back to defaults"))
    assert "back to their defaults" in done.content
    assert await studio.storage.guilds.get(guild.id) == fresh


# voices


async def test_any_voice_can_be_found_and_removed(
    studio: Studio,
    channel: ChannelHandle,
    member: MemberActor,
    moderator: MemberActor,
    guild: GuildHandle,
    clone: Clone,
) -> None:
    await clone("Ada")
    await add_voice(studio, channel, member, "Bea")
    record = await studio.storage.voices.find(guild.id, "Ada")
    assert record is not None
    listed = shown(await moderator.slash(channel, "admin voices"))
    assert listed.ephemeral
    assert "Ada" in text_of(listed)
    assert "Bea" in text_of(listed)
    assert "built into the model" not in text_of(listed)
    question = shown(await moderator.select(listed, [f"v:{record.id}"], custom_id="remove-voice"))
    assert question.ephemeral
    assert f"The voice of <@{member.id}>" in text_of(question)
    assert await names(studio, guild) == ["Ada", "Bea"]
    done = shown(await moderator.click(question, label="Remove it"))
    assert done.content == "**Ada** was removed."
    assert await names(studio, guild) == ["Bea"]
    found = shown(await moderator.slash(channel, "admin voices", search="zoe"))
    assert "No voice matches “zoe”" in text_of(found)
    assert "remove-voice" not in str(found.components)


# block


async def test_a_blocked_member_cannot_use_voices_and_loses_their_jobs(
    studio: Studio,
    channel: ChannelHandle,
    member: MemberActor,
    moderator: MemberActor,
    guild: GuildHandle,
    executor: FakeExecutor,
    restart: Restart,
) -> None:
    executor.hold()
    job = await say(studio, channel, member, "Hello.")
    blocked = shown(await moderator.slash(channel, "admin block", member=member, reason="shouting *loudly*"))
    assert blocked.ephemeral
    assert blocked.content == f"<@{member.id}> can no longer use voices here."
    assert (await studio.storage.jobs.get(job.id)).state is JobState.CANCELLED
    assert "blocked" in followed(await member.slash(channel, "say", text="Hello.")).content
    listed = shown(await moderator.slash(channel, "admin unblock"))
    assert f"<@{member.id}> · by <@{moderator.id}>" in text_of(listed)
    assert "shouting \\*loudly\\*" in text_of(listed)
    await restart()
    listed = shown(await moderator.click(listed, label="Unblock 1"))
    assert "Nobody is blocked." in text_of(listed)
    assert labels_of(listed) == []
    assert "AI-generated" in shown(await member.slash(channel, "say", text="Hello.")).content


async def test_unblocking_by_name(channel: ChannelHandle, member: MemberActor, moderator: MemberActor) -> None:
    refused = shown(await moderator.slash(channel, "admin unblock", member=member))
    assert refused.content == "That member is not blocked here."
    await moderator.slash(channel, "admin block", member=member)
    done = shown(await moderator.slash(channel, "admin unblock", member=member))
    assert done.content == f"<@{member.id}> can use voices again."


async def test_nobody_blocks_themselves(channel: ChannelHandle, moderator: MemberActor) -> None:
    refused = shown(await moderator.slash(channel, "admin block", member=moderator))
    assert refused.ephemeral
    assert "yourself" in refused.content


# queue


async def test_the_queue_is_seen_and_cancelled(
    studio: Studio,
    channel: ChannelHandle,
    member: MemberActor,
    other: MemberActor,
    moderator: MemberActor,
    executor: FakeExecutor,
    restart: Restart,
) -> None:
    release = executor.hold()
    running = await say(studio, channel, member, "Good evening.")
    waiting = await say(studio, channel, other, "Between us.", private=True)
    queue = shown(await moderator.slash(channel, "admin queue"))
    assert queue.ephemeral
    assert f"**1.** <@{member.id}> · speech “Good evening.” · at work" in text_of(queue)
    assert f"**2.** <@{other.id}> · speech (private) · number 1 in the queue" in text_of(queue)
    assert "Between us" not in text_of(queue)
    assert labels_of(queue) == ["Cancel 1", "Cancel 2"]
    queue = shown(await moderator.click(queue, label="Cancel 2"))
    assert labels_of(queue) == ["Cancel 1"]
    assert (await studio.storage.jobs.get(waiting.id)).state is JobState.CANCELLED
    assert (await studio.storage.jobs.get(running.id)).state is JobState.RUNNING
    release()


async def test_a_job_that_ended_meanwhile_is_not_cancelled(
    studio: Studio,
    env: simcord.Env,
    channel: ChannelHandle,
    member: MemberActor,
    moderator: MemberActor,
    executor: FakeExecutor,
) -> None:
    release = executor.hold()
    await say(studio, channel, member, "Good evening.")
    queue = shown(await moderator.slash(channel, "admin queue"))
    release()
    await env.settle()
    refused = followed(await moderator.click(queue, label="Cancel 1"))
    assert refused.ephemeral
    assert "ended already" in refused.content


async def test_a_long_queue_has_pages(
    studio: Studio, channel: ChannelHandle, member: MemberActor, moderator: MemberActor, executor: FakeExecutor
) -> None:
    release = executor.hold()
    for number in range(7):
        await say(studio, channel, member, f"Line {number}.")
    queue = shown(await moderator.slash(channel, "admin queue"))
    assert "7 jobs · page 1 of 2" in text_of(queue)
    queue = shown(await moderator.click(queue, label="Next"))
    assert labels_of(queue) == ["Cancel 6", "Cancel 7", "Previous"]
    await moderator.click(queue, label="Cancel 7")
    queue = shown(await moderator.click(queue, label="Cancel 6"))
    assert "5 jobs" in text_of(queue)
    assert labels_of(queue) == [f"Cancel {number}" for number in range(1, 6)]
    release()


# audit, stats, purge


async def test_the_audit_log_has_pages_and_names_nobody_elses_doings(
    studio: Studio, channel: ChannelHandle, member: MemberActor, moderator: MemberActor
) -> None:
    for number in range(12):
        await studio.storage.audit.write(member.guild.id, member.id, "voice.rename", f"Old *{number}*", "now New")
    log = shown(await moderator.slash(channel, "admin audit"))
    assert log.ephemeral
    assert f"<@{member.id}> · voice.rename · Old \\*11\\* · now New" in text_of(log)
    assert "12 lines · page 1 of 2" in text_of(log)
    log = shown(await moderator.click(log, label="Next"))
    assert "Old \\*0\\*" in text_of(log)


async def test_stats_count_what_was_done(
    channel: ChannelHandle, member: MemberActor, moderator: MemberActor, clone: Clone
) -> None:
    await clone("Ada")
    await member.slash(channel, "say", text="Hello.", voice="Ada")
    stats = shown(await moderator.slash(channel, "admin stats", days=1))
    assert stats.ephemeral
    text = text_of(stats)
    for words in ("The last day", "Clones: 1", "Lines spoken: 1", "Failed: 0", "Voices now: 1", "tiny on cpu"):
        assert words in text
    assert f"<@{member.id}>: 2" in text


async def test_purging_old_jobs(
    world: World,
    studio: Studio,
    channel: ChannelHandle,
    member: MemberActor,
    moderator: MemberActor,
    guild: GuildHandle,
    clone: Clone,
) -> None:
    await clone("Ada")
    await member.slash(channel, "say", text="Long ago.", voice="Ada")
    world.later(3 * 86_400)
    await member.slash(channel, "say", text="Just now.", voice="Ada")
    question = shown(await moderator.slash(channel, "admin purge", older_than_days=2))
    assert question.ephemeral
    assert "older than 2 days" in text_of(question)
    done = shown(await moderator.click(question, label="Delete for good"))
    assert done.content == "Done: 2 jobs deleted."
    kept = await studio.storage.jobs.of_member(guild.id, member.id, states=tuple(JobState))
    assert [job.order["text"] for job in kept] == ["Just now."]
    assert await names(studio, guild) == ["Ada"]


async def test_purging_a_member(
    studio: Studio,
    channel: ChannelHandle,
    member: MemberActor,
    other: MemberActor,
    moderator: MemberActor,
    guild: GuildHandle,
    clone: Clone,
) -> None:
    await clone("Ada")
    await clone("Otto", by=other)
    question = shown(await moderator.slash(channel, "admin purge", member=member))
    assert f"<@{member.id}>" in text_of(question)
    done = shown(await moderator.click(question, label="Delete for good"))
    assert done.content == f"Done: 1 voice and 1 job of <@{member.id}> deleted."
    assert await names(studio, guild) == ["Otto"]


async def test_a_purge_needs_one_of_the_two(
    channel: ChannelHandle, member: MemberActor, moderator: MemberActor
) -> None:
    for options in ({}, {"older_than_days": 3, "member": member}):
        refused = shown(await moderator.slash(channel, "admin purge", **options))
        assert refused.ephemeral
        assert "one of the two" in refused.content


# two servers


async def test_moderators_see_and_touch_their_own_server_only(
    env: simcord.Env,
    studio: Studio,
    channel: ChannelHandle,
    member: MemberActor,
    moderator: MemberActor,
    guild: GuildHandle,
    executor: FakeExecutor,
) -> None:
    attic, attic_channel, ana = second_server(env)
    record = await add_voice(studio, channel, member, "Secret voice")
    await moderator.slash(channel, "admin block", member=member, reason="secret reason")
    await studio.storage.members.unblock(guild.id, member.id)
    executor.hold()
    job = await say(studio, channel, member, "Secret words.")
    await moderator.slash(channel, "admin block", member=guild.add_member(env.create_user("una")), reason="secret")
    for command in ("voices", "queue", "audit", "unblock", "stats", "settings"):
        text = text_of(shown(await ana.slash(attic_channel, f"admin {command}"))).lower()
        assert "secret" not in text, command
        assert str(member.id) not in text, command
        assert "voice.import" not in text
    assert "Nothing is waiting" in text_of(shown(await ana.slash(attic_channel, "admin queue")))
    assert "Voices now: 0" in text_of(shown(await ana.slash(attic_channel, "admin stats")))
    ana_actor = actor_in(attic_channel, ana, is_moderator=True)
    for forbidden in (
        studio.admin.cancel(ana_actor, job.id),
        studio.admin.remove_voice(ana_actor, f"v:{record.id}"),
    ):
        with pytest.raises(Exception, match="here"):
            await forbidden
    question = shown(await ana.slash(attic_channel, "admin purge", member=ana))
    await ana.click(question, label="Delete for good")
    assert await names(studio, guild) == ["Secret voice"]
    assert (await studio.storage.guilds.get(attic.id)).guild_id == attic.id


async def test_the_settings_of_one_server_do_not_bind_another(
    env: simcord.Env, channel: ChannelHandle, moderator: MemberActor, guild: GuildHandle
) -> None:
    _, attic_channel, ana = second_server(env)
    panel = shown(await moderator.slash(channel, "admin settings"))
    form = await moderator.click(panel, label="Texts…")
    await moderator.submit_modal(form, {"text_length": "7", "retention_days": "1"})
    assert "Longest text: 1000 characters" in text_of(shown(await ana.slash(attic_channel, "admin settings")))
