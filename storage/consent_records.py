"""The values of consent, as in storage.records: confirmations, requests to other members, and spoken sentences."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class ConsentState(StrEnum):
    """The answer of a message's author to a request to clone their voice. WITHDRAWN: allowed, then taken back."""

    PENDING = "pending"
    ALLOWED = "allowed"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class ConsentKind(StrEnum):
    """How members agree to a clone of their voice: by a checkbox in a form, or also by saying a sentence."""

    CHECKBOX = "checkbox"
    SPOKEN = "spoken"


@dataclass(frozen=True, slots=True)
class Consent:
    """A member's confirmation that the voices they upload are their own, under one version of the policy."""

    guild_id: int
    member_id: int
    policy_version: int
    given_at: datetime


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """A request to clone the voice in another member's message. The audio stays in the file store until it is answered.

    `voice_id`: the voice that was made from it, if it was allowed.
    """

    id: str
    guild_id: int
    channel_id: int
    requester_id: int
    author_id: int
    order: dict[str, Any]
    state: ConsentState
    created_at: datetime
    expires_at: datetime
    voice_id: int | None = None


@dataclass(frozen=True, slots=True)
class SpokenConsent:
    """A sentence that a member has to say before their voice is cloned, and its measurements once they have said it.

    `order`: the clone order for the member's own recording; None if the consent request with the same id has it.
    `attempts`: how many recordings were checked or are being checked. `given_at`, `words` (of the random ones),
    `likeness` (0..1) and `voice_id` are set once the sentence was said; the row is then deleted with that voice.
    """

    id: str
    guild_id: int
    channel_id: int
    member_id: int
    order: dict[str, Any] | None
    sentence: str
    created_at: datetime
    expires_at: datetime
    attempts: int = 0
    given_at: datetime | None = None
    words: int | None = None
    likeness: float | None = None
    voice_id: int | None = None


@dataclass(frozen=True, slots=True)
class SpokenYes:
    """The measurements of the said sentence `id`, as in SpokenConsent. `of`: the number of random words."""

    id: str
    words: int
    of: int
    likeness: float
