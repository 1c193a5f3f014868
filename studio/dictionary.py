"""A server's dictionary of pronunciations: its entries, and their replacement in a text.

A text passes through it once, after mentions and links became words and before markup is removed (see speech_text).
Replacements are not searched again.
"""

import re
import unicodedata
from collections.abc import Iterable

import regex  # type: ignore[import-untyped]  # ships no types; unlike re, it knows Unicode's word boundaries

from errors import InvalidInput
from storage.records import Pronunciation
from studio import speech_text
from studio.invisible_characters import is_invisible

WORD_LENGTH = 50
"""The longest word or phrase, in characters. An entry is looked up once per length and boundary of a text."""
SAY_LENGTH = 100
"""The longest way to say it, in characters."""

_EDGES = regex.compile(r"(?w)\b|(?=['’][sS]\b)|(?<=\b\p{L}{1,2}['’])(?=\p{L}{3})")
"""Where a word may begin or end: Unicode's word boundaries, and within "Ada's" and "l'IRM"."""
_TAG = re.compile(r"(\[[^\[\]\n]{1,40}\])")
"""A cue of Bark such as `[laughs]`; words in it are not replaced."""
_APART = dict.fromkeys([ord("_"), *range(0x1F1E6, 0x1F200)], "/")
"""Underlines are markup here, and no part of a word. Flags are pairs whose boundaries take quadratic time to find."""
_KEPT_INVISIBLE = frozenset("\u200c\u200d\ufe0f")
"""Joiners and the variation selector of emoji: without them a word would differ from the same word in a text."""
_SPACES = re.compile(r"\s+")


class Dictionary:
    """The entries of a server, ready to be applied."""

    def __init__(self, entries: Iterable[Pronunciation]) -> None:
        self._say: dict[tuple[bool, str], str] = {(entry.match_case, entry.key): entry.say for entry in entries}
        self._lengths = sorted({len(key) for _, key in self._say}, reverse=True)

    def applied(self, text: str) -> str:
        """Return `text` with each known word replaced: whole words, the longest first, each place once.

        Takes time in proportion to the length of the text. A case-sensitive entry goes before one that ignores case.
        """
        if not self._say:
            return text
        parts = _TAG.split(unicodedata.normalize("NFC", text))
        return "".join(part if number % 2 else self._in_plain(part) for number, part in enumerate(parts))

    def _in_plain(self, text: str) -> str:
        typed = _levelled(text)
        folded = _folded(typed)
        edges = [edge.start() for edge in _EDGES.finditer(text.translate(_APART))]
        ends = frozenset(edges)
        pieces: list[str] = []
        done = 0
        for start in edges:
            if start < done:
                continue
            for length in self._lengths:
                end = start + length
                say = self._entry(typed[start:end], folded[start:end]) if end in ends else None
                if say is not None:
                    pieces += [text[done:start], _apart_from_signs(typed[start:end], say)]
                    done = end
                    break
        return "".join([*pieces, text[done:]])

    def _entry(self, typed: str, folded: str) -> str | None:
        say = self._say.get((True, typed))
        return self._say.get((False, folded)) if say is None else say


def entry_of(word: str, say: str, *, match_case: bool) -> Pronunciation:
    """Return the entry for what a moderator typed. Raises InvalidInput if it is not valid."""
    word = _clean_word(word)
    entry = Pronunciation(key_of(word, match_case=match_case), word, _clean_say(say), match_case)
    probe = Pronunciation(entry.key, word, "x", match_case)
    if speech_text.in_words(word, {}) != word or Dictionary([probe]).applied(word).strip() != "x":
        raise InvalidInput(
            "That is never read as a word of its own. Write a word or a few, without links, mentions, code or [tags]."
        )
    return entry


def key_of(word: str, *, match_case: bool) -> str:
    """Return the key that decides whether two words are the same entry and that texts are compared with."""
    levelled = _levelled(word)
    return levelled if match_case else _folded(levelled)


def _clean_word(word: str) -> str:
    visible = "".join(
        character
        for character in unicodedata.normalize("NFC", word)
        if character.isspace() or character in _KEPT_INVISIBLE or not is_invisible(character)
    )
    cleaned = _SPACES.sub(" ", visible).strip()
    if not any(unicodedata.category(character)[0] in "LNS" for character in cleaned):
        raise InvalidInput("Give a word with a letter, a digit or a sign such as an emoji in it.")
    if len(cleaned) > WORD_LENGTH:
        raise InvalidInput(f"That word has {len(cleaned):,} characters. It can have at most {WORD_LENGTH}.")
    return cleaned


def _clean_say(say: str) -> str:
    if len(say) > speech_text.RAW_LENGTH:
        raise InvalidInput(f"Say it in at most {SAY_LENGTH} characters.")
    cleaned = speech_text.clean(say, {}, limit=speech_text.RAW_LENGTH)
    if len(cleaned) > SAY_LENGTH:
        raise InvalidInput(f"Say it in at most {SAY_LENGTH} characters; that has {len(cleaned):,}.")
    return cleaned


def _levelled(text: str) -> str:
    """Return the text with one kind of apostrophe and of space, character for character."""
    return "".join(" " if character.isspace() else character for character in text.replace("’", "'"))


def _folded(text: str) -> str:
    """Return the text in lower case, character for character, so that positions in both texts are the same."""
    return "".join(_small(character) for character in text)


def _small(character: str) -> str:
    for small in (character.casefold(), character.lower()):
        if len(small) == 1:
            return small
    return character


def _apart_from_signs(word: str, say: str) -> str:
    """Return what is said, with a space where the word began or ended with a sign: "🔥🔥" is "fire fire"."""
    before = "" if word[0].isalnum() else " "
    after = "" if word[-1].isalnum() else " "
    return f"{before}{say}{after}"
