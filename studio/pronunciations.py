"""A server's dictionary of pronunciations: its entries, how they are applied to a text, and who changes them.

Entries are applied once, after mentions and links became words and before markup is removed (see speech_text).
Replacements are not searched again. Every member can read and export the dictionary; moderators change and import it.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

import regex  # type: ignore[import-untyped]  # ships no types; unlike re, it knows Unicode's word boundaries
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloning.text.grammar import TAG
from errors import InvalidInput, NotFound
from storage.database import Storage
from storage.records import AuditLine, Pronunciation
from studio import rights, speech_text
from studio.speech_text import is_invisible
from studio.values import Actor, Page, nearest_page

ENTRIES = 500
"""The most words in a server's dictionary."""
MAX_FILE_BYTES = 512 * 1024
"""The largest file that is imported, in bytes: more than ENTRIES entries of the greatest length need."""

_PAGE = 10

WORD_LENGTH = 50
"""The longest word or phrase, in characters. An entry is looked up once per length and boundary of a text."""
SAY_LENGTH = 100
"""The longest replacement, in characters."""

_EDGES = regex.compile(r"(?w)\b|(?=['’][sS]\b)|(?<=\b\p{L}{1,2}['’])(?=\p{L}{3})")
"""Where a word may begin or end: Unicode's word boundaries, and within "Ada's" and "l'IRM"."""
_TAG = re.compile(f"({TAG})")
"""A cue of Bark, such as "[laughs]"; its words are not replaced."""
_APART = dict.fromkeys([ord("_"), *range(0x1F1E6, 0x1F200)], "/")
"""Characters that never join words. Underscores are markup here; the boundaries of flags, which are pairs of letters,
take quadratic time to find."""
_KEPT_INVISIBLE = frozenset("\u200c\u200d\ufe0f")
"""Joiners and the variation selector of emoji: without them a word would differ from the same word in a text."""
_SPACES = re.compile(r"\s+")


class _Entry(BaseModel):
    """An entry in an exported file."""

    model_config = ConfigDict(strict=True)

    word: str
    say: str
    match_case: bool = False


class _File(BaseModel):
    """The file format of `export` and `import_`."""

    model_config = ConfigDict(strict=True)

    pronunciations: list[_Entry] = Field(max_length=ENTRIES)


