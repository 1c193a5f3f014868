"""Names that resemble what was typed, to be offered while typing or as a question. Pure.

What is near is never taken for what was meant: voices are found by their exact names (storage.voices.name_key).
"""

from collections.abc import Sequence

from rapidfuzz import fuzz

from storage.names import fold

_CLOSE = 0.75
_NEAR = 0.5


def rank(typed: str, names: Sequence[str]) -> list[int]:
    """The indices of the names that fit what was typed so far, best first; all of them in order if nothing was."""
    wanted = fold(typed)
    if not wanted:
        return list(range(len(names)))
    scored = [(_distance(wanted, fold(name)), index) for index, name in enumerate(names)]
    return [index for distance, index in sorted(scored) if distance <= 3 - _CLOSE]


def near(typed: str, names: Sequence[str], count: int = 3) -> list[str]:
    """Up to `count` names that begin with what was typed, contain it or resemble it, in this order."""
    wanted = fold(typed)
    if not wanted:
        return []
    scored = sorted((_distance(wanted, fold(name)), index) for index, name in enumerate(names))
    return [names[index] for distance, index in scored[:count] if distance <= 3 - _NEAR]


def _distance(wanted: str, name: str) -> float:
    """0: starts like this; 1: contains it; 2 to 3: how unlike it is, by the longest common subsequence."""
    if name.startswith(wanted):
        return 0.0
    if wanted in name:
        return 1.0
    return 3.0 - fuzz.ratio(wanted, name, score_cutoff=100 * _NEAR) / 100
