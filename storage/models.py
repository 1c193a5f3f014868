"""The tables of the schema.

Deleting a server's row in `guilds` deletes everything of that server, through foreign keys. Jobs refer to their voice
without a foreign key on purpose: the job of a deleted voice must still show that it had one, and row ids are never
reused (AUTOINCREMENT), so that the id cannot come to mean another voice.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, false, text, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from storage.columns import DOCUMENT, ROW_ID, Base, IdSet, UtcDateTime, enum_column, of_guild
from storage.consent_records import ConsentKind, ConsentState
from storage.records import Asked, ChannelOutput, JobKind, JobState, Visibility, VoiceState


class InstallationRow(Base):
    """The only row: the data folder and the Discord application that the database belongs to.

    `commands_digest`: of the commands that were synced to Discord.
    """

    __tablename__ = "installation"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(32))
    application_id: Mapped[int | None] = mapped_column(BigInteger)
    commands_digest: Mapped[str | None] = mapped_column(String(64))


class GuildRow(Base):
    """A server that has data. Raising `revision` takes the server's write lock (see storage.sessions)."""

    __tablename__ = "guilds"

    guild_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    revision: Mapped[int]


class SettingsRow(Base):
    """A server's settings. Without a row the defaults of GuildSettings apply, also after they change.

    `told_gone_ids`: deleted roles and channels, out of the chosen ones, that moderators have been told about.
    """

    __tablename__ = "guild_settings"

    guild_id: Mapped[int] = of_guild(primary_key=True)
    clone_role_ids: Mapped[frozenset[int]] = mapped_column(IdSet)
    speak_role_ids: Mapped[frozenset[int]] = mapped_column(IdSet)
    channel_ids: Mapped[frozenset[int]] = mapped_column(IdSet)
    voices_per_member: Mapped[int]
    voices_per_guild: Mapped[int]
    jobs_per_hour_per_member: Mapped[int]
    jobs_per_hour_per_guild: Mapped[int]
    seconds_per_day_per_member: Mapped[int]
    seconds_per_day_per_guild: Mapped[int]
    text_length: Mapped[int]
    retention_days: Mapped[int]
    told_gone_ids: Mapped[frozenset[int]] = mapped_column(IdSet, nullable=True)
    default_voice: Mapped[str | None] = mapped_column(Text)
    channel_output: Mapped[ChannelOutput] = mapped_column(enum_column(ChannelOutput), server_default="both")
    channel_idle_minutes: Mapped[int] = mapped_column(server_default="10")
    channel_notice: Mapped[bool] = mapped_column(server_default=false())
    away_days: Mapped[int] = mapped_column(server_default="0")
    read_length: Mapped[int] = mapped_column(server_default="300")
    read_per_minute: Mapped[int] = mapped_column(server_default="10")
    read_names: Mapped[bool] = mapped_column(server_default=false())
    read_ignored_role_ids: Mapped[frozenset[int]] = mapped_column(IdSet, nullable=True)
    consent: Mapped[ConsentKind | None] = mapped_column(enum_column(ConsentKind))


class SeatRow(Base):
    """The bot's voice channel in a server."""

    __tablename__ = "seats"

    guild_id: Mapped[int] = of_guild(primary_key=True)
    channel_id: Mapped[int] = mapped_column(BigInteger)
    read_channel_id: Mapped[int | None] = mapped_column(BigInteger)


