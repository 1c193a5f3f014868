"""What the rules of `normalisation` share: numbers as each language writes them, and how to say one."""

import re
from collections.abc import Callable

from cloning.text import numbers
from cloning.text.vocabulary import WORDS

Rule = tuple[str, Callable[[re.Match[str]], str]]
"""A pattern, and what is said in place of a match. A match that is no such thing after all is returned as it is."""

_COMMAS = frozenset({"en", "hi", "ja", "ko", "zh"})
"""Languages that write 1,234.5; the others write 1.234,5 or 1 234,5."""
_COMMA_NUMBER = r"\d{1,3}(?:,\d{2,3}){0,5},\d{3}(?:\.\d+)?(?!,?\d)|\d+(?:[.,]\d+)?"
_POINT_NUMBER = (
    r"\d{1,3}(?:\.\d{3}){1,6}(?:,\d+)?(?!\.?\d)"
    r"|\d{1,3}(?:['\u00a0\u202f ]\d{3}){1,6}(?:[.,]\d+)?(?![ ']?\d)"
    r"|\d+(?:[.,]\d+)?"
)
GROUPED = re.compile(r"\d{1,3}(?:[,. '\u00a0\u202f]\d{2,3})*[,. '\u00a0\u202f]\d{3}")

GAP = r"[ \u00a0\u202f]?"
"""A space, if there is one, between a number and its sign."""


def letters(language: str) -> str:
    """The characters, for a set in a pattern, that make a word go on; CJK languages run words together."""
    return r"A-Za-z0-9" if language in ("ja", "ko", "zh") else r"\w"


def start(language: str) -> str:
    """Where a number may begin."""
    return rf"(?<![{letters(language)}.,])"


def end(language: str) -> str:
    """Where a sign behind a number may end."""
    return rf"(?![{letters(language)}])"


def minus(language: str) -> str:
    """A minus, if there is one, in front of a number or of money."""
    return rf"(?P<minus>(?:(?<![{letters(language)}.,)\]%°/-])[-\u2212\u2013](?=\d|[$€£¥₹₽₩₺]|zł|R\$))?)"


def number_pattern(language: str) -> str:
    """What matches one number, signs of thousands and a decimal part included."""
    return f"(?:{_COMMA_NUMBER if language in _COMMAS else _POINT_NUMBER})"


def parts(written: str, language: str) -> tuple[str, str]:
    """The digits before and behind the decimal point."""
    point, thousands = (".", ",") if language in _COMMAS else (",", ".")
    sign = next((sign for sign in (point, thousands) if sign in written), None)
    if sign is None or (sign == thousands and GROUPED.fullmatch(written)):
        return re.sub(r"\D", "", written), ""
    whole, _, fraction = written.rpartition(sign)
    return re.sub(r"\D", "", whole), fraction


def said(written: str, language: str, gender: str | None = None) -> str:
    """A number as it is written, in words."""
    whole, fraction = parts(written, language)
    return numbers.number(whole, fraction, language, WORDS[language].point, gender)


def negative(match: re.Match[str], language: str) -> str:
    """The word for a minus in front, or nothing."""
    return (WORDS[language].minus + ("" if language in numbers.UNSPACED else " ")) if match["minus"] else ""
