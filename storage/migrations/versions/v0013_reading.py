"""Adds the settings of servers and members for reading channels aloud."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the columns with their defaults."""
    columns = {
        "guild_settings": (
            sa.Column("read_length", sa.Integer(), server_default="300", nullable=False),
            sa.Column("read_per_minute", sa.Integer(), server_default="10", nullable=False),
            sa.Column("read_names", sa.Boolean(), server_default=sa.false(), nullable=False),
            sa.Column("read_ignored_role_ids", sa.JSON(), nullable=True),
        ),
        "members": (
            sa.Column("unread", sa.Boolean(), server_default=sa.false(), nullable=False),
            sa.Column("ignored", sa.Boolean(), server_default=sa.false(), nullable=False),
        ),
        "seats": (sa.Column("read_channel_id", sa.BigInteger(), nullable=True),),
    }
    for table, added in columns.items():
        for column in added:
            op.add_column(table, column)
