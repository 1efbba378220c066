"""What every layer may use: errors, clock, bounded channel, identifiers, correlation. Standard library only."""
