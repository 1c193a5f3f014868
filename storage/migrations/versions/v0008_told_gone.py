"""Stores which deleted roles and channels moderators have been told about."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column. NULL means none."""
    op.add_column("guild_settings", sa.Column("told_gone_ids", sa.JSON(), nullable=True))
