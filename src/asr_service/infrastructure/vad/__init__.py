"""Voice activity detection with Silero VAD, batched across sessions."""
