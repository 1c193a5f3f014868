"""A line as packets: each once and in order, silence while there is nothing, an end, and files that are damaged."""

from pathlib import Path

import pytest

from cogs.channel.source import PATIENCE, SILENCE, LineSource
from studio.channel.lines import Line, Piece
from tests.cogs.channel.conftest import packets_of, tone


class Stage:
    """A line and its source; `ready` is whether sound arrives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.line = Line("key", "Ann", "Hello.")
        self.ready = True
        self.source = LineSource(self.line, lambda: self.ready)

    def add(self, number: int, pause: float = 0.0, content: bytes | None = None) -> list[bytes]:
        """A piece of the line; its packets."""
        sound = tone(number, 0.1)
        path = self.folder / f"{number}.ogg"
        path.write_bytes(sound if content is None else content)
        self.line.add(Piece(path, pause))
        return packets_of(sound)

    def rest(self) -> list[bytes]:
        """All packets until it breaks off."""
        return list(iter(self.source.read, b""))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_packets_come_as_they_are_with_pauses_between_pieces(stage: Stage) -> None:
    first, second = stage.add(0, pause=0.1), stage.add(1, pause=0.5)
    stage.line.close()
    assert stage.source.is_opus()
    assert stage.rest() == [*first, *[SILENCE] * 5, *second]
    assert stage.source.ended


def test_it_is_silent_until_there_is_more_and_breaks_off_after_patience(stage: Stage) -> None:
    first = stage.add(0)
    assert stage.rest() == first + [SILENCE] * PATIENCE
    idle = [stage.source.idle]
    assert not stage.source.ended
    second = stage.add(1)
    idle.append(stage.source.idle)
    assert idle == [True, False]
    stage.line.close()
    assert stage.rest() == second, "it goes on where it broke off"


def test_nothing_is_lost_while_no_sound_arrives(stage: Stage) -> None:
    packets = stage.add(0)
    stage.line.close()
    heard = [stage.source.read()]
    stage.ready = False
    assert [stage.source.read() for _ in range(20)] == [SILENCE] * 20
    stage.ready = True
    assert heard + stage.rest() == packets


def test_a_line_without_sound_ends_at_once(stage: Stage) -> None:
    stage.line.close()
    assert stage.source.read() == b""
    assert stage.source.ended


@pytest.mark.parametrize(
    "content",
    [b"", b"RIFF", tone(0, 0.1)[:20], tone(0, 0.1)[:60]],
    ids=["empty", "another format", "half a page", "half a header"],
)
def test_a_damaged_piece_is_passed_over(stage: Stage, content: bytes) -> None:
    stage.add(0, content=content)
    second = stage.add(1)
    stage.line.close()
    assert stage.rest()[-len(second) :] == second
    assert stage.source.ended


def test_a_piece_that_is_gone_is_passed_over(stage: Stage) -> None:
    stage.add(0)
    (stage.folder / "0.ogg").unlink()
    second = stage.add(1)
    stage.line.close()
    assert stage.rest() == second
