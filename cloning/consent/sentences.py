"""The sentences that members say to agree to a clone. Does not import torch.

A sentence is a statement followed by random words, so that a recording of an earlier sentence does not match it.
"""

import re
import secrets

from rapidfuzz.distance import Levenshtein

LANGUAGES = ("en",)
"""The languages of sentences: those of the recogniser whose weights come in a package."""
WORDS = 5
"""The number of random words."""
VOCABULARY = tuple(
    """
    apple basket bottle candle carpet castle chicken coffee cotton diamond dolphin elephant engine
    bicycle finger forest garden guitar hammer harbor honey island jacket jungle kitchen ladder lemon magnet
    market mirror monkey morning mountain needle ocean orange paper pencil pepper picture pilot planet
    potato rabbit railway river rocket saddle silver spider sugar summer table ticket tiger tomato tractor
    umbrella valley violin wagon window winter yellow zebra
    """.split()  # noqa: SIM905 (a list of strings would be a column of seventy lines)
)
"""Common words of two syllables or more, none of which sounds like another."""

_STATEMENT = "I agree to a copy of my voice"
_ALIKE = 0.75
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def new_sentence() -> str:
    """Return a sentence with WORDS different words, drawn by the system's random generator."""
    drawn = secrets.SystemRandom().sample(VOCABULARY, WORDS)
    return f"{_STATEMENT}: {', '.join(drawn)}."


def parts(sentence: str) -> tuple[list[str], list[str]]:
    """Return the words of the statement and the random words of a sentence, in lower case."""
    statement, _, drawn = sentence.partition(":")
    return tokens(statement), tokens(drawn)


def tokens(text: str) -> list[str]:
    """Return the words of a text in lower case, without punctuation."""
    return _TOKEN.findall(text.lower())


def found_in_order(wanted: list[str], heard: list[str]) -> int:
    """Return how many wanted words were heard in this order; other words may be in between.

    A recogniser may spell a word differently, so words that agree in three of four letters count.
    """
    row = [0] * (len(heard) + 1)
    for word in wanted:
        above, row = row, [0]
        for place, other in enumerate(heard):
            row.append(max(row[place], above[place + 1], above[place] + _is_alike(word, other)))
    return row[-1]


def _is_alike(word: str, other: str) -> bool:
    return Levenshtein.normalized_similarity(word, other) >= _ALIKE
