"""What breaks in operation, done on purpose to the real service: ``make chaos``."""
