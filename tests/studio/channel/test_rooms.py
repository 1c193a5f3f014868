"""A room says one line after the other; rooms know what became of each job's line, and leave no file behind."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from errors import NotAllowed, Unavailable
from storage.files import FileStore
from studio.channel import rooms as module
from studio.channel.lines import Fate, Line, Piece
from studio.channel.rooms import Room, Rooms
from studio.queue.job_payload import Reply
from tests.fake_voice import FakeConnection, FakeVoice
from tests.studio.channel.conftest import LOUNGE
from tests.studio.conftest import ANN, GUILD, FakeClock, until
from tests.studio.queue.test_fair_order import job


class Slow(FakeConnection):
    """Says each line until `go_on` is set. Notes when it is told to fall silent, and never says two at once."""

    def __init__(self, voice: FakeVoice) -> None:
        super().__init__(voice, LOUNGE, lambda: None)
        self.voice = voice
        self.go_on = asyncio.Event()
        self.saying: list[str] = []
        self.silenced: list[str] = []
        self.error: Exception | None = None

    async def play(self, line: Line) -> None:
        assert not self.saying, "two lines overlap"
        self.saying.append(line.text)
        try:
            await self.go_on.wait()
            if self.error is not None:
                raise self.error
            await super().play(line)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)  # The last packet is on its way.
            self.silenced.append(line.text)
            raise
        finally:
            self.saying.clear()


@pytest.fixture
async def connection() -> Slow:
    return Slow(FakeVoice())


@pytest.fixture
def told() -> list[tuple[str, Fate | None]]:
    return []


@pytest.fixture
async def room(connection: Slow, told: list[tuple[str, Fate | None]]) -> Room:
    return Room(connection, lambda line: told.append((line.text, line.fate)), FakeClock())


def whole(text: str) -> Line:
    """A line all of which was made."""
    line = Line(text, "Ann", text)
    line.add(Piece(Path("1.ogg")))
    line.close()
    return line


async def test_lines_are_said_in_order_one_at_a_time(
    room: Room, connection: Slow, told: list[tuple[str, Fate | None]]
) -> None:
    for text in "abc":
        room.add(whole(text))
    await until(lambda: connection.saying == ["a"], "the first line")
    connection.go_on.set()
    await until(lambda: not room.lines, "the end")
    assert connection.voice.said == ["a", "b", "c"]
    assert told == [("a", Fate.HEARD), ("b", Fate.HEARD), ("c", Fate.HEARD)]
    room.add(whole("d"))
    await until(lambda: connection.voice.said[-1] == "d", "a line after a pause")


async def test_the_next_line_begins_when_the_last_packet_of_a_skipped_one_is_out(
    room: Room, connection: Slow, told: list[tuple[str, Fate | None]]
) -> None:
    first, second = whole("a"), whole("b")
    room.add(first)
    room.add(second)
    await until(lambda: connection.saying == ["a"], "the first line")
    room.end(first, Fate.SKIPPED)
    room.end(first, Fate.SKIPPED)
    assert room.lines == (second,)
    await until(lambda: connection.saying == ["b"], "the second line")
    assert connection.silenced == ["a"]
    assert told == [("a", Fate.SKIPPED)]


async def test_a_waiting_line_that_ends_is_passed_over(room: Room, connection: Slow) -> None:
    lines = [whole(text) for text in "abc"]
    for line in lines:
        room.add(line)
    await until(lambda: connection.saying == ["a"], "the first line")
    room.end(lines[1], Fate.SKIPPED)
    connection.go_on.set()
    await until(lambda: not room.lines, "the end")
    assert connection.voice.said == ["a", "c"]


@pytest.mark.parametrize("error", [NotAllowed("I may not speak any more."), ValueError("broken")])
async def test_a_line_that_cannot_be_said_is_lost_and_the_next_one_is_tried(
    room: Room, connection: Slow, told: list[tuple[str, Fate | None]], error: Exception
) -> None:
    room.add(whole("a"))
    room.add(whole("b"))
    await until(lambda: connection.saying == ["a"], "the first line")
    connection.error = error
    connection.go_on.set()
    await until(lambda: not room.lines, "the end")
    assert told == [("a", Fate.LOST), ("b", Fate.LOST)]
    connection.error = None
    room.add(whole("c"))
    await until(lambda: told[-1] == ("c", Fate.HEARD), "a line after that")


async def test_closing_ends_every_line_and_then_leaves(
    room: Room, connection: Slow, told: list[tuple[str, Fate | None]]
) -> None:
    for text in "abc":
        room.add(whole(text))
    await until(lambda: connection.saying == ["a"], "the first line")
    await room.close()
    assert told == [(text, Fate.LOST) for text in "abc"]
    assert connection.silenced == ["a"]
    assert connection.voice.left == [LOUNGE]
    room.add(whole("d"))
    assert told[-1] == ("d", Fate.LOST)
    assert connection.voice.said == []


class AllRooms:
    """All rooms, with one in which lines are said once `connection.go_on` is set, and files to be heard."""

    def __init__(self, folder: Path, connection: Slow) -> None:
        self.files = FileStore(folder / "data")
        self.rooms = Rooms(self.files, FakeClock())
        self.room = self.rooms.open(GUILD, connection)
        self.sound = folder / "part-0.ogg"
        self.sound.write_bytes(b"OggS")

    def line(self, number: int, *, reply: Reply = Reply.FILE, member_id: int = 1, voice_id: int | None = None) -> Line:
        """A line of which nothing was made yet."""
        ours = replace(job(number, GUILD, member_id), voice_id=voice_id)
        line = Line(ours.id, "Ann", f"Line {number}.", job=ours, reply=reply)
        self.rooms.add(self.room, line)
        return line

    def kept(self) -> list[str]:
        """The files that wait to be heard."""
        walked = os.walk(self.files.data_dir / "aloud")  # passes over a folder that is being deleted
        return sorted(name for _, _, names in walked for name in names)


@pytest.fixture
async def lounge(tmp_path: Path, connection: Slow) -> AllRooms:
    lounge = AllRooms(tmp_path, connection)
    await lounge.files.prepare()
    return lounge


async def test_a_line_is_heard_from_its_parts_and_the_files_are_gone_afterwards(
    lounge: AllRooms, connection: Slow
) -> None:
    line = lounge.line(1)
    connection.go_on.set()
    for number in (0, 1, 0):  # The first one comes again: another attempt.
        await lounge.rooms.part(line.key, lounge.sound, number, 0.2)
    assert [piece.pause for piece in line.pieces] == [0.2, 0.2]
    assert lounge.rooms.waits(line.key)
    await lounge.rooms.whole(line.key, lounge.sound)
    await until(lambda: lounge.rooms.fate(line.key) is Fate.HEARD, "the end")
    assert len(line.pieces) == 2, "the whole was said after its parts"
    assert not lounge.rooms.waits(line.key)
    await until(lambda: lounge.kept() == [], "no file")


async def test_a_line_without_parts_is_heard_from_the_whole(lounge: AllRooms, connection: Slow) -> None:
    line = lounge.line(1)
    connection.go_on.set()
    await lounge.rooms.whole(line.key, lounge.sound)
    await until(lambda: lounge.rooms.fate(line.key) is Fate.HEARD, "the end")
    assert [piece.path.name for piece in line.pieces] == [lounge.sound.name]


async def test_what_comes_after_the_end_is_not_kept(lounge: AllRooms) -> None:
    line = lounge.line(1)
    coming = asyncio.create_task(lounge.rooms.part(line.key, lounge.sound, 0, 0.0))
    await asyncio.sleep(0)
    lounge.rooms.drop(line.key)
    await coming
    await lounge.rooms.part(line.key, lounge.sound, 1, 0.0)
    await lounge.rooms.whole(line.key, lounge.sound)
    await until(lambda: lounge.kept() == [], "no file")
    assert lounge.rooms.fate(line.key) is Fate.SKIPPED


async def test_jobs_that_were_never_to_be_heard_are_passed_over(lounge: AllRooms) -> None:
    await lounge.rooms.part("other", lounge.sound, 0, 0.0)
    await lounge.rooms.whole("other", lounge.sound)
    lounge.rooms.drop("other")
    assert lounge.rooms.fate("other") is None
    assert not lounge.rooms.waits("other")
    assert lounge.kept() == []


async def test_an_answer_without_a_file_waits_for_its_line(lounge: AllRooms) -> None:
    posted, heard = lounge.line(1), lounge.line(2, reply=Reply.WORDS)
    assert lounge.rooms.awaited(posted.key) is None
    assert lounge.rooms.awaited(heard.key) == (LOUNGE, heard)
    lounge.rooms.drop(heard.key)
    assert lounge.rooms.awaited(heard.key) is None


async def test_a_members_or_a_voices_lines_end_in_their_own_server(lounge: AllRooms, connection: Slow) -> None:
    lines = [lounge.line(number, member_id=1 + number % 2, voice_id=number) for number in range(4)]
    lounge.rooms.drop_member(901, 1)
    lounge.rooms.drop_voice(901, 1)
    assert list(lounge.room.lines) == lines
    lounge.rooms.drop_member(GUILD, 1)
    assert list(lounge.room.lines) == [lines[1], lines[3]]
    lounge.rooms.drop_voice(GUILD, 3)
    assert list(lounge.room.lines) == [lines[1]]


async def test_who_sits_with_the_bot_is_near(lounge: AllRooms) -> None:
    there = replace(ANN, voice_channel_id=LOUNGE)
    assert lounge.rooms.near(there) is lounge.room
    assert lounge.rooms.near(replace(there, voice_channel_id=71)) is None
    assert lounge.rooms.near(replace(there, guild_id=901)) is None
    assert lounge.rooms.near(ANN) is None


async def test_closing_everything_loses_lines_and_leaves_no_file(lounge: AllRooms, connection: Slow) -> None:
    line = lounge.line(1)
    await lounge.rooms.part(line.key, lounge.sound, 0, 0.0)
    await lounge.rooms.close_all()
    await lounge.rooms.close(GUILD)
    assert lounge.rooms.fate(line.key) is Fate.LOST
    assert lounge.kept() == []
    assert list(lounge.rooms) == []
    assert connection.voice.left == [LOUNGE]


async def test_a_line_for_a_room_that_was_left_is_lost_at_once(lounge: AllRooms) -> None:
    await lounge.rooms.close_all()
    line = lounge.line(1, reply=Reply.WORDS)
    assert lounge.rooms.fate(line.key) is Fate.LOST
    assert lounge.rooms.awaited(line.key) is None


async def test_only_the_last_fates_are_remembered(lounge: AllRooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 2)
    lines = [lounge.line(number) for number in range(3)]
    for line in lines:
        lounge.rooms.drop(line.key)
    assert [lounge.rooms.fate(line.key) for line in lines] == [None, Fate.SKIPPED, Fate.SKIPPED]


async def test_a_file_that_cannot_be_removed_is_left_to_the_next_start(
    lounge: AllRooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drop_aloud(job_id: str) -> None:
        raise Unavailable("The disk refuses access.")

    line = lounge.line(1)
    await lounge.rooms.part(line.key, lounge.sound, 0, 0.0)
    monkeypatch.setattr(lounge.files, "drop_aloud", drop_aloud)
    await lounge.rooms.close_all()
    assert lounge.kept() == [lounge.sound.name]
    assert lounge.rooms.fate(line.key) is Fate.LOST
