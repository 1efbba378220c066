import re

import pytest

from asr_service.domain.events.recognition_events import (
    PartialRecognized,
    SpeechEnded,
    SpeechStarted,
    UtteranceFailed,
    UtteranceFinalized,
)
from asr_service.domain.events.session_events import SessionEnded, SessionEvent, SessionStarted
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.domain.value_objects.session_status import EndReason
from asr_service.infrastructure.monitoring.metrics import Metrics
from asr_service.infrastructure.monitoring.metrics_recorder import MetricsRecorder


def started(session_id: str = "ses_1") -> SessionStarted:
    return SessionStarted(session_id=session_id, at_s=0.0, caller=LOCAL_CALLER, config=SessionConfig())


def partial() -> PartialRecognized:
    return PartialRecognized(
        session_id="ses_1",
        at_s=1.0,
        utterance=0,
        revision=1,
        span=SampleSpan(0, 16_000),
        stable="what was said",
        volatile="",
        language="en",
    )


def final(end: int, *, at_s: float = 3.0, endpoint_at_s: float = 2.7) -> UtteranceFinalized:
    return UtteranceFinalized(
        session_id="ses_1",
        at_s=at_s,
        utterance=0,
        span=SampleSpan(0, end),
        hypothesis=Hypothesis(text="what was said"),
        endpoint_at_s=endpoint_at_s,
    )


def failure(end: int) -> UtteranceFailed:
    return UtteranceFailed(
        session_id="ses_1",
        at_s=4.0,
        utterance=1,
        span=SampleSpan(0, end),
        code="recognition_failed",
        message="The engine failed.",
    )


def ended(received: int, session_id: str = "ses_1", reason: EndReason = EndReason.COMPLETED) -> SessionEnded:
    return SessionEnded(
        session_id=session_id,
        at_s=5.0,
        reason=reason,
        received_samples=received,
        decoded_samples=received,
        finalized_samples=received,
    )


async def told(*events: SessionEvent) -> Metrics:
    metrics = Metrics()
    recorder = MetricsRecorder(metrics)
    for event in events:
        await recorder.handle(event)
    return metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


async def test_a_session_is_active_between_its_start_and_its_end() -> None:
    assert value(await told(started(), started("ses_2")), "asr_sessions_active") == 2
    metrics = await told(started(), started("ses_2"), ended(0, reason=EndReason.DISCONNECTED))
    assert value(metrics, "asr_sessions_active") == 1
    assert value(metrics, "asr_sessions_started_total") == 2
    assert value(metrics, "asr_sessions_ended_total", reason="disconnected") == 1


async def test_partials_finals_and_failures_are_counted() -> None:
    metrics = await told(started(), partial(), partial(), final(16_000), failure(32_000))
    assert value(metrics, "asr_partials_total") == 2
    assert value(metrics, "asr_finals_total") == 1
    assert value(metrics, "asr_utterances_failed_total", code="recognition_failed") == 1


async def test_the_latency_of_a_final_counts_from_its_endpoint() -> None:
    metrics = await told(started(), final(16_000, at_s=10.0, endpoint_at_s=9.7))
    assert value(metrics, "asr_final_latency_seconds_sum") == pytest.approx(0.3)
    assert value(metrics, "asr_final_latency_seconds_bucket", le="0.2") == 0
    assert value(metrics, "asr_final_latency_seconds_bucket", le="0.35") == 1


async def test_a_final_that_was_ready_before_its_endpoint_has_no_negative_latency() -> None:
    metrics = await told(started(), final(16_000, at_s=9.0, endpoint_at_s=9.5))
    assert value(metrics, "asr_final_latency_seconds_sum") == 0


async def test_audio_is_counted_as_it_is_answered_and_only_once() -> None:
    after_final = await told(started(), final(16_000))
    assert value(after_final, "asr_audio_received_seconds_total") == 1
    after_end = await told(started(), final(16_000), failure(48_000), ended(64_000))
    assert value(after_end, "asr_audio_received_seconds_total") == 4


