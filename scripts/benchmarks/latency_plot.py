"""Latency against the number of speakers, as an SVG image; a few lines of text that need no library."""

from dataclasses import dataclass
from typing import Any

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 190, 24, 48
_STEPS_MS = (50, 100, 200, 250, 500, 1_000, 2_000, 2_500, 5_000, 10_000)
_FONT = 'font-family="sans-serif" font-size="12"'
_MOST_LINES = 8  # of the grid
_CURVES = (
    ("final after speech, p95", "final_after_speech_ms", "p95", "#b2182b", ""),
    ("final after speech, p50", "final_after_speech_ms", "p50", "#b2182b", "6 4"),
    ("partial lag, p95", "partial_lag_ms", "p95", "#2166ac", ""),
    ("partial lag, p50", "partial_lag_ms", "p50", "#2166ac", "6 4"),
)


@dataclass(frozen=True, slots=True)
class _Scale:
    most_speakers: int
    most_ms: float

    def x(self, speakers: float) -> float:
        return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * speakers / self.most_speakers, 1)

    def y(self, value_ms: float) -> float:
        return round(_HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value_ms / self.most_ms, 1)


def latency_plot(runs: list[dict[str, Any]]) -> str:
    """The SVG of the runs at the service's own interval of partials, of which there is at least one."""
    runs = sorted((run for run in runs if run["interval_ms"] is None), key=lambda run: run["speakers"])
    values = [run[figure][part] or 0 for run in runs for _, figure, part, _, _ in _CURVES]
    step_ms = next((step for step in _STEPS_MS if step * _MOST_LINES >= max(values)), _STEPS_MS[-1])
    lines = max(1, -(-int(max(values)) // step_ms))
    scale = _Scale(runs[-1]["speakers"], lines * step_ms)
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_FONT}>',
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
            *(_grid_line(scale, number * step_ms) for number in range(lines + 1)),
            *(_text(scale.x(run["speakers"]), _HEIGHT - _BOTTOM + 18, str(run["speakers"]), "middle") for run in runs),
            _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, "speakers", "middle"),
            _text(_LEFT - 8, _TOP - 10, "ms", "end"),
            *(_curve(scale, runs, number) for number in range(len(_CURVES))),
            "</svg>",
            "",
        )
    )


def _grid_line(scale: _Scale, value_ms: int) -> str:
    y = scale.y(value_ms)
    line = f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="#ccc"/>'
    return line + _text(_LEFT - 8, y + 4, f"{value_ms:,}", "end")


def _curve(scale: _Scale, runs: list[dict[str, Any]], number: int) -> str:
    label, figure, part, color, dashes = _CURVES[number]
    measured = [(scale.x(run["speakers"]), scale.y(run[figure][part])) for run in runs if run[figure][part] is not None]
    stroke = f'stroke="{color}" stroke-width="2" stroke-dasharray="{dashes}"'
    points = " ".join(f"{x},{y}" for x, y in measured)
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="3" fill="{color}"/>' for x, y in measured)
    x, y = _WIDTH - _RIGHT + 16, _TOP + 12 + 20 * number
    legend = f'<line x1="{x}" x2="{x + 24}" y1="{y}" y2="{y}" {stroke}/>' + _text(x + 30, y + 4, label, "start")
    return f'<polyline points="{points}" fill="none" {stroke}/>{dots}{legend}'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>'
