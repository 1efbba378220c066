"""The figures of ``make bench`` as Markdown tables, as they can be put into documentation."""

from collections.abc import Sequence
from typing import Any

Report = dict[str, Any]


def markdown(report: Report) -> str:
    """All tables of what was measured, and under them where the figures come from."""
    parts = [_limits(report["limits"])]
    if "live" in report:
        parts += _live(report["live"])
    if "offline" in report:
        parts += ["## Recordings, beside faster-whisper", _offline(report["offline"])]
    if "engines" in report:
        parts += ["## Models of several engines", _engines(report["engines"])]
    return "\n\n".join(["# Benchmark", _origin(report), *parts]) + "\n"


def _origin(report: Report) -> str:
    machine, settings = report["machine"], report["settings"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    workers = settings["workers"] or "as many as CPUs"
    return (
        f"{report['date']}, commit {report['commit']}: {settings['model']}, {settings['compute_type']}, beam "
        f"{settings['beam_size']}, workers: {workers}, of {settings['threads_per_worker']} thread(s), on "
        f"{machine['cpus']} CPUs ({machine['processor']}); {versions}."
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join("–" if cell is None else str(cell) for cell in line) + " |" for line in lines)


def _limits(checks: list[dict[str, Any]]) -> str:
    verdicts = {True: "pass", False: "**fail**", None: "not measured"}
    rows = [(check["limit"], check["bound"], check["measured"], verdicts[check["holds"]]) for check in checks]
    return _table(("limit", "bound", "measured", "verdict"), rows)


def _live(live: dict[str, Any]) -> list[str]:
    return [
        "## Live",
        f"Continuous English speakers in real time, {live['clips']} recordings ({live['speech_s']} s of speech) in an order "
        f"of each one's own, with pauses of {live['pause_ms']} ms in which the service finds the endpoint; packets of "
        f"{live['packet_ms']} ms; {live['window_s']:g} s after a ramp of {live['ramp_s']:g} s. Times are p50 / p95 / p99 in "
        "ms. The end of speech is that of the recording, found offline; the first word's end is that of the final.",
        _table(
            (
                "speakers",
                "refused",
                "first partial after the first word",
                "partial lag",
                "final after the end of speech",
                "final after the endpoint",
                "CPU s per stream s",
            ),
            [_felt(run) for run in live["runs"]],
        ),
        "Where the time goes; queue wait and inference are of all requests, by the service's own histograms:",
        _table(
            (
                "speakers",
                "endpoint wait",
                "queue wait",
                "inference of a batch",
                "requests per batch",
                "busy workers",
                "partial after partial",
                "answer to a ping",
                "loop lag",
                "`/health/live`",
            ),
            [_spent(run) for run in live["runs"]],
        ),
        "What was shown, and what it cost; words taken back are for each word of the finals, in brackets without changes of "
        "case and punctuation:",
        _table(
            (
                "speakers",
                "utterances",
                "lost / doubled / failed",
                "split / merged",
                "words wrong",
                "words taken back by partials",
                "by the final",
                "CPU of the gateway alone",
                "server MB (per session)",
                "load generator: CPU, lateness p99",
                "cores busy with other programs",
            ),
            [_shown(run) for run in live["runs"]],
        ),
    ]


def _named(run: dict[str, Any]) -> str:
    return f"{run['speakers']}" + (f", a partial each {run['interval_ms']} ms" if run["interval_ms"] else "")


def _times(summary: dict[str, Any]) -> str | None:
    values = [summary[part] for part in ("p50", "p95", "p99")]
    return None if None in values else " / ".join(f"{value:.0f}" for value in values)


def _felt(run: dict[str, Any]) -> list[object]:
    figures = ("first_partial_ms", "partial_lag_ms", "final_after_speech_ms", "final_after_endpoint_ms")
    return [_named(run), run["refused"], *(_times(run[figure]) for figure in figures), run["cpu_s_per_stream_s"]]


def _spent(run: dict[str, Any]) -> list[object]:
    service = run["service"]
    return [
        _named(run),
        _times(run["endpoint_wait_ms"]),
        _times(service["queue_wait_ms"]),
        _times(service["inference_ms"]),
        service["requests_per_batch"],
        service["busy_workers"],
        _times(run["partial_gap_ms"]),
        _times(run["ping_ms"]),
        _times(service["loop_lag_ms"]),
        _times(run["health_ms"]),
    ]


def _shown(run: dict[str, Any]) -> list[object]:
    error_percent = run["word_error_percent"]
    return [
        _named(run),
        run["utterances"],
        f"{run['lost']} / {run['doubled']} / {run['failed']}",
        f"{run['split']} / {run['merged']}",
        None if error_percent is None else f"{error_percent} %",
        f"{run['retracted_words_per_word']} ({run['retracted_plain_words_per_word']})",
        f"{run['words_changed_by_final_per_word']} ({run['plain_words_changed_by_final_per_word']})",
        run["gateway_cpu_s_per_stream_s"],
        f"{run['rss_mb']} ({run['rss_mb_per_session']})",
        f"{run['generator_cpu_s_per_stream_s']}, {run['generator_lateness_ms']['p99']} ms",
        run["cores_of_other_programs"],
    ]


def _offline(offline: dict[str, Any]) -> str:
    rows = []
    for name in ("short_clips", "long_files"):
        part = offline[name]
        ours, theirs = part["service"], part["faster_whisper"]
        errors = ", ".join(
            f"{group} {percent} % / {theirs['error_percent'][group]} %"
            for group, percent in ours["error_percent"].items()
        )
        rows.append(
            (
                f"{name.replace('_', ' ')} ({part['clips']}, {part['audio_s']:.0f} s)",
                ours["audio_s_per_cpu_s"],
                theirs["audio_s_per_cpu_s"],
                f"{part['times_the_audio_per_cpu_s']}x",
                errors,
            )
        )
    head = (
        "recordings",
        "asr-service: audio s per CPU s",
        "faster-whisper",
        "ratio",
        "errors: service / faster-whisper",
    )
    of_all = offline["all_recordings"]
    padded = ", ".join(f"{group} {percent} %" for group, percent in of_all["padded_error_percent_by_language"].items())
    return (
        f"{_table(head, rows)}\n\nErrors over all recordings, words and characters together: {of_all['error_percent']} %; with "
        f"each piece padded to 30 s: {of_all['padded_error_percent']} % ({padded})."
    )


def _engines(engines: dict[str, Any]) -> str:
    head = ("model", "engine", "recordings", "error", "audio s per CPU s", "audio s per s")
    return _table(head, [_model(model) for model in engines["models"]])


def _model(model: dict[str, Any]) -> tuple[object, ...]:
    errors = ", ".join(f"{group} {error} %" for group, error in model["error_percent"].items())
    recordings = f"{model['clips']} ({model['audio_s']} s)"
    speed = (model["audio_s_per_cpu_s"], model["audio_s_per_s"])
    return (model["model"], model["engine"], recordings, errors, *speed)
