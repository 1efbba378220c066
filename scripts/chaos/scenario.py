"""What every part of ``make chaos`` is given, and the servers that most of them need."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from scripts.benchmarks.service_process import ServiceProcess, launch_service
from scripts.chaos.talk import Voice

Report = dict[str, Any]
"""Figures by name; ``defects`` is a list of lines, empty if all is well."""

# Who is let in does not depend on how busy the machine is, but where that is what is looked at.
ADMIT_ALL = {"ASR_SERVER__MAX_LOAD": "0", "ASR_SERVER__MAX_SESSIONS": "200"}


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a part is given.

    Attributes:
        folder: Recordings.
        scratch: Whatever is written lies there, and is deleted afterwards.
        seed: Of all that is left to chance.
        voices: The recordings that are spoken.
    """

    folder: Path
    scratch: Path
    seed: int
    voices: list[Voice]

    def chance(self, purpose: str) -> Random:
        """The same for the same seed and purpose."""
        return seeded(f"{self.seed} {purpose}")


def seeded(seed: str) -> Random:
    """Chance that is the same in every run."""
    return Random(seed)  # noqa: S311 - it is to be repeated


class Servers:
    """Servers that share a database; each can be ended and started anew on its port."""

    def __init__(self, scratch: Path, count: int, settings: dict[str, str]) -> None:
        self._scratch = scratch
        self._settings = settings
        self._launched = 0
        self.running = [self._launch() for _ in range(count)]
        for server in self.running:
            server.wait_until_ready()

    def replace(self, index: int) -> None:
        """Starts a server in the place of one that has ended; returns when it is ready."""
        self.running[index] = self._launch(self.running[index].port)
        self.running[index].wait_until_ready()

    def stop(self) -> list[int]:
        """Ends all; returns their exit codes."""
        return [server.stop() for server in self.running]

    def _launch(self, port: int = 0) -> ServiceProcess:
        folder = self._scratch / f"server-{self._launched}"
        folder.mkdir()
        self._launched += 1
        return launch_service(folder, port, **self._settings)


@contextmanager
def running_servers(scratch: Path, count: int, **settings: str) -> Iterator[Servers]:
    """Servers that are ready; all are stopped when the block ends."""
    with ExitStack() as stack:
        servers = Servers(scratch, count, ADMIT_ALL | settings)
        stack.callback(servers.stop)
        yield servers
