"""What the machine has: cores and memory this process may use, and the GPUs that the engine's library can.

Knows no model. The library is asked in a child (dryrun.py); what the host is, files tell (host.py).
"""

import math
import os
from dataclasses import replace
from pathlib import Path

from r1chat.core.memory import Devices
from r1chat.core.placement import Device
from r1chat.engine import dryrun, host

SYSFS = host.SYSFS


def survey() -> Devices:
    """Look at the machine: cores and memory within this process's affinity and container, and usable GPUs.

    Starts a child where this build of the library could have GPUs at all.
    """
    free, total = host.memory()
    return Devices(usable_cores(), free, total, tuple(with_memory(gpu, free, total) for gpu in dryrun.gpus()))


def with_memory(gpu: Device, free: int | None, total: int | None) -> Device:
    """Give a device that tells no memory the host's, as llama.cpp does (`load_tensors` in src/llama-model.cpp)."""
    if gpu.total_bytes:
        return gpu
    return replace(gpu, kind="integrated", free_bytes=free or 0, total_bytes=total or 0)


def usable_cores() -> int:
    """Count the physical cores within this process's affinity and container quota."""
    return max(1, min(physical_cores(), quota_cores()))


def physical_cores(sysfs: Path = SYSFS) -> int:
    """Count the physical cores among the logical ones this process may run on.

    Two hyper-threads of one core share its arithmetic units: a second thread on them slows a matrix product down.
    """
    if hasattr(os, "sched_getaffinity"):  # Linux
        usable = os.sched_getaffinity(0)
        return len({_core(sysfs / f"devices/system/cpu/cpu{n}/topology", n) for n in usable})
    import psutil

    return psutil.cpu_count(logical=False) or os.cpu_count() or 1


def _core(topology: Path, n: int) -> tuple[str, str]:
    """Name the core a logical CPU belongs to; a CPU whose topology is hidden counts as its own."""
    try:
        return (topology / "physical_package_id").read_text().strip(), (topology / "core_id").read_text().strip()
    except OSError:
        return "cpu", str(n)


def quota_cores(proc: Path = host.PROC, sysfs: Path = SYSFS) -> int:
    """Give the quota of processor time in whole cores, rounded up; a large number where there is none."""
    unlimited = 1 << 16
    return math.ceil(min(host.core_quotas(proc, sysfs), default=unlimited))