async def test_padding_behind_the_last_sample_is_not_counted_twice() -> None:
    metrics = await told(started(), final(16_000), ended(15_900))
    assert value(metrics, "asr_audio_received_seconds_total") == 1


async def test_a_session_whose_start_was_missed_leaves_nothing_behind() -> None:
    metrics = await told(final(16_000), ended(16_000))
    assert value(metrics, "asr_sessions_active") == 0
    assert value(metrics, "asr_sessions_ended_total", reason="completed") == 1


async def test_events_without_a_metric_change_nothing() -> None:
    before, after = Metrics(), await told(
        SpeechStarted(session_id="ses_1", at_s=1.0, utterance=0, start=0),
        SpeechEnded(session_id="ses_1", at_s=2.0, utterance=0, span=SampleSpan(0, 16_000), forced=False),
    )
    assert service_lines(after) == service_lines(before)


def test_a_batch_is_counted_with_its_size_audio_and_time() -> None:
    metrics = Metrics()
    metrics.batch_done(
        finals=1, partials=3, failures=1, audio_s=20.0, queue_waits_s=(0.02, 0.03, 0.0, 0.0), inference_s=0.4
    )
    pool = {"pool": "recognizer"}
    assert value(metrics, "asr_batch_requests_sum", **pool) == 4
    assert value(metrics, "asr_recognition_requests_total", kind="final", **pool) == 1
    assert value(metrics, "asr_recognition_requests_total", kind="partial", **pool) == 3
    assert value(metrics, "asr_recognition_requests_failed_total", **pool) == 1
    assert value(metrics, "asr_batch_audio_seconds_total", **pool) == 20
    assert value(metrics, "asr_inference_seconds_sum", **pool) == pytest.approx(0.4)
    assert value(metrics, "asr_queue_wait_seconds_count", **pool) == 4
    assert value(metrics, "asr_queue_wait_seconds_sum", **pool) == pytest.approx(0.05)


def test_pools_have_numbers_of_their_own() -> None:
    metrics, ready = Metrics(), ["asr-worker-1"]
    metrics.observe_workers("recognizer", lambda: len(ready), 2)
    metrics.observe_workers("recognizer_partials", lambda: 1, 1)
    metrics.worker_restarted("hung", pool="recognizer_partials")
    metrics.recognition_fell_back("final", "overloaded")
    assert value(metrics, "asr_workers", pool="recognizer") == 2
    assert value(metrics, "asr_workers_ready", pool="recognizer") == 1
    ready.clear()
    assert value(metrics, "asr_workers_ready", pool="recognizer") == 0
    assert value(metrics, "asr_workers_ready", pool="recognizer_partials") == 1
    assert value(metrics, "asr_worker_restarts_total", reason="hung", pool="recognizer_partials") == 1
    assert value(metrics, "asr_recognition_fallbacks_total", kind="final", code="overloaded") == 1


def test_the_load_is_asked_for_at_each_scrape() -> None:
    metrics, load = Metrics(), {
        "used": 0.5,
        "needed": 0.25,
        "thinning": 0.0,
        "final_cost_s": 0.05,
        "partial_cost_s": 0.08,
    }
    metrics.observe_load(
        used=lambda: load["used"],
        needed=lambda: load["needed"],
        thinning=lambda: load["thinning"],
        final_cost_s=lambda: load["final_cost_s"],
        partial_cost_s=lambda: load["partial_cost_s"],
    )
    load["used"] = 0.75
    assert value(metrics, "asr_recognizer_load") == 0.75
    assert value(metrics, "asr_recognizer_needed_load") == 0.25
    assert value(metrics, "asr_partial_thinning") == 0.0
    assert value(metrics, "asr_recognizer_final_cost_seconds") == 0.05
    assert value(metrics, "asr_recognizer_partial_cost_seconds") == 0.08


