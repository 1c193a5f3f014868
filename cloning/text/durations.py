"""Estimate how long a text takes to say.

The estimate counts the words as they are spoken (numbers, signs and abbreviations written out) and the script of each
letter, whatever language was declared.
"""

import re
import unicodedata
from functools import lru_cache

from cloning.text.grammar import TAG
from cloning.text.normalisation import normalise
from cloning.text.numbers import UNSPACED

# Characters per second of read speech, spaces included. Alphabets: 150-160 words per minute times the language's mean
# word length. Hindi, Japanese, Korean, Chinese: the syllables per second of Coupe et al. 2019 (Science Advances
# 5:eaaw2594), divided by the syllables per written character (kanji and kana mixed: 1.4).
_CHARACTERS_PER_SECOND = {
    "en": 15.0,
    "de": 14.5,
    "es": 15.5,
    "fr": 15.5,
    "hi": 12.0,
    "it": 15.0,
    "ja": 5.5,
    "ko": 7.0,
    "pl": 14.0,
    "pt": 14.5,
    "ru": 14.0,
    "tr": 14.0,
    "zh": 4.8,
}
_SCRIPTS = {
    "LATIN": ("en", "de", "es", "fr", "it", "pl", "pt", "tr"),
    "CYRILLIC": ("ru",),
    "DEVANAGARI": ("hi",),
    "HANGUL": ("ko",),
    "HIRAGANA": ("ja",),
    "KATAKANA": ("ja",),
    "CJK": ("zh", "ja"),
}
"""First word of a letter's Unicode name -> the languages of that script. A foreign letter takes the rate of the first.
"""
_OTHER_SCRIPT = 10.0
"""Characters per second of other alphabets: fewer than in any of Bark's, since some do not write vowels."""
_TAG_SECONDS = 1.0

_TAG = re.compile(TAG)
_ACRONYM = re.compile(r"(?<![^\W\d_])[^\W\d_a-z]{2,5}(?![^\W\d_])")
_LETTER_NAME = 4
"""Characters in the name of a letter, with its space ("bee ", "ess ")."""
_SIGN_NAME = 13
"""Characters in the name of a sign that normalisation does not know, such as "greater than"."""


def expected_seconds(text: str, language: str) -> float:
    """Return the seconds that `text` takes at normal speed; a `[laughs]`-style tag counts as one second."""
    tags = len(_TAG.findall(text))
    return _spoken_seconds(" ".join(_TAG.sub("", text).split()), language) + tags * _TAG_SECONDS


def longest_seconds(text: str, language: str) -> float:
    """Return an upper bound for the seconds of speech of `text`: half the normal speed and two seconds of pauses.

    It stops a model that does not end by itself. Slow readers stay above 100 words per minute, two thirds of the rates
    above, so the limit does not cut off their last word.
    """
    return 2.0 + 2.0 * expected_seconds(text, language)


@lru_cache(maxsize=4096)
def _spoken_seconds(text: str, language: str) -> float:
    spoken = normalise(text, language)
    seconds = sum(_character_seconds(character, language) for character in spoken)
    if spoken != spoken.upper():  # Text in capitals throughout is shouted, not spelled.
        letters = sum(len(acronym) for acronym in _ACRONYM.findall(spoken) if acronym.isupper())
        seconds += letters * (_LETTER_NAME - 1) / _CHARACTERS_PER_SECOND[language]
    return seconds


@lru_cache(maxsize=4096)
def _character_seconds(character: str, language: str) -> float:
    rate = _CHARACTERS_PER_SECOND[language]
    category = unicodedata.category(character)
    if category in ("Sm", "Sc", "So"):
        return _SIGN_NAME / _CHARACTERS_PER_SECOND["en"]
    if category[0] not in "LM":
        foreign = character == " " and language in UNSPACED
        return 1 / (_CHARACTERS_PER_SECOND["en"] if foreign else rate)
    written = languages_of(character)
    if language in written or (category[0] == "M" and not written):
        return 1 / rate
    return 1 / (_CHARACTERS_PER_SECOND[written[0]] if written else _OTHER_SCRIPT)


def languages_of(letter: str) -> tuple[str, ...]:
    """Return the languages that use the letter, most likely first; () for a script that no language of Bark uses."""
    return _SCRIPTS.get(re.split("[ -]", unicodedata.name(letter, ""), maxsplit=1)[0], ())
