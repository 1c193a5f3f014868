"""The script that Alembic runs, over the connection that storage.migrations.upgrade passes."""

from alembic import context

from storage.models import SCHEMA

context.configure(connection=context.config.attributes["connection"], target_metadata=SCHEMA, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
