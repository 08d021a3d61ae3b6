"""The host's memory and idle GPUs, from the files of machines that are not this one."""

import sys
from pathlib import Path

import pytest

from r1chat.core.placement import Device
from r1chat.engine import devices, host

GB = 10**9
MEMINFO = (
    "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    8000000 kB\nHugePages_Total:       0\n"
)


@pytest.fixture
def machine(tmp_path: Path) -> tuple[Path, Path]:
    """A machine with 16 GB of memory, half of it free, and nothing else."""
    proc, sysfs = tmp_path / "proc", tmp_path / "sys"
    write(proc / "meminfo", MEMINFO)
    sysfs.mkdir()
    return proc, sysfs


def write(file: Path, text: str) -> None:
    """Write a file and its folders."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_the_memory_is_what_can_be_had_without_swapping(machine: tuple[Path, Path]) -> None:
    """MemAvailable counts the page cache as free, which it is."""
    assert (8_192_000_000, 16_384_000_000) == host.memory(*machine)


def test_an_old_kernel_tells_less(machine: tuple[Path, Path]) -> None:
    """Without MemAvailable only what is really free counts; without a meminfo nothing is known."""
    write(machine[0] / "meminfo", "MemTotal: 2000 kB\nMemFree: 1000 kB\n")
    assert (1_024_000, 2_048_000) == host.memory(*machine)
    (machine[0] / "meminfo").unlink()
    assert (None, None) == host.memory(*machine)


def test_a_container_bounds_the_memory(machine: tuple[Path, Path]) -> None:
    """The limit of a control group of version 2, less what is used and can't be reclaimed."""
    proc, sysfs = machine
    write(proc / "self/cgroup", "0::/\n")
    group = sysfs / "fs/cgroup"
    write(group / "memory.max", "4000000000\n")
    write(group / "memory.current", "3000000000\n")
    write(group / "memory.stat", "anon 5\ninactive_file 1000000000\n")
    assert (2 * GB, 4 * GB) == host.memory(*machine)
    write(group / "memory.max", "max\n")
    assert (8_192_000_000, 16_384_000_000) == host.memory(*machine)


def test_the_tightest_of_nested_limits_counts(machine: tuple[Path, Path]) -> None:
    """A slice's limit binds the groups in it; a path that is the host's, not ours, leads to the root."""
    proc, sysfs = machine
    write(proc / "self/cgroup", "0::/user.slice/session.scope\n")
    write(sysfs / "fs/cgroup/user.slice/memory.max", "3000000000\n")
    write(sysfs / "fs/cgroup/user.slice/memory.current", "1000000000\n")
    write(sysfs / "fs/cgroup/user.slice/session.scope/memory.max", "6000000000\n")
    write(sysfs / "fs/cgroup/user.slice/session.scope/memory.current", "0\n")
    assert (2 * GB, 3 * GB) == host.memory(*machine)
    write(proc / "self/cgroup", "0::/docker/abc\n")
    write(sysfs / "fs/cgroup/memory.max", "1000000000\n")
    assert (1 * GB, 1 * GB) == host.memory(*machine)


def test_version_1_of_control_groups_is_known(machine: tuple[Path, Path]) -> None:
    """Its memory controller has a folder and names of its own, and a number near 2**63 for no limit."""
    proc, sysfs = machine
    write(proc / "self/cgroup", "12:cpu,cpuacct:/x\n9:memory:/\nbroken\n")
    group = sysfs / "fs/cgroup/memory"
    write(group / "memory.limit_in_bytes", "9223372036854771712\n")
    assert (8_192_000_000, 16_384_000_000) == host.memory(*machine)
    write(group / "memory.limit_in_bytes", "5000000000\n")
    write(group / "memory.usage_in_bytes", "4000000000\n")
    write(group / "memory.stat", "inactive_file 1\ntotal_inactive_file 500000000\n")
    assert (1_500_000_000, 5 * GB) == host.memory(*machine)


def test_the_tightest_quota_of_time_counts(machine: tuple[Path, Path]) -> None:
    """A service's or a slice's quota binds it outside of a container as well; of either version."""
    proc, sysfs = machine
    write(proc / "self/cgroup", "0::/user.slice/session.scope\n")
    write(sysfs / "fs/cgroup/user.slice/cpu.max", "150000 100000\n")
    write(sysfs / "fs/cgroup/user.slice/session.scope/cpu.max", "max 100000\n")
    assert 2 == devices.quota_cores(*machine)
    write(sysfs / "fs/cgroup/user.slice/session.scope/cpu.max", "50000 100000\n")
    assert 1 == devices.quota_cores(*machine)
    write(proc / "self/cgroup", "4:cpu,cpuacct:/app\n0::/\n")
    write(sysfs / "fs/cgroup/cpu/app/cpu.cfs_quota_us", "300000\n")
    write(sysfs / "fs/cgroup/cpu/app/cpu.cfs_period_us", "100000\n")
    assert 3 == devices.quota_cores(*machine)


