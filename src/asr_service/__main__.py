"""``python -m asr_service`` is the command ``asr-service``."""

from asr_service.cli import main

if __name__ == "__main__":
    main()
