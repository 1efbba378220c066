"""Connections that break at random places of real speech: what comes out is what comes out without."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from scripts.chaos.scenario import Report, Scenario, running_servers, seeded
from scripts.chaos.talk import Talk, differences, hear_quietly, make_talk
from tests.fixtures.breakable_proxy import BreakableProxy, breakable_proxy
from tests.fixtures.speakers import Heard, Speaker, listen

CUTS = 200
AT_ONCE = 4
CUTS_PER_STREAM = 28
TALK_S = 100.0
SPEED = 4.0  # of the audio; losses of the network are shortened by the same factor
LOSS_S = (1.0, 30.0)  # of audio that is spoken meanwhile
KINDS = {"reset": 0.4, "restart of the proxy": 0.3, "loss": 0.15, "loss, then reset": 0.15}  # with their shares
RESTART_S = 0.3
CALM_S = 0.2  # at most, from the resumption to the next cut, if that is overdue


@dataclass(slots=True)
class Damage:
    """What was done to connections: how often, by kind, and for how much speech they were away."""

    kinds: Counter[str] = field(default_factory=Counter)
    lost_s: float = 0.0


def run(scenario: Scenario) -> Report:
    """At least ``CUTS`` cuts, on a few streams at a time."""
    with running_servers(scenario.scratch, 1) as servers:
        return asyncio.run(_run(scenario, servers.running[0].http_url))


async def _run(scenario: Scenario, url: str) -> Report:
    chance, damage = scenario.chance("cuts"), Damage()
    defects: list[str] = []
    streams = finals = resumed = 0
    while damage.kinds.total() < CUTS:
        talks = [make_talk(scenario.voices, chance, TALK_S) for _ in range(AT_ONCE)]
        quiet = await hear_quietly(url, talks)
        broken = await asyncio.gather(
            *(_hear_broken(url, talk, seeded(str(chance.random())), damage) for talk in talks)
        )
        for number, (talk, one, other) in enumerate(zip(talks, quiet, broken, strict=True)):
            defects += differences(f"stream {streams + number} ({talk.name})", one, other)
        streams += len(talks)
        finals += sum(len(heard.finals) for heard in broken)
        resumed += sum(heard.resumed for heard in broken)
        print(f"chaos: {damage.kinds.total()} cuts of {CUTS}, {len(defects)} defects", flush=True)
    return {
        "cuts": damage.kinds.total(),
        "kinds": dict(damage.kinds),
        "speech_without_network_s": round(damage.lost_s),
        "speed": SPEED,
        "streams": streams,
        "finals": finals,
        "resumed": resumed,
        "defects": defects,
    }


async def _hear_broken(url: str, talk: Talk, chance: Random, damage: Damage) -> Heard:
    speaker, heard = Speaker(talk.pcm, SPEED), Heard()
    async with breakable_proxy(url) as proxy:
        breaking = asyncio.create_task(_break_now_and_then(proxy, speaker, heard, chance, damage))
        try:
            return await listen(proxy.url, speaker, heard, language=talk.language)
        finally:
            breaking.cancel()
            (outcome,) = await asyncio.gather(breaking, return_exceptions=True)
            if isinstance(outcome, Exception):
                raise outcome


async def _break_now_and_then(
    proxy: BreakableProxy, speaker: Speaker, heard: Heard, chance: Random, damage: Damage
) -> None:
    for place in sorted(chance.random() for _ in range(CUTS_PER_STREAM)):
        await speaker.said(place)
        await heard.online.wait()
        await asyncio.sleep(chance.uniform(0, CALM_S))
        (kind,) = chance.choices(tuple(KINDS), tuple(KINDS.values()))
        shortest_s, longest_s = LOSS_S
        lost_s = shortest_s * (longest_s / shortest_s) ** chance.random()  # short ones are more frequent, as they are
        damage.kinds[kind] += 1
        if kind != "loss":
            heard.online.clear()
        match kind:
            case "reset":
                proxy.cut()
            case "restart of the proxy":
                proxy.stop()
                await asyncio.sleep(RESTART_S)
                await proxy.start()
            case _:
                damage.lost_s += lost_s
                await _lose_network(proxy, lost_s / SPEED, reset=kind != "loss")


async def _lose_network(proxy: BreakableProxy, lost_s: float, *, reset: bool) -> None:
    """Nothing passes for a while; then connections go on, or they are gone and new ones were not possible."""
    if not reset:
        proxy.flowing.clear()
        await asyncio.sleep(lost_s)
        proxy.flowing.set()
        return
    proxy.refusing = True
    proxy.cut()
    await asyncio.sleep(lost_s)
    proxy.refusing = False
