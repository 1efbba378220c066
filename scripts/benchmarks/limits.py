"""What the service promises, as limits on the figures of ``make bench``; the one place where they stand."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

Report = dict[str, Any]
Figure = Callable[[Report], float | None]


@dataclass(frozen=True, slots=True)
class Limit:
    """A promise about one figure.

    Attributes:
        name: What is promised, without the number.
        unit: Of the bound.
        bound: The figure must be lower, unless one of the flags says otherwise.
        figure: Finds it in a report; ``None``: it was not measured.
        at_least: The figure must be the bound or higher.
        at_most: The figure must be the bound or lower.
    """

    name: str
    unit: str
    bound: float
    figure: Figure
    at_least: bool = False
    at_most: bool = False

    def holds(self, measured: float) -> bool:
        """Whether the figure keeps the promise."""
        if self.at_least:
            return measured >= self.bound
        return measured <= self.bound if self.at_most else measured < self.bound

    @property
    def bound_text(self) -> str:
        """The bound as it is shown."""
        relation = "≥" if self.at_least else "≤" if self.at_most else "<"
        return f"{relation} {self.bound:g} {self.unit}".rstrip()


def _found(part: Any, *path: str) -> Any:
    for name in path:
        part = part.get(name) if isinstance(part, dict) else None
    return part


def _live(speakers: int, *path: str, interval_ms: int | None = None) -> Figure:
    def figure(report: Report) -> float | None:
        for run in _found(report, "live", "runs") or ():
            if (run["speakers"], run["interval_ms"]) == (speakers, interval_ms):
                value: float | None = _found(run, *path)
                return value
        return None

    return figure


def _offline(*path: str) -> Figure:
    return lambda report: _found(report, "offline", *path)


def _first_of(*figures: Figure) -> Figure:
    return lambda report: next((value for figure in figures if (value := figure(report)) is not None), None)


def _extra_errors(report: Report) -> float | None:
    """How many points the error rate over all recordings is above that of the same pieces padded to 30 s."""
    ours, padded = (
        _found(report, "offline", "all_recordings", name) for name in ("error_percent", "padded_error_percent")
    )
    return None if ours is None or padded is None else round(ours - padded, 2)


LIMITS: Final = (
    Limit(
        "1 speaker: first partial after the end of the first word, p50", "ms", 700, _live(1, "first_partial_ms", "p50")
    ),
    Limit("1 speaker: final after the endpoint, p50", "ms", 50, _live(1, "final_after_endpoint_ms", "p50")),
    Limit("1 speaker: final after the endpoint, p95", "ms", 200, _live(1, "final_after_endpoint_ms", "p95")),
    Limit(
        "1 speaker, a partial each second: CPU s per stream s",
        "",
        0.3,
        _live(1, "cpu_s_per_stream_s", interval_ms=1_000),
    ),
    Limit(
        "12 speakers, a partial each second: CPU s per stream s",
        "",
        0.2,
        _live(12, "cpu_s_per_stream_s", interval_ms=1_000),
    ),
    Limit("16 speakers: final after the end of speech, p95", "ms", 1_200, _live(16, "final_after_speech_ms", "p95")),
    Limit("16 speakers: final after the endpoint, p95", "ms", 500, _live(16, "final_after_endpoint_ms", "p95")),
    Limit(
        "16 speakers: lag of the event loop, p99 (if it is not served: answer to a ping)",
        "ms",
        50,
        _first_of(_live(16, "service", "loop_lag_ms", "p99"), _live(16, "ping_ms", "p99")),
    ),
    Limit(
        "32 offered: final after the end of speech, p95 of those admitted",
        "ms",
        2_000,
        _live(32, "final_after_speech_ms", "p95"),
    ),
    Limit(
        "short clips: speed of transcribe", "x", 3, _offline("short_clips", "times_the_audio_per_cpu_s"), at_least=True
    ),
    Limit(
        "long files: speed of BatchedInferencePipeline",
        "x",
        1.5,
        _offline("long_files", "times_the_audio_per_cpu_s"),
        at_least=True,
    ),
    Limit("all recordings: errors above those with pieces padded to 30 s", "points", 0.5, _extra_errors, at_most=True),
)


def check_limits(report: Report, limits: tuple[Limit, ...] = LIMITS) -> list[dict[str, Any]]:
    """For each limit what was measured and whether it holds; both ``None`` where nothing was measured.

    Lost, doubled and failed utterances, retracted stable text and broken sessions are limited to 0 in every live run.
    """
    checks: list[dict[str, Any]] = []
    for limit in limits:
        measured = limit.figure(report)
        holds = None if measured is None else limit.holds(measured)
        checks.append({"limit": limit.name, "bound": limit.bound_text, "measured": measured, "holds": holds})
    faults = [sum(run[name] for name in _FAULTS) for run in _found(report, "live", "runs") or ()]
    if faults:
        name = "all live runs: utterances lost, doubled or failed, stable characters retracted, sessions broken"
        checks.append({"limit": name, "bound": "≤ 0", "measured": sum(faults), "holds": not any(faults)})
    return checks


_FAULTS = ("lost", "doubled", "failed", "retracted_stable_characters", "broken")
