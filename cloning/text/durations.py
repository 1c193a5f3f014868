"""How long a text takes to say: by the words that are spoken (numbers, signs and abbreviations written out), and by
the script that each letter is written in, whatever language was declared.
"""

import re
import unicodedata
from functools import lru_cache

from cloning.text.normalisation import normalise
from cloning.text.numbers import UNSPACED

# Characters a second of read speech, spaces included. Alphabets: 150-160 words a minute times the language's mean word
# length. Hindi, Japanese, Korean, Chinese: the syllables a second of Coupe et al. 2019 (Science Advances 5:eaaw2594),
# divided by the syllables that one written character stands for (kanji and kana mixed: 1.4).
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
"""First word of a letter's name in Unicode -> the languages written so; a letter takes the time of one of them."""
_OTHER_SCRIPT = 10.0
"""Characters a second of other alphabets: slower than any of Bark's, since the vowels may not be written."""
_TAG_SECONDS = 1.0

_TAG = re.compile(r"\[[^\[\]\n]{1,40}\]")
_ACRONYM = re.compile(r"(?<![^\W\d_])[^\W\d_a-z]{2,5}(?![^\W\d_])")
_LETTER_NAME = 4
"""The letters, and the space, of the name of a letter ("bee ", "ess ")."""
_SIGN_NAME = 13
"""The same of a sign that has no words here: "greater than" is a long one."""


def expected_seconds(text: str, language: str) -> float:
    """How long `text` takes to say at an ordinary speed; a `[laughs]`-style tag counts as one second."""
    tags = len(_TAG.findall(text))
    return _spoken_seconds(" ".join(_TAG.sub("", text).split()), language) + tags * _TAG_SECONDS


def longest_seconds(text: str, language: str) -> float:
    """A generous upper bound for the speech of `text`: half the usual speed and two seconds of pauses.

    It only stops a model that never ends by itself. Slow readers stay above 100 words a minute, two thirds of the
    rates above, so that a limit of half of them cuts nobody's last word.
    """
    return 2.0 + 2.0 * expected_seconds(text, language)


@lru_cache(maxsize=4096)
def _spoken_seconds(text: str, language: str) -> float:
    spoken = normalise(text, language)
    seconds = sum(_character_seconds(character, language) for character in spoken)
    if spoken != spoken.upper():  # Capitals throughout are shouted, not spelled.
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
    """The languages that write it, the likeliest first; () for a script that Bark does not know."""
    return _SCRIPTS.get(re.split("[ -]", unicodedata.name(letter, ""), maxsplit=1)[0], ())
