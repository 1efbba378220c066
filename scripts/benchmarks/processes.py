"""CPU time and memory of processes, from ``/proc``."""

import os
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def family(pid: int) -> list[int]:
    """The process and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    threads = Path(f"/proc/{pid}/task")
    if not children.exists():
        return []
    own = {int(child) for task in threads.iterdir() for child in (task / "children").read_text().split()}
    return [pid, *(member for child in sorted(own) for member in family(child))]


def cpu_s(pid: int, *, descendants: bool = True) -> float:
    """CPU seconds that a process has spent so far, in user and system mode; with those of its living descendants."""
    return sum(_own_cpu_s(member) for member in (family(pid) if descendants else [pid]))


def machine_cpu_s() -> float:
    """CPU seconds that were spent on this machine so far, by whomever; those that a hypervisor withheld among them."""
    user, nice, system, _idle, _waiting, *rest = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + sum(rest)) / _TICKS_PER_S


def rss_bytes(pid: int) -> int:
    """Resident memory of a process, without its descendants."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES


def _own_cpu_s(pid: int) -> float:
    # The second field, the program's name, may hold spaces; the fields after it are counted from its closing bracket.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
