"""Names and descriptions of voices: which are valid, and which resemble a typed text.

A similar name is only suggested, never used: voices are found by their exact names (storage.names.name_key).
"""

import re
import unicodedata
from collections.abc import Sequence

from rapidfuzz import fuzz

from errors import InvalidInput
from storage.names import fold
from studio.speech_text import is_invisible

NAME_LENGTH = 32
"""The longest name of a voice, in characters after NFKC."""
DESCRIPTION_LENGTH = 200
"""The longest description of a voice, in characters after NFKC."""

_SPACES = re.compile(r"\s+")
_MENTION = re.compile(r"<(?:@|#|/|id:|t:)|@(?:everyone|here)\b")
_CUSTOM_EMOJI = re.compile(r"<a?:\w+:\d+>")
_MARKDOWN = frozenset("*_~`|\\<>#[]@")
_PUNCTUATION = frozenset(" -'’.,!?&+()")
_KEYCAP = "\u20e3"
_MARKS_IN_A_ROW = 3
_CLOSE = 0.75
_NEAR = 0.5


def clean_name(name: str) -> str:
    """Return a name in its stored form: NFKC, single spaces, 1 to 32 characters, letters, digits and some punctuation.

    Raises InvalidInput with the reason. A stored name has no mentions, markup or invisible characters, and cannot be
    mistaken for a voice's key.
    """
    if _CUSTOM_EMOJI.search(name):
        raise InvalidInput("A voice's name can't have emoji in it. Use letters and digits.")
    if _MENTION.search(name):
        raise InvalidInput("A voice's name can't mention anyone. Write the name without @, # or <>.")
    cleaned = _SPACES.sub(" ", unicodedata.normalize("NFKC", name)).strip()
    if not cleaned:
        raise InvalidInput("Give the voice a name of 1 to 32 characters.")
    if len(cleaned) > NAME_LENGTH:
        raise InvalidInput(f"That name has {len(cleaned)} characters. Choose one of at most {NAME_LENGTH}.")
    for character in cleaned:
        _check_character(character)
    if not any(unicodedata.category(character)[0] in "LN" for character in cleaned):
        raise InvalidInput("A voice's name needs at least one letter or digit.")
    if _marks_in_a_row(cleaned) > _MARKS_IN_A_ROW:
        raise InvalidInput("That name has too many accents on one letter. Use fewer.")
    return cleaned


def clean_description(description: str) -> str:
    """Return a description in its stored form: NFKC, single spaces, no invisible characters; may be empty.

    Raises InvalidInput when it is longer than 200 characters.
    """
    cleaned = one_line(description)
    if len(cleaned) > DESCRIPTION_LENGTH:
        raise InvalidInput(
            f"That description has {len(cleaned)} characters. Shorten it to at most {DESCRIPTION_LENGTH}."
        )
    return cleaned


def one_line(text: str) -> str:
    """Return a text in one line: NFKC, single spaces, without characters that a database cannot store."""
    visible = "".join(
        character if unicodedata.category(character)[0] != "C" or character in "\n\t" else " "
        for character in unicodedata.normalize("NFKC", text)
    )
    return _SPACES.sub(" ", visible).strip()


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


def _check_character(character: str) -> None:
    category = unicodedata.category(character)
    if character in _MARKDOWN:
        raise InvalidInput(
            f"A voice's name can't contain {character}. Use letters, digits, spaces and - ' . , ! ? & +."
        )
    if is_invisible(character):
        raise InvalidInput("That name has invisible characters in it. Type it again without them.")
    if category[0] == "S" and character not in _PUNCTUATION:
        raise InvalidInput("A voice's name can't have emoji or symbols in it. Use letters and digits.")
    if character == _KEYCAP or (category[0] not in "LMN" and character not in _PUNCTUATION):
        raise InvalidInput("That name has unusual punctuation. Use letters, digits, spaces and - ' . , ! ? & +.")


def _marks_in_a_row(text: str) -> int:
    longest = run = 0
    for character in text:
        run = run + 1 if unicodedata.category(character)[0] == "M" else 0
        longest = max(longest, run)
    return longest
