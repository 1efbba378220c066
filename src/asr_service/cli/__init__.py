"""The command ``asr-service``."""

from asr_service.cli.app import main

__all__ = ["main"]
