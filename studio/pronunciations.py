"""Manages a server's dictionary: every member reads it; moderators change, export and import it."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from errors import InvalidInput, NotFound
from storage.database import Storage
from storage.records import AuditLine, Pronunciation
from studio import policy
from studio.dictionary import Dictionary, entry_of, key_of
from studio.values import Actor, PronunciationPage

ENTRIES = 500
"""The most words in a server's dictionary."""
MAX_FILE_BYTES = 512 * 1024
"""The largest file that is imported, in bytes: more than ENTRIES of the longest words need."""

_PAGE = 10


class _Entry(BaseModel):
    """A word in a file."""

    model_config = ConfigDict(strict=True)

    word: str
    say: str
    match_case: bool = False


class _File(BaseModel):
    """What `export` writes and `import_` reads."""

    model_config = ConfigDict(strict=True)

    pronunciations: list[_Entry] = Field(max_length=ENTRIES)


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
        policy.must_moderate(actor)
        entry = entry_of(word, say, match_case=match_case)
        before = await self._put(actor, [entry], AuditLine("pronunciation.add", entry.word, entry.say))
        return entry, bool(before)

    async def remove(self, actor: Actor, typed: str) -> Pronunciation:
        """Remove a word; a case-sensitive entry that matches goes first. Raises NotAllowed, NotFound."""
        policy.must_moderate(actor)
        by_key = {entry.key: entry for entry in await self._entries.of_guild(actor.guild_id)}
        keys = (key_of(typed.strip(), match_case=match_case) for match_case in (True, False))
        entry = next((by_key[key] for key in keys if key in by_key), None)
        line = AuditLine("pronunciation.remove", entry.word) if entry else AuditLine("")
        if entry is None or not await self._entries.remove(actor.guild_id, entry.key, by=actor.member_id, line=line):
            raise NotFound("That word is not in this server's dictionary. See /pronounce list.")
        return entry

    async def page(self, actor: Actor, query: str, number: int) -> PronunciationPage:
        """Return a page of the words that contain `query`; a number outside it gives the nearest page."""
        found = await self.search(actor, query)
        pages = max(1, -(-len(found) // _PAGE))
        number = min(max(1, number), pages)
        shown = found[(number - 1) * _PAGE : number * _PAGE]
        return PronunciationPage(tuple(shown), number, pages, len(found))

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

    async def import_(self, actor: Actor, data: bytes) -> tuple[int, int]:
        """Add the words of a file to the dictionary, all or none. Return how many are new and how many existed.

        Raises NotAllowed, InvalidInput with the number of the first invalid word, and LimitReached.
        """
        policy.must_moderate(actor)
        entries = {entry.key: entry for entry in _read(data)}
        line = AuditLine("pronunciation.import", str(len(entries)))
        before = await self._put(actor, list(entries.values()), line)
        return len(entries) - len(before), len(before)

    async def _put(self, actor: Actor, entries: list[Pronunciation], line: AuditLine) -> list[Pronunciation]:
        return await self._entries.put(actor.guild_id, entries, limit=ENTRIES, by=actor.member_id, line=line)


def _read(data: bytes) -> list[Pronunciation]:
    if len(data) > MAX_FILE_BYTES:
        raise InvalidInput(f"That file is too large. A dictionary has at most {MAX_FILE_BYTES // 1024} KiB.")
    try:
        content = _File.model_validate_json(data.removeprefix(b"\xef\xbb\xbf"))
    except ValidationError as error:
        raise InvalidInput(f"That file is no dictionary as /pronounce export writes it: {_where(error)}") from error
    if not content.pronunciations:
        raise InvalidInput("That file has no words in it.")
    return [_kept(number, entry) for number, entry in enumerate(content.pronunciations, 1)]


def _kept(number: int, entry: _Entry) -> Pronunciation:
    try:
        return entry_of(entry.word, entry.say, match_case=entry.match_case)
    except InvalidInput as error:
        raise InvalidInput(f"Word {number} of that file: {error.message}") from error


def _where(invalid: ValidationError) -> str:
    """Return the first error, without the value."""
    error: Any = invalid.errors(include_input=False, include_url=False)[0]
    place = " ".join(str(part + 1) if isinstance(part, int) else part for part in error["loc"])
    return f"{place}: {error['msg']}." if place else f"{error['msg']}."