def test_kills_are_counted_where_the_process_is(machine: tuple[Path, Path]) -> None:
    """In its control group, of either version, or else on the whole machine; nowhere on other systems."""
    proc, sysfs = machine
    assert None is host.oom_kills(*machine)
    write(proc / "vmstat", "pgfault 7\noom_kill 3\n")
    assert 3 == host.oom_kills(*machine)
    write(proc / "self/cgroup", "0::/app\n")
    write(sysfs / "fs/cgroup/app/memory.events", "low 0\noom 9\noom_kill 2\n")
    assert 2 == host.oom_kills(*machine)
    write(proc / "self/cgroup", "9:memory:/app\n")
    write(sysfs / "fs/cgroup/memory/app/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    assert 1 == host.oom_kills(*machine)


def test_this_machine_has_memory() -> None:
    """Whatever this runs on tells its memory and its cores."""
    free, total = host.memory()
    assert 0 < (free or 0) <= (total or 0)
    found = devices.survey()
    assert found.n_threads >= 1
    assert found.ram_total == total


def test_a_device_that_tells_no_memory_has_the_hosts() -> None:
    """Some integrated GPUs report nothing: they share what the host has. Others keep their own."""
    silent = Device("MTL0", "", "gpu", "X", 0, 0)
    assert Device("MTL0", "", "integrated", "X", 1, 2) == devices.with_memory(silent, 1, 2)
    assert Device("MTL0", "", "integrated", "X", 0, 0) == devices.with_memory(silent, None, None)
    known = Device("CUDA0", "", "gpu", "CUDA", 0, 8)
    assert known == devices.with_memory(known, 1, 2)


def test_a_gpu_without_a_build_for_it_is_found(machine: tuple[Path, Path]) -> None:
    """NVIDIA's by its driver's files, AMD's by the kernel's; each with the option that compiles for it."""
    proc, sysfs = machine
    write(proc / "driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA GeForce RTX 4090\nIRQ: 1\n")
    write(proc / "driver/nvidia/gpus/0000:02:00.0/information", "")
    card = sysfs / "class/drm/card1"
    write(card / "device/vendor", "0x1002\n")
    write(card / "device/mem_info_vram_total", "17163091968\n")
    write(card / "device/product_name", "Radeon RX 7800 XT\n")
    write(sysfs / "class/drm/card1-DP-1/device/vendor", "0x1002\n")
    write(sysfs / "class/drm/card0/device/vendor", "0x8086\n")
    found = host.idle_gpus((), *machine)
    assert ["NVIDIA GeForce RTX 4090", "NVIDIA GPU", "Radeon RX 7800 XT"] == [gpu.name for gpu in found]
    assert [None, None, 17_163_091_968] == [gpu.n_bytes for gpu in found]
    assert "-DGGML_CUDA=on" in found[0].command
    assert "-DGGML_HIP=on" in found[2].command
    assert "pip install" in found[0].command


def test_a_gpu_that_is_used_is_not_idle(machine: tuple[Path, Path]) -> None:
    """A device of the engine for that maker makes its GPUs usable; one on another machine does not."""
    write(machine[0] / "driver/nvidia/gpus/0/information", "Model: RTX\n")
    used = Device("CUDA0", "RTX", "gpu", "CUDA", 1, 1)
    remote = Device("RPC0", "", "remote", "RPC", 1, 1)
    assert () == host.idle_gpus((used,), *machine)
    assert 1 == len(host.idle_gpus((remote,), *machine))


def test_the_drivers_list_is_read() -> None:
    """A name may have commas; what is no number is no size."""
    found = list(host.nvidia_listed("NVIDIA A100, 80GB, 81920\nNVIDIA GB10, [N/A]\n\n"))
    assert [("NVIDIA A100, 80GB", 81_920 << 20), ("NVIDIA GB10", None)] == [(gpu.name, gpu.n_bytes) for gpu in found]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have GPUs of their own")
def test_a_machine_without_gpus_has_none(machine: tuple[Path, Path]) -> None:
    """Nothing is found where nothing is."""
    assert () == host.idle_gpus((), *machine)


def test_a_limit_of_the_container_is_named_only_where_it_binds(machine: tuple[Path, Path]) -> None:
    """A group's limit below the machine's memory is given; a higher one, and none, are not."""
    assert None is host.container_limit(*machine)
    write(machine[1] / "fs/cgroup/memory.max", "64000000000\n")
    assert None is host.container_limit(*machine)
    write(machine[1] / "fs/cgroup/memory.max", "2000000000\n")
    assert 2_000_000_000 == host.container_limit(*machine)
