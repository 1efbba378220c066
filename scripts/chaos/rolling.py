"""Both servers behind a balancer are restarted, one after the other: no final is lost, and no request fails."""

import asyncio
import time

from scripts.benchmarks.live_measures import summary_ms
from scripts.chaos.balanced import Streams, run_behind_balancers
from scripts.chaos.scenario import Report, Scenario, Servers
from tests.fixtures.poller import polling

TALK_S = 50.0
FIRST_AT = 0.2  # of what is said
BETWEEN_S = 2.0  # until the balancer has noticed that the first one is back


def run(scenario: Scenario) -> Report:
    """Twenty sessions, and somebody who asks for pages all the time."""
    return run_behind_balancers(scenario, TALK_S, _restart_both)


async def _restart_both(streams: Streams, servers: Servers) -> Report:
    stopping_s: list[float] = []
    defects: list[str] = []
    async with polling(streams.url) as poller:
        await streams.have_said(FIRST_AT)
        for index in range(len(servers.running)):
            began_s = time.monotonic()
            exit_code = await asyncio.to_thread(servers.running[index].stop)
            stopping_s.append(round(time.monotonic() - began_s, 1))
            if exit_code:
                defects.append(f"server {index} ended with {exit_code}")
            await asyncio.to_thread(servers.replace, index)
            await asyncio.sleep(BETWEEN_S)
        await streams.ended()
    defects += [f"request failed: {failure}" for failure in poller.failures]
    return {
        "stopping_took_s": stopping_s,
        "resumptions": sum(heard.resumed for heard in streams.heard),
        "warnings": sum(heard.warned for heard in streams.heard),
        "requests": poller.answers,
        "requests_failed": len(poller.failures),
        "request_ms": {path: summary_ms(took_s) for path, took_s in poller.took_s.items()},
        "defects": defects,
    }
