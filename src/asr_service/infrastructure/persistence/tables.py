"""The tables. Every row carries its tenant.

``results`` does not reference ``sessions``: a final is kept even when the record of its session could not be stored
yet, and shows as soon as it is. Sample positions need 64 bits: 32 are full after 37 hours.

``nodes`` has the servers that are alive, each with the instant of its last heartbeat.

``journaled_sessions`` and ``journaled_outcomes`` are the journal of live sessions, see ``journal_entries.py`` for their texts.
"""

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, MetaData, Table

from asr_service.infrastructure.persistence.columns import FiniteDouble, IdentifierText, StorableText, UtcDateTime

metadata = MetaData(
    # Names of our own, equal on both databases, so that a migration can drop what another one made.
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", IdentifierText, primary_key=True),
    Column("tenant", StorableText, nullable=False),
    Column("key_id", StorableText),
    Column("name", StorableText),
    Column("language", StorableText),
    Column("status", StorableText, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("end_reason", StorableText),
    Column("received_samples", BigInteger, nullable=False),
    Column("decoded_samples", BigInteger, nullable=False),
    Column("finalized_samples", BigInteger, nullable=False),
    Column("node_id", StorableText),
    Column("epoch", Integer, nullable=False, server_default="1"),
    # Read backwards it is the listing, newest first, without sorting.
    Index(None, "tenant", "started_at", "session_id"),
)

results = Table(
    "results",
    metadata,
    Column("session_id", IdentifierText, primary_key=True),
    Column("utterance", Integer, primary_key=True, autoincrement=False),
    Column("tenant", StorableText, nullable=False),
    Column("start_samples", BigInteger, nullable=False),
    Column("end_samples", BigInteger, nullable=False),
    Column("text", StorableText, nullable=False),
    Column("words", JSON, nullable=False),
    Column("timing", StorableText, nullable=False),
    Column("language", StorableText),
    Column("language_confidence", FiniteDouble),
    Column("average_logprob", FiniteDouble),
    Column("no_speech_probability", FiniteDouble),
    Column("compression_ratio", FiniteDouble),
    Column("created_at", UtcDateTime, nullable=False),
)

nodes = Table(
    "nodes",
    metadata,
    Column("node_id", IdentifierText, primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
)

journaled_sessions = Table(
    "journaled_sessions",
    metadata,
    Column("session_id", IdentifierText, primary_key=True),
    Column("token_digest", StorableText, nullable=False, unique=True),
    Column("tenant", StorableText, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("origin", StorableText, nullable=False),
    Column("checkpoint", StorableText, nullable=False),
    Column("ending", StorableText),
)

journaled_outcomes = Table(
    "journaled_outcomes",
    metadata,
    Column(
        "session_id",
        IdentifierText,
        ForeignKey("journaled_sessions.session_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("utterance", Integer, primary_key=True, autoincrement=False),
    Column("tenant", StorableText, nullable=False),
    Column("outcome", StorableText, nullable=False),
)
