"""Sessions and their results."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# Sorted by code points on both databases, whatever the locale of PostgreSQL.
identifier = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("session_id", identifier, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text()),
        sa.Column("name", sa.Text()),
        sa.Column("language", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("end_reason", sa.Text()),
        sa.Column("received_samples", sa.BigInteger(), nullable=False),
        sa.Column("decoded_samples", sa.BigInteger(), nullable=False),
        sa.Column("finalized_samples", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_tenant_started_at_session_id", "sessions", ["tenant", "started_at", "session_id"])
    op.create_table(
        "results",
        sa.Column("session_id", identifier, nullable=False),
        sa.Column("utterance", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("start_samples", sa.BigInteger(), nullable=False),
        sa.Column("end_samples", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("words", sa.JSON(), nullable=False),
        sa.Column("timing", sa.Text(), nullable=False),
        sa.Column("language", sa.Text()),
        sa.Column("language_confidence", sa.Double()),
        sa.Column("average_logprob", sa.Double()),
        sa.Column("no_speech_probability", sa.Double()),
        sa.Column("compression_ratio", sa.Double()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "utterance", name="pk_results"),
    )


def downgrade() -> None:
    op.drop_table("results")
    op.drop_index("ix_sessions_tenant_started_at_session_id", "sessions")
    op.drop_table("sessions")
