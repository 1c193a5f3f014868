"""Chained Ogg files taken apart, and whatever else is given for one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloning.media import ogg
from cloning.media.ogg import Link
from tests.media.build import coded, encoded, tone

OPUS = coded("ogg", "libopus", tone(0.2))
VORBIS = coded("ogg", "libvorbis", tone(0.2))


def test_each_link_is_found() -> None:
    data = OPUS + VORBIS + OPUS
    first, second = len(OPUS), len(OPUS + VORBIS)
    assert ogg.links(data) == [Link(0, first), Link(first, second), Link(second, len(data))]


def test_streams_side_by_side_are_one_link() -> None:
    two = coded("ogg", "libopus", tone(0.2), tone(0.2))
    assert ogg.links(two + two) == [Link(0, len(two)), Link(len(two), 2 * len(two))]


@pytest.mark.parametrize(
    "data",
    [b"", b"OggS", encoded("flac", "flac"), bytes(100), OPUS, OPUS[:100]],
    ids=["nothing", "a mark alone", "flac", "zeros", "opus", "half a page"],
)
def test_what_is_not_chained_is_one_link(data: bytes) -> None:
    assert ogg.links(data) == [Link(0, len(data))]


def test_links_behind_damage_are_found() -> None:
    middle = len(OPUS) // 2
    broken = OPUS[:middle] + np.random.default_rng(0).bytes(500) + OPUS[middle:]
    assert ogg.links(broken + VORBIS)[-1] == Link(len(broken), len(broken + VORBIS))


@given(
    st.lists(
        st.sampled_from([b"OggS\x00", b"OggS\x00\x02" + bytes(20) + b"\x01\x03", OPUS[:60]]) | st.binary(max_size=40)
    )
)
def test_any_bytes_are_taken_apart_without_a_gap(parts: list[bytes]) -> None:
    data = b"".join(parts)
    found = ogg.links(data)
    assert [link.start for link in found] == [0, *(link.end for link in found[:-1])]
    assert found[-1].end == len(data)
    assert all(link.start < link.end for link in found) or not data
