"""Where sessions and results are kept."""
