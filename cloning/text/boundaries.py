"""Decide whether a sentence certainly ends where a splitter says so, in each of Bark's languages.

A wrong cut is heard as a falling tone and a pause; a missing cut is not heard. So doubtful places are not sentence
ends: abbreviations, initials, ordinals, text that continues in lower case, and text inside quotes or brackets.
"""

import re
from collections.abc import Iterable
from functools import cache

from cloning.text.abbreviations import CLOSING, COUNTERS, INNER, TITLES, flexible

_OPENERS = "\"'«»“”„‘¿¡([{—–-「『（《"
_CLOSERS = "\"'”’»)]」』】）》〉♪"
_PAIRS = (("「", "」"), ("『", "』"), ("（", "）"), ("(", ")"), ("《", "》"), ("«", "»"))
_QUOTES = {"de": ("„", "“"), "ru": ("„", "“"), "pl": ("„", "”")}
_ORDINALS = {language: re.compile(r"(?:^|[\s(])\d{1,3}\.$") for language in ("de", "pl", "tr")}
_ORDINALS["ko"] = re.compile(r"(?:^|[\s(])\d{1,4}\.$")
"""Number and full stop: an ordinal, or part of a Korean date. A longer number may end a sentence."""
_CASELESS = frozenset({"hi", "ja", "ko", "zh"})
_ONE_LETTER_WORDS = frozenset("яЯ")
"""Words of one letter that may end a Russian sentence."""
_INITIAL = re.compile(r"(?:^|[\s(.\"'«“„‚-])([^\W\d_])\.$")
_DOTTED = re.compile(r"(?:^|\s)(?:[^\W\d_]{1,2}\.){2,}$")
_NO_VOWEL = re.compile(r"(?:^|[\s(])[bcdfghjklmnpqrstvwxzłśźżćńçşğбвгджзйклмнпрстфхцчшщ]{1,5}\.$", re.IGNORECASE)


def is_sure(before: str, after: str, language: str) -> bool:
    """Return whether a sentence ends after `before`, where `after` is the rest of the line."""
    before, rest = before.rstrip(), after.lstrip().lstrip(_OPENERS + " \u00a0\u202f")
    pairs = (*_PAIRS, _QUOTES.get(language, ("“", "”")))
    if rest[:1].islower() or any(before.count(left) > before.count(right) for left, right in pairs):
        return False
    spaced = after[:1].isspace() and language != "hi"
    if before[-1:] in _CLOSERS and not spaced and language in _CASELESS:
        return False  # Only the space tells whether "…!" she said continues.
    if not before.endswith(".") or before.endswith(".."):
        return True
    if rest[:1].isupper() and _closing(language).search(before):
        return True
    if _inner(language).search(before) or (rest[:1].isdigit() and _counters(language).search(before)):
        return False
    initial = _INITIAL.search(before)
    if (initial and initial[1] not in _ONE_LETTER_WORDS) or _DOTTED.search(before) or _NO_VOWEL.search(before):
        return False
    return not (language in _ORDINALS and _ORDINALS[language].search(before))


@cache
def _inner(language: str) -> re.Pattern[str]:
    """Match a text that ends with an abbreviation which does not end a sentence."""
    return _ending([*(f"{title}." for title in TITLES.get(language, ())), *INNER.get(language, ())])


@cache
def _counters(language: str) -> re.Pattern[str]:
    return _ending(COUNTERS.get(language, ()))


@cache
def _closing(language: str) -> re.Pattern[str]:
    """Match a text that ends with an abbreviation which often ends a sentence."""
    return _ending(CLOSING.get(language, ()))


def _ending(abbreviations: Iterable[str]) -> re.Pattern[str]:
    shorts = [flexible(short) for short in abbreviations if short.endswith(".")]
    return re.compile(rf"(?:^|(?<=[\s{re.escape(_OPENERS)}]))(?:{'|'.join(shorts) or '(?!)'})$", re.IGNORECASE)