def test_refusals_are_counted_by_reason() -> None:
    metrics = Metrics()
    for reason in ("load", "places", "load"):
        metrics.session_refused(reason)
    assert value(metrics, "asr_sessions_refused_total", reason="load") == 2
    assert value(metrics, "asr_sessions_refused_total", reason="places") == 1


def test_the_lag_of_the_event_loop_has_its_buckets() -> None:
    metrics = Metrics()
    metrics.event_loop_lag(0.02)
    assert value(metrics, "asr_event_loop_lag_seconds_bucket", le="0.01") == 0
    assert value(metrics, "asr_event_loop_lag_seconds_bucket", le="0.025") == 1


def test_queues_are_asked_for_their_depth_at_each_scrape() -> None:
    metrics, queue = Metrics(), ["a"]
    metrics.observe_queue("recognizer", lambda: len(queue), capacity=8)
    assert value(metrics, "asr_queue_items", queue="recognizer") == 1
    queue.append("b")
    assert value(metrics, "asr_queue_items", queue="recognizer") == 2
    assert value(metrics, "asr_queue_capacity_items", queue="recognizer") == 8


def test_writes_to_the_journal_are_counted_and_it_is_asked_how_it_is() -> None:
    metrics, available = Metrics(), [True]
    metrics.observe_journal(lambda: available[0])
    assert value(metrics, "asr_journal_available") == 1
    available[0] = False
    for outcome in ("done", "failed", "done", "refused"):
        metrics.journal_written(outcome)
    assert value(metrics, "asr_journal_available") == 0
    assert value(metrics, "asr_journal_writes_total", outcome="done") == 2
    assert value(metrics, "asr_journal_writes_total", outcome="failed") == 1
    assert value(metrics, "asr_journal_writes_total", outcome="refused") == 1


def test_requests_are_counted_by_route_template_method_and_status() -> None:
    metrics = Metrics()
    metrics.http_request("/api/v1/sessions/{session_id}", "GET", 200, 0.03)
    route = "/api/v1/sessions/{session_id}"
    assert value(metrics, "asr_http_requests_total", route=route, method="GET", status="200") == 1
    assert value(metrics, "asr_http_request_duration_seconds_sum", route=route, method="GET") == pytest.approx(0.03)


def test_paths_and_methods_that_nobody_serves_share_one_label_value() -> None:
    metrics = Metrics()
    metrics.http_request(None, "BREW", 404, 0.001)
    assert value(metrics, "asr_http_requests_total", route="unmatched", method="other", status="404") == 1


def test_closes_restarts_and_lost_events_are_counted() -> None:
    metrics = Metrics()
    metrics.websocket_closed("funasr", 1000)
    metrics.worker_restarted("crashed")
    metrics.event_dropped("store")
    metrics.event_failed("store")
    assert value(metrics, "asr_websocket_closes_total", protocol="funasr", code="1000") == 1
    assert value(metrics, "asr_worker_restarts_total", reason="crashed", pool="recognizer") == 1
    assert value(metrics, "asr_events_dropped_total", subscriber="store") == 1
    assert value(metrics, "asr_events_failed_total", subscriber="store") == 1


def test_two_services_in_one_process_do_not_share_their_numbers() -> None:
    first, second = Metrics(), Metrics()
    first.session_started()
    assert value(second, "asr_sessions_started_total") == 0


def test_what_is_rendered_is_prometheus_text_with_one_prefix() -> None:
    body, content_type = Metrics().render()
    names = re.findall(r"^# TYPE (\S+)", body.decode(), re.MULTILINE)
    assert content_type.startswith("text/plain")
    assert {name.split("_")[0] for name in names} == {"asr", "process"}
    assert not [name for name in names if name.endswith("_created")]


def service_lines(metrics: Metrics) -> list[str]:
    return [line for line in metrics.render()[0].decode().splitlines() if line.startswith("asr_")]
