"""Self-hosted speech recognition: live and batch, Mandarin and English first."""

from importlib.metadata import version

__version__ = version("asr-service")
