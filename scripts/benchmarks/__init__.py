"""Parts of ``make bench``."""
