"""Stores each server's default voice, which speaks for members who have none of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the column."""
    op.add_column("guild_settings", sa.Column("default_voice", sa.Text(), nullable=True))
