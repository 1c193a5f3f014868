"""Normalisation of voice names for comparison and search."""

import unicodedata

_LOOKED_AT = 100
"""How many characters of a typed text are compared. Names are shorter."""


def name_key(name: str) -> str:
    """Return the key by which names are compared. It ignores case and compatibility variants of characters (NFKC).

    It also drops control characters and lone surrogates: no name has them, and not every database accepts them.
    """
    storable = "".join(character for character in name if unicodedata.category(character) not in ("Cc", "Cs"))
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", storable).casefold())


def fold(text: str) -> str:
    """Return the form of a text that a search compares: its first letters and digits, without accents and case."""
    decomposed = unicodedata.normalize("NFKD", text[:_LOOKED_AT]).casefold()
    return "".join(character for character in decomposed if character.isalnum())
