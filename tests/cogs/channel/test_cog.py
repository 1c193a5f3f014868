"""/join, /leave, /skip and /stop, who may use them, and what the bot does by itself."""

import asyncio
from datetime import timedelta

import discord
import pytest
from discord import voice_client

from cogs.channel import connection
from storage.records import ChannelOutput
from tests.cogs.channel.conftest import Party, packets_of, tone, until

CONNECT, SPEAK, MOVE = 1 << 20, 1 << 21, 1 << 24


def forbid(party: Party, channel_id: int, right: int) -> None:
    """Take a right of everybody's away in a channel."""
    channel = party.bot.get_channel(channel_id)
    assert isinstance(channel, discord.VoiceChannel | discord.StageChannel)
    channel._overwrites = [
        discord.abc._Overwrites({"id": str(party.guild.id), "type": 0, "allow": "0", "deny": str(right)})
    ]


async def test_who_sits_in_no_voice_channel_is_told_to_join_one(party: Party) -> None:
    await party.ann.leave_voice()
    assert "Join a voice channel first" in await party.does(party.ann, "join")


async def test_a_missing_right_is_named(party: Party) -> None:
    forbid(party, party.channel.id, CONNECT)
    assert "permission Connect" in await party.does(party.ann, "join")
    forbid(party, party.channel.id, SPEAK)
    assert "permission Speak" in await party.does(party.ann, "join")


async def test_a_full_channel_is_not_entered(party: Party) -> None:
    channel = party.bot.get_channel(party.channel.id)
    assert isinstance(channel, discord.VoiceChannel)
    channel.user_limit = 2
    forbid(party, party.channel.id, MOVE)
    assert "is full: it takes 2 people" in await party.does(party.ann, "join")


async def test_a_channel_is_not_taken_from_those_who_listen(party: Party) -> None:
    await party.sits()
    await party.bob.join_voice(party.cellar)
    assert f"listening to me in {party.channel.mention}" in await party.does(party.bob, "join")
    await party.ann.leave_voice()
    assert party.cellar.mention in await party.does(party.bob, "join")


async def test_a_stage_where_the_bot_cannot_speak_is_left_again(party: Party) -> None:
    stage = party.guild.create_stage_channel("stage")
    await party.ann.join_voice(stage)
    party.env.inject_error("PATCH", f"/guilds/{party.guild.id}/voice-states/@me", status=403, code=50013, message="No")
    assert "is a stage, and I may not speak there" in await party.does(party.ann, "join")
    assert party.bot.studio.channels.scene(party.guild.id) is None
    assert party.bot.voice_clients == []


async def test_without_the_libraries_it_says_what_to_install(party: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice_client, "has_nacl", False)
    assert 'pip install "discord.py[voice]"' in await party.does(party.ann, "join")
    said = await party.says(party.ann, "Good evening.")
    await until(lambda: party.files_of(said), "the rest of the bot")


async def test_blocked_udp_is_told_and_not_tried_for_ever(party: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.5)
    await party.lounge.prepare(party.channel.id)
    party.server.deaf = True
    assert "blocks UDP" in await party.does(party.ann, "join")
    assert party.bot.studio.channels.scene(party.guild.id) is None
    assert party.bot.voice_clients == []
    party.server.deaf = False
    await party.sits()


async def test_only_who_listens_or_moderates_sends_it_away(party: Party) -> None:
    await party.sits()
    await party.bob.leave_voice()
    assert "Others are listening" in await party.does(party.bob, "leave")
    assert party.channel.mention in await party.does(party.mod, "leave")
    assert "not in a voice channel" in await party.does(party.ann, "leave")
    assert party.bot.voice_clients == []
    await party.forgets_its_seat()


