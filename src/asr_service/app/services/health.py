"""Whether the service can do its job, said by those who know."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from asr_service.shared.errors import AsrError

Check = Callable[[], Awaitable[None]]
"""Returns when all is well; raises an ``AsrError`` that says what is not."""


@dataclass(frozen=True, slots=True)
class Health:
    """What each check said: ``None`` when it passed, else why it did not."""

    problems: Mapping[str, str | None]

    @property
    def ready(self) -> bool:
        return not any(self.problems.values())


class HealthService:
    """Asks all checks."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = dict(checks)

    async def check(self) -> Health:
        """The state of each part now."""
        return Health({name: await _problem(check) for name, check in self._checks.items()})


async def _problem(check: Check) -> str | None:
    try:
        await check()
    except AsrError as error:
        return error.message
    return None
