"""The values that the rooms in front of and behind the studio exchange."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cloning.worker.protocol import Health
from storage.records import AuditEntry, Consent, JobRecord, Pronunciation, Usage, VoiceRecord

POLICY_VERSION = 1
"""Raised when the consent text changes in substance: everybody is asked again."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, in which server and channel, with which rights at this moment.

    `parent_id`: the channel that a thread belongs to; rules for channels count in their threads. `existing_ids`: the
    roles and channels that the server has now; None if the platform does not say.
    `voice_channel_id`: the voice channel that they sit in.
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
class Origin:
    """The interaction that a job answers. Its token is good until `expires_at`."""

    interaction_id: int
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class CloneOrder:
    """What a member wants cloned. `speaker_id` is the person heard in the audio."""

    name: str
    language: str = "en"
    description: str = ""
    speaker_id: int | None = None


@dataclass(frozen=True, slots=True)
class SayOrder:
    """What a member wants said. `voice` is a key or a name as typed; None takes the member's default voice."""

    text: str
    voice: str | None = None
    language: str | None = None
    temperature: float | None = None
    seed: int | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that can speak: a record of the server's library, or a built-in speaker of the model.

    `key` is stable and short ("v:12", "s:v2/en_speaker_6"); `name` is what people see.
    """

    key: str
    name: str
    record: VoiceRecord | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `number` counts from 1."""

    voices: tuple[Voice, ...]
    number: int
    pages: int
    total: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A job was accepted. `position` 0 means that it starts now, 1 that it is next."""

    job: JobRecord
    position: int


@dataclass(frozen=True, slots=True)
class Update:
    """News of a job, for the member who waits: a place in the queue, or a stage and how much of it is done.

    `seconds_left`: an estimate until it begins, or once it has, until it is done; None if there is none.
    `beginning`: the first sentence of a long text, once it can be heard; the file may be gone by the time it is read.
    """

    position: int | None = None
    stage: str | None = None
    fraction: float = 0.0
    retrying: bool = False
    loading: bool = False
    """The speech models cannot be loaded at present; the job keeps its place."""
    beginning: Path | None = None
    seconds_left: float | None = None
    channel_id: int | None = None
    """The voice channel in which it is heard now."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished job is answered with. `job.state`: READY, FAILED or CANCELLED; `audio`: only ready speech.

    `heard`: it was said in a voice channel, so that the answer needs no sound.
    """

    job: JobRecord
    voice: Voice | None
    audio: Path | None
    heard: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an answer went out: "interaction", "channel" or "direct", or "voice" if it was only heard in a voice channel.

    `message_id`: where it can be found.
    """

    way: str
    message_id: int | None


class Courier(Protocol):
    """Brings news and results to members, and knows who they are at this moment. Discord stands behind it."""

    async def actor(self, guild_id: int, channel_id: int, member_id: int) -> Actor | None:
        """The member with the roles and rights of this moment; None for somebody who has left the server.

        Raises Unavailable if the platform does not say.
        """

    async def has_left(self, guild_id: int, member_id: int) -> bool:
        """Whether the platform says that the member is not in the server any more."""

    def update(self, job: JobRecord, update: Update) -> None:
        """Show news when the platform's limits allow it. Returns at once; newer news take the place of older."""

    async def deliver(self, outcome: Outcome, *, last: bool = False) -> Delivery | None:
        """Bring the answer; None if nobody could be reached (then the member fetches it from /jobs).

        May be called again after a crash: the same job must not appear twice.
        Raises Unavailable if the platform failed in a way that may pass. With `last` it is not tried again soon: a way
        that fails gives place to the next one, also where it might work later.
        """


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A job of a server's queue. `position` 0 means that it runs; None that it is finished and awaits its answer."""

    job: JobRecord
    position: int | None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """One page of a server's audit log, newest first. `number` counts from 1."""

    entries: tuple[AuditEntry, ...]
    number: int
    pages: int
    total: int


@dataclass(frozen=True, slots=True)
class PronunciationPage:
    """One page of a server's dictionary. `number` counts from 1."""

    entries: tuple[Pronunciation, ...]
    number: int
    pages: int
    total: int


@dataclass(frozen=True, slots=True)
class Stats:
    """A server's use over `days`, and how its queue and the worker are now."""

    days: int
    usage: Usage
    voices: int
    queued: int
    running: int
    worker: Health


@dataclass(frozen=True, slots=True)
class PrivacySummary:
    """What one server's records hold about one member."""

    consent: Consent | None
    default_voice: Voice | None
    owned: tuple[VoiceRecord, ...]
    heard_in: tuple[VoiceRecord, ...]
    """Voices of other owners in which the member is heard."""
    jobs: int
    """Clones and lines of speech that are kept, their texts with them, until `retention_days` are over."""
    requests: int
    """Questions to clone a voice, asked by or put to the member."""
    refusals: int
    """How many of those the member asked and got a no to: these stay."""
    audit_lines: int
    blocked: bool
    retention_days: int


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was deleted. A block is kept: otherwise deleting one's data would lift it."""

    voices: int
    jobs: int
    consents: int = 0
    block_kept: bool = False
