"""Stores which jobs count against the hourly limits."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the column; existing rows count, as before."""
    for table in ("jobs", "spent"):
        op.add_column(table, sa.Column("hourly", sa.Boolean(), server_default=sa.true(), nullable=False))
