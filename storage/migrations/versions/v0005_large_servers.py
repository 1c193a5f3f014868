"""Speeds up large servers: pages of the audit log in order, and a folded name for searches."""

import sqlalchemy as sa
from alembic import op

from storage.names import fold

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the index and the column, and fill it."""
    op.create_index("ix_audit_guild_id_id", "audit", ["guild_id", "id"])
    op.add_column("voices", sa.Column("name_folded", sa.Text(), server_default=sa.text("''"), nullable=False))
    voices = sa.table("voices", sa.column("id"), sa.column("name"), sa.column("name_folded"))
    connection = op.get_bind()
    for number, name in connection.execute(sa.select(voices.c.id, voices.c.name)).all():
        connection.execute(sa.update(voices).where(voices.c.id == number).values(name_folded=fold(name)))
