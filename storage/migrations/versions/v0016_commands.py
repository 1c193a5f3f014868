"""Stores the digest of the commands that were synced to Discord, for all processes."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add the column; the next start syncs the commands."""
    op.add_column("installation", sa.Column("commands_digest", sa.String(64)))
