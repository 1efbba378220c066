"""``asr-service models`` and ``asr-service samples``."""
