"""Run by Alembic, on the connection and in the transaction that it was given."""

from alembic import context

from asr_service.infrastructure.persistence.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by rebuilding it
)
with context.begin_transaction():
    context.run_migrations()
