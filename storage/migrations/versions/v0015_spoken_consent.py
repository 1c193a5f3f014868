"""Stores whether a server asks for spoken consent, and the sentences that members say."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the setting, where NULL is the owner's default, and the table."""
    op.add_column(
        "guild_settings",
        sa.Column("consent", sa.Enum("checkbox", "spoken", name="consentkind", native_enum=False, length=16)),
    )
    op.create_table(
        "spoken_consents",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("order", sa.JSON(), nullable=True),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("words", sa.Integer(), nullable=True),
        sa.Column("likeness", sa.Double(), nullable=True),
        sa.Column("voice_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(
            ["guild_id"], ["guilds.guild_id"], name="fk_spoken_consents_guild_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["voice_id"], ["voices.id"], name="fk_spoken_consents_voice_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_spoken_consents"),
    )
    op.create_index("ix_spoken_consents_guild_id_member_id", "spoken_consents", ["guild_id", "member_id"])
    op.create_index("ix_spoken_consents_voice_id", "spoken_consents", ["voice_id"])
