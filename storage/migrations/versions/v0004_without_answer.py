"""Adds an index of finished jobs without a delivered answer, which are looked up every half minute."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_WHICH = sa.text("finished_at IS NOT NULL AND answered_at IS NULL")


def upgrade() -> None:
    """Create the index."""
    op.create_index("ix_jobs_without_answer", "jobs", ["sequence"], sqlite_where=_WHICH, postgresql_where=_WHICH)
