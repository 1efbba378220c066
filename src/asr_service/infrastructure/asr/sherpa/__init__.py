"""The parts of the sherpa-onnx engine: which models it runs, offline and streaming, and what becomes of their tokens."""