class Dictionary:
    """The entries of a server, ready to be applied."""

    def __init__(self, entries: Iterable[Pronunciation]) -> None:
        self._say: dict[tuple[bool, str], str] = {(entry.match_case, entry.key): entry.say for entry in entries}
        self._lengths = sorted({len(key) for _, key in self._say}, reverse=True)

    def applied(self, text: str) -> str:
        """Return `text` with every word that has an entry replaced.

        Only whole words match. At each place the longest entry wins; of two with the same length, the case-sensitive
        one. The time is linear in the length of the text.
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


class PronunciationService:
    """Dictionaries. Every change checks that the actor is a moderator and is written to the audit log."""

    def __init__(self, storage: Storage) -> None:
        self._entries = storage.pronunciations

    async def dictionary(self, guild_id: int) -> Dictionary:
        """Return the server's current dictionary."""
        return Dictionary(await self._entries.of_guild(guild_id))

    async def add(self, actor: Actor, word: str, say: str, *, match_case: bool) -> tuple[Pronunciation, bool]:
        """Store how a word is said. Return the entry, and whether the word was in the dictionary before.

        Raises NotAllowed, InvalidInput for an invalid word, and LimitReached.
        """
        rights.must_moderate(actor)
        entry = entry_of(word, say, match_case=match_case)
        before = await self._put(actor, [entry], AuditLine("pronunciation.add", entry.word, entry.say))
        return entry, bool(before)

    async def remove(self, actor: Actor, typed: str) -> Pronunciation:
        """Remove a word; a case-sensitive entry that matches goes first. Raises NotAllowed, NotFound."""
        rights.must_moderate(actor)
        by_key = {entry.key: entry for entry in await self._entries.of_guild(actor.guild_id)}
        keys = (key_of(typed.strip(), match_case=match_case) for match_case in (True, False))
        entry = next((by_key[key] for key in keys if key in by_key), None)
        line = AuditLine("pronunciation.remove", entry.word) if entry else AuditLine("")
        if entry is None or not await self._entries.remove(actor.guild_id, entry.key, by=actor.member_id, line=line):
            raise NotFound("That word is not in this server's dictionary. See /pronounce list.")
        return entry

    async def page(self, actor: Actor, query: str, number: int) -> Page[Pronunciation]:
        """Return a page of the words that contain `query`; a number outside it gives the nearest page."""
        found = await self.search(actor, query)
        number, pages = nearest_page(number, len(found), _PAGE)
        shown = found[(number - 1) * _PAGE : number * _PAGE]
        return Page(tuple(shown), number, pages, len(found))

    async def search(self, actor: Actor, query: str) -> list[Pronunciation]:
        """Return the words that contain `query`, in alphabetical order."""
        wanted = key_of(query.strip(), match_case=False)
        entries = await self._entries.of_guild(actor.guild_id)
        return sorted(
            (entry for entry in entries if wanted in key_of(entry.word, match_case=False)),
            key=lambda entry: (key_of(entry.word, match_case=False), entry.word),
        )

    async def export(self, actor: Actor) -> bytes:
        """Return the whole dictionary as JSON. Raises NotFound if it is empty."""
        entries = await self.search(actor, "")
        if not entries:
            raise NotFound("This server's dictionary is empty. Moderators add words with /pronounce add.")
        content = _File(
            pronunciations=[_Entry(word=entry.word, say=entry.say, match_case=entry.match_case) for entry in entries]
        )
        return content.model_dump_json(indent=2).encode()

    async def import_(self, actor: Actor, data: bytes, *, since: int | None = None) -> tuple[int, int]:
        """Add the words of a file to the dictionary, all or none. Return how many are new and how many existed.

        since: the server's latest erasure before the file was downloaded. Raises NotAllowed, InvalidInput with the
        number of the first invalid word, LimitReached, and Conflict if the server's data were deleted since.
        """
        rights.must_moderate(actor)
        entries = {entry.key: entry for entry in _read(data)}
        line = AuditLine("pronunciation.import", str(len(entries)))
        before = await self._put(actor, list(entries.values()), line, since)
        return len(entries) - len(before), len(before)

    async def _put(
        self, actor: Actor, entries: list[Pronunciation], line: AuditLine, since: int | None = None
    ) -> list[Pronunciation]:
        return await self._entries.put(
            actor.guild_id, entries, limit=ENTRIES, by=actor.member_id, line=line, since=since
        )


def _read(data: bytes) -> list[Pronunciation]:
    if len(data) > MAX_FILE_BYTES:
        raise InvalidInput(f"That file is too large. A dictionary has at most {MAX_FILE_BYTES // 1024} KiB.")
    try:
        content = _File.model_validate_json(data.removeprefix(b"\xef\xbb\xbf"))
    except ValidationError as error:
        raise InvalidInput(f"That file is not a dictionary from /pronounce export: {_where(error)}") from error
    if not content.pronunciations:
        raise InvalidInput("That file has no words in it.")
    return [_checked(number, entry) for number, entry in enumerate(content.pronunciations, 1)]


def _checked(number: int, entry: _Entry) -> Pronunciation:
    try:
        return entry_of(entry.word, entry.say, match_case=entry.match_case)
    except InvalidInput as error:
        raise InvalidInput(f"Word {number} of that file: {error.message}") from error


def _where(invalid: ValidationError) -> str:
    """Return the place and message of the first error, without the invalid value."""
    error: Any = invalid.errors(include_input=False, include_url=False)[0]
    place = " ".join(str(part + 1) if isinstance(part, int) else part for part in error["loc"])
    return f"{place}: {error['msg']}." if place else f"{error['msg']}."


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
    """Return the key of an entry: words with the same key are one entry, and texts are matched against it."""
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
    """Return the text with every apostrophe as ' and every white space as a space, character for character."""
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
    """Return the replacement, with a space where the word begins or ends with a sign: "🔥🔥" becomes "fire fire"."""
    before = "" if word[0].isalnum() else " "
    after = "" if word[-1].isalnum() else " "
    return f"{before}{say}{after}"
