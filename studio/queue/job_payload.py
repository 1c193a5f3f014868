"""What a job's `order` holds in storage, written and read in one place."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from storage.records import JobRecord
from studio.values import Actor, CloneOrder


@dataclass(frozen=True, slots=True)
class SpeechOrder:
    """A line of speech as it was accepted: text already clean, voice already found, kept by its key and not by name.

    `roles` and `moderator` are the member's rights at that moment: what the voice is checked against again when its
    turn comes. `max_bytes` is the upload limit where the answer goes.
    """

    text: str
    voice: str
    language: str
    temperature: float | None
    seed: int | None
    max_bytes: int
    roles: tuple[int, ...]
    moderator: bool

    def to_json(self) -> dict[str, Any]:
        """The order for storage."""
        return {**asdict(self), "roles": list(self.roles)}

    @classmethod
    def of(cls, job: JobRecord) -> "SpeechOrder":
        """The order of a speech job; what an earlier version kept besides is passed over."""
        known = {field.name: job.order[field.name] for field in fields(cls)}
        return cls(**{**known, "roles": tuple(known["roles"])})

    def actor(self, job: JobRecord) -> Actor:
        """Who asked, with the rights of then."""
        return Actor(job.guild_id, job.member_id, job.channel_id, frozenset(self.roles), self.moderator)


def clone_to_json(order: CloneOrder) -> dict[str, Any]:
    """The order of a clone for storage."""
    return asdict(order)


def clone_of(order: dict[str, Any]) -> CloneOrder:
    """The order of a clone from storage."""
    return CloneOrder(**order)
