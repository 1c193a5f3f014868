"""What a job's `order` holds in storage, written and read in one place.

Jobs outlive an upgrade, and the way back: what another version kept besides is passed over, and what it did not keep
has a default. A field that is added here needs one.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

from errors import InvalidInput
from storage.records import JobRecord
from studio import speech_text
from studio.values import Actor, CloneOrder


@dataclass(frozen=True, slots=True)
class SpeechOrder:
    """A line of speech as it was accepted: text already clean, voice already found, kept by its key and not by name.

    `roles` are the member's at that moment: what the voice is checked against again when its turn comes. `max_bytes`
    is the upload limit where the answer goes; the default is Discord's least. `words`: the text before the server's
    dictionary and before markup was taken away, where that makes a difference: what "Another take" pronounces.
    """

    text: str
    voice: str
    language: str = "en"
    temperature: float | None = None
    seed: int | None = None
    max_bytes: int = 10 * 1024 * 1024
    roles: tuple[int, ...] = ()
    words: str = ""

    def to_json(self) -> dict[str, Any]:
        """The order for storage."""
        return {**asdict(self), "roles": list(self.roles)}

    @classmethod
    def of(cls, job: JobRecord) -> "SpeechOrder":
        """The order of a speech job. Raises InvalidInput if its text or voice is not there."""
        known = _known(cls, job.order)
        if not known.keys() >= {"text", "voice"}:
            raise InvalidInput("This request was kept by another version of Barkeep. Please make it again.")
        return cls(**{**known, "roles": tuple(known.get("roles", ()))})

    def actor(self, job: JobRecord) -> Actor:
        """Who asked, with the roles of then; moderators have no rights of their own to a voice."""
        return Actor(job.guild_id, job.member_id, job.channel_id, frozenset(self.roles), is_moderator=False)


def words_of(job: JobRecord) -> str:
    """A line of speech as its member wrote it, without markup; "" for other jobs and after retention."""
    text = str(job.order.get("text", ""))
    if not (words := job.order.get("words")):
        return text
    try:
        return speech_text.spoken(str(words), limit=speech_text.RAW_LENGTH)
    except InvalidInput:  # There was nothing but an emoji, for which the dictionary has words.
        return text


def clone_to_json(order: CloneOrder) -> dict[str, Any]:
    """The order of a clone for storage."""
    return asdict(order)


def clone_of(order: dict[str, Any]) -> CloneOrder:
    """The order of a clone from storage. Raises InvalidInput if its name is not there."""
    known = _known(CloneOrder, order)
    if "name" not in known:
        raise InvalidInput("This request was kept by another version of Barkeep. Please make it again.")
    return CloneOrder(**known)


def _known(kind: type[SpeechOrder] | type[CloneOrder], stored: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in stored.items() if name in names}
