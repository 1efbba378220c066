"""What the domain needs from the outside world."""
