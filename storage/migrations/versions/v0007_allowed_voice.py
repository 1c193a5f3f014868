"""Stores which voice was made from a consent request, so that a yes can be withdrawn."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column and fill it from the stored jobs, which have the id of the request."""
    op.add_column("consent_requests", sa.Column("voice_id", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE consent_requests SET voice_id = (SELECT jobs.voice_id FROM jobs WHERE jobs.id = consent_requests.id)"
    )
