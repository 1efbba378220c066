"""Values: compared by content, never changed."""
