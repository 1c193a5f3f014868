"""What people and Discord do to the bot while it sits in a channel and speaks."""

import asyncio
from itertools import pairwise

import discord
import pytest
from simcord import InteractionResult

from storage.records import ChannelOutput
from tests.cogs.channel.conftest import VOICE, Party, packets_of, tone, until
from tests.cogs.channel.test_cog import forbid

VIEW = 1 << 10
LINE = "A long line."


async def speaks(party: Party, seconds: float = 5.0) -> InteractionResult:
    """The bot is in the middle of a line of Ann's, of which the server wants no file."""
    party.executor.sounds[LINE] = [tone(0, seconds)]
    await party.sits()
    await party.choose(channel_output=ChannelOutput.CHANNEL)
    said = await party.says(party.ann, LINE)
    await until(lambda: len(party.sound) > 20, "the beginning")
    return said


async def is_gone(party: Party) -> None:
    """The bot sits nowhere, in its own view, in Discord's, and in that of a later process."""
    await until(lambda: party.bot.studio.channels.scene(party.guild.id) is None, "the end of it")
    await until(lambda: party.bot.voice_clients == [], "no voice client")
    await party.forgets_its_seat()


def me(party: Party) -> int:
    assert party.bot.user is not None
    return party.bot.user.id


@pytest.mark.parametrize("states_first", [True, False])
async def test_a_deleted_channel_is_left_and_its_line_posted(party: Party, states_first: bool) -> None:
    said = await speaks(party)
    backend, server = party.env.backend, party.server
    if not states_first:
        backend.delete_channel(party.channel.id)
    for user_id in (me(party), party.ann.id, party.bob.id):
        backend.set_voice_state(party.guild.id, user_id, None)
    if states_first:
        backend.delete_channel(party.channel.id)
    await server.hang_up(4014)
    await is_gone(party)
    await until(lambda: party.files_of(said), "the file")
    heard = len(party.heard)
    await asyncio.sleep(0.2)
    assert len(party.heard) == heard


async def test_a_removed_bot_is_gone_and_does_not_come_back(party: Party) -> None:
    await speaks(party)
    party.env.backend.emit("GUILD_DELETE", {"id": str(party.guild.id)})
    await is_gone(party)
    heard = len(party.heard)
    await asyncio.sleep(0.2)
    assert len(party.heard) == heard


async def test_thrown_out_and_asked_back_at_once_it_stays(party: Party) -> None:
    await speaks(party)
    party.env.backend.set_voice_state(party.guild.id, me(party), None)
    for _ in range(100):
        if party.channel.mention in await party.does(party.ann, "join"):
            break
        await asyncio.sleep(0.05)
    await until(lambda: party.room.connection.ready, "the new connection")
    await asyncio.sleep(2.5)  # Longer than the farewell to the old channel may take.
    assert [seat.channel_id for seat in await party.bot.studio.storage.seats.all()] == [party.channel.id]
    party.executor.sounds["After that."] = [tone(9)]
    await party.says(party.ann, "After that.")
    await until(lambda: party.sound[-20:] == packets_of(tone(9))[-20:], "a line in the new room")


@pytest.mark.parametrize("hangs_up", [True, False])
async def test_moved_in_mid_line_it_goes_on_in_the_other_channel(party: Party, hangs_up: bool) -> None:
    """Discord also closes the old websocket, before or after it tells of the new channel."""
    await party.bob.join_voice(party.cellar)
    await speaks(party, 3.0)
    before = len(party.sound)
    party.lounge.request(party.guild.id, party.cellar.id)
    if hangs_up:
        await party.server.hang_up(4014)
    whole = packets_of(tone(0, 3.0))
    await until(lambda: party.sound[-1:] == whole[-1:], "the end", 25.0)
    await party.quiet()
    places = [whole.index(packet) for packet in party.sound if packet is not None]
    assert places == sorted(set(places)), "something was said twice, or out of order"
    assert len(places) > before
    assert party.room.connection.channel_id == party.cellar.id
    assert [seat.channel_id for seat in await party.bot.studio.storage.seats.all()] == [party.cellar.id]


async def test_moved_to_where_nobody_is_it_falls_silent(party: Party) -> None:
    said = await speaks(party)
    party.lounge.request(party.guild.id, party.cellar.id)
    await until(lambda: party.files_of(said), "the file")
    assert party.room.lines == ()
    assert len(party.sound) < len(packets_of(tone(0, 5.0)))


