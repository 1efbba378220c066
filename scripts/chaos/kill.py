"""One of two servers behind a balancer is killed: its sessions go on at the other."""

import asyncio
import time
from collections.abc import Sequence

from scripts.benchmarks.service_metrics import read_samples
from scripts.benchmarks.service_process import ServiceProcess
from scripts.chaos.scenario import Report, Scenario, running_servers
from scripts.chaos.talk import Talk, differences, hear_quietly, make_talk
from tests.fixtures.balancer import Balancer, running
from tests.fixtures.haproxy import HaProxy
from tests.fixtures.nginx import Nginx
from tests.fixtures.postgres import running_postgres
from tests.fixtures.speakers import Heard, Speaker, listen

SESSIONS = 20
TALK_S = 40.0
PAUSE_MS = 8_000  # two cores do not hold twenty people who speak all the time
TOGETHER_S = 5.0  # within which all begin
KILL_AT = (0.3, 0.7)  # of what is said
BALANCERS: tuple[type[Balancer], ...] = (Nginx, HaProxy)


def run(scenario: Scenario) -> Report:
    """Behind nginx, then behind haproxy."""
    report: Report = {"sessions": SESSIONS, "pace": 1.0, "pause_s": PAUSE_MS / 1_000, "defects": []}
    with running_postgres() as postgres:
        for kind in BALANCERS:
            scratch = scenario.scratch / kind.program
            scratch.mkdir()
            settings = {"ASR_DATABASE__URL": postgres.create_database(), "ASR_RECOGNIZER__WORKERS": "1"}
            with running_servers(scratch, 2, **settings) as servers:
                ports = [server.port for server in servers.running]
                with running(kind(scratch, ports)) as balancer:
                    found = asyncio.run(_kill_one(scenario, balancer.url, servers.running))
            report["defects"] += [f"{kind.program}: {defect}" for defect in found.pop("defects")]
            report[kind.program] = found
    return report


async def _kill_one(scenario: Scenario, url: str, servers: Sequence[ServiceProcess]) -> Report:
    chance = scenario.chance("kill")
    talks = [make_talk(scenario.voices, chance, TALK_S, PAUSE_MS) for _ in range(SESSIONS)]
    quiet = await hear_quietly(url, talks)
    streams = Streams(url, talks)
    await streams.have_said(chance.uniform(*KILL_AT))
    held = [sessions_of(server) for server in servers]
    killed_s = time.monotonic()
    servers[0].kill()
    heard = await streams.ended()
    back_s = [at_s - killed_s for at_s in streams.resumed_at_s]
    defects = [
        defect for n, talk in enumerate(talks) for defect in differences(f"{n} ({talk.name})", quiet[n], heard[n])
    ]
    moved = sum(one.resumed > 0 for one in heard)
    if moved != held[0]:
        defects.append(f"{held[0]} sessions were on the killed server, {moved} were resumed")
    return {
        "on_the_killed_server": held[0],
        "on_the_other": held[1],
        "resumed": moved,
        "slowest_resumption_s": round(max(back_s, default=0.0), 2),
        "finals": sum(len(one.finals) for one in heard),
        "defects": defects,
    }


class Streams:
    """Many who speak in real time through a balancer, one after the other beginning within ``TOGETHER_S``.

    Attributes:
        resumed_at_s: When streams went on after a loss, by ``time.monotonic()``.
    """

    def __init__(self, url: str, talks: Sequence[Talk]) -> None:
        self.resumed_at_s: list[float] = []
        self.heard = [_Timed(self.resumed_at_s) for _ in talks]
        self._speakers = [Speaker(talk.pcm, 1.0) for talk in talks]
        self._tasks = [
            asyncio.create_task(self._listen(url, number, talk.language)) for number, talk in enumerate(talks)
        ]

    async def have_said(self, part: float) -> None:
        """Returns when the last to begin has said this part."""
        await self._speakers[-1].said(part)

    async def ended(self) -> list[Heard]:
        """What all were told, when all is told."""
        return list(await asyncio.gather(*self._tasks))

    async def _listen(self, url: str, number: int, language: str) -> Heard:
        await asyncio.sleep(TOGETHER_S * number / len(self._speakers))
        return await listen(url, self._speakers[number], self.heard[number], language=language)


class _Timed(Heard):
    def __init__(self, resumed_at_s: list[float]) -> None:
        super().__init__()
        self._resumed_at_s = resumed_at_s

    def note(self, event: object) -> None:
        resumed = self.resumed
        super().note(event)
        if self.resumed > resumed:
            self._resumed_at_s.append(time.monotonic())


def sessions_of(server: ServiceProcess) -> int:
    """How many live sessions a server has."""
    samples = read_samples(server.metrics_text())
    return round(sum(value for (name, _), value in samples.items() if name == "asr_sessions_active"))
