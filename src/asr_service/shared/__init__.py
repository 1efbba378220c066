"""What every layer may use: errors, clock, identifiers, correlation. Standard library only."""
