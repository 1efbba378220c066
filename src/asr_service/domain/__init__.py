"""What speech recognition means here: sessions, utterances, results. Pure: no I/O, no clock, no await, no frameworks."""
