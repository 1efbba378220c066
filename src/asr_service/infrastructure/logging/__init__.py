"""How log lines are made, and what they never contain."""
