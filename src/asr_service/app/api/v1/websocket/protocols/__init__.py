"""Wire protocols, one codec each: pure, without I/O."""
