"""Several servers: which of them has a session, by which claim, and which are alive."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# Sorted by code points on both databases, whatever the locale of PostgreSQL.
identifier = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("sessions", sa.Column("node_id", sa.Text()))
    # With a default: servers of the last release go on writing rows while they are replaced.
    op.add_column("sessions", sa.Column("epoch", sa.Integer(), nullable=False, server_default="1"))
    op.create_table(
        "nodes",
        sa.Column("node_id", identifier, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("node_id", name="pk_nodes"),
    )


def downgrade() -> None:
    op.drop_table("nodes")
    op.drop_column("sessions", "epoch")
    op.drop_column("sessions", "node_id")
