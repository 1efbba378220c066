"""make bench, in small: two speakers, a few seconds. What it measures is looked at, and not how fast it was."""

import pytest

from asr_service.infrastructure.artifacts.recordings import Recording
from asr_service.infrastructure.config.settings import Settings
from scripts.benchmarks.clips import Clip
from scripts.benchmarks.live import LivePlan, run_live
from tests.fixtures.recordings import pcm_of

PLAN = LivePlan(speakers=(2,), fixed_interval_speakers=(), ramp_s=0.5, window_s=9.0)


@pytest.fixture(scope="session")
def sentences(librivox: list[Recording]) -> list[Clip]:
    """Sentences that are read in one breath; one of them is shorter than what speakers of a measurement say."""
    chosen = [recording for recording in librivox if recording.path.stem.endswith(("0890", "0930"))]
    return [
        Clip(recording.name, recording.path, "en", recording.reference, len(pcm_of(recording.path)) / 32_000)
        for recording in chosen
    ]


def test_two_speakers_are_measured_and_nothing_is_lost(service_settings: Settings, sentences: list[Clip]) -> None:
    (run,) = run_live(service_settings, sentences, PLAN)["runs"]

    assert (run["speakers"], run["admitted"], run["refused"], run["broken"]) == (2, 2, 0, 0)
    assert (run["lost"], run["doubled"], run["failed"], run["merged"]) == (0, 0, 0, 0)
    assert run["retracted_stable_characters"] == 0
    assert run["utterances"] >= 2
    assert run["word_error_percent"] < 20
    counts = {name: figure["count"] for name, figure in run.items() if isinstance(figure, dict) and "count" in figure}
    assert [name for name, count in counts.items() if not count] == []
    assert None not in (run["cpu_s_per_stream_s"], run["rss_mb_per_session"])
    assert run["service"]["finals_sent"] >= 2
