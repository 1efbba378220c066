"""The journal of live sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# Sorted by code points on both databases, whatever the locale of PostgreSQL.
identifier = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "journaled_sessions",
        sa.Column("session_id", identifier, nullable=False),
        sa.Column("token_digest", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("checkpoint", sa.Text(), nullable=False),
        sa.Column("ending", sa.Text()),
        sa.PrimaryKeyConstraint("session_id", name="pk_journaled_sessions"),
        sa.UniqueConstraint("token_digest", name="uq_journaled_sessions_token_digest"),
    )
    op.create_index("ix_journaled_sessions_expires_at", "journaled_sessions", ["expires_at"])
    op.create_table(
        "journaled_outcomes",
        sa.Column("session_id", identifier, nullable=False),
        sa.Column("utterance", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "utterance", name="pk_journaled_outcomes"),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["journaled_sessions.session_id"],
            name="fk_journaled_outcomes_session_id",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    op.drop_table("journaled_outcomes")
    op.drop_index("ix_journaled_sessions_expires_at", "journaled_sessions")
    op.drop_table("journaled_sessions")
