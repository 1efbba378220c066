"""On what the workers run, and how many there are in each pool."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from asr_service.domain.ports.recognizer import RecognizerUnavailable
from asr_service.infrastructure.asr.cpu_quota import usable_cpus
from asr_service.infrastructure.asr.engine import needs_extra


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the engines may use.

    Attributes:
        cpus: That the affinity and the control groups of this process allow; may be a fraction.
        gpus: CUDA devices, each of which takes workers; 0: everything runs on the CPUs.
    """

    cpus: float
    gpus: int = 0

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        return "cuda" if self.gpus else "cpu"

    def device_index(self, worker: int) -> int:
        """The GPU of a worker, counted from 0; workers take them in turn. 0 on a CPU."""
        return worker % self.gpus if self.gpus else 0


@dataclass(frozen=True, slots=True)
class PoolSizes:
    """Workers of the pool for finals (or for everything), of the one for partials, and of the one that falls in."""

    finals: int
    partials: int = 0
    fallback: int = 0


def count_cuda_devices() -> int:
    """CUDA devices as CTranslate2 sees them, the one library here that can tell without loading a model.

    Raises:
        EngineNotInstalled: It is not installed.
    """
    with needs_extra("whisper"):
        import ctranslate2  # noqa: PLC0415 - of an extra
    count: int = ctranslate2.get_cuda_device_count()
    return count


def find_hardware(
    device: str,
    *,
    count_cpus: Callable[[], float] = usable_cpus,
    count_gpus: Callable[[], int] = count_cuda_devices,
) -> Hardware:
    """The hardware that a setting asks for.

    Args:
        device: ``cpu``, ``cuda``, or ``auto`` for GPUs if there are any.
        count_cpus: Says how many CPUs may be used.
        count_gpus: Says how many CUDA devices there are.

    Raises:
        RecognizerUnavailable: ``cuda`` was asked for, and there is no such device.
    """
    gpus = 0 if device == "cpu" else count_gpus()
    if device == "cuda" and not gpus:
        raise RecognizerUnavailable(
            "The recognizer is to run on a GPU, but no CUDA device is found.",
            hint="Set recognizer.device to cpu or auto, or see why `nvidia-smi` lists no device.",
        )
    return Hardware(count_cpus(), gpus)


def pool_sizes(
    hardware: Hardware,
    *,
    threads_per_worker: int = 1,
    finals: int = 0,
    partials: int | None = None,
    has_fallback: bool = False,
) -> PoolSizes:
    """How many workers each pool gets.

    On CPUs all pools together have a thread for each CPU that may be used, as far as one worker in each pool allows; of
    what nobody said, partials get half, since there are more of them, but each is less work. The fallback has one: it
    works when others do not. On GPUs each pool has a worker on each device, since waiting there costs no other's time.

    Args:
        hardware: What there is.
        threads_per_worker: CPU threads of each worker.
        finals: What was asked for; 0: what the hardware allows.
        partials: The same; ``None``: there is no pool for them.
        has_fallback: Whether there is a pool to fall back on.
    """
    fallback = 1 if has_fallback else 0
    if hardware.gpus:
        return PoolSizes(finals or hardware.gpus, 0 if partials is None else partials or hardware.gpus, fallback)
    left = int(hardware.cpus / threads_per_worker) - fallback
    if partials is None:
        return PoolSizes(finals or max(1, left), 0, fallback)
    shared = partials or max(1, left - finals if finals else left // 2)
    return PoolSizes(finals or max(1, left - shared), shared, fallback)


def workers_at_once(pools: Collection[int], hardware: Hardware, *, threads_per_worker: int = 1) -> int:
    """How many workers can work at the same time at full speed, where several sets of pools share the hardware.

    Each set has been given all CPUs, so together they have more workers than that. The load is a share of what they can do
    together. On GPUs waiting costs no other's time, and all count.

    Args:
        pools: Workers of each set.
        hardware: What there is.
        threads_per_worker: CPU threads of each worker.
    """
    if hardware.gpus or not pools:
        return max(1, sum(pools))
    return max(1, min(sum(pools), max(*pools, int(hardware.cpus / threads_per_worker), 1)))
