"""Writes the description of the REST interface: ``python -m scripts.openapi FILE``."""

import json
import sys
from pathlib import Path

from asr_service.infrastructure.config.settings import Settings
from asr_service.main import create_app


def main() -> None:
    """The command."""
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(
        json.dumps(create_app(Settings()).openapi(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
    )
    print(target)


if __name__ == "__main__":
    main()
