"""What the service's own metrics say of a stretch of time: the difference of two answers of ``/metrics``."""

from dataclasses import dataclass
from math import inf

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read_samples(text: str) -> Samples:
    """The samples of an answer of ``/metrics``, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): float(sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@dataclass(frozen=True, slots=True)
class MetricsDifference:
    """What was counted from one answer of ``/metrics`` to a later one."""

    before: Samples
    after: Samples

    def count(self, name: str, **labels: str) -> float:
        """By how much a counter has grown, over all its series with these labels; 0: it is not served."""
        return sum(
            value - self.before.get((series, pairs), 0.0)
            for (series, pairs), value in self.after.items()
            if series == name and labels.items() <= dict(pairs).items()
        )

    def percentile(self, histogram: str, percent: float) -> float | None:
        """Of a histogram, all its series together, as Prometheus estimates it: evenly spread within a bucket.

        ``None``: nothing was observed. What lies above the highest bound is taken for that bound.
        """
        bounds = {dict(pairs)["le"] for series, pairs in self.after if series == f"{histogram}_bucket"}
        buckets = sorted((float(bound), self.count(f"{histogram}_bucket", le=bound)) for bound in bounds)
        wanted = buckets[-1][1] * percent / 100 if buckets else 0.0
        lower, below = 0.0, 0.0
        for bound, cumulated in buckets:
            if cumulated >= wanted > 0:
                return lower if bound == inf else lower + (bound - lower) * (wanted - below) / (cumulated - below)
            lower, below = bound, cumulated
        return None

    def percentiles_ms(self, histogram: str) -> dict[str, float | None]:
        """The median and others of a histogram of seconds, in ms."""
        found = {f"p{percent}": self.percentile(histogram, percent) for percent in (50, 95, 99)}
        return {name: None if value_s is None else round(1_000 * value_s, 1) for name, value_s in found.items()}
