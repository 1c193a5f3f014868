"""Why the bot leaves a voice channel, and where it returns after a restart."""

import pytest

from errors import Conflict, NotAllowed, Unavailable
from storage.records import Seat
from studio.channel.lines import Fate
from studio.channel.service import BROKEN, RETURN_WITHIN
from tests.fake_voice import FakeVoice
from tests.studio.channel.conftest import ANN_THERE, BOB_THERE, CELLAR, LOUNGE, NOTICE, room_of, seat_of
from tests.studio.channel.test_service import queue
from tests.studio.conftest import ANN, GUILD, MOD, StudioHarness, until


class TestLeaving:
    async def test_who_listens_or_moderates_sends_it_away(self, harness: StudioHarness, lounge: FakeVoice) -> None:
        with pytest.raises(NotAllowed, match="Others are listening"):
            await harness.studio.channels.leave(ANN)
        assert await harness.studio.channels.leave(BOB_THERE) == LOUNGE
        await harness.studio.channels.join(ANN_THERE)
        assert await harness.studio.channels.leave(MOD) == LOUNGE
        await harness.studio.channels.join(ANN_THERE)
        lounge.people = 0
        assert await harness.studio.channels.leave(ANN) == LOUNGE
        assert lounge.left == [LOUNGE] * 3
        assert await seat_of(harness) is None

    async def test_to_nobody_nothing_is_said(self, harness: StudioHarness, lounge: FakeVoice) -> None:
        release = harness.executor.hold()
        first, second = await queue(harness, ANN_THERE, BOB_THERE)
        lounge.people = 0
        harness.studio.channels.look(GUILD)
        assert room_of(harness).lines == ()
        release()
        for said in (first, second):
            await harness.ended(said.id)
            assert harness.studio.dispatcher.rooms.fate(said.id) is Fate.LOST
        assert lounge.said == []

    async def test_idle_or_alone_it_leaves_after_the_time_that_moderators_set(
        self, harness: StudioHarness, lounge: FakeVoice
    ) -> None:
        await harness.studio.admin.change(MOD, channel_idle_minutes=3)
        for people in (1, 0):
            lounge.people = people
            harness.clock.move(minutes=2, seconds=59)
            await harness.studio.channels.upkeep()
            assert await seat_of(harness) == LOUNGE
            harness.clock.move(seconds=1)
            await harness.studio.channels.upkeep()
            assert harness.studio.channels.scene(GUILD) is None
            assert await seat_of(harness) is None
            lounge.people = 1
            await harness.studio.channels.join(ANN_THERE)

    async def test_a_line_begins_the_idle_time_again_and_is_waited_for(
        self, harness: StudioHarness, lounge: FakeVoice
    ) -> None:
        release = harness.executor.hold()
        (said,) = await queue(harness, ANN_THERE)
        harness.clock.move(hours=1)
        await harness.studio.channels.upkeep()
        assert harness.studio.channels.scene(GUILD) is not None, "its line is still being made"
        release()
        await harness.ended(said.id)
        harness.clock.move(minutes=9)
        await harness.studio.channels.upkeep()
        assert harness.studio.channels.scene(GUILD) is not None
        harness.clock.move(minutes=1)
        await harness.studio.channels.upkeep()
        assert harness.studio.channels.scene(GUILD) is None

    async def test_moved_it_comes_back_to_where_it_was_moved(self, harness: StudioHarness, lounge: FakeVoice) -> None:
        harness.executor.hold()
        await queue(harness, ANN_THERE)
        lounge.connections[0].channel_id = CELLAR
        lounge.people = 0
        await harness.studio.channels.moved(GUILD, CELLAR)
        assert await seat_of(harness) == CELLAR
        assert room_of(harness).lines == (), "nobody is there"
        await harness.studio.channels.moved(901, 80)
        assert len(await harness.storage.seats.all()) == 1

    async def test_after_the_platform_ended_it_the_bot_stays_away(
        self, harness: StudioHarness, lounge: FakeVoice
    ) -> None:
        harness.executor.hold()
        (said,) = await queue(harness, ANN_THERE)
        lounge.connections[0].gone()
        await until(lambda: harness.studio.dispatcher.rooms.fate(said.id) is Fate.LOST, "the line to be over")
        await until(lambda: lounge.left == [LOUNGE], "the room to be closed")
        await harness.studio.channels.resume()
        assert len(lounge.connections) == 1
        assert await seat_of(harness) is None


