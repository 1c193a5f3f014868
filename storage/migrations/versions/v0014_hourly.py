"""Which jobs count against the limits of requests per hour."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the column; all that exists counts, as before."""
    for table in ("jobs", "spent"):
        op.add_column(table, sa.Column("hourly", sa.Boolean(), server_default=sa.true(), nullable=False))
