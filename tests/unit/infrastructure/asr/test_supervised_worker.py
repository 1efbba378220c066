"""How long a worker waits before it is started again."""

import pytest

from asr_service.infrastructure.asr.supervised_worker import SupervisionPolicy

POLICY = SupervisionPolicy(restart_delay_s=0.5, max_restart_delay_s=5.0)


@pytest.mark.parametrize(("setbacks", "delay_s"), [(0, 0.0), (1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 5.0)])
def test_the_delay_doubles_with_each_setback_up_to_its_bound(setbacks: int, delay_s: float) -> None:
    assert POLICY.restart_delay_after_s(setbacks) == delay_s


def test_the_delay_stays_at_its_bound_however_long_it_goes_on() -> None:
    assert POLICY.restart_delay_after_s(1_000_000) == 5.0
