"""/admin voices, block, queue, audit, stats, purge: what moderators see and do."""

from collections.abc import Awaitable, Callable

import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from cogs.client import Barkeep
from storage.records import JobState, Visibility
from studio.studio import Studio
from tests.cogs.conftest import Clone, World
from tests.cogs.library import add_voice, followed, labels_of, names, say, shown, text_of
from tests.cogs.replies import refusal
from tests.fakes import FakeExecutor
from tests.storage.build import stored_job

Restart = Callable[[], Awaitable[Barkeep]]


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
    assert (await stored_job(studio.storage, job.id)).state is JobState.CANCELLED
    assert "blocked" in followed(await member.slash(channel, "say", text="Hello.")).content
    listed = shown(await moderator.slash(channel, "admin unblock"))
    assert f"<@{member.id}> · by <@{moderator.id}>" in text_of(listed)
    assert "shouting \\*loudly\\*" in text_of(listed)
    await restart()
    listed = shown(await moderator.click(listed, label="Unblock 1"))
    assert "No one is blocked." in text_of(listed)
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
    assert f"**1.** <@{member.id}> · speech “Good evening.” · running" in text_of(queue)
    assert f"**2.** <@{other.id}> · speech (private) · number 1 in the queue" in text_of(queue)
    assert "Between us" not in text_of(queue)
    assert labels_of(queue) == ["Cancel 1", "Cancel 2"]
    queue = shown(await moderator.click(queue, label="Cancel 2"))
    assert labels_of(queue) == ["Cancel 1"]
    assert (await stored_job(studio.storage, waiting.id)).state is JobState.CANCELLED
    assert (await stored_job(studio.storage, running.id)).state is JobState.RUNNING
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
    assert f"<@{member.id}> renamed the voice **Old \\*11\\***, now New" in text_of(log)
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
    for words in ("The last day", "Clone jobs: 1", "Speech jobs: 1", "Failed jobs: 0", "Voices now: 1", "tiny on cpu"):
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
        assert "either a number" in refused.content


async def test_the_servers_default_voice_is_chosen_shown_and_taken_back(
    studio: Studio, channel: ChannelHandle, member: MemberActor, other: MemberActor, moderator: MemberActor
) -> None:
    await add_voice(studio, channel, other, "Otto", visibility=Visibility.EVERYONE)
    assert "no default voice" in shown(await moderator.slash(channel, "admin default")).content
    choices = await moderator.autocomplete(channel, "admin default", "voice", "ot")
    assert [choice["name"] for choice in choices] == ["No default voice", "Otto"]
    assert "**Otto** speaks" in shown(await moderator.slash(channel, "admin default", voice="Otto")).content
    assert "Default voice: Otto" in text_of(shown(await moderator.slash(channel, "admin settings")))
    assert "⭐ 📌 **Otto**" in text_of(shown(await member.slash(channel, "voices list")))
    assert shown(await member.slash(channel, "say", text="Hello.")).content.startswith("🔊 **Otto**")
    assert "**Otto** the server's default" in text_of(shown(await moderator.slash(channel, "admin audit")))
    await other.slash(channel, "voices share", voice="Otto", audience=Visibility.OWNER.value)
    assert "no longer shared with everyone" in text_of(shown(await moderator.slash(channel, "admin settings")))
    for command, options in (("admin default", {}), ("say", {"text": "Hello."})):
        assert "no longer shared with everyone" in refusal(await moderator.slash(channel, command, **options))
    gone = shown(await moderator.slash(channel, "admin default", voice=choices[0]["value"]))
    assert "no default voice" in gone.content


async def test_the_audit_log_is_filtered_also_on_its_next_pages(
    studio: Studio, channel: ChannelHandle, member: MemberActor, other: MemberActor, moderator: MemberActor
) -> None:
    await add_voice(studio, channel, other, "Otto", visibility=Visibility.EVERYONE)
    for number in range(11):
        await say(studio, channel, member, f"Line {number}.")
    await moderator.slash(channel, "admin block", member=member.user, reason="noise")
    everything = text_of(shown(await moderator.slash(channel, "admin audit")))
    assert "blocked" in everything
    page = shown(await moderator.slash(channel, "admin audit", member=member.user, kind="s"))
    assert text_of(page).count("spoke as") == 10
    assert f"Only Speech · <@{member.id}>" in text_of(page)
    second = text_of(shown(await moderator.click(page, label="Next")))
    assert (second.count("spoke as"), "blocked" in second) == (1, False)
    about = text_of(shown(await moderator.slash(channel, "admin audit", voice="otto")))
    assert "let everyone use the voice **Otto**" in about
    assert "spoke as" not in about
    refused = shown(await moderator.slash(channel, "admin audit", voice="Otto", member=member.user))
    assert "not both" in refused.content
