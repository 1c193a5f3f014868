"""Sentences with spoken numbers: counts, ordinals, years, dates, times, money, decimals and single digits.

The normalisation of texts replaces digits by such words before the model reads them.
"""

import random
import re
from collections.abc import Callable, Iterator
from typing import Any

from hibari.g2p import numbers

from research.bundled.texts import is_clean

_NUMBERS: Any = numbers  # without annotations
_EACH = 250
_DRAWS = 4  # per requested sentence, before a pattern counts as exhausted
_LARGEST = 7  # maximum digits of a count

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)

_PATTERNS = (
    "There were {count} people in the hall.",
    "We counted {count} birds and {count} fish.",
    "About {count} miles are left.",
    "I need {count} of them, not {count}.",
    "She was the {ordinal} to arrive.",
    "It is on the {ordinal} floor, behind the {ordinal} door.",
    "The house was built in {year}.",
    "Between {year} and {year} nothing was changed.",
    "We met on the {ordinal} of {month}.",
    "{month} {ordinal}, {year}, was a cold day.",
    "The train leaves at {clock}.",
    "Can we meet at {clock} instead of {clock}?",
    "That will be {money}, please.",
    "I paid {money} for it, and sold it for {money}.",
    "The exact number is {decimal}.",
    "It went up by {decimal} percent.",
    "It is minus {small} degrees outside.",
    "Nearly {small} percent of them said no.",
    "My number is {digits}.",
    "The code for the door is {digits}, don't forget it.",
    "The game ended {small} to {small}.",
    "{small} plus {small} is more than {small}.",
)


def number_sentences() -> list[str]:
    """Return distinct sentences that pass `texts.is_clean`, in the order of their patterns. Deterministic."""
    draw = random.Random(2)
    made = (sentence for pattern in _PATTERNS for sentence in _filled(pattern, draw))
    return [sentence for sentence in dict.fromkeys(made) if is_clean(sentence)]


def _filled(pattern: str, draw: random.Random) -> Iterator[str]:
    found: dict[str, None] = {}
    for _ in range(_EACH * _DRAWS):
        sentence = re.sub(r"{(\w+)}", lambda slot: _SLOTS[slot[1]](draw), pattern)
        found[sentence[0].upper() + sentence[1:]] = None
        if len(found) == _EACH:
            break
    yield from found


def _count(draw: random.Random) -> str:
    """Draw a number of 1 to 7 digits, each length equally often, and some of them round."""
    digits = draw.randint(1, _LARGEST)
    number = draw.randint(10 ** (digits - 1), 10**digits - 1)
    return _cardinal(round(number, -draw.randint(0, digits - 1)))


def _clock(draw: random.Random) -> str:
    hour, minute = draw.randint(1, 12), draw.choice((0, 15, 30, 45, draw.randint(1, 59)))
    if not minute:
        return f"{_cardinal(hour)} o'clock"
    if minute == 15 and draw.random() < 0.5:
        return f"a quarter past {_cardinal(hour)}"
    return f"{_cardinal(hour)} {'oh ' if minute < 10 else ''}{_cardinal(minute)}"


def _money(draw: random.Random) -> str:
    whole, unit = draw.randint(2, 300), draw.choice(("dollars", "euros", "pounds"))
    part = f" and {_cardinal(draw.randint(2, 99))} cents" if unit != "pounds" and draw.random() < 0.6 else ""
    return f"{_cardinal(whole)} {unit}{part}"


def _decimal(draw: random.Random) -> str:
    return f"{_cardinal(draw.randint(0, 120))} point {_digit(draw)} {_digit(draw)}".removesuffix(" zero")


def _digit(draw: random.Random) -> str:
    return _cardinal(draw.randint(0, 9))


_SLOTS: dict[str, Callable[[random.Random], str]] = {
    "count": _count,
    "small": lambda draw: _cardinal(draw.randint(2, 99)),
    "ordinal": lambda draw: _ordinal(draw.randint(1, 31)),
    "month": lambda draw: draw.choice(_MONTHS),
    "year": lambda draw: _year(draw.randint(1700, 2030)),
    "clock": _clock,
    "money": _money,
    "decimal": _decimal,
    "digits": lambda draw: ", ".join(_digit(draw) for _ in range(draw.randint(3, 6))),
}


def _cardinal(number: int) -> str:
    return str(_NUMBERS.cardinal(number)).replace(",", "")


def _ordinal(number: int) -> str:
    return str(_NUMBERS.ordinal(number))


def _year(number: int) -> str:
    return str(_NUMBERS.year(number)).replace(",", "")
