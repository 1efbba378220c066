"""Alembic's environment and the revisions of the schema; ``schema.migrate`` runs them."""
