"""The tables, and how a row becomes the value that repositories hand out. It knows no query.

Deleting a server's row in `guilds` deletes everything of that server, through foreign keys. Jobs point at their voice
without a foreign key, on purpose: a job whose voice was deleted must still know that it had one, and row numbers are
never used twice (AUTOINCREMENT), so the number can never come to mean another voice.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, MetaData, String, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from storage.columns import DOCUMENT, ROW_ID, IdSet, UtcDateTime, word_of
from storage.records import (
    AuditEntry,
    Consent,
    ConsentRequest,
    ConsentState,
    GuildSettings,
    JobKind,
    JobRecord,
    JobState,
    MemberRecord,
    Visibility,
    VoiceRecord,
    VoiceState,
)


class Base(DeclarativeBase):
    """The schema. Constraints have names, so that later migrations can find them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def _of_guild(*, primary_key: bool = False) -> Mapped[int]:
    return mapped_column(ForeignKey("guilds.guild_id", ondelete="CASCADE"), primary_key=primary_key)


class InstallationRow(Base):
    """The only row says which data folder the database belongs to, and which Discord application."""

    __tablename__ = "installation"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(32))
    application_id: Mapped[int | None] = mapped_column(BigInteger)


class GuildRow(Base):
    """A server that has something here. Raising `revision` takes the server's write lock (see storage.sessions)."""

    __tablename__ = "guilds"

    guild_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    revision: Mapped[int]


class SettingsRow(Base):
    """What a server's moderators decided. No row: the defaults of GuildSettings, also after these change.

    `told_gone_ids`: the chosen roles and channels of which moderators were told that they are gone.
    """

    __tablename__ = "guild_settings"

    guild_id: Mapped[int] = _of_guild(primary_key=True)
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

    def record(self) -> GuildSettings:
        """The row as a value."""
        return GuildSettings(**{name: getattr(self, name) for name in GuildSettings.__dataclass_fields__})


