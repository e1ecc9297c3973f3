"""Run by Alembic for every migration: uses the connection, and the transaction, that `steps` hands in."""

from __future__ import annotations

from alembic import context

from shared.records.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