class TestComingBack:
    async def again(self, harness: StudioHarness, voice: FakeVoice) -> None:
        """A new process on the same data."""
        await harness.restart()
        harness.studio.channels.attend(voice, NOTICE)
        await harness.studio.channels.resume()

    async def test_after_a_restart_it_comes_back_to_who_waits(self, harness: StudioHarness, lounge: FakeVoice) -> None:
        await self.again(harness, voice := FakeVoice())
        assert room_of(harness).connection is voice.connections[0]
        await harness.studio.channels.resume()
        assert len(voice.connections) == 1, "it is there already"

    async def test_to_nobody_it_does_not_come_back(self, harness: StudioHarness, lounge: FakeVoice) -> None:
        voice = FakeVoice()
        voice.people = 0
        await self.again(harness, voice)
        assert voice.connections == []
        assert await seat_of(harness) is None

    async def test_where_it_may_not_come_back_it_stays_away(self, harness: StudioHarness, lounge: FakeVoice) -> None:
        voice = FakeVoice()
        voice.refusal = NotAllowed("I need the permission Connect.")
        await self.again(harness, voice)
        assert harness.studio.channels.scene(GUILD) is None
        assert await seat_of(harness) is None

    @pytest.mark.parametrize("outage", ["refused", "not shown"])
    async def test_while_the_platform_does_not_answer_it_tries_again(
        self, harness: StudioHarness, lounge: FakeVoice, outage: str
    ) -> None:
        voice = FakeVoice()
        voice.shown = outage != "not shown"
        voice.people = 1 if voice.shown else 0
        voice.refusal = Unavailable("Discord's voice server did not answer.")
        await self.again(harness, voice)
        harness.clock.move(minutes=9)
        await harness.studio.channels.upkeep()
        assert harness.studio.channels.scene(GUILD) is None
        assert await seat_of(harness) == LOUNGE
        voice.refusal, voice.shown, voice.people = None, True, 1
        await harness.studio.channels.upkeep()
        assert room_of(harness).connection is voice.connections[0]
        await harness.studio.channels.upkeep()
        assert len(voice.connections) == 1

    async def test_after_a_while_it_no_longer_tries(self, harness: StudioHarness, lounge: FakeVoice) -> None:
        voice = FakeVoice()
        voice.refusal = Unavailable("Discord's voice server did not answer.")
        await self.again(harness, voice)
        harness.clock.move(seconds=RETURN_WITHIN.total_seconds())
        await harness.studio.channels.upkeep()
        assert await seat_of(harness) is None
        voice.refusal = None
        await harness.studio.channels.upkeep()
        assert voice.connections == []

    async def test_sent_away_meanwhile_it_does_not_come_back(self, harness: StudioHarness, lounge: FakeVoice) -> None:
        voice = FakeVoice()
        voice.refusal = Unavailable("Discord's voice server did not answer.")
        await self.again(harness, voice)
        with pytest.raises(Conflict, match="not in a voice channel"):
            await harness.studio.channels.leave(MOD)
        voice.refusal = None
        await harness.studio.channels.upkeep()
        assert voice.connections == []
        assert await seat_of(harness) is None

    async def test_a_server_whose_seat_cannot_be_read_keeps_no_other_from_its_own(
        self, harness: StudioHarness, lounge: FakeVoice, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await harness.storage.seats.take(GUILD - 1, CELLAR)
        await harness.restart()
        find = harness.storage.seats.find

        async def found(guild_id: int) -> Seat | None:
            if guild_id == GUILD - 1:
                raise Unavailable("Something else is using the database.")
            return await find(guild_id)

        monkeypatch.setattr(harness.storage.seats, "find", found)
        harness.studio.channels.attend(voice := FakeVoice(), NOTICE)
        await harness.studio.channels.resume()
        assert room_of(harness).connection is voice.connections[0]

    async def test_in_an_outage_nobody_is_taken_for_gone(self, harness: StudioHarness, lounge: FakeVoice) -> None:
        harness.executor.hold()
        (said,) = await queue(harness, ANN_THERE)
        lounge.shown, lounge.people = False, 0
        harness.studio.channels.look(GUILD)
        assert [line.key for line in room_of(harness).lines] == [said.id]

    async def test_a_connection_that_stays_broken_is_made_again(
        self, harness: StudioHarness, lounge: FakeVoice
    ) -> None:
        first = lounge.connections[0]
        first.ready = False
        await harness.studio.channels.upkeep()
        harness.clock.move(seconds=BROKEN.total_seconds() - 1)
        await harness.studio.channels.upkeep()
        assert room_of(harness).connection is first
        first.ready = True
        await harness.studio.channels.upkeep()
        first.ready = False
        await harness.studio.channels.upkeep()
        harness.clock.move(seconds=BROKEN.total_seconds() - 1)
        await harness.studio.channels.upkeep()
        assert room_of(harness).connection is first, "it was back in between"
        harness.clock.move(seconds=1)
        await harness.studio.channels.upkeep()
        assert room_of(harness).connection is lounge.connections[1]
        assert lounge.left == [LOUNGE]
        assert await seat_of(harness) == LOUNGE

    async def test_connections_that_never_carry_sound_are_not_made_for_ever(
        self, harness: StudioHarness, lounge: FakeVoice
    ) -> None:
        for _ in range(30):
            lounge.connections[-1].ready = False
            await harness.studio.channels.upkeep()
            harness.clock.move(minutes=1)
        assert harness.studio.channels.scene(GUILD) is None
        assert await seat_of(harness) is None
        assert len(lounge.connections) < 12, "it tried again after its idle time"
