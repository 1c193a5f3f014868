"""Stores the data folder and the Discord application that a database belongs to."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "installation",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("application_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_installation"),
    )
