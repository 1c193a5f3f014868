"""Stores since when members are away, and how long others may still use their voices."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add both columns; others may not use the voice of a member who is away, as before."""
    op.add_column("guild_settings", sa.Column("away_days", sa.Integer(), server_default="0", nullable=False))
    op.add_column("members", sa.Column("away_since", sa.DateTime(timezone=True), nullable=True))
