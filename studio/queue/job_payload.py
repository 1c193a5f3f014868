"""Ids of jobs, and their payloads: what the `order` column of a job holds, written and read in one place.

Stored payloads survive upgrades and downgrades: unknown fields are ignored, and missing fields take their default.
Every field that is added needs a default.
"""

import secrets
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from errors import InvalidInput
from storage.records import JobRecord
from studio import speech_text
from studio.values import Actor, CloneOrder


class Reply(StrEnum):
    """What a line of speech is answered with. FILE: its sound. WORDS: words, if it was heard in a voice channel, else
    its sound. NOTHING: it is only heard."""

    FILE = "file"
    WORDS = "words"
    NOTHING = "nothing"


def new_id() -> str:
    """Return an id for a job or a request: 20 random hexadecimal digits, short enough for a Discord nonce."""
    return secrets.token_hex(10)


def reply_of(job: JobRecord) -> Reply:
    """Return how a job is answered, also one whose payload was blanked."""
    known = job.order.get("reply")
    return Reply(known) if known in tuple(Reply) else Reply.FILE


@dataclass(frozen=True, slots=True)
class SpeechPayload:
    """The payload of a speech job: the text is already clean, and the voice is stored by its key.

    `roles`: the member's roles at acceptance, for checking the voice again when the job starts. `max_bytes`: the upload
    limit at the destination; the default is Discord's lowest. `words`: the text before
    the server's dictionary and markup removal, where that differs: "Another take" pronounces it again.
    """

    text: str
    voice: str
    language: str = "en"
    temperature: float | None = None
    seed: int | None = None
    max_bytes: int = 10 * 1024 * 1024
    roles: tuple[int, ...] = ()
    words: str = ""
    reply: Reply = Reply.FILE

    def to_json(self) -> dict[str, Any]:
        """Return the payload as JSON."""
        return {**asdict(self), "roles": list(self.roles)}

    @classmethod
    def of(cls, job: JobRecord) -> "SpeechPayload":
        """Return the payload of a speech job. Raises InvalidInput if its text or voice is missing."""
        known = _known(cls, job.order)
        if not known.keys() >= {"text", "voice"}:
            raise InvalidInput("This request was stored by another version of Barkeep. Please try again.")
        return cls(**{**known, "roles": tuple(known.get("roles", ())), "reply": reply_of(job)})

    def actor(self, job: JobRecord) -> Actor:
        """Return the member who asked, with the roles of that time. Moderators have no special right to use a voice."""
        return Actor(job.guild_id, job.member_id, job.channel_id, frozenset(self.roles), is_moderator=False)


def words_of(job: JobRecord) -> str:
    """Return a line of speech as its member wrote it, without markup; "" for other jobs and after retention."""
    text = str(job.order.get("text", ""))
    if not (words := job.order.get("words")):
        return text
    try:
        return speech_text.spoken(str(words), limit=speech_text.RAW_LENGTH)
    except InvalidInput:  # There was nothing but an emoji, for which the dictionary has words.
        return text


def clone_to_json(order: CloneOrder) -> dict[str, Any]:
    """Return the payload of a clone job as JSON."""
    return asdict(order)


def clone_of(order: dict[str, Any]) -> CloneOrder:
    """Return the clone order from a payload. Raises InvalidInput if its name is missing."""
    known = _known(CloneOrder, order)
    if "name" not in known:
        raise InvalidInput("This request was stored by another version of Barkeep. Please try again.")
    return CloneOrder(**known)


def _known(kind: type[SpeechPayload] | type[CloneOrder], stored: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in stored.items() if name in names}
