"""Two servers on one PostgreSQL behind a balancer, and twenty who speak through it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from scripts.chaos.scenario import Report, Scenario, Servers, running_servers
from scripts.chaos.talk import Talk, differences, hear_quietly, make_talk
from tests.fixtures.balancer import Balancer, running
from tests.fixtures.haproxy import HaProxy
from tests.fixtures.nginx import Nginx
from tests.fixtures.postgres import running_postgres
from tests.fixtures.speakers import Heard, Speaker, listen

SESSIONS = 20
PAUSE_MS = 8_000  # two cores do not hold twenty people who speak all the time
TOGETHER_S = 5.0  # within which all begin
BALANCERS: tuple[type[Balancer], ...] = (Nginx, HaProxy)


class Streams:
    """Many who speak in real time through a balancer, one after the other beginning within ``TOGETHER_S``.

    Attributes:
        resumed_at_s: When streams went on after a loss, by ``time.monotonic()``.
    """

    def __init__(self, url: str, talks: Sequence[Talk]) -> None:
        self.url = url
        self.resumed_at_s: list[float] = []
        self.heard = [_Timed(self.resumed_at_s) for _ in talks]
        self._speakers = [Speaker(talk.pcm, 1.0) for talk in talks]
        self._tasks = [asyncio.create_task(self._listen(number, talk.language)) for number, talk in enumerate(talks)]

    async def have_said(self, part: float) -> None:
        """Returns when the last to begin has said this part."""
        await self._speakers[-1].said(part)

    async def ended(self) -> None:
        """Returns when all is told."""
        await asyncio.gather(*self._tasks)

    async def _listen(self, number: int, language: str) -> None:
        await asyncio.sleep(TOGETHER_S * number / len(self._speakers))
        await listen(self.url, self._speakers[number], self.heard[number], language=language)


class _Timed(Heard):
    def __init__(self, resumed_at_s: list[float]) -> None:
        super().__init__()
        self._resumed_at_s = resumed_at_s

    def note(self, event: object) -> None:
        resumed = self.resumed
        super().note(event)
        if self.resumed > resumed:
            self._resumed_at_s.append(time.monotonic())


Damage = Callable[[Streams, Servers], Awaitable[Report]]
"""Does something to the servers while all speak; returns figures, with ``defects``."""


def run_behind_balancers(scenario: Scenario, talk_s: float, damage: Damage) -> Report:
    """Behind nginx, then behind haproxy, the same talks; each on servers and a database of its own."""
    chance = scenario.chance("balanced")
    talks = [make_talk(scenario.voices, chance, talk_s, PAUSE_MS) for _ in range(SESSIONS)]
    quiet: list[Heard] = []
    report: Report = {"sessions": SESSIONS, "pace": 1.0, "pause_s": PAUSE_MS / 1_000, "defects": []}
    with running_postgres() as postgres:
        for kind in BALANCERS:
            scratch = scenario.scratch / kind.program
            scratch.mkdir()
            settings = {"ASR_DATABASE__URL": postgres.create_database(), "ASR_RECOGNIZER__WORKERS": "1"}
            with (
                running_servers(scratch, 2, **settings) as servers,
                running(kind(scratch, [server.port for server in servers.running])) as balancer,
            ):
                quiet = quiet or asyncio.run(hear_quietly(balancer.url, talks))
                found = asyncio.run(_run(balancer.url, talks, quiet, servers, damage))
            report["defects"] += [f"{kind.program}: {defect}" for defect in found.pop("defects")]
            report[kind.program] = found
    return report


async def _run(url: str, talks: Sequence[Talk], quiet: Sequence[Heard], servers: Servers, damage: Damage) -> Report:
    streams = Streams(url, talks)
    report = await damage(streams, servers)
    for number, (talk, one, other) in enumerate(zip(talks, quiet, streams.heard, strict=True)):
        report["defects"] += differences(f"{number} ({talk.name})", one, other)
    return report | {"finals": sum(len(heard.finals) for heard in streams.heard)}
