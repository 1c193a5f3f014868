"""/check and "Was this made by Barkeep?": private answers about recordings, for anybody."""

import pytest
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle

from cloning.watermark.finding import Finding
from studio.checks import CHECKS_PER_HOUR
from tests.cogs.replies import answer, refusal
from tests.fakes import FakeExecutor, sound_bytes

MENU = "Was this made by Barkeep?"


async def test_an_attachment_is_checked_and_only_the_asker_reads_it(
    channel: ChannelHandle,
    member: MemberActor,
    other: MemberActor,
    executor: FakeExecutor,
    recording: tuple[str, bytes],
) -> None:
    shown = await member.slash(channel, "check", audio=recording)
    assert shown.ephemeral
    told = answer(shown).content
    assert told.startswith("🤖 **mira.wav**\nThe mark of generated speech was found at 0:00 to 0:04 (confidence 0.99")
    assert "or by another program with the same mark" in told
    assert executor.checked == [recording[1]]
    assert channel.history(viewer=other) == []


@pytest.mark.parametrize(
    ("finding", "says"),
    [
        (Finding("unmarked", 0.02, (), 4.0, 4.0), "🔎 **mira.wav**\nNo mark of generated speech was found"),
        (Finding("unclear", 0.7, (), 4.0, 4.0), "❔ **mira.wav**\nThere may be a mark"),
    ],
)
async def test_no_mark_is_no_proof(
    channel: ChannelHandle,
    member: MemberActor,
    executor: FakeExecutor,
    recording: tuple[str, bytes],
    finding: Finding,
    says: str,
) -> None:
    executor.finding = finding
    shown = await member.slash(channel, "check", audio=recording)
    assert answer(shown).content.startswith(says)


async def test_the_menu_checks_the_recording_of_a_message_of_anybody(
    channel: ChannelHandle, member: MemberActor, other: MemberActor, executor: FakeExecutor
) -> None:
    sent = await other.send(channel, "Listen:", attachments=[("a_b*.ogg", sound_bytes("OGG"))])
    shown = await member.context_menu(channel, MENU, sent)
    assert shown.ephemeral
    assert r"**a\_b" in answer(shown).content
    assert executor.checked == [sound_bytes("OGG")]


async def test_a_message_without_a_recording_is_refused(
    channel: ChannelHandle, member: MemberActor, other: MemberActor
) -> None:
    sent = await other.send(channel, "No sound here.")
    assert "has no recording" in refusal(await member.context_menu(channel, MENU, sent))


async def test_what_the_worker_refuses_is_told_privately(
    channel: ChannelHandle, member: MemberActor, executor: FakeExecutor, recording: tuple[str, bytes]
) -> None:
    executor.fail_next("InvalidInput", "This is not a recording I can read.")
    shown = await member.slash(channel, "check", audio=recording)
    assert refusal(shown) == "This is not a recording I can read."


async def test_a_member_may_not_ask_without_end(
    channel: ChannelHandle, member: MemberActor, other: MemberActor, recording: tuple[str, bytes]
) -> None:
    for _ in range(CHECKS_PER_HOUR):
        await member.slash(channel, "check", audio=recording)
    assert "all 12 of your checks" in refusal(await member.slash(channel, "check", audio=recording))
    assert "mark" in answer(await other.slash(channel, "check", audio=recording)).content


async def test_it_works_where_the_bot_may_attach_nothing(
    quiet_channel: ChannelHandle, member: MemberActor, recording: tuple[str, bytes]
) -> None:
    assert "mark" in answer(await member.slash(quiet_channel, "check", audio=recording)).content
