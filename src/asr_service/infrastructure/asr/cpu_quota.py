"""How many CPUs this process may use, which in a container is not how many the machine has."""

import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_CGROUP = Path("/sys/fs/cgroup")


def usable_cpus(*, proc: Path = _PROC, cgroup: Path = _CGROUP, affinity: int | None = None) -> float:
    """The number of CPUs that the process's affinity and its control groups allow; a fraction such as 1.5 is possible.

    A quota of a control group binds its descendants too, so the least on the way to the root counts. Inside a container
    the path in ``/proc/self/cgroup`` may be the host's, of which only the root is mounted; levels that are not there
    are passed over.

    Args:
        proc: Where procfs is mounted.
        cgroup: Where the control groups are mounted, version 1, 2 or both.
        affinity: CPUs that the scheduler may use for this process; ``None`` asks the system.
    """
    cpus = float(affinity if affinity is not None else _affinity())
    return min([cpus, *_quotas(proc, cgroup)])


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(proc: Path, cgroup: Path) -> Iterator[float]:
    membership = proc / "self" / "cgroup"
    if not membership.exists():
        return
    for line in membership.read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            for directory in _levels((cgroup, cgroup / "unified"), path):
                yield from _quota_v2(directory)
        elif "cpu" in controllers.split(","):
            for directory in _levels((cgroup / controllers, cgroup / "cpu"), path):
                yield from _quota_v1(directory)


def _levels(mounts: tuple[Path, ...], path: str) -> Iterator[Path]:
    """The directories of a control group and of its ancestors, in each place where they may be mounted."""
    parts = [part for part in path.split("/") if part]
    for mount in mounts:
        for depth in range(len(parts), -1, -1):
            yield mount.joinpath(*parts[:depth])


def _quota_v2(directory: Path) -> Iterator[float]:
    """``cpu.max`` holds quota and period in microseconds, ``max`` for no quota (kernel docs, cgroup-v2.rst)."""
    limit = directory / "cpu.max"
    if limit.exists():
        quota, period = limit.read_text(encoding="ascii").split()
        if quota != "max":
            yield int(quota) / int(period)


def _quota_v1(directory: Path) -> Iterator[float]:
    """``cpu.cfs_quota_us`` is -1 for no quota (kernel docs, sched-bwc.rst)."""
    quota_file, period_file = directory / "cpu.cfs_quota_us", directory / "cpu.cfs_period_us"
    if quota_file.exists() and period_file.exists():
        quota = int(quota_file.read_text(encoding="ascii"))
        if quota > 0:
            yield quota / int(period_file.read_text(encoding="ascii"))
