"""Detects characters that cannot be seen."""

import unicodedata

_IGNORABLE = (
    range(0x034F, 0x0350),
    range(0x115F, 0x1161),
    range(0x17B4, 0x17B6),
    range(0x180B, 0x1810),
    range(0x3164, 0x3165),
    range(0xFE00, 0xFE10),
    range(0xFFA0, 0xFFA1),
    range(0xE0100, 0xE01F0),
)
"""The letters and marks of Default_Ignorable_Code_Point in Unicode's DerivedCoreProperties."""


def is_invisible(character: str) -> bool:
    """Return whether a character is invisible by itself: controls, joiners, fillers, variation selectors."""
    return unicodedata.category(character)[0] == "C" or any(ord(character) in block for block in _IGNORABLE)
