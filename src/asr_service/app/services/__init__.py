"""Use cases: what the service does, free of HTTP and of any engine."""
