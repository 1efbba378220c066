"""One of two servers behind a balancer is killed: its sessions go on at the other."""

import time

from scripts.benchmarks.service_metrics import read_samples
from scripts.benchmarks.service_process import ServiceProcess
from scripts.chaos.balanced import Streams, run_behind_balancers
from scripts.chaos.scenario import Report, Scenario, Servers

TALK_S = 40.0
KILL_AT = (0.3, 0.7)  # of what is said


def run(scenario: Scenario) -> Report:
    """Twenty sessions; what the killed server held is what has to be resumed."""
    place = scenario.chance("kill").uniform(*KILL_AT)

    async def kill_one(streams: Streams, servers: Servers) -> Report:
        await streams.have_said(place)
        held = [sessions_of(server) for server in servers.running]
        killed_s = time.monotonic()
        servers.running[0].kill()
        await streams.ended()
        moved = sum(heard.resumed > 0 for heard in streams.heard)
        defects = []
        if moved != held[0] or not moved:
            defects.append(f"{held[0]} sessions were on the killed server, {moved} were resumed")
        return {
            "on_the_killed_server": held[0],
            "on_the_other": held[1],
            "resumed": moved,
            "slowest_resumption_s": round(max(streams.resumed_at_s, default=killed_s) - killed_s, 2),
            "defects": defects,
        }

    return run_behind_balancers(scenario, TALK_S, kill_one)


def sessions_of(server: ServiceProcess) -> int:
    """How many live sessions a server has."""
    samples = read_samples(server.metrics_text())
    return round(sum(value for (name, _), value in samples.items() if name == "asr_sessions_active"))
