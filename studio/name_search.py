"""Names as people type them: without case, accents and punctuation, from the start, or nearly. Pure."""

import difflib
import unicodedata
from collections.abc import Sequence

_CLOSE = 0.75
_NEAR = 0.5
_LOOKED_AT = 100
"""Characters that are looked at: likeness takes time by the square of the length, and for every voice there is."""


def fold(text: str) -> str:
    """What counts when two names are compared: the first letters and digits, without accents and case."""
    decomposed = unicodedata.normalize("NFKD", text[:_LOOKED_AT]).casefold()
    return "".join(character for character in decomposed if character.isalnum())


def choose(typed: str, names: Sequence[str]) -> int | None:
    """The index of the one name that is meant, or None if none or several could be.

    Tried in turn: the same but for case, the same but for accents and punctuation, the only one that starts like this,
    the only one that contains this, the only one that is close.
    """
    wanted = fold(typed)
    folded = [fold(name) for name in names]
    exact = [index for index, name in enumerate(names) if name.casefold() == typed.strip().casefold()]
    if exact:
        return exact[0]
    if not wanted:
        return None
    for found in (
        [index for index, name in enumerate(folded) if name == wanted],
        [index for index, name in enumerate(folded) if name.startswith(wanted)],
        [index for index, name in enumerate(folded) if wanted in name],
        [index for index, name in enumerate(folded) if _likeness(wanted, name) >= _CLOSE],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            return None
    return None


def rank(typed: str, names: Sequence[str]) -> list[int]:
    """The indices of the names that fit what was typed so far, best first; all of them in order if nothing was."""
    wanted = fold(typed)
    if not wanted:
        return list(range(len(names)))
    scored = [(_distance(wanted, fold(name)), index) for index, name in enumerate(names)]
    return [index for distance, index in sorted(scored) if distance <= 3 - _CLOSE]


def near(typed: str, names: Sequence[str], count: int = 3) -> list[str]:
    """Up to `count` names that resemble what was typed, most alike first."""
    wanted = fold(typed)
    scored = sorted(((-_likeness(wanted, fold(name)), index) for index, name in enumerate(names)))
    return [names[index] for likeness, index in scored[:count] if -likeness >= _NEAR]


def _distance(wanted: str, name: str) -> float:
    """0: starts like this; 1: contains it; 2 to 3: how unlike it is."""
    if name.startswith(wanted):
        return 0.0
    if wanted in name:
        return 1.0
    return 3.0 - _likeness(wanted, name)


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()
