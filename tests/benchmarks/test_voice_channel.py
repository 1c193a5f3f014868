from pathlib import Path

from benchmarks import voice_channel


async def test_gaps_are_those_between_the_packets_of_one_line(tmp_path: Path) -> None:
    found = await voice_channel.gaps(tmp_path, 0.4)
    assert len(found) >= 18
    assert all(gap > 0 for gap in found)


def test_an_hour_is_read_to_its_end(tmp_path: Path) -> None:
    _, packets = voice_channel.memory(tmp_path)
    assert packets >= 3600 * 50
