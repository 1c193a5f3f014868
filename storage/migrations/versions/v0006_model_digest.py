"""Stores which weights a voice's prompt is for. Older voices have only the name of their model."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column."""
    op.add_column("voices", sa.Column("model_digest", sa.String(length=64), nullable=True))
