"""The command ``asr-service``."""

import sys

try:
    from asr_service.cli.app import main
except ModuleNotFoundError as error:  # the package was installed for its client alone
    if error.name is None or error.name.partition(".")[0] == "asr_service":
        raise
    sys.exit(f"asr-service: {error.name} is not installed. Install 'asr-service[server,whisper]'.")

__all__ = ["main"]
