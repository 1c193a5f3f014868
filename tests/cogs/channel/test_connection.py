"""What a listener in the channel hears: decrypted from end to end by the voice server of the simulator."""

import asyncio
from itertools import pairwise

import discord
import pytest

from cogs.channel.source import SILENCE
from tests.cogs.channel.conftest import Party, packets_of, tone, until


async def test_a_line_is_heard_packet_by_packet_and_silence_follows(party: Party) -> None:
    sounds = [tone(0), tone(1), tone(2)]
    party.executor.sounds["One. Two. Three."] = sounds
    party.executor.pause = 0.2
    await party.sits()
    await party.says(party.ann, "One. Two. Three.")
    await until(lambda: len(party.sound) == sum(len(packets_of(sound)) for sound in sounds), "three sentences")
    await party.quiet()
    pause = [SILENCE] * 10
    first, second, third = map(packets_of, sounds)
    heard = [packet.opus for packet in party.heard]
    assert heard == [*first, *pause, *second, *pause, *third, *[SILENCE] * 5]
    steps = {
        (after.sequence - before.sequence, after.timestamp - before.timestamp)
        for before, after in pairwise(party.heard)
    }
    assert steps == {(1, 960)}, "a packet was lost, or is not 20 ms"


async def test_the_first_sentence_is_heard_while_the_rest_is_made(party: Party) -> None:
    go_on = asyncio.Event()
    party.executor.sounds["One. Two."] = [tone(0), tone(1)]
    party.executor.breath = go_on.wait
    await party.sits()
    await party.says(party.ann, "One. Two.")
    await until(lambda: party.sound == packets_of(tone(0)), "the first sentence")
    go_on.set()
    await until(lambda: party.sound == packets_of(tone(0)) + packets_of(tone(1)), "the second sentence")
    await party.quiet()
    assert party.heard[-1].opus == SILENCE


async def test_lines_of_two_members_follow_each_other(party: Party) -> None:
    lines = {f"Line {number}.": [tone(2 * number, 0.3), tone(2 * number + 1, 0.3)] for number in range(4)}
    party.executor.sounds |= lines
    await party.sits()
    for number, text in enumerate(lines):
        await party.says(party.ann if number % 2 else party.bob, text)
    expected = [packet for sounds in lines.values() for sound in sounds for packet in packets_of(sound)]
    await until(lambda: len(party.sound) >= len(expected), "four lines")
    await party.quiet()
    assert party.sound == expected


@pytest.mark.parametrize("code", [4006, 4009, 4015])
async def test_what_is_left_after_a_lost_connection_is_said_once(party: Party, code: int) -> None:
    sound = tone(0, 3.0)
    party.executor.sounds["A long line."] = [sound]
    await party.sits()
    await party.says(party.ann, "A long line.")
    await until(lambda: len(party.sound) > 40, "the beginning")
    await party.server.hang_up(code)
    await until(lambda: party.sound[-1:] == packets_of(sound)[-1:], "the end", 25.0)
    await party.quiet()
    whole = packets_of(sound)
    assert [packet for packet in party.sound if packet is None] == []
    places = [whole.index(packet) for packet in party.sound if packet is not None]
    assert places == sorted(set(places)), "something was said twice, or out of order"
    assert len(places) >= len(whole) - 25, "more than half a second got lost"
    assert party.room.connection.ready


async def test_a_line_goes_on_when_discord_changes_the_server(party: Party) -> None:
    sound = tone(0, 3.0)
    party.executor.sounds["A long line."] = [sound]
    await party.sits()
    await party.says(party.ann, "A long line.")
    await until(lambda: len(party.sound) > 40, "the beginning")
    old = party.server
    await party.lounge.move(party.guild.id, party.channel.id)
    await until(lambda: party.sound[-1:] == packets_of(sound)[-1:], "the end", 25.0)
    await party.quiet()
    assert party.server is not old
    whole = packets_of(sound)
    places = [whole.index(packet) for packet in party.sound if packet is not None]
    assert places == sorted(set(places))
    assert len(places) >= len(whole) - 25


async def test_nothing_more_is_heard_where_the_bot_was_thrown_out(party: Party) -> None:
    party.executor.sounds["A long line."] = [tone(0, 3.0)]
    await party.sits()
    await party.says(party.ann, "A long line.")
    await until(lambda: len(party.sound) > 10, "the beginning")
    assert party.bot.user is not None
    party.env.backend.set_voice_state(party.guild.id, party.bot.user.id, None)
    await until(lambda: party.bot.studio.channels.scene(party.guild.id) is None, "the end of it")
    heard = len(party.heard)
    await asyncio.sleep(0.2)
    assert len(party.heard) == heard
    await party.forgets_its_seat()


async def test_nothing_more_is_said_without_the_right_to(party: Party) -> None:
    party.executor.sounds |= {"One.": [tone(0)], "Two.": [tone(1)]}
    await party.sits()
    await party.says(party.ann, "One.")
    second = await party.says(party.ann, "Two.")
    await until(lambda: party.sound, "the beginning")
    channel = party.bot.get_channel(party.channel.id)
    assert isinstance(channel, discord.VoiceChannel)
    channel._overwrites = [
        discord.abc._Overwrites({"id": str(party.guild.id), "type": 0, "allow": "0", "deny": str(1 << 21)})
    ]
    await party.quiet()
    assert party.sound == packets_of(tone(0)), "the first line ends, the second is not said"
    await until(lambda: party.files_of(second), "the file of the second one")


async def test_what_is_written_in_the_channels_chat_is_heard(party: Party) -> None:
    party.executor.sounds |= {"Good evening.": [tone(0)], "You too.": [tone(1)]}
    await party.does(party.ann, "read start")
    await until(lambda: party.room.connection.ready, "the encrypted connection")
    await party.ann.send(party.channel, "Good evening.")
    await party.bob.send(party.channel, "You too.")
    await until(lambda: party.sound == packets_of(tone(0)) + packets_of(tone(1)), "both messages")
    assert "no longer read" in await party.does(party.bob, "read stop")
    await party.ann.send(party.channel, "Good evening.")
    await party.quiet()
    assert len(party.executor.requests) == 2
