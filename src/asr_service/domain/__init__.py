"""What speech recognition means here: sessions, utterances, results. Pure: no I/O, clock, await or frameworks."""
