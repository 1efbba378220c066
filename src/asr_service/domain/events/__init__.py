"""Facts, in the past tense."""
