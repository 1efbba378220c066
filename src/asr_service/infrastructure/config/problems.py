"""What is said about settings that are wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from asr_service.shared.errors import AsrError

EXIT_CODE: Final = 78  # EX_CONFIG of sysexits.h: something is wrong with the configuration


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        key: The setting, for example ``server.port``.
        text: What is wrong with it, to be read after its name; secrets are masked.
        written_as: The name as the user wrote it, and where; ``None`` if nobody wrote it.
    """

    key: str
    text: str
    written_as: str | None = None

    @property
    def line(self) -> str:
        return f"{self.written_as or self.key} {self.text}"


class InvalidSettings(AsrError):
    """The service cannot start with these settings; the process exits with ``EXIT_CODE``."""

    code = "invalid_settings"

    def __init__(self, problems: Sequence[Problem]) -> None:
        head = "One setting is wrong:" if len(problems) == 1 else f"{len(problems)} settings are wrong:"
        super().__init__(
            "\n".join([head, *(f"  - {problem.line}" for problem in problems)]),
            hint="docs/configuration.md lists every setting.",
        )
        self.problems = tuple(problems)
