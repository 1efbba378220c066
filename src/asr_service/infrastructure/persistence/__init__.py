"""Sessions and results in SQLite or PostgreSQL."""
