"""How a context is chosen, and shown."""

from asr_service.infrastructure.asr.whisper.decoding import EncoderContext
from scripts.encoder_context import CUSTOMARY, Trial, cheapest, table

PADDED = Trial(CUSTOMARY, {"en": 7.0, "zh": 16.0}, loops=1, cpu_s=80.0)


def _trial(floor_s: float, english: float, mandarin: float, loops: int, cpu_s: float) -> Trial:
    return Trial(EncoderContext(floor_s, 2.0), {"en": english, "zh": mandarin}, loops, cpu_s)


def test_the_cheapest_is_the_fastest_of_those_that_lose_nothing() -> None:
    worse_in_one_language = _trial(5, 6.9, 16.6, loops=0, cpu_s=10.0)
    caught_in_loops = _trial(8, 7.0, 16.0, loops=2, cpu_s=11.0)
    good = _trial(10, 7.5, 15.0, loops=1, cpu_s=20.0)
    slower = _trial(12, 7.0, 15.0, loops=0, cpu_s=25.0)
    assert cheapest([PADDED, worse_in_one_language, caught_in_loops, slower, good], allowed_points=0.5) == good


def test_without_a_good_one_it_stays_with_the_customary_context() -> None:
    assert cheapest([PADDED, _trial(5, 9.0, 16.0, loops=0, cpu_s=10.0)], allowed_points=0.5) == PADDED


def test_the_table_compares_cpu_time_with_the_customary_context() -> None:
    assert table([PADDED, _trial(10, 7.5, 15.0, loops=0, cpu_s=20.0)]).splitlines() == [
        "| context | errors en | errors zh | loops | CPU time |",
        "| --- | --- | --- | --- | --- |",
        "| 30 s | 7.0 % | 16.0 % | 1 | 1.00 |",
        "| max(10 s, speech + 2 s) | 7.5 % | 15.0 % | 0 | 0.25 |",
    ]