async def test_thrown_out_while_it_makes_itself_a_speaker_it_has_not_come(
    party: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = party.guild.create_stage_channel("stage")
    await party.ann.join_voice(stage)

    async def edit(member: discord.Member, **_: object) -> None:
        party.env.backend.set_voice_state(party.guild.id, member.id, None)
        await until(lambda: party.bot.voice_clients == [], "the end of the connection")

    monkeypatch.setattr(discord.Member, "edit", edit)
    assert "was removed" in await party.does(party.ann, "join")
    assert party.bot.studio.channels.scene(party.guild.id) is None
    await party.forgets_its_seat()


async def test_muted_by_a_moderator_it_says_no_further_line(party: Party) -> None:
    await speaks(party, 1.0)
    party.executor.sounds["Two."] = [tone(1)]
    second = await party.says(party.ann, "Two.")
    party.env.backend.set_voice_state(party.guild.id, me(party), party.channel.id, mute=True)
    await until(lambda: party.files_of(second), "the file of the second line")
    assert not set(party.sound) & set(packets_of(tone(1)))
    party.env.backend.set_voice_state(party.guild.id, me(party), party.channel.id, mute=False)
    await party.says(party.ann, "Two.")
    await until(lambda: party.sound[-20:] == packets_of(tone(1))[-20:], "a line after that")


async def test_a_channel_that_the_bot_cannot_see_is_named_as_such(party: Party) -> None:
    forbid(party, party.channel.id, VIEW)
    assert "permission View Channel" in await party.does(party.ann, "join")


async def test_a_voice_channel_of_another_server_does_not_count(party: Party) -> None:
    await party.ann.leave_voice()
    elsewhere = party.env.create_guild("Elsewhere")
    there = elsewhere.add_member(party.ann.user)
    await there.join_voice(elsewhere.create_voice_channel("lounge"))
    assert "Join a voice channel first" in await party.does(party.ann, "join")
    assert party.bot.voice_clients == []


async def test_two_channels_ask_at_once_and_one_gets_it(party: Party) -> None:
    await party.bob.join_voice(party.cellar)
    answers = await asyncio.gather(party.does(party.ann, "join"), party.does(party.bob, "join"))
    assert sorted("Others are listening to me" in answer for answer in answers) == [False, True]
    assert len(party.bot.voice_clients) == 1


async def test_a_storm_of_coming_and_going_ends_in_one_place(party: Party) -> None:
    for _ in range(3):
        await asyncio.gather(
            *(party.does(who, command) for who in (party.ann, party.bob, party.mod) for command in ("join", "leave"))
        )
    await asyncio.sleep(0.2)
    scene = party.bot.studio.channels.scene(party.guild.id)
    seats = [seat.channel_id for seat in await party.bot.studio.storage.seats.all()]
    assert seats == [] if scene is None else seats == [scene.channel_id]
    assert len(party.bot.voice_clients) == len(seats)
    if scene is not None:
        await party.does(party.mod, "leave")
    await party.sits()


async def test_of_a_text_of_nothing_but_emoji_there_is_nothing_to_say(party: Party) -> None:
    await party.sits()
    result = await party.ann.slash(party.text, "say", text="🔥🔥 😀", voice=VOICE)
    shown = [message.content for message in (*result.followups, result.response) if message is not None]
    assert any("nothing" in text.casefold() for text in shown), shown
    assert party.room.lines == ()
    assert party.executor.requests == []


async def test_a_message_of_nothing_but_emoji_is_read_as_a_word(party: Party) -> None:
    party.executor.sounds["emoji"] = [tone(1)]
    await party.does(party.ann, "read start")
    await until(lambda: party.room.connection.ready, "the encrypted connection")
    await party.ann.send(party.channel, "🔥🔥 😀")
    await until(lambda: party.executor.requests, "a request")
    assert "emoji" in party.executor.requests[0].text  # type: ignore[union-attr]  # it is speech


async def test_listeners_who_come_and_go_do_not_end_a_line(party: Party) -> None:
    """Fifty times somebody else is the last one there, and somebody always is."""
    await speaks(party, 3.0)
    crowd = [party.guild.add_member(party.env.create_user(f"guest{number}")) for number in range(50)]
    backend, guild_id, channel_id = party.env.backend, party.guild.id, party.channel.id
    backend.set_voice_state(guild_id, crowd[0].id, channel_id)
    for user_id in (party.ann.id, party.bob.id):
        backend.set_voice_state(guild_id, user_id, None)
    for guest, following in pairwise(crowd):
        backend.set_voice_state(guild_id, following.id, channel_id)
        backend.set_voice_state(guild_id, guest.id, None)
        await asyncio.sleep(0.02)
    await until(lambda: party.sound == packets_of(tone(0, 3.0)), "the whole line")
    assert isinstance(party.bot.get_channel(channel_id), discord.VoiceChannel)
