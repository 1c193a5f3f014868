"""Adds the settings for voice channels, and stores the channels that the bot is in."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns with their defaults, and the table."""
    for column in (
        sa.Column("channel_output", sa.String(16), server_default="both", nullable=False),
        sa.Column("channel_idle_minutes", sa.Integer(), server_default="10", nullable=False),
        sa.Column("channel_notice", sa.Boolean(), server_default=sa.false(), nullable=False),
    ):
        op.add_column("guild_settings", column)
    op.create_table(
        "seats",
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["guild_id"], ["guilds.guild_id"], name="fk_seats_guild_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("guild_id", name="pk_seats"),
    )
