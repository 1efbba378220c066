"""Live streams over plain TCP."""
