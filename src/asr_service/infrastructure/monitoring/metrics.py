"""The numbers of the service in Prometheus' form: base units, prefix ``asr_``, and labels of few values."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

# Around what people feel: under 0.2 s an answer seems immediate, over 2 s a live caption has lost its speaker.
FINAL_LATENCY_BUCKETS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
WAIT_BUCKETS_S: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
INFERENCE_BUCKETS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
BATCH_SIZE_BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64)
DIFFERENCE_BUCKETS: Final = (
    0.0,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.35,
    0.5,
    0.75,
    1.0,
)  # the first counts texts that are equal
LAG_BUCKETS_S: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
HTTP_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

_HTTP_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """Every metric of one service, in a registry of its own, with one method for each thing that happens.

    The methods take numbers and short names, so that any part of the service can be connected to them without knowing
    this class. Names become label values: give route templates and codes, never identifiers or text of a client.
    """

    def __init__(self) -> None:
        # Else every counter and histogram has a second series, the time of its making, that nobody looks at.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._define_sessions()
        self._define_recognition()
        self._define_edge()
        self._define_journal()
        self._define_queues()
        self._define_lineups()

    def render(self) -> tuple[bytes, str]:
        """All metrics in the text format, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    # --- sessions

    def session_resumed(self) -> None:
        self._sessions_resumed.inc()

    def session_started(self) -> None:
        self._sessions_started.inc()

    def session_ended(self, reason: str) -> None:
        self._sessions_ended.labels(reason).inc()

    def session_refused(self, reason: str) -> None:
        self._sessions_refused.labels(reason).inc()

    def observe_sessions(self, active: Callable[[], float]) -> None:
        """Asks for the number of live sessions at each scrape."""
        self._sessions_active.set_function(active)

    def audio_received(self, seconds: float) -> None:
        self._audio_received.inc(seconds)

    def partial_recognized(self) -> None:
        self._partials.inc()

    def utterance_finalized(self, latency_s: float) -> None:
        """``latency_s``: from the endpoint to the final."""
        self._finals.inc()
        self._final_latency.observe(latency_s)

    def utterance_failed(self, code: str) -> None:
        self._failures.labels(code).inc()

    # --- recognition

    def batch_done(
        self,
        *,
        pool: str = "recognizer",
        finals: int,
        partials: int,
        failures: int,
        audio_s: float,
        queue_waits_s: Iterable[float],
        inference_s: float,
    ) -> None:
        """A worker answered a batch.

        Args:
            pool: Whose worker it was.
            finals: Finals in it.
            partials: Partials in it.
            failures: Those of both that the engine could not process.
            audio_s: Audio in all.
            queue_waits_s: For each request, how long it waited for the batch to begin.
            inference_s: Time in the engine.
        """
        self._batch_size.labels(pool).observe(finals + partials)
        self._requests.labels("final", pool).inc(finals)
        self._requests.labels("partial", pool).inc(partials)
        self._requests_failed.labels(pool).inc(failures)
        self._batch_audio.labels(pool).inc(audio_s)
        self._inference.labels(pool).observe(inference_s)
        for wait_s in queue_waits_s:
            self._wait.labels(pool).observe(wait_s)

    def worker_restarted(self, reason: str, pool: str = "recognizer") -> None:
        self._worker_restarts.labels(reason, pool).inc()

    def observe_workers(self, pool: str, ready: Callable[[], float], size: int) -> None:
        """Asks for the number of workers that can recognize at each scrape."""
        self._workers_ready.labels(pool).set_function(ready)
        self._workers.labels(pool).set(size)

    def forget_pool(self, pool: str) -> None:
        """The pool is no more: what it was asked for at each scrape is not shown any longer."""
        for gauge in (self._workers_ready, self._workers, self._queue_depth, self._queue_capacity):
            with suppress(KeyError):
                gauge.remove(pool)

    def recognition_fell_back(self, kind: str, code: str) -> None:
        """A request was given to another pool than the one it was meant for; ``code`` says what befell that one."""
        self._fallbacks.labels(kind, code).inc()

    def observe_remote(self, available: Callable[[], bool]) -> None:
        """Asks at each scrape whether the remote server is asked."""
        self._remote_available.set_function(available)

    def remote_changed(self, is_available: bool) -> None:
        """The remote server was given up for a while, or is asked again."""
        self._remote_changes.labels("available" if is_available else "unavailable").inc()

    def shadow_compared(self, outcome: str, difference: float | None = None) -> None:
        """A final was given to a second recognizer as well.

        Args:
            outcome: ``equal``, ``different``, ``failed``, or ``dropped`` because too many were under way.
            difference: Of the texts, 0 to 1, if there are two.
        """
        self._shadow_comparisons.labels(outcome).inc()
        if difference is not None:
            self._shadow_difference.observe(difference)

    def observe_load(
        self,
        *,
        used: Callable[[], float],
        needed: Callable[[], float],
        thinning: Callable[[], float],
        final_cost_s: Callable[[], float],
        partial_cost_s: Callable[[], float],
    ) -> None:
        """Asks how loaded the recognizer is at each scrape.

        Args:
            used: Share of the workers' time that is used.
            needed: Share of it that live sessions cannot do without.
            thinning: How far partials are thinned, 0 to 1.
            final_cost_s: Worker time for the finals of one second of speech.
            partial_cost_s: Worker time for one partial.
        """
        self._load.set_function(used)
        self._needed_load.set_function(needed)
        self._thinning.set_function(thinning)
        self._final_cost.set_function(final_cost_s)
        self._partial_cost.set_function(partial_cost_s)

    # --- lineups, to be compared with each other

    def lineup_session(self, lineup: str) -> None:
        """A session began, or was taken up again, with it."""
        self._lineup_sessions.labels(lineup).inc()

    def lineup_finalized(self, lineup: str, latency_s: float) -> None:
        """``latency_s``: from the endpoint to the final."""
        self._lineup_finals.labels(lineup).inc()
        self._lineup_latency.labels(lineup).observe(latency_s)

    def lineup_failed(self, lineup: str, code: str) -> None:
        """An utterance stays without text."""
        self._lineup_failures.labels(lineup, code).inc()

    def lineup_worked(self, lineup: str, *, audio_s: float, inference_s: float) -> None:
        """Its workers spent so much time on so much audio: the one by the other is the real-time factor."""
        self._lineup_audio.labels(lineup).inc(audio_s)
        self._lineup_inference.labels(lineup).inc(inference_s)

    def lineup_loaded(self, lineup: str, outcome: str) -> None:
        """``outcome``: ``done``, or the code of an error."""
        self._lineup_loads.labels(lineup, outcome).inc()

    def observe_lineup(self, lineup: str, leases: Callable[[], float], memory_bytes: Callable[[], float]) -> None:
        """Asks at each scrape who holds it, and what it takes."""
        self._lineup_leases.labels(lineup).set_function(leases)
        self._lineup_memory.labels(lineup).set_function(memory_bytes)

    # --- the edge

    def event_loop_lag(self, seconds: float) -> None:
        """The event loop was so late."""
        self._loop_lag.observe(seconds)

    def http_request(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """A request was answered; ``route`` is the template, ``None`` when no route matched."""
        known_method = method if method in _HTTP_METHODS else "other"
        self._http_requests.labels(route or "unmatched", known_method, str(status)).inc()
        self._http_duration.labels(route or "unmatched", known_method).observe(seconds)

    def websocket_closed(self, protocol: str, close_code: int) -> None:
        self._websocket_closes.labels(protocol, str(close_code)).inc()

    # --- the journal of live sessions

    def journal_written(self, outcome: str) -> None:
        """A write was ``done``, ``failed``, or ``refused`` because another server has the session."""
        self._journal_writes.labels(outcome).inc()

    def observe_journal(self, available: Callable[[], bool]) -> None:
        """Asks at each scrape whether the last write went well."""
        self._journal_available.set_function(available)

    # --- queues and events

    def observe_queue(self, name: str, depth: Callable[[], float], capacity: float) -> None:
        """Asks for the depth of a bounded queue at each scrape."""
        self._queue_depth.labels(name).set_function(depth)
        self._queue_capacity.labels(name).set(capacity)

    def event_dropped(self, subscriber: str) -> None:
        self._events_dropped.labels(subscriber).inc()

    def event_failed(self, subscriber: str) -> None:
        self._events_failed.labels(subscriber).inc()

    # --- definitions

    def _define_sessions(self) -> None:
        self._sessions_active = self._gauge("sessions_active", "Live sessions.")
        self._sessions_resumed = self._counter("sessions_resumed", "Sessions that were taken up again.")
        self._sessions_started = self._counter("sessions_started", "Sessions that began.")
        self._sessions_ended = self._counter("sessions_ended", "Sessions that ended, by reason.", "reason")
        self._sessions_refused = self._counter("sessions_refused", "Sessions and files refused, by reason.", "reason")
        self._audio_received = self._counter(
            "audio_received_seconds",
            "Audio that arrived; counted up to each utterance when it is answered, and in full when a session ends.",
        )
        self._partials = self._counter("partials", "Partial texts.")
        self._finals = self._counter("finals", "Final texts.")
        self._failures = self._counter("utterances_failed", "Utterances that stay without text, by error code.", "code")
        self._final_latency = self._histogram(
            "final_latency_seconds", "From the endpoint of an utterance to its final text.", FINAL_LATENCY_BUCKETS_S
        )

    def _define_recognition(self) -> None:
        self._batch_size = self._histogram("batch_requests", "Requests in one batch.", BATCH_SIZE_BUCKETS, "pool")
        self._requests = self._counter(
            "recognition_requests", "Requests that workers answered, by kind.", "kind", "pool"
        )
        self._requests_failed = self._counter(
            "recognition_requests_failed", "Requests that the engine failed on.", "pool"
        )
        self._batch_audio = self._counter(
            "batch_audio_seconds", "Audio in batches, partials and repeats included.", "pool"
        )
        self._inference = self._histogram(
            "inference_seconds", "Time of a batch in the engine.", INFERENCE_BUCKETS_S, "pool"
        )
        self._wait = self._histogram(
            "queue_wait_seconds", "How long requests waited for a worker.", WAIT_BUCKETS_S, "pool"
        )
        self._fallbacks = self._counter(
            "recognition_fallbacks", "Requests given to another pool, by what befell the one meant.", "kind", "code"
        )
        self._define_remote()
        self._define_workers()

    def _define_remote(self) -> None:
        self._remote_available = self._gauge("remote_available", "1: the remote server is asked. 0: it is given up.")
        self._remote_changes = self._counter(
            "remote_changes", "Times that the remote server was given up, or asked again.", "state"
        )
        self._shadow_comparisons = self._counter(
            "shadow_comparisons", "Finals that a second recognizer was given as well, by outcome.", "outcome"
        )
        self._shadow_difference = self._histogram(
            "shadow_difference_ratio", "How far the texts of both differ, 0 to 1.", DIFFERENCE_BUCKETS
        )

    def _define_workers(self) -> None:
        self._workers = self._gauge("workers", "Worker processes that there should be.", "pool")
        self._workers_ready = self._gauge("workers_ready", "Worker processes that can recognize.", "pool")
        self._worker_restarts = self._counter(
            "worker_restarts", "Worker processes replaced, by reason.", "reason", "pool"
        )

        self._load = self._gauge("recognizer_load", "Share of the workers' time that is used.")
        self._needed_load = self._gauge("recognizer_needed_load", "Share of it that live sessions cannot do without.")
        self._thinning = self._gauge("partial_thinning", "Partials: 0 as often as wanted, 1 at the longest interval.")
        self._final_cost = self._gauge(
            "recognizer_final_cost_seconds", "Worker time for the finals of a second of speech, learned."
        )
        self._partial_cost = self._gauge("recognizer_partial_cost_seconds", "Worker time for a partial, learned.")

    def _define_edge(self) -> None:
        self._loop_lag = self._histogram("event_loop_lag_seconds", "How late the event loop is.", LAG_BUCKETS_S)
        self._http_requests = self._counter("http_requests", "Requests answered.", "route", "method", "status")
        self._http_duration = self._histogram(
            "http_request_duration_seconds",
            "From a request to the end of its answer.",
            HTTP_BUCKETS_S,
            "route",
            "method",
        )
        self._websocket_closes = self._counter("websocket_closes", "WebSockets closed.", "protocol", "code")

    def _define_journal(self) -> None:
        self._journal_writes = self._counter("journal_writes", "Writes to the journal of live sessions.", "outcome")
        self._journal_available = self._gauge("journal_available", "1: the last write to the journal went well.")

    def _define_queues(self) -> None:
        self._queue_depth = self._gauge("queue_items", "What waits in a bounded queue.", "queue")
        self._queue_capacity = self._gauge("queue_capacity_items", "What a bounded queue can hold.", "queue")
        self._events_dropped = self._counter("events_dropped", "Events that a subscriber did not see.", "subscriber")
        self._events_failed = self._counter("events_failed", "Events that a handler gave up on.", "subscriber")

    def _define_lineups(self) -> None:
        self._lineup_sessions = self._counter("lineup_sessions", "Sessions that a lineup recognizes.", "lineup")
        self._lineup_finals = self._counter("lineup_finals", "Final texts of a lineup.", "lineup")
        self._lineup_failures = self._counter(
            "lineup_utterances_failed", "Utterances that stay without text, by error code.", "lineup", "code"
        )
        self._lineup_latency = self._histogram(
            "lineup_final_latency_seconds",
            "From the endpoint of an utterance to its final text.",
            FINAL_LATENCY_BUCKETS_S,
            "lineup",
        )
        self._lineup_audio = self._counter(
            "lineup_audio_seconds", "Audio in batches, partials and repeats included.", "lineup"
        )
        self._lineup_inference = self._counter("lineup_inference_seconds", "Time of batches in engines.", "lineup")
        self._lineup_loads = self._counter("lineup_loads", "Loads of a lineup, by outcome.", "lineup", "outcome")
        self._lineup_leases = self._gauge("lineup_leases", "Sessions and recordings that hold a lineup.", "lineup")
        self._lineup_memory = self._gauge(
            "lineup_memory_bytes", "Resident memory of the workers of a lineup.", "lineup"
        )

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(f"asr_{name}", documentation, labels, registry=self.registry)

    def _gauge(self, name: str, documentation: str, *labels: str) -> Gauge:
        return Gauge(f"asr_{name}", documentation, labels, registry=self.registry)

    def _histogram(self, name: str, documentation: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"asr_{name}", documentation, labels, buckets=buckets, registry=self.registry)