class VoiceRow(Base):
    """A voice of a server's library. `name_key` is unique in the server; searches use `name_folded`."""

    __tablename__ = "voices"
    __table_args__ = (
        UniqueConstraint("guild_id", "name_key"),
        Index(None, "guild_id", "owner_id"),
        Index(None, "guild_id", "speaker_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    guild_id: Mapped[int] = of_guild()
    owner_id: Mapped[int] = mapped_column(BigInteger)
    speaker_id: Mapped[int | None] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(16))
    description: Mapped[str] = mapped_column(Text)
    state: Mapped[VoiceState] = mapped_column(enum_column(VoiceState))
    visibility: Mapped[Visibility] = mapped_column(enum_column(Visibility))
    model: Mapped[str | None] = mapped_column(Text)
    hubert: Mapped[str | None] = mapped_column(Text)
    quantizer: Mapped[str | None] = mapped_column(Text)
    report: Mapped[dict[str, Any] | None] = mapped_column(DOCUMENT)
    has_clip: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    name_folded: Mapped[str] = mapped_column(Text, server_default=text("''"))
    model_digest: Mapped[str | None] = mapped_column(String(64))
    shares: Mapped[list["ShareRow"]] = relationship(lazy="selectin", cascade="all, delete-orphan", passive_deletes=True)

    @property
    def member_ids(self) -> frozenset[int]:
        """The members whom the voice is shared with."""
        return frozenset(share.subject_id for share in self.shares if not share.is_role)

    @property
    def role_ids(self) -> frozenset[int]:
        """The roles whose members the voice is shared with."""
        return frozenset(share.subject_id for share in self.shares if share.is_role)


class ShareRow(Base):
    """A member or a role that a voice is shared with."""

    __tablename__ = "voice_shares"

    voice_id: Mapped[int] = mapped_column(ForeignKey("voices.id", ondelete="CASCADE"), primary_key=True)
    is_role: Mapped[bool] = mapped_column(primary_key=True)
    subject_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class JobRow(Base):
    """A job, from acceptance to answer. `sequence` is the order of acceptance, independent of clocks.

    `audio_seconds` counts against the daily limits: an estimate until the job ends, then the generated length.
    `hourly`: it counts against the hourly limits.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index(None, "state", "sequence"),
        Index(None, "guild_id", "member_id", "created_at"),
        Index(None, "guild_id", "created_at"),
        Index(None, "guild_id", "finished_at"),
        Index(None, "guild_id", "voice_id"),
        {"sqlite_autoincrement": True},
    )

    sequence: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    id: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[JobKind] = mapped_column(enum_column(JobKind))
    state: Mapped[JobState] = mapped_column(enum_column(JobState))
    guild_id: Mapped[int] = of_guild()
    channel_id: Mapped[int] = mapped_column(BigInteger)
    member_id: Mapped[int] = mapped_column(BigInteger)
    order: Mapped[dict[str, Any]] = mapped_column(DOCUMENT)
    private: Mapped[bool]
    voice_id: Mapped[int | None] = mapped_column(BigInteger)
    interaction_id: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    interaction_token: Mapped[str | None] = mapped_column(Text)
    token_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int]
    lease_owner: Mapped[str | None] = mapped_column(Text)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    audio_seconds: Mapped[float]
    result: Mapped[dict[str, Any] | None] = mapped_column(DOCUMENT)
    error_kind: Mapped[str | None] = mapped_column("fault_kind", String(64))
    error_message: Mapped[str | None] = mapped_column("fault_message", Text)
    message_id: Mapped[int | None] = mapped_column(BigInteger)
    hourly: Mapped[bool] = mapped_column(server_default=true())


WITHOUT_ANSWER = (JobRow.finished_at.is_not(None), JobRow.answered_at.is_(None))
"""Finished jobs whose answer has not been delivered."""
_IN_SQL = text("finished_at IS NOT NULL AND answered_at IS NULL")
Index("ix_jobs_without_answer", JobRow.sequence, sqlite_where=_IN_SQL, postgresql_where=_IN_SQL)


class SpentRow(Base):
    """The usage of an import or a deleted job, which counts against the limits. It says nothing about the content."""

    __tablename__ = "spent"
    __table_args__ = (Index(None, "guild_id", "created_at"),)

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    guild_id: Mapped[int] = of_guild()
    member_id: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    audio_seconds: Mapped[float]
    hourly: Mapped[bool] = mapped_column(server_default=true())


class AskedRow(Base):
    """A request of a member that is not a job and counts against an hourly limit. It belongs to no server."""

    __tablename__ = "asked"
    __table_args__ = (Index(None, "member_id", "kind", "asked_at"),)

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    member_id: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[Asked] = mapped_column(enum_column(Asked))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ErasureRow(Base):
    """A deletion of the data of a member, or of a whole server (`member_id` None). It outlives the server's row."""

    __tablename__ = "erasures"
    __table_args__ = (Index(None, "guild_id", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    guild_id: Mapped[int] = mapped_column(BigInteger)
    member_id: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class PronunciationRow(Base):
    """How a word is said on a server."""

    __tablename__ = "pronunciations"

    guild_id: Mapped[int] = of_guild(primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    word: Mapped[str] = mapped_column(Text)
    say: Mapped[str] = mapped_column(Text)
    match_case: Mapped[bool]


class MemberRow(Base):
    """A member of a server."""

    __tablename__ = "members"

    guild_id: Mapped[int] = of_guild(primary_key=True)
    member_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    default_voice: Mapped[str | None] = mapped_column(Text)
    blocked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    blocked_by: Mapped[int | None] = mapped_column(BigInteger)
    block_reason: Mapped[str] = mapped_column(Text)
    away_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    unread: Mapped[bool] = mapped_column(server_default=false())
    ignored: Mapped[bool] = mapped_column(server_default=false())


class AuditRow(Base):
    """One line of a server's audit log."""

    __tablename__ = "audit"
    __table_args__ = (
        Index(None, "guild_id", "at"),
        Index(None, "guild_id", "id"),
        Index(None, "guild_id", "actor_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    guild_id: Mapped[int] = of_guild()
    actor_id: Mapped[int] = mapped_column(BigInteger)
    action: Mapped[str] = mapped_column(Text)
    target: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class ConsentRow(Base):
    """A member's confirmation that the voices they upload are their own."""

    __tablename__ = "consents"

    guild_id: Mapped[int] = of_guild(primary_key=True)
    member_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    policy_version: Mapped[int]
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ConsentRequestRow(Base):
    """A request to clone the voice in another member's message."""

    __tablename__ = "consent_requests"
    __table_args__ = (
        Index(None, "state", "expires_at"),
        Index(None, "guild_id", "requester_id"),
        Index(None, "guild_id", "author_id"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    guild_id: Mapped[int] = of_guild()
    channel_id: Mapped[int] = mapped_column(BigInteger)
    requester_id: Mapped[int] = mapped_column(BigInteger)
    author_id: Mapped[int] = mapped_column(BigInteger)
    order: Mapped[dict[str, Any]] = mapped_column(DOCUMENT)
    state: Mapped[ConsentState] = mapped_column(enum_column(ConsentState))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    voice_id: Mapped[int | None] = mapped_column(BigInteger)


class SpokenConsentRow(Base):
    """A sentence of consent. Once it was said, it is deleted with the voice that it allows."""

    __tablename__ = "spoken_consents"
    __table_args__ = (Index(None, "guild_id", "member_id"), Index(None, "voice_id"))

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    guild_id: Mapped[int] = of_guild()
    channel_id: Mapped[int] = mapped_column(BigInteger)
    member_id: Mapped[int] = mapped_column(BigInteger)
    order: Mapped[dict[str, Any] | None] = mapped_column(DOCUMENT)
    sentence: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int]
    given_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    words: Mapped[int | None]
    likeness: Mapped[float | None]
    voice_id: Mapped[int | None] = mapped_column(ForeignKey("voices.id", ondelete="CASCADE"))


SCHEMA = Base.metadata
"""Every table, with its indexes and constraints."""
