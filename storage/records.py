"""The values that repositories take and return: frozen, detached from any session, times in UTC with a zone."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from storage.consent_records import ConsentKind


class Visibility(StrEnum):
    """Who may speak with a voice, besides its owner."""

    OWNER = "owner"
    CHOSEN = "chosen"
    EVERYONE = "everyone"


class VoiceState(StrEnum):
    """CLONING: the name is reserved and a job makes the files. READY: prompt (and clip) are on disk."""

    CLONING = "cloning"
    READY = "ready"


class JobKind(StrEnum):
    """What the worker does for a job."""

    CLONE = "clone"
    SPEECH = "speech"


class Asked(StrEnum):
    """Requests with an hourly limit that are not jobs: checks of recordings, and sentences of spoken consent.

    The values are shown to members.
    """

    CHECK = "check"
    SENTENCE = "sentence"


class JobState(StrEnum):
    """queued -> running -> ready -> delivered, or failed, or cancelled. The last three can still lack a delivered
    answer.
    """

    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class NewVoice:
    """A voice to reserve. `speaker_id`: the person whose voice it is; `owner_id`: its owner, often the same person."""

    guild_id: int
    owner_id: int
    speaker_id: int | None
    name: str
    language: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class VoiceRecord:
    """A voice of one server. Files: prompt.npz and, unless imported, clip.flac in its folder of the file store."""

    id: int
    guild_id: int
    owner_id: int
    speaker_id: int | None
    name: str
    language: str
    description: str
    state: VoiceState
    visibility: Visibility
    member_ids: frozenset[int]
    role_ids: frozenset[int]
    model: str | None
    hubert: str | None
    quantizer: str | None
    report: dict[str, Any] | None
    has_clip: bool
    created_at: datetime
    model_digest: str | None = None


def voice_key(voice_id: int) -> str:
    """Return the key of a voice, such as "v:12": it names the voice in options, buttons and default voices."""
    return f"v:{voice_id}"


@dataclass(frozen=True, slots=True)
class Viewer:
    """The member for whom a list of voices is made."""

    member_id: int
    role_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class VoiceModels:
    """The models that made a voice's tokens."""

    model: str
    hubert: str
    quantizer: str
    digest: str | None = None
    """Digest of the Bark weights; None if it was not stored."""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """A line for the audit log, written in the transaction of the action."""

    action: str
    target: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """The interaction that a job answers. Its token is valid until `expires_at`."""

    interaction_id: int
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to accept. `order` is JSON that only the studio reads. `origin` is None without an interaction.

    `expected_seconds` of speech count against the daily limits until the job ends and the real length is known.
    `hourly`: the job counts against the limits of requests per hour.
    `audit` goes into the audit log in the same transaction, with the member as the actor.
    `since`: the server's latest erasure when the request began, for `check_not_erased`.
    """

    id: str
    kind: JobKind
    guild_id: int
    channel_id: int
    member_id: int
    order: dict[str, Any]
    private: bool = False
    voice_id: int | None = None
    origin: Origin | None = None
    expected_seconds: float = 0.0
    hourly: bool = True
    audit: AuditLine | None = None
    since: int | None = None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A clone or speech job, from acceptance to answer."""

    id: str
    kind: JobKind
    state: JobState
    guild_id: int
    channel_id: int
    member_id: int
    order: dict[str, Any]
    private: bool
    voice_id: int | None
    interaction_id: int | None
    interaction_token: str | None
    token_expires_at: datetime | None
    attempts: int
    lease_owner: str | None
    lease_until: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    answered_at: datetime | None
    result: dict[str, Any] | None
    error_kind: str | None
    error_message: str | None
    message_id: int | None


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """The fields of a queued job that the queue needs. `sequence` increases in order of acceptance."""

    sequence: int
    id: str
    guild_id: int
    member_id: int
    created_at: datetime
    attempts: int


class ChannelOutput(StrEnum):
    """What happens to speech requested in the bot's voice channel: played there, posted as a file, or both."""

    BOTH = "both"
    CHANNEL = "channel"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Seat:
    """The bot's voice channel in a server, stored so that the bot returns to it after a restart.

    `read_channel_id`: the channel whose messages are read aloud there.
    """

    guild_id: int
    channel_id: int
    read_channel_id: int | None = None


@dataclass(frozen=True, slots=True)
class GuildSettings:
    """A server's settings. Empty sets of roles and channels mean everybody and everywhere.

    `default_voice`: the key of the voice that speaks for members who have none of their own.
    `away_days`: how many days others may use a voice after its owner or its speaker left; 0: none.
    `channel_idle_minutes`: how long the bot stays in a voice channel alone or without speaking.
    `channel_notice`: whether the bot says, when it joins a voice channel, that its voices are generated.
    For reading aloud, `read_length`: the most characters of a message; `read_per_minute`: the most messages of a
    member a minute; `read_names`: whether each new author is named; `read_ignored_role_ids`: the roles whose members'
    messages are not read.
    `consent`: None for the default that the owner of the bot has set.
    """

    guild_id: int
    clone_role_ids: frozenset[int] = frozenset()
    speak_role_ids: frozenset[int] = frozenset()
    channel_ids: frozenset[int] = frozenset()
    voices_per_member: int = 5
    voices_per_guild: int = 200
    jobs_per_hour_per_member: int = 60
    jobs_per_hour_per_guild: int = 600
    seconds_per_day_per_member: int = 1800
    seconds_per_day_per_guild: int = 14400
    text_length: int = 1000
    retention_days: int = 30
    away_days: int = 0
    default_voice: str | None = None
    channel_output: ChannelOutput = ChannelOutput.BOTH
    channel_idle_minutes: int = 10
    channel_notice: bool = False
    read_length: int = 300
    read_per_minute: int = 10
    read_names: bool = False
    read_ignored_role_ids: frozenset[int] = frozenset()
    consent: ConsentKind | None = None


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """How a word is said on a server. `key`: the form of the word that texts are matched against, made by the studio.

    `match_case`: the entry matches only with the capitals of `word`.
    """

    key: str
    word: str
    say: str
    match_case: bool = False


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """A member of a server. `default_voice`: a voice key.

    `away_since`: when it was first noticed that the member had left; None while they are there.
    `unread`: the member excluded their messages from being read aloud; `ignored`: moderators did.
    """

    guild_id: int
    member_id: int
    default_voice: str | None = None
    blocked_at: datetime | None = None
    blocked_by: int | None = None
    block_reason: str = ""
    away_since: datetime | None = None
    unread: bool = False
    ignored: bool = False


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """A filter of audit lines: those that match every field that is set.

    `member_id`: the actor or the target. `actions`: prefixes of action names. `target`: compared without case.
    """

    member_id: int | None = None
    actions: tuple[str, ...] = ()
    target: str | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of a server's audit log."""

    id: int
    guild_id: int
    actor_id: int
    action: str
    target: str
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts over a span of time for one server (or for one member of it)."""

    clones: int
    speeches: int
    failed: int
    audio_seconds: float
    wait_seconds_median: float | None
    work_seconds_median: float | None
    by_member: dict[int, int] = field(default_factory=dict)
