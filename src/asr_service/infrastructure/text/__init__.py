"""What is made of recognized texts: script, punctuation, numbers, capital letters, masks."""
