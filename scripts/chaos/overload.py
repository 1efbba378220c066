"""Twice as many speakers as the service takes: those who are in are served as ever, the others are told when to come back."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from scripts.benchmarks.live_measures import summary_ms
from scripts.benchmarks.native_session import SessionRecord
from scripts.benchmarks.playlists import Playlist
from scripts.benchmarks.service_metrics import MetricsDifference, read_samples
from scripts.benchmarks.service_process import ServiceProcess, running_service
from scripts.chaos.live_speakers import figures, playlists, speak, spoken_clips
from scripts.chaos.scenario import Report, Scenario
from tests.fixtures.poller import Poller, polling

OFFERED = 60  # grows, if it is less than twice what is accepted
TALK_S = 45.0
SHORT_TALK_S = 12.0  # of those who make room for others
WARM_SPEAKERS, WARM_S = 4, 15.0  # a server that has recognized nothing yet knows nothing of its capacity
TOGETHER_S = 10.0  # within which all come
ALLOWED_RATIO = 1.5  # of the p95 of finals, under overload and with as many as were accepted
ALLOWED_P99_MS = 50
_LOOP_LAG = "asr_event_loop_lag_seconds"


@dataclass(slots=True)
class Guest:
    """Somebody who wants to speak, and comes back when told to.

    Attributes:
        said: What they say.
        record: Of the session, once they were let in.
        refusals: For each time that they were not: when to come back, as told; ``None``: not told, in seconds.
    """

    said: Playlist
    record: SessionRecord | None = None
    refusals: list[float | None] = field(default_factory=list)

    async def come(self, stream_url: str, after_s: float, until_s: float) -> None:
        """Tries until let in, or until it is too late."""
        loop = asyncio.get_running_loop()
        while loop.time() + after_s < until_s:
            record = await speak(stream_url, self.said, after_s)
            if record.refused_status is None:
                self.record = record
                return
            told_s = record.retry_after_s if record.refused_status == 503 else None
            self.refusals.append(told_s)
            if told_s is None:
                return
            after_s = told_s


@dataclass(frozen=True, slots=True)
class Crowd:
    """Guests, and what was measured while they were there."""

    guests: Sequence[Guest]
    poller: Poller
    metrics: MetricsDifference

    @property
    def accepted(self) -> list[Guest]:
        return [guest for guest in self.guests if guest.record is not None]

    def report(self) -> Report:
        """Figures of it; times in ms."""
        records = [(guest.record, guest.said) for guest in self.accepted if guest.record is not None]
        return {
            "offered": len(self.guests),
            "accepted": len(records),
            **figures([record for record, _ in records], [said for _, said in records]),
            "loop_lag_ms": self.metrics.percentiles_ms(_LOOP_LAG),
            "health_live_ms": summary_ms(self.poller.took_s["/health/live"]),
        }


def run(scenario: Scenario) -> Report:
    """Twice the capacity, then as many as were let in; before both, a few, from whom the server learns."""
    clips = spoken_clips(scenario)
    with running_service(scenario.scratch, ASR_SERVER__MAX_SESSIONS="500") as service:
        asyncio.run(_crowd(service, playlists(clips, WARM_SPEAKERS, WARM_S)))
        crowded = asyncio.run(_crowd(service, playlists(clips, OFFERED, TALK_S)))
        full = asyncio.run(_crowd(service, playlists(clips, max(1, len(crowded.accepted)), TALK_S)))
        leaving = asyncio.run(_crowd(service, playlists(clips, OFFERED, SHORT_TALK_S)))
    under, beside, changing = crowded.report(), full.report(), leaving.report()
    told = [told_s for guest in (*crowded.guests, *leaving.guests) for told_s in guest.refusals]
    came_back = [guest for guest in leaving.guests if guest.refusals]
    report: Report = {
        "overload": under,
        "as_many_as_were_accepted": beside,
        "while_others_leave": changing,
        "refusals": len(told),
        "retry_after_s": {
            "least": min(told, default=None, key=_seconds),
            "most": max(told, default=None, key=_seconds),
        },
        "came_back_while_others_left": len(came_back),
        "let_in_when_they_came_back": sum(guest.record is not None for guest in came_back),
        "told_again_before_that": sum(len(guest.refusals) > 1 for guest in came_back),
    }
    defects = _defects(under, beside, told) + _faults(changing)
    if not any(guest.record is not None for guest in came_back):
        defects.append("nobody who came back as told was let in, though others had left")
    return report | {"defects": defects}


def _seconds(told_s: float | None) -> float:
    return told_s or 0.0


def _faults(crowd: Report) -> list[str]:
    return [f"{fault}: {crowd[fault]}" for fault in ("lost", "doubled", "failed") if crowd[fault]]


async def _crowd(service: ServiceProcess, said: Sequence[Playlist]) -> Crowd:
    before = read_samples(service.metrics_text())
    guests = [Guest(playlist) for playlist in said]
    until_s = asyncio.get_running_loop().time() + TALK_S
    async with polling(service.http_url, "/health/live") as poller:
        coming = (
            guest.come(service.stream_url, TOGETHER_S * number / len(guests), until_s)
            for number, guest in enumerate(guests)
        )
        await asyncio.gather(*coming)
    return Crowd(guests, poller, MetricsDifference(before, read_samples(service.metrics_text())))


def _defects(under: Report, beside: Report, told: Sequence[float | None]) -> list[str]:
    defects = _faults(under)
    if under["offered"] < 2 * under["accepted"]:
        defects.append(f"{under['offered']} are not twice the {under['accepted']} that were accepted: offer more")
    if None in told:
        defects.append(f"{told.count(None)} were refused and not told when to come back")
    p95_ms, quiet_ms = (found["final_after_speech_ms"]["p95"] or 0.0 for found in (under, beside))
    if p95_ms > ALLOWED_RATIO * quiet_ms:
        defects.append(f"finals of those who are in have a p95 of {p95_ms} ms, without overload {quiet_ms} ms")
    return defects + [
        f"{name.removesuffix('_ms').replace('_', ' ')}: p99 is {under[name]['p99']} ms"
        for name in ("loop_lag_ms", "health_live_ms")
        if (under[name]["p99"] or 0.0) > ALLOWED_P99_MS
    ]
