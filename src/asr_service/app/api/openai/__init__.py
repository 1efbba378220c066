"""The REST interface as clients of OpenAI expect it, under ``/v1``."""
