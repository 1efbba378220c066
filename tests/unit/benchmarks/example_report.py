"""A report of make bench in which everything was measured and every limit holds."""

from typing import Any

from scripts.benchmarks.limits import check_limits
from scripts.benchmarks.live_measures import LiveFigures, summary_ms

_TIMES_MS = {"p50": 1.0, "p95": 2.0, "p99": 3.0}
_NO_TIMES_MS = dict.fromkeys(_TIMES_MS)


def example_run(speakers: int, interval_ms: int | None = None) -> dict[str, Any]:
    """A run in which every time was 20 ms for each speaker."""
    felt_s = [0.02 * speakers]
    figures = LiveFigures(felt_s, felt_s, felt_s, felt_s, felt_s, felt_s, [0.001], final_words=10, utterances=1)
    return {
        "speakers": speakers,
        "interval_ms": interval_ms,
        "admitted": speakers,
        "refused": 0,
        "broken": 0,
        **figures.as_dict(),
        "word_error_percent": 4.2,
        "cpu_s_per_stream_s": 0.1,
        "gateway_cpu_s_per_stream_s": 0.01,
        "generator_cpu_s_per_stream_s": 0.01,
        "cores_of_other_programs": 0.0,
        "rss_mb": 170.0,
        "rss_mb_per_session": 1.0,
        "health_ms": summary_ms([0.002]),
        "generator_lateness_ms": summary_ms([0.001]),
        "longest_send_delay_ms": 3,
        "service": {
            "queue_wait_ms": _TIMES_MS,
            "inference_ms": _TIMES_MS,
            "busy_workers": 1.0,
            "requests_per_batch": 1.5,
            "loop_lag_ms": dict(_NO_TIMES_MS),
        },
    }


def example_report() -> dict[str, Any]:
    """A new one at each call."""
    runs = [example_run(speakers) for speakers in (1, 16, 32)]
    runs += [example_run(speakers, 1_000) for speakers in (1, 12)]
    comparison = {"clips": 3, "audio_s": 30.0, "times_the_audio_per_cpu_s": 4.0}
    report: dict[str, Any] = {
        "date": "2026-11-25 12:00 UTC",
        "commit": "abcdef123456",
        "machine": {"processor": "Some CPU", "cpus": 2, "versions": {"asr-service": "0.1.0"}},
        "settings": {
            "model": "whisper-base",
            "compute_type": "int8",
            "beam_size": 1,
            "workers": 0,
            "threads_per_worker": 1,
        },
        "live": {
            "pause_ms": 700,
            "clips": 10,
            "speech_s": 58.3,
            "ramp_s": 8.0,
            "window_s": 40.0,
            "packet_ms": 100,
            "runs": runs,
        },
        "offline": {
            name: comparison
            | {
                "service": {"audio_s_per_cpu_s": 30.0, "error_percent": {"en": 7.0, "zh": 9.0}},
                "faster_whisper": {"audio_s_per_cpu_s": 7.5, "error_percent": {"en": 7.0, "zh": 9.0}},
            }
            for name in ("short_clips", "long_files")
        }
        | {
            "all_recordings": {
                "error_percent": 8.5,
                "padded_error_percent": 8.4,
                "padded_error_percent_by_language": {"en": 7.1, "zh": 9.9},
            }
        },
        "engines": {
            "models": [
                {
                    "model": "moonshine-tiny-en",
                    "engine": "sherpa-onnx",
                    "clips": 3,
                    "audio_s": 30.0,
                    "error_percent": {"en": 7.0},
                    "audio_s_per_cpu_s": 60.0,
                    "audio_s_per_s": 55.0,
                }
            ]
        },
    }
    return report | {"limits": check_limits(report)}
