"""Patterns and helpers shared by the rules of `normalisation`: how each language writes and reads numbers."""

import re
from collections.abc import Callable

from cloning.text import numbers
from cloning.text.vocabulary import WORDS

Rule = tuple[str, Callable[[re.Match[str]], str]]
"""A pattern and a function that returns the replacement of a match, or the matched text for a false match."""

_COMMAS = frozenset({"en", "hi", "ja", "ko", "zh"})
"""Languages that write 1,234.5; the others write 1.234,5 or 1 234,5."""
_COMMA_NUMBER = r"\d{1,3}(?:,\d{2,3}){0,5},\d{3}(?:\.\d+)?(?!,?\d)|\d+(?:[.,]\d+)?"
_POINT_NUMBER = (
    r"\d{1,3}(?:\.\d{3}){1,6}(?:,\d+)?(?!\.?\d)"
    r"|\d{1,3}(?:['\u00a0\u202f ]\d{3}){1,6}(?:[.,]\d+)?(?![ ']?\d)"
    r"|\d+(?:[.,]\d+)?"
)
GROUPED = re.compile(r"\d{1,3}(?:[,. '\u00a0\u202f]\d{2,3})*[,. '\u00a0\u202f]\d{3}")

TAG = r"\[[^\[\]\n]{1,40}\]"
"""A cue of Bark such as `[laughs]`."""
GAP = r"[ \u00a0\u202f]?"
"""An optional space between a number and its sign."""


def letters(language: str) -> str:
    """Return the characters of a word, for use in a character set; CJK languages write words without spaces."""
    return r"A-Za-z0-9" if language in ("ja", "ko", "zh") else r"\w"


def start(language: str) -> str:
    """Return a lookbehind for the place where a number may begin."""
    return rf"(?<![{letters(language)}.,])"


def end(language: str) -> str:
    """Return a lookahead for the place where the sign after a number may end."""
    return rf"(?![{letters(language)}])"


def minus(language: str) -> str:
    """Return the pattern of an optional minus before a number or an amount of money."""
    return rf"(?P<minus>(?:(?<![{letters(language)}.,)\]%°/-])[-\u2212\u2013](?=\d|[$€£¥₹₽₩₺]|zł|R\$))?)"


def number_pattern(language: str) -> str:
    """Return the pattern of one number, with thousands separators and decimals."""
    return f"(?:{_COMMA_NUMBER if language in _COMMAS else _POINT_NUMBER})"


def parts(written: str, language: str) -> tuple[str, str]:
    """Split a written number into the digits before and after the decimal point."""
    point, thousands = (".", ",") if language in _COMMAS else (",", ".")
    sign = next((sign for sign in (point, thousands) if sign in written), None)
    if sign is None or (sign == thousands and GROUPED.fullmatch(written)):
        return re.sub(r"\D", "", written), ""
    whole, _, fraction = written.rpartition(sign)
    return re.sub(r"\D", "", whole), fraction


def number_in_words(written: str, language: str, gender: str | None = None) -> str:
    """Return a written number in words."""
    whole, fraction = parts(written, language)
    return numbers.number(whole, fraction, language, WORDS[language].point, gender)


def negative(match: re.Match[str], language: str) -> str:
    """Return the word for a matched minus, or an empty string."""
    return (WORDS[language].minus + ("" if language in numbers.UNSPACED else " ")) if match["minus"] else ""


def flexible(written: str) -> str:
    """Return the pattern of an abbreviation; the space after a full stop is optional."""
    return re.escape(written).replace(r"\.\ ", r"\.[ \u00a0\u202f]?")
