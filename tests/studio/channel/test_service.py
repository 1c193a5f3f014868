"""Coming, going, skipping and stopping: who may, what stays, and what happens when things cross."""

import asyncio
from dataclasses import replace

import pytest

from errors import BarkeepError, Conflict, InvalidInput, NotAllowed, Unavailable
from storage.records import JobRecord, JobState
from studio.channel.lines import Fate
from studio.values import Actor
from tests.fake_voice import FakeVoice
from tests.studio.channel.conftest import ANN_THERE, BOB_THERE, CELLAR, LOUNGE, room_of, seat_of
from tests.studio.conftest import ANN, GUILD, MOD, StudioHarness, until

MOD_THERE = replace(MOD, voice_channel_id=LOUNGE)
IN_CELLAR = replace(ANN, voice_channel_id=CELLAR)


class TestCrossing:
    """What the platform tells while something else is under way."""

    async def test_thrown_out_and_asked_back_the_bot_keeps_its_new_seat(
        self, harness: StudioHarness, lounge: FakeVoice
    ) -> None:
        slow = asyncio.Event()
        lounge.closing = slow.wait
        lounge.connections[0].gone()
        await until(lambda: harness.studio.channels.scene(GUILD) is None, "the old room to be closing")
        back = asyncio.create_task(harness.studio.channels.join(ANN_THERE))
        await asyncio.sleep(0.05)
        slow.set()
        assert (await back).channel_id == LOUNGE
        await until(lambda: not harness.tasks(), "the farewell")
        assert room_of(harness).connection is lounge.connections[1]
        assert await seat_of(harness) == LOUNGE

    async def test_a_farewell_that_comes_late_does_not_close_the_next_room(
        self, harness: StudioHarness, lounge: FakeVoice
    ) -> None:
        """The farewell waits while the bot changes its channel."""
        slow = asyncio.Event()
        lounge.people = 0
        lounge.closing = slow.wait
        moving = asyncio.create_task(harness.studio.channels.join(IN_CELLAR))
        await asyncio.sleep(0)  # It holds the server's lock, or is about to.
        lounge.connections[0].gone()
        await asyncio.sleep(0.05)
        slow.set()
        await moving
        await until(lambda: not harness.tasks(), "the farewell")
        assert room_of(harness).connection.channel_id == CELLAR
        assert await seat_of(harness) == CELLAR

    async def test_moved_and_thrown_out_the_bot_has_no_seat(
        self, harness: StudioHarness, lounge: FakeVoice, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        take, slow = harness.storage.seats.take, asyncio.Event()

        async def slowly(guild_id: int, channel_id: int) -> object:
            await slow.wait()
            return await take(guild_id, channel_id)

        monkeypatch.setattr(harness.storage.seats, "take", slowly)
        moved = asyncio.create_task(harness.studio.channels.moved(GUILD, CELLAR))
        await asyncio.sleep(0.05)
        lounge.connections[0].gone()
        await asyncio.sleep(0.05)
        slow.set()
        await moved
        await until(lambda: not harness.tasks(), "the farewell")
        assert harness.studio.channels.scene(GUILD) is None
        assert await seat_of(harness) is None

    async def test_a_seat_that_cannot_be_stored_is_left_again(
        self, harness: StudioHarness, voice: FakeVoice, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def take(guild_id: int, channel_id: int, since: int) -> object:
            raise Unavailable("The disk is full.")

        monkeypatch.setattr(harness.storage.seats, "take", take)
        with pytest.raises(Unavailable, match="disk is full"):
            await harness.studio.channels.join(ANN_THERE)
        assert harness.studio.channels.scene(GUILD) is None
        assert voice.left == [LOUNGE]

    async def test_a_line_that_comes_as_the_bot_leaves_is_posted(
        self, harness: StudioHarness, lounge: FakeVoice, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        accept, accepted, go_on = harness.storage.acceptance.accept_speech, asyncio.Event(), asyncio.Event()

        async def slowly(*arguments: object) -> object:
            accepted.set()
            await go_on.wait()
            return await accept(*arguments)  # type: ignore[arg-type]  # handed on

        monkeypatch.setattr(harness.storage.acceptance, "accept_speech", slowly)
        saying = asyncio.create_task(harness.say(actor=ANN_THERE))
        await accepted.wait()
        await harness.studio.channels.leave(ANN_THERE)
        go_on.set()
        job = await harness.ended((await saying).id)
        assert job.state is JobState.DELIVERED
        assert harness.studio.dispatcher.rooms.fate(job.id) is Fate.LOST
        assert lounge.said == []
        assert len(harness.courier.of(job.id)) == 1


class TestJoining:
    async def test_the_bot_comes_and_that_is_written_down(self, harness: StudioHarness, voice: FakeVoice) -> None:
        scene = await harness.studio.channels.join(ANN_THERE)
        assert (scene.channel_id, scene.now, scene.waiting) == (LOUNGE, None, ())
        assert await seat_of(harness) == LOUNGE
        lines, _ = await harness.storage.audit.read(GUILD)
        assert [(line.action, line.actor_id, line.target) for line in lines] == [("channel.join", 1, str(LOUNGE))]

    async def test_asked_again_it_stays(self, harness: StudioHarness, lounge: FakeVoice) -> None:
        assert (await harness.studio.channels.join(BOB_THERE)).channel_id == LOUNGE
        assert len(lounge.connections) == 1

    @pytest.mark.parametrize(
        ("actor", "kind", "words"),
        [
            (ANN, InvalidInput, "Join a voice channel first"),
            (replace(ANN_THERE, member_id=5), NotAllowed, "blocked"),
            (IN_CELLAR, Conflict, f"listening to me in <#{LOUNGE}>"),
        ],
    )
    async def test_why_it_does_not_come(
        self, harness: StudioHarness, lounge: FakeVoice, actor: Actor, kind: type[BarkeepError], words: str
    ) -> None:
        await harness.studio.admin.block(MOD, 5, "")
        with pytest.raises(kind, match=words):
            await harness.studio.channels.join(actor)
        assert await seat_of(harness) == LOUNGE
        assert len(lounge.connections) == 1

    async def test_a_moderator_does_not_take_it_from_those_who_listen_either(
        self, harness: StudioHarness, lounge: FakeVoice
    ) -> None:
        with pytest.raises(Conflict):
            await harness.studio.channels.join(replace(MOD, voice_channel_id=CELLAR))

    async def test_from_a_channel_where_nobody_listens_it_comes(
        self, harness: StudioHarness, lounge: FakeVoice
    ) -> None:
        lounge.people = 0
        assert (await harness.studio.channels.join(IN_CELLAR)).channel_id == CELLAR
        assert lounge.left == [LOUNGE]
        assert await seat_of(harness) == CELLAR

    async def test_a_refusal_leaves_nothing_behind(self, harness: StudioHarness, voice: FakeVoice) -> None:
        voice.refusal = NotAllowed("I need the permission Connect.")
        with pytest.raises(NotAllowed, match="Connect"):
            await harness.studio.channels.join(ANN_THERE)
        assert harness.studio.channels.scene(GUILD) is None
        assert await seat_of(harness) is None
        voice.refusal = None
        await harness.studio.channels.join(ANN_THERE)

    async def test_before_the_platform_is_there_it_cannot_come(self, harness: StudioHarness) -> None:
        with pytest.raises(Unavailable, match="try again"):
            await harness.studio.channels.join(ANN_THERE)
        with pytest.raises(Conflict, match="not in a voice channel"):
            await harness.studio.channels.leave(ANN_THERE)
        await harness.studio.channels.upkeep()
        harness.studio.channels.look(GUILD)

    async def test_servers_have_their_own_channels(self, harness: StudioHarness, lounge: FakeVoice) -> None:
        await harness.studio.channels.join(replace(ANN_THERE, guild_id=901, voice_channel_id=80))
        await harness.studio.channels.leave(ANN_THERE)
        assert [seat.guild_id for seat in await harness.storage.seats.all()] == [901]

    async def test_the_notice_is_said_where_a_server_wants_it_once(
        self, harness: StudioHarness, voice: FakeVoice
    ) -> None:
        await harness.studio.admin.change(MOD, channel_notice=True)
        await harness.studio.channels.join(ANN_THERE)
        await harness.studio.channels.join(BOB_THERE)
        await until(lambda: voice.said == ["The voices you hear from me are generated."], "the notice")
        assert not room_of(harness).lines


async def queue(harness: StudioHarness, *actors: Actor) -> list[JobRecord]:
    """One line of each, none of which is made yet."""
    return [await harness.say(f"Line {number}.", actor) for number, actor in enumerate(actors)]


class TestSkippingAndStopping:
    async def test_members_skip_their_own_lines_and_moderators_any(
        self, harness: StudioHarness, lounge: FakeVoice
    ) -> None:
        harness.executor.hold()
        first, second, third = await queue(harness, ANN_THERE, BOB_THERE, ANN_THERE)
        with pytest.raises(NotAllowed, match="line is not yours"):
            await harness.studio.channels.skip(BOB_THERE)
        scene = await harness.studio.channels.skip(ANN_THERE)
        assert scene.now is not None
        assert scene.now.key == second.id
        assert [line.key for line in scene.waiting] == [third.id]
        assert (await harness.studio.channels.skip(MOD)).now is scene.waiting[0]
        assert harness.studio.dispatcher.rooms.fate(first.id) is Fate.SKIPPED

    async def test_a_skipped_line_is_still_posted(self, harness: StudioHarness, lounge: FakeVoice) -> None:
        release = harness.executor.hold()
        (said,) = await queue(harness, ANN_THERE)
        await harness.studio.channels.skip(ANN_THERE)
        release()
        await harness.ended(said.id)
        assert lounge.said == []
        assert harness.courier.of(said.id)[0].audio is not None

    async def test_stopping_ends_ones_own_lines_and_a_moderators_all(
        self, harness: StudioHarness, lounge: FakeVoice
    ) -> None:
        harness.executor.hold()
        await queue(harness, ANN_THERE, BOB_THERE, ANN_THERE, BOB_THERE)
        assert await harness.studio.channels.stop(ANN_THERE) == 2
        assert {line.member_id for line in room_of(harness).lines} == {BOB_THERE.member_id}
        assert await harness.studio.channels.stop(MOD) == 2
        for actor in (ANN_THERE, MOD):
            with pytest.raises(Conflict, match="no lines here"):
                await harness.studio.channels.stop(actor)
        with pytest.raises(Conflict, match="not saying anything"):
            await harness.studio.channels.skip(MOD)

    async def test_nothing_is_skipped_where_the_bot_is_not(self, harness: StudioHarness, voice: FakeVoice) -> None:
        for action in (harness.studio.channels.skip, harness.studio.channels.stop):
            with pytest.raises(Conflict, match="not in a voice channel"):
                await action(ANN_THERE)

    async def test_who_is_blocked_does_nothing(self, harness: StudioHarness, lounge: FakeVoice) -> None:
        harness.executor.hold()
        await queue(harness, MOD_THERE)
        await harness.studio.admin.block(MOD, ANN.member_id, "")
        for action in (harness.studio.channels.skip, harness.studio.channels.stop, harness.studio.channels.leave):
            with pytest.raises(NotAllowed, match="blocked"):
                await action(ANN_THERE)
