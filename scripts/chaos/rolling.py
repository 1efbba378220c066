"""Both servers behind a balancer are restarted, one after the other: no final is lost, and no request fails."""

import asyncio
import time

from scripts.benchmarks.live_measures import summary_ms
from scripts.chaos.kill import BALANCERS, PAUSE_MS, SESSIONS, Streams
from scripts.chaos.scenario import Report, Scenario, Servers, running_servers
from scripts.chaos.talk import differences, hear_quietly, make_talk
from tests.fixtures.balancer import running
from tests.fixtures.poller import polling
from tests.fixtures.postgres import running_postgres

TALK_S = 50.0
FIRST_AT = 0.2  # of what is said
BETWEEN_S = 2.0  # until the balancer has noticed that the first one is back


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
                    found = asyncio.run(_restart_both(scenario, balancer.url, servers))
            report["defects"] += [f"{kind.program}: {defect}" for defect in found.pop("defects")]
            report[kind.program] = found
    return report


async def _restart_both(scenario: Scenario, url: str, servers: Servers) -> Report:
    chance = scenario.chance("rolling")
    talks = [make_talk(scenario.voices, chance, TALK_S, PAUSE_MS) for _ in range(SESSIONS)]
    quiet = await hear_quietly(url, talks)
    stopped_s: list[float] = []
    defects: list[str] = []
    async with polling(url) as poller:
        streams = Streams(url, talks)
        await streams.have_said(FIRST_AT)
        for index in range(len(servers.running)):
            began_s = time.monotonic()
            exit_code = await asyncio.to_thread(servers.running[index].stop)
            stopped_s.append(round(time.monotonic() - began_s, 1))
            if exit_code:
                defects.append(f"server {index} ended with {exit_code}")
            await asyncio.to_thread(servers.replace, index)
            await asyncio.sleep(BETWEEN_S)
        heard = await streams.ended()
    defects += [f"request failed: {failure}" for failure in poller.failures]
    for number, (talk, one, other) in enumerate(zip(talks, quiet, heard, strict=True)):
        defects += differences(f"{number} ({talk.name})", one, other)
    return {
        "stopping_took_s": stopped_s,
        "resumptions": sum(one.resumed for one in heard),
        "warnings": sum(one.warned for one in heard),
        "finals": sum(len(one.finals) for one in heard),
        "requests": poller.answers,
        "requests_failed": len(poller.failures),
        "request_ms": {path: summary_ms(took_s) for path, took_s in poller.took_s.items()},
        "defects": defects,
    }