async def test_own_lines_are_skipped_and_moderators_skip_any(party: Party) -> None:
    lines = {name: [tone(number, 5.0)] for number, name in enumerate(("One.", "Two.", "Three."))}
    party.executor.sounds |= lines
    await party.sits()
    await party.says(party.ann, "One.")
    await party.says(party.bob, "Two.")
    await party.says(party.ann, "Three.")
    await until(lambda: party.sound, "the first line")
    assert "This line is not yours" in await party.does(party.bob, "skip")
    answer = await party.does(party.ann, "skip")
    assert "Skipped" in answer
    assert "“Two.”" in answer
    assert "Next: " in answer
    await until(lambda: packets_of(lines["Two."][0])[0] in party.sound, "the second line")
    await party.does(party.mod, "skip")
    await until(lambda: packets_of(lines["Three."][0])[0] in party.sound, "the third line")
    await party.does(party.ann, "skip")
    await party.quiet()
    places = [
        next(n for n, sounds in enumerate(lines.values()) if packet in packets_of(sounds[0])) for packet in party.sound
    ]
    assert places == sorted(places), "lines overlap"
    assert "not saying anything" in await party.does(party.ann, "skip")


async def test_a_storm_of_skips_ends_each_line_once(party: Party) -> None:
    party.executor.sounds |= {f"Line {number}.": [tone(number, 30.0)] for number in range(6)}
    await party.sits()
    for number in range(6):
        await party.says(party.ann, f"Line {number}.")
    await until(lambda: party.sound and len(party.room.lines) == 6, "six lines, the first being said")
    await asyncio.gather(*(party.does(party.ann, "skip") for _ in range(12)))
    await party.quiet()
    assert party.room.lines == ()
    party.executor.sounds["After that."] = [tone(9)]
    await party.says(party.ann, "After that.")
    await until(lambda: party.sound[-10:] == packets_of(tone(9))[-10:], "a line after the storm")


async def test_stop_ends_all_of_ones_own_lines(party: Party) -> None:
    party.executor.sounds |= {"One.": [tone(0, 5.0)], "Two.": [tone(1, 0.5)], "Three.": [tone(2, 5.0)]}
    await party.sits()
    await party.says(party.ann, "One.")
    await party.says(party.bob, "Two.")
    await party.says(party.ann, "Three.")
    await until(lambda: party.sound, "the first line")
    assert "2 lines stopped" in await party.does(party.ann, "stop")
    await until(lambda: party.sound[-25:] == packets_of(tone(1, 0.5))[-25:], "the other member's line")
    await party.quiet()
    assert not set(party.sound) & set(packets_of(tone(2, 5.0)))


async def test_a_server_chooses_the_file_the_channel_or_both(party: Party) -> None:
    party.executor.sounds["One."] = [tone(0)]
    await party.sits()
    await party.choose(channel_output=ChannelOutput.CHANNEL)
    said = await party.says(party.ann, "One.")
    await until(lambda: len(party.sound) == len(packets_of(tone(0))), "the sound")
    await until(lambda: said.response is not None and "AI-generated" in said.response.content, "the words")
    assert party.files_of(said) == []
    await party.choose(channel_output=ChannelOutput.FILE)
    said = await party.says(party.ann, "One.")
    await until(lambda: party.files_of(said), "the file")
    await party.quiet()
    assert len(party.sound) == len(packets_of(tone(0)))
    private = await party.ann.slash(party.text, "say", text="One.", voice="s:v2/en_speaker_6", private=True)
    await party.choose(channel_output=ChannelOutput.BOTH)
    await until(lambda: party.files_of(private), "a private file")
    assert len(party.sound) == len(packets_of(tone(0))), "a private line was heard"


async def test_a_line_that_was_not_heard_comes_as_a_file_although_the_server_wants_none(party: Party) -> None:
    party.executor.sounds["One."] = [tone(0, 5.0)]
    await party.sits()
    await party.choose(channel_output=ChannelOutput.CHANNEL)
    said = await party.says(party.ann, "One.")
    await until(lambda: party.sound, "the beginning")
    assert party.files_of(said) == []
    await party.does(party.ann, "leave")
    await until(lambda: party.files_of(said), "the file")


async def test_a_line_that_is_ready_says_where_it_is_heard_and_can_be_cancelled(party: Party) -> None:
    party.executor.sounds["One."] = [tone(0, 5.0)]
    await party.sits()
    await party.choose(channel_output=ChannelOutput.CHANNEL)
    said = await party.says(party.ann, "One.")
    await until(lambda: said.response is not None and party.channel.mention in said.response.content, "the news")
    assert said.response is not None
    await until(lambda: party.sound, "the beginning")
    await party.ann.click(said.response, label="Cancel")
    await party.quiet()
    assert len(party.sound) < 200
    await until(lambda: said.response is not None and "AI-generated" in said.response.content, "the words")
    assert party.files_of(said) == []


