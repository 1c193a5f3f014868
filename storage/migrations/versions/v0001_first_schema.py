"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.BigInteger()
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
WORD = sa.String(16)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "guilds",
        sa.Column("guild_id", ID, autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("guild_id", name="pk_guilds"),
    )
    op.create_table(
        "audit",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("guild_id", ID, nullable=False),
        sa.Column("actor_id", ID, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["guild_id"], ["guilds.guild_id"], name="fk_audit_guild_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_guild_id_actor_id", "audit", ["guild_id", "actor_id"])
    op.create_index("ix_audit_guild_id_at", "audit", ["guild_id", "at"])
    op.create_table(
        "consent_requests",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("guild_id", ID, nullable=False),
        sa.Column("channel_id", ID, nullable=False),
        sa.Column("requester_id", ID, nullable=False),
        sa.Column("author_id", ID, nullable=False),
        sa.Column("order", sa.JSON(), nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["guild_id"], ["guilds.guild_id"], name="fk_consent_requests_guild_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_consent_requests"),
    )
    op.create_index("ix_consent_requests_guild_id_author_id", "consent_requests", ["guild_id", "author_id"])
    op.create_index("ix_consent_requests_guild_id_requester_id", "consent_requests", ["guild_id", "requester_id"])
    op.create_index("ix_consent_requests_state_expires_at", "consent_requests", ["state", "expires_at"])
    op.create_table(
        "consents",
        sa.Column("guild_id", ID, nullable=False),
        sa.Column("member_id", ID, autoincrement=False, nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("given_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["guild_id"], ["guilds.guild_id"], name="fk_consents_guild_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("guild_id", "member_id", name="pk_consents"),
    )
    op.create_table(
        "guild_settings",
        sa.Column("guild_id", ID, nullable=False),
        sa.Column("clone_role_ids", sa.JSON(), nullable=False),
        sa.Column("speak_role_ids", sa.JSON(), nullable=False),
        sa.Column("channel_ids", sa.JSON(), nullable=False),
        sa.Column("voices_per_member", sa.Integer(), nullable=False),
        sa.Column("voices_per_guild", sa.Integer(), nullable=False),
        sa.Column("jobs_per_hour_per_member", sa.Integer(), nullable=False),
        sa.Column("jobs_per_hour_per_guild", sa.Integer(), nullable=False),
        sa.Column("seconds_per_day_per_member", sa.Integer(), nullable=False),
        sa.Column("seconds_per_day_per_guild", sa.Integer(), nullable=False),
        sa.Column("text_length", sa.Integer(), nullable=False),
        sa.Column("retention_days", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["guild_id"], ["guilds.guild_id"], name="fk_guild_settings_guild_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("guild_id", name="pk_guild_settings"),
    )
    op.create_table(
        "jobs",
        sa.Column("sequence", ROW_ID, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("guild_id", ID, nullable=False),
        sa.Column("channel_id", ID, nullable=False),
        sa.Column("member_id", ID, nullable=False),
        sa.Column("order", sa.JSON(), nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("voice_id", ID, nullable=True),
        sa.Column("interaction_id", ID, nullable=True),
        sa.Column("interaction_token", sa.Text(), nullable=True),
        sa.Column("token_expires_at", MOMENT, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("answered_at", MOMENT, nullable=True),
        sa.Column("audio_seconds", sa.Double(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("fault_kind", sa.String(length=64), nullable=True),
        sa.Column("fault_message", sa.Text(), nullable=True),
        sa.Column("message_id", ID, nullable=True),
        sa.ForeignKeyConstraint(["guild_id"], ["guilds.guild_id"], name="fk_jobs_guild_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sequence", name="pk_jobs"),
        sa.UniqueConstraint("id", name="uq_jobs_id"),
        sa.UniqueConstraint("interaction_id", name="uq_jobs_interaction_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_guild_id_created_at", "jobs", ["guild_id", "created_at"])
    op.create_index("ix_jobs_guild_id_finished_at", "jobs", ["guild_id", "finished_at"])
    op.create_index("ix_jobs_guild_id_member_id_created_at", "jobs", ["guild_id", "member_id", "created_at"])
    op.create_index("ix_jobs_guild_id_voice_id", "jobs", ["guild_id", "voice_id"])
    op.create_index("ix_jobs_state_sequence", "jobs", ["state", "sequence"])
    op.create_table(
        "members",
        sa.Column("guild_id", ID, nullable=False),
        sa.Column("member_id", ID, autoincrement=False, nullable=False),
        sa.Column("default_voice", sa.Text(), nullable=True),
        sa.Column("blocked_at", MOMENT, nullable=True),
        sa.Column("blocked_by", ID, nullable=True),
        sa.Column("block_reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["guild_id"], ["guilds.guild_id"], name="fk_members_guild_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("guild_id", "member_id", name="pk_members"),
    )
    op.create_table(
        "voices",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("guild_id", ID, nullable=False),
        sa.Column("owner_id", ID, nullable=False),
        sa.Column("speaker_id", ID, nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("visibility", WORD, nullable=False),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("hubert", sa.Text(), nullable=True),
        sa.Column("quantizer", sa.Text(), nullable=True),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.Column("has_clip", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["guild_id"], ["guilds.guild_id"], name="fk_voices_guild_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_voices"),
        sa.UniqueConstraint("guild_id", "name_key", name="uq_voices_guild_id_name_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_voices_guild_id_owner_id", "voices", ["guild_id", "owner_id"])
    op.create_index("ix_voices_guild_id_speaker_id", "voices", ["guild_id", "speaker_id"])
    op.create_table(
        "voice_shares",
        sa.Column("voice_id", ROW_ID, nullable=False),
        sa.Column("is_role", sa.Boolean(), nullable=False),
        sa.Column("subject_id", ID, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["voice_id"], ["voices.id"], name="fk_voice_shares_voice_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("voice_id", "is_role", "subject_id", name="pk_voice_shares"),
    )
