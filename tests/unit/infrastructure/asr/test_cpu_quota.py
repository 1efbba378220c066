"""How many CPUs the process is told to have, by affinity and by control groups of either version."""

from pathlib import Path

import pytest

from asr_service.infrastructure.asr.cpu_quota import usable_cpus


class Machine:
    """The two file trees that say it."""

    def __init__(self, root: Path) -> None:
        self.proc = root / "proc"
        self.cgroup = root / "cgroup"
        (self.proc / "self").mkdir(parents=True)
        self.cgroup.mkdir()

    def member_of(self, *lines: str) -> None:
        (self.proc / "self" / "cgroup").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def write(self, path: str, text: str) -> None:
        file = self.cgroup / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n", encoding="ascii")

    def cpus(self, affinity: int = 8) -> float:
        return usable_cpus(proc=self.proc, cgroup=self.cgroup, affinity=affinity)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_control_groups_the_affinity_counts(machine: Machine) -> None:
    assert machine.cpus(affinity=3) == 3.0


def test_a_quota_of_version_2_may_be_a_fraction(machine: Machine) -> None:
    machine.member_of("0::/")
    machine.write("cpu.max", "150000 100000")
    assert machine.cpus() == 1.5


def test_max_is_no_quota(machine: Machine) -> None:
    machine.member_of("0::/")
    machine.write("cpu.max", "max 100000")
    assert machine.cpus() == 8.0


def test_the_tightest_quota_on_the_way_to_the_root_counts(machine: Machine) -> None:
    machine.member_of("0::/pod/container")
    machine.write("pod/container/cpu.max", "max 100000")
    machine.write("pod/cpu.max", "250000 100000")
    machine.write("cpu.max", "600000 100000")
    assert machine.cpus() == 2.5


def test_a_container_sees_its_quota_at_the_root_under_a_path_of_the_host(machine: Machine) -> None:
    machine.member_of("4:cpu,cpuacct:/docker/0123", "3:memory:/docker/0123")
    machine.write("cpu,cpuacct/cpu.cfs_quota_us", "200000")
    machine.write("cpu,cpuacct/cpu.cfs_period_us", "100000")
    assert machine.cpus() == 2.0


def test_version_1_says_no_quota_by_minus_one(machine: Machine) -> None:
    machine.member_of("1:cpu:/")
    machine.write("cpu/cpu.cfs_quota_us", "-1")
    machine.write("cpu/cpu.cfs_period_us", "100000")
    assert machine.cpus() == 8.0


def test_a_group_without_the_cpu_controller_says_nothing(machine: Machine) -> None:
    machine.member_of("2:cpuset:/", "3:memory:/")
    machine.write("cpuset/cpu.cfs_quota_us", "100000")
    assert machine.cpus() == 8.0


def test_fewer_cpus_than_the_quota_are_all_there_is(machine: Machine) -> None:
    machine.member_of("0::/")
    machine.write("cpu.max", "1600000 100000")
    assert machine.cpus(affinity=4) == 4.0


def test_the_real_machine_has_some_cpu() -> None:
    assert usable_cpus() > 0
