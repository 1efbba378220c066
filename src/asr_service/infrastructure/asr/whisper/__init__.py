"""The parts of the Whisper engine: network, prompts, decoding, guards, words."""
