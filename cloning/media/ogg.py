"""Find the links of a chained Ogg file. FFmpeg reads the next link only if it is coded like the first."""

from dataclasses import dataclass
from mmap import mmap

_PAGE = b"OggS\x00"
"""The first bytes of every page: the capture pattern and version 0 (RFC 3533, section 6)."""
_FLAGS, _SEGMENTS, _TABLE = 5, 26, 27
"""Offsets in a page's header: its flags, the number of its segments, and their lengths, a byte each."""
_FIRST_OF_STREAM = 2


Buffer = bytes | mmap


@dataclass(frozen=True)
class Link:
    """The bytes `start` to `end` of a file, which are a complete file."""

    start: int
    end: int


def links(data: Buffer) -> list[Link]:
    """Return the links of an Ogg file, in order; for any other file, one link that covers it. Never raises."""
    starts = [0]
    was_first = True
    page = 0
    while data[page : page + len(_PAGE)] == _PAGE and page + _TABLE < len(data):
        is_first = bool(data[page + _FLAGS] & _FIRST_OF_STREAM)
        if is_first and not was_first:
            starts.append(page)
        was_first = is_first
        page = _next_page(data, page)
    return [Link(start, end) for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]


def _next_page(data: Buffer, page: int) -> int:
    """Return the start of the next page, after damage that of the next bytes that look like one, or the end."""
    table = page + _TABLE
    after = table + data[page + _SEGMENTS] + sum(data[table : table + data[page + _SEGMENTS]])
    if data[after : after + len(_PAGE)] == _PAGE:
        return after
    found = data.find(_PAGE, page + len(_PAGE))
    return found if found >= 0 else len(data)
