"""One line: pieces come in order, whoever waits is told, and it ends once."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from studio.channel.lines import Fate, Line, Piece

FIRST, SECOND = Piece(Path("1.ogg"), 0.2), Piece(Path("2.ogg"))


def line() -> Line:
    return Line("key", "Ann", "Hello.")


async def test_pieces_stay_in_order() -> None:
    ours = line()
    ours.add(FIRST)
    ours.add(SECOND)
    assert list(ours.pieces) == [FIRST, SECOND]
    assert not ours.complete


async def test_who_waits_for_more_gets_on_with_each_piece_and_with_the_end() -> None:
    ours = line()
    taken: list[int] = []

    async def play() -> None:
        while not ours.complete:
            taken.append(len(ours.pieces))
            await ours.more(len(ours.pieces))

    playing = asyncio.create_task(play())
    steps: list[Callable[[], None]] = [lambda: ours.add(FIRST), lambda: ours.add(SECOND), ours.close]
    for step in steps:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not playing.done()
        step()
    await playing
    assert taken == [0, 1, 2]


async def test_more_does_not_wait_for_what_is_there() -> None:
    ours = line()
    ours.add(FIRST)
    await ours.more(0)
    ours.close()
    await ours.more(1)


async def test_over_waits_for_the_end_and_not_for_the_last_piece() -> None:
    ours = line()
    over = asyncio.create_task(ours.over())
    ours.close()
    await asyncio.sleep(0)
    assert not over.done()
    ours.end(Fate.SKIPPED)
    await over
    assert (ours.fate, ours.complete) == (Fate.SKIPPED, True)


async def test_a_line_that_no_member_asked_for_has_none() -> None:
    assert line().member_id is None
