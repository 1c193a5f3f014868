"""Finds names that resemble a typed text, for autocomplete and suggestions.

A similar name is only suggested, never used: voices are found by their exact names (storage.names.name_key).
"""

from collections.abc import Sequence

from rapidfuzz import fuzz

from storage.names import fold

_CLOSE = 0.75
_NEAR = 0.5


def rank(typed: str, names: Sequence[str]) -> list[int]:
    """Return the indices of names that match a typed text, best first; all of them in order if it is empty."""
    wanted = fold(typed)
    if not wanted:
        return list(range(len(names)))
    scored = [(_distance(wanted, fold(name)), index) for index, name in enumerate(names)]
    return [index for distance, index in sorted(scored) if distance <= 3 - _CLOSE]


def near(typed: str, names: Sequence[str], count: int = 3) -> list[str]:
    """Return up to `count` names that start with the typed text, contain it or resemble it, in this order."""
    wanted = fold(typed)
    if not wanted:
        return []
    scored = sorted((_distance(wanted, fold(name)), index) for index, name in enumerate(names))
    return [names[index] for distance, index in scored[:count] if distance <= 3 - _NEAR]


def _distance(wanted: str, name: str) -> float:
    """Return 0 if the name starts with the text, 1 if it contains it, else 2 to 3 by edit distance."""
    if name.startswith(wanted):
        return 0.0
    if wanted in name:
        return 1.0
    return 3.0 - fuzz.ratio(wanted, name, score_cutoff=100 * _NEAR) / 100
