"""Names of voices as they are compared. Pure."""

import unicodedata

_LOOKED_AT = 100
"""Characters of a text that is compared with names: they are shorter, but anything can be typed."""


def name_key(name: str) -> str:
    """What decides whether two names are the same: compatible characters and capitals make no difference.

    Control characters and lone surrogates do not count either: no name has them, and no database takes them all.
    """
    held = "".join(character for character in name if unicodedata.category(character) not in ("Cc", "Cs"))
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", held).casefold())


def fold(text: str) -> str:
    """What counts while a name is looked for: its first letters and digits, without accents and case."""
    decomposed = unicodedata.normalize("NFKD", text[:_LOOKED_AT]).casefold()
    return "".join(character for character in decomposed if character.isalnum())
