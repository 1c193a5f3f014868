"""Values that the studio exchanges with cogs and storage."""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from cloning.worker.protocol import Health
from storage.consent_records import Consent
from storage.records import JobRecord, Usage, VoiceRecord

T = TypeVar("T")

POLICY_VERSION = 1
"""Raise it when the consent text changes in substance: every member is then asked again."""


@dataclass(frozen=True, slots=True)
class Actor:
    """The member who acts, with server, channel and current rights.

    `parent_id`: the channel that a thread belongs to; channel rules apply to threads. `existing_ids`: the current roles
    and channels of the server; None if the platform does not say. `voice_channel_id`: the member's voice channel.
    """

    guild_id: int
    member_id: int
    channel_id: int
    role_ids: frozenset[int]
    is_moderator: bool
    parent_id: int | None = None
    existing_ids: frozenset[int] | None = None
    voice_channel_id: int | None = None


@dataclass(frozen=True, slots=True)
class CloneOrder:
    """A member's order for a clone, before it is accepted. `speaker_id`: the person whose voice it is."""

    name: str
    language: str = "en"
    description: str = ""
    speaker_id: int | None = None


@dataclass(frozen=True, slots=True)
class SayOrder:
    """A member's order for speech, before it is accepted.

    `voice`: a key or a name as typed; None for the member's default voice.
    """

    text: str
    voice: str | None = None
    language: str | None = None
    temperature: float | None = None
    seed: int | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that can speak: a record of the server's library, or a built-in speaker of the model.

    `key` is stable and short ("v:12", "s:v2/en_speaker_6"); `name` is shown to members.
    """

    key: str
    name: str
    record: VoiceRecord | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list of `total` entries. `number` counts from 1."""

    entries: tuple[T, ...]
    number: int
    pages: int
    total: int


def nearest_page(number: int, total: int, size: int) -> tuple[int, int]:
    """Return the number of the existing page that is nearest to `number`, and how many pages of `size` there are."""
    pages = max(1, -(-total // size))
    return min(max(1, number), pages), pages


@dataclass(frozen=True, slots=True)
class Update:
    """The progress of a job for its member: a place in the queue, or a stage and how much of it is done.

    `seconds_left`: an estimate until the job begins or, once it has begun, until it is done; None without an estimate.
    `beginning`: a file with the first sentence of a long text; it may be deleted before it is read.
    """

    position: int | None = None
    stage: str | None = None
    fraction: float = 0.0
    retrying: bool = False
    loading: bool = False
    """The speech models cannot be loaded right now; the job keeps its place."""
    beginning: Path | None = None
    seconds_left: float | None = None
    channel_id: int | None = None
    """The voice channel in which the speech is played or waits for its turn."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a finished job. `job.state`: READY, FAILED or CANCELLED; `audio`: only for ready speech.

    `heard`: the speech was played in a voice channel, so the answer needs no audio.
    """

    job: JobRecord
    voice: Voice | None
    audio: Path | None
    heard: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an answer was sent: "interaction", "channel", "direct", or "voice" if it was only played in a voice channel.

    `message_id`: the message, if it can be found.
    """

    way: str
    message_id: int | None


class Courier(Protocol):
    """Sends updates and answers to members, and looks up their current rights. Implemented for Discord in cogs."""

    async def actor(self, guild_id: int, channel_id: int, member_id: int) -> Actor | None:
        """Return the member with their current roles and rights; None for a member who has left the server.

        Raises Unavailable if the platform does not answer.
        """

    async def has_left(self, guild_id: int, member_id: int) -> bool | None:
        """Return whether the member has left the server; None while the platform does not say."""

    def update(self, job: JobRecord, update: Update) -> None:
        """Show an update when the platform's rate limits allow it. Returns immediately.

        A newer update replaces an older one.
        """

    async def deliver(self, outcome: Outcome, *, last: bool = False) -> Delivery | None:
        """Send the answer; None if the member could not be reached in any way (they can fetch it with /jobs).

        Can be called again after a crash: the same job must not appear twice.
        Raises Unavailable for temporary failures. `last`: the caller will not retry soon, so after a temporary failure
        of one way the next way is tried.
        """


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A job in a server's queue.

    `position`: 0 if it runs or starts now, 1 if it is next; None if it has finished and its answer is undelivered.
    """

    job: JobRecord
    position: int | None


@dataclass(frozen=True, slots=True)
class Stats:
    """A server's usage over `days`, and the current state of its queue and the worker."""

    days: int
    usage: Usage
    voices: int
    queued: int
    running: int
    worker: Health


@dataclass(frozen=True, slots=True)
class PrivacySummary:
    """Counts of one member's records on one server."""

    consent: Consent | None
    default_voice: Voice | None
    owned: tuple[VoiceRecord, ...]
    heard_in: tuple[VoiceRecord, ...]
    """Voices of other owners with this member as the speaker."""
    jobs: int
    """Clone and speech jobs, with their texts, that are kept for `retention_days`."""
    requests: int
    """Consent requests, made by or sent to the member."""
    refusals: int
    """The member's own requests that were refused; these are kept when the member's data are deleted."""
    audit_lines: int
    blocked: bool
    retention_days: int
    unread: bool = False
    """The member excluded their own messages from being read aloud."""
    ignored: bool = False
    """Moderators excluded the member's messages from being read aloud."""
    has_default: bool = False
    """The member chose a default voice, even if they cannot use it now."""
    spoken: int = 0
    """Sentences of consent that the member has said or still has to say."""
    allowed: int = 0
    """Consent requests of other members that the member allowed and has not withdrawn."""


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was deleted. A block is kept: deleting one's data must not lift it."""

    voices: int
    jobs: int
    consents: int = 0
    block_kept: bool = False
