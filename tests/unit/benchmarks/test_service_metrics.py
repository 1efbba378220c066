"""What two answers of /metrics say of the time between them."""

from scripts.benchmarks.service_metrics import MetricsDifference, read_samples


def difference(before: str, after: str) -> MetricsDifference:
    return MetricsDifference(read_samples(before), read_samples(after))


def histogram(*cumulated: int) -> str:
    bounds = ("0.1", "1.0", "+Inf")
    lines = (f'asr_wait_seconds_bucket{{le="{le}"}} {count}' for le, count in zip(bounds, cumulated, strict=True))
    return "\n".join(("# TYPE asr_wait_seconds histogram", *lines, f"asr_wait_seconds_count {cumulated[-1]}", ""))


def test_counters_are_told_apart_by_their_labels() -> None:
    before = '# TYPE asr_requests counter\nasr_requests_total{kind="final"} 2\nasr_requests_total{kind="partial"} 5\n'
    after = '# TYPE asr_requests counter\nasr_requests_total{kind="final"} 3\nasr_requests_total{kind="partial"} 9\n'
    assert difference(before, after).count("asr_requests_total", kind="partial") == 4


def test_series_that_no_label_tells_apart_are_counted_together() -> None:
    pools = ('asr_waits_total{kind="final",pool="main"} 2', 'asr_waits_total{kind="final",pool="fallback"} 3')
    metrics = difference("", "\n".join(("# TYPE asr_waits counter", *pools, "")))
    assert metrics.count("asr_waits_total", kind="final") == 5


def test_a_counter_that_is_not_served_has_not_grown() -> None:
    assert difference("", "").count("asr_requests_total") == 0


def test_percentiles_are_spread_within_their_bucket() -> None:
    metrics = difference(histogram(5, 5, 5), histogram(10, 15, 15))
    assert metrics.percentile("asr_wait_seconds", 25) == 0.05
    assert metrics.percentiles_ms("asr_wait_seconds") == {"p50": 100.0, "p95": 910.0, "p99": 982.0}


def test_the_series_of_a_histogram_are_one() -> None:
    lines = (
        f'asr_wait_seconds_bucket{{le="{le}",pool="{pool}"}} {count}'
        for pool, counts in (("main", (5, 10, 10)), ("fallback", (5, 10, 10)))
        for le, count in zip(("0.1", "1.0", "+Inf"), counts, strict=True)
    )
    metrics = difference("", "\n".join(("# TYPE asr_wait_seconds histogram", *lines, "")))
    assert metrics.percentile("asr_wait_seconds", 25) == 0.05


def test_what_is_above_all_bounds_is_taken_for_the_highest() -> None:
    assert difference(histogram(0, 0, 0), histogram(0, 0, 4)).percentile("asr_wait_seconds", 50) == 1.0


def test_nothing_observed_has_no_percentile() -> None:
    assert difference(histogram(3, 3, 3), histogram(3, 3, 3)).percentile("asr_wait_seconds", 99) is None
    assert difference("", "").percentiles_ms("asr_wait_seconds") == {"p50": None, "p95": None, "p99": None}
