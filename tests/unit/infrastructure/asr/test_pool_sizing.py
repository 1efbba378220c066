import pytest

from asr_service.domain.ports.recognizer import RecognizerUnavailable
from asr_service.infrastructure.asr.pool_sizing import Hardware, PoolSizes, find_hardware, pool_sizes


@pytest.mark.parametrize(
    ("device", "gpus", "expected"),
    [
        ("cpu", 2, Hardware(4.0)),
        ("auto", 0, Hardware(4.0)),
        ("auto", 2, Hardware(4.0, gpus=2)),
        ("cuda", 1, Hardware(4.0, gpus=1)),
    ],
)
def test_gpus_are_used_when_they_are_there_and_wanted(device: str, gpus: int, expected: Hardware) -> None:
    assert find_hardware(device, count_cpus=lambda: 4.0, count_gpus=lambda: gpus) == expected


def test_a_gpu_that_is_demanded_has_to_be_there() -> None:
    with pytest.raises(RecognizerUnavailable, match="no CUDA device"):
        find_hardware("cuda", count_cpus=lambda: 4.0, count_gpus=lambda: 0)


def test_this_machine_has_a_cpu_at_least() -> None:
    assert find_hardware("auto").cpus > 0


def test_the_device_is_that_of_the_hardware() -> None:
    assert (Hardware(4.0).device, Hardware(4.0, gpus=1).device) == ("cpu", "cuda")


@pytest.mark.parametrize(
    ("cpus", "threads", "expected"), [(8.0, 1, 8), (8.0, 3, 2), (1.5, 1, 1), (0.5, 1, 1), (2.0, 4, 1)]
)
def test_one_pool_takes_the_cpus_that_there_are(cpus: float, threads: int, expected: int) -> None:
    assert pool_sizes(Hardware(cpus), threads_per_worker=threads) == PoolSizes(expected)


@pytest.mark.parametrize(
    ("cpus", "expected"),
    [(1.0, PoolSizes(1, 1, 1)), (3.0, PoolSizes(1, 1, 1)), (4.0, PoolSizes(2, 1, 1)), (9.0, PoolSizes(4, 4, 1))],
)
def test_pools_share_the_cpus_and_each_has_a_worker(cpus: float, expected: PoolSizes) -> None:
    assert pool_sizes(Hardware(cpus), partials=0, has_fallback=True) == expected


def test_what_is_asked_for_is_given_and_the_rest_is_shared() -> None:
    eight = Hardware(8.0)
    assert pool_sizes(eight, finals=2) == PoolSizes(2)
    assert pool_sizes(eight, finals=2, partials=0) == PoolSizes(2, 6)
    assert pool_sizes(eight, partials=2) == PoolSizes(6, 2)
    assert pool_sizes(eight, finals=8, partials=0, has_fallback=True) == PoolSizes(8, 1, 1)
    assert pool_sizes(eight, finals=9, partials=9) == PoolSizes(9, 9)


def test_each_gpu_has_a_worker_of_each_pool() -> None:
    three = Hardware(64.0, gpus=3)
    assert pool_sizes(three) == PoolSizes(3)
    assert pool_sizes(three, partials=0, has_fallback=True) == PoolSizes(3, 3, 1)
    assert pool_sizes(three, finals=6, partials=1) == PoolSizes(6, 1)
