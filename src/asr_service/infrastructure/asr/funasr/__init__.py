"""The parts of FunASR's models: loading, streams, whole utterances, punctuation, and what their texts are made of."""
