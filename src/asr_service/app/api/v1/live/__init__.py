"""What live streams have in common, whatever carries them."""
