"""The tables of consent: confirmations, requests to other members, and spoken sentences."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from storage.columns import DOCUMENT, Base, UtcDateTime, enum_column, of_guild
from storage.consent_records import ConsentState


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
    """A sentence of consent. Once it was said it goes with the voice that it allows."""

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