class VoiceRow(Base):
    """A voice of a server's library. `name_key` decides whether two names are the same, `name_folded` is looked in."""

    __tablename__ = "voices"
    __table_args__ = (
        UniqueConstraint("guild_id", "name_key"),
        Index(None, "guild_id", "owner_id"),
        Index(None, "guild_id", "speaker_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    guild_id: Mapped[int] = _of_guild()
    owner_id: Mapped[int] = mapped_column(BigInteger)
    speaker_id: Mapped[int | None] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(16))
    description: Mapped[str] = mapped_column(Text)
    state: Mapped[VoiceState] = mapped_column(word_of(VoiceState))
    visibility: Mapped[Visibility] = mapped_column(word_of(Visibility))
    model: Mapped[str | None] = mapped_column(Text)
    hubert: Mapped[str | None] = mapped_column(Text)
    quantizer: Mapped[str | None] = mapped_column(Text)
    report: Mapped[dict[str, Any] | None] = mapped_column(DOCUMENT)
    has_clip: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    name_folded: Mapped[str] = mapped_column(Text, server_default=text("''"))
    model_digest: Mapped[str | None] = mapped_column(String(64))
    shares: Mapped[list["ShareRow"]] = relationship(lazy="selectin", cascade="all, delete-orphan", passive_deletes=True)

    def record(self) -> VoiceRecord:
        """The row as a value."""
        return VoiceRecord(
            id=self.id,
            guild_id=self.guild_id,
            owner_id=self.owner_id,
            speaker_id=self.speaker_id,
            name=self.name,
            language=self.language,
            description=self.description,
            state=self.state,
            visibility=self.visibility,
            member_ids=frozenset(share.subject_id for share in self.shares if not share.is_role),
            role_ids=frozenset(share.subject_id for share in self.shares if share.is_role),
            model=self.model,
            model_digest=self.model_digest,
            hubert=self.hubert,
            quantizer=self.quantizer,
            report=self.report,
            has_clip=self.has_clip,
            created_at=self.created_at,
        )


class ShareRow(Base):
    """A member or a role that a voice is shared with."""

    __tablename__ = "voice_shares"

    voice_id: Mapped[int] = mapped_column(ForeignKey("voices.id", ondelete="CASCADE"), primary_key=True)
    is_role: Mapped[bool] = mapped_column(primary_key=True)
    subject_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class JobRow(Base):
    """A job, from acceptance to answer. `sequence` is the order of acceptance, which clocks cannot blur.

    `audio_seconds` counts against the daily limits: what the order will take until the job ends, then what it took.
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
    kind: Mapped[JobKind] = mapped_column(word_of(JobKind))
    state: Mapped[JobState] = mapped_column(word_of(JobState))
    guild_id: Mapped[int] = _of_guild()
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
    fault_kind: Mapped[str | None] = mapped_column(String(64))
    fault_message: Mapped[str | None] = mapped_column(Text)
    message_id: Mapped[int | None] = mapped_column(BigInteger)

    def record(self) -> JobRecord:
        """The row as a value."""
        return JobRecord(**{name: getattr(self, name) for name in JobRecord.__dataclass_fields__})


WITHOUT_ANSWER = (JobRow.finished_at.is_not(None), JobRow.answered_at.is_(None))
"""Which jobs have ended, and their answer has not reached anybody."""
_IN_SQL = text("finished_at IS NOT NULL AND answered_at IS NULL")
Index("ix_jobs_without_answer", JobRow.sequence, sqlite_where=_IN_SQL, postgresql_where=_IN_SQL)


class SpentRow(Base):
    """What a job that was deleted early, or an import, had used of the limits of its day: nothing but that it was."""

    __tablename__ = "spent"
    __table_args__ = (Index(None, "guild_id", "created_at"),)

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    guild_id: Mapped[int] = _of_guild()
    member_id: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    audio_seconds: Mapped[float]


class MemberRow(Base):
    """What is remembered of a member of a server."""

    __tablename__ = "members"

    guild_id: Mapped[int] = _of_guild(primary_key=True)
    member_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    default_voice: Mapped[str | None] = mapped_column(Text)
    blocked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    blocked_by: Mapped[int | None] = mapped_column(BigInteger)
    block_reason: Mapped[str] = mapped_column(Text)

    def record(self) -> MemberRecord:
        """The row as a value."""
        return MemberRecord(**{name: getattr(self, name) for name in MemberRecord.__dataclass_fields__})


class ConsentRow(Base):
    """A member's word that the voices they upload are their own."""

    __tablename__ = "consents"

    guild_id: Mapped[int] = _of_guild(primary_key=True)
    member_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    policy_version: Mapped[int]
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)

    def record(self) -> Consent:
        """The row as a value."""
        return Consent(**{name: getattr(self, name) for name in Consent.__dataclass_fields__})


class ConsentRequestRow(Base):
    """Somebody wants to clone the voice in another member's message."""

    __tablename__ = "consent_requests"
    __table_args__ = (
        Index(None, "state", "expires_at"),
        Index(None, "guild_id", "requester_id"),
        Index(None, "guild_id", "author_id"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    guild_id: Mapped[int] = _of_guild()
    channel_id: Mapped[int] = mapped_column(BigInteger)
    requester_id: Mapped[int] = mapped_column(BigInteger)
    author_id: Mapped[int] = mapped_column(BigInteger)
    order: Mapped[dict[str, Any]] = mapped_column(DOCUMENT)
    state: Mapped[ConsentState] = mapped_column(word_of(ConsentState))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    voice_id: Mapped[int | None] = mapped_column(BigInteger)

    def record(self) -> ConsentRequest:
        """The row as a value."""
        return ConsentRequest(**{name: getattr(self, name) for name in ConsentRequest.__dataclass_fields__})


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
    guild_id: Mapped[int] = _of_guild()
    actor_id: Mapped[int] = mapped_column(BigInteger)
    action: Mapped[str] = mapped_column(Text)
    target: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)

    def record(self) -> AuditEntry:
        """The row as a value."""
        return AuditEntry(**{name: getattr(self, name) for name in AuditEntry.__dataclass_fields__})