async def test_nobody_hears_nothing_and_the_bot_leaves(party: Party) -> None:
    party.executor.sounds["One."] = [tone(0, 5.0)]
    await party.sits()
    await party.says(party.ann, "One.")
    await until(lambda: party.sound, "the beginning")
    await party.ann.leave_voice()
    await party.bob.leave_voice()
    await party.quiet()
    heard = len(party.heard)
    await asyncio.sleep(0.2)
    assert len(party.heard) == heard
    party.bot.studio.channels._clock = lambda: discord.utils.utcnow() + timedelta(minutes=9)
    await party.bot.studio.upkeep()
    assert party.bot.studio.channels.scene(party.guild.id) is not None
    party.bot.studio.channels._clock = lambda: discord.utils.utcnow() + timedelta(minutes=11)
    await party.bot.studio.upkeep()
    assert party.bot.studio.channels.scene(party.guild.id) is None
    await party.forgets_its_seat()


async def test_it_comes_back_after_a_restart_if_somebody_waits(party: Party) -> None:
    party.executor.sounds["One."] = [tone(0)]
    await party.sits()
    await party.restart()
    await until(lambda: party.bot.studio.channels.scene(party.guild.id) is not None, "the bot in its channel")
    await until(lambda: party.room.connection.ready, "the connection")
    await party.says(party.ann, "One.")
    await until(lambda: len(party.sound) == len(packets_of(tone(0))), "a line after the restart")


async def test_a_crash_loses_sound_and_no_line(party: Party) -> None:
    party.executor.sounds["One."] = [tone(0, 5.0)]
    await party.sits()
    await party.choose(channel_output=ChannelOutput.CHANNEL)
    said = await party.says(party.ann, "One.")
    await until(lambda: party.sound, "the beginning")
    await party.restart()
    await until(lambda: party.files_of(said), "the file")


async def test_it_says_that_its_voices_are_generated_where_a_server_wants_that(party: Party) -> None:
    await party.choose(channel_notice=True)
    await party.sits()
    await until(lambda: len(party.sound) > 50, "the notice")
    await party.quiet()
    assert None not in party.sound


async def test_fifty_people_come_and_go_while_a_line_is_said(party: Party) -> None:
    party.executor.sounds["One."] = [tone(0, 3.0)]
    crowd = [party.guild.add_member(party.env.create_user(f"guest{number}")) for number in range(50)]
    await party.sits()
    await party.says(party.ann, "One.")
    for guest in crowd:
        party.env.backend.set_voice_state(party.guild.id, guest.id, party.channel.id)
    await asyncio.sleep(0.2)
    for guest in crowd:
        party.env.backend.set_voice_state(party.guild.id, guest.id, None)
    await party.quiet()
    assert party.sound == packets_of(tone(0, 3.0))


async def test_a_deleted_channel_is_left(party: Party) -> None:
    party.executor.sounds["One."] = [tone(0, 5.0)]
    await party.sits()
    await party.says(party.ann, "One.")
    await until(lambda: party.sound, "the beginning")
    assert party.bot.user is not None
    for user_id in (party.bot.user.id, party.ann.id, party.bob.id):
        party.env.backend.set_voice_state(party.guild.id, user_id, None)
    await party.server.hang_up(4014)
    await until(lambda: party.bot.studio.channels.scene(party.guild.id) is None, "the end of it")
    await party.forgets_its_seat()
    assert party.bot.voice_clients == []


async def test_a_deleted_recording_falls_silent(party: Party) -> None:
    party.executor.sounds["One."] = [tone(0, 5.0)]
    await party.sits()
    said = await party.says(party.ann, "One.")
    await until(lambda: party.sound and party.files_of(said), "the file, and the beginning")
    assert said.response is not None
    await party.ann.click(said.response, label="Delete")
    await party.quiet()
    assert len(party.sound) < 200
    await until(lambda: not list((party.folder / "aloud").iterdir()), "nothing left of it")
