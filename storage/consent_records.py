"""The values of consent: confirmations, requests to other members, and spoken sentences. As in storage.records."""

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
    """How members agree to a clone of their voice: by a box in a form, or also by saying a sentence."""

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

    `voice_id`: the voice that was made of it, if it was allowed.
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
    """A sentence that a member has to say before their voice is cloned, and what was measured when they had said it.

    `order`: the clone of the member's own recording; None where the consent request with the same id has it.
    `attempts`: how many recordings were listened to, or are. `given_at`, `words` (of the random ones), `likeness`
    (0..1) and `voice_id` are set when the sentence was said; the row goes with that voice.
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
    """What was measured when a member said the sentence `id`: as in SpokenConsent; `of`: the number of random words."""

    id: str
    words: int
    of: int
    likeness: float
