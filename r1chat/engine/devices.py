"""What the host has: cores this process may use. Knows no engine library and no model."""

import math
import os
from pathlib import Path

from r1chat.core.memory import Devices

SYSFS = Path("/sys")


def host() -> Devices:
    """Look at the machine: physical cores within this process's affinity and container quota."""
    return Devices(n_threads=max(1, min(physical_cores(), quota_cores())))


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


def quota_cores(sysfs: Path = SYSFS) -> int:
    """Give the container's CPU quota in whole cores, rounded up; a large number where there is none."""
    unlimited = 1 << 16
    for quota, period in _quotas(sysfs / "fs/cgroup"):
        if quota > 0 and period > 0:
            return math.ceil(quota / period)
    return unlimited


def _quotas(cgroup: Path) -> list[tuple[int, int]]:
    """Read (quota, period) in microseconds from cgroup v2, then v1, as seen from inside the container."""
    found = []
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            words = " ".join((cgroup / name).read_text() for name in names).split()
            found.append((int(words[0]), int(words[1])))
        except (OSError, ValueError, IndexError):  # no such file, or "max": no quota
            continue
    return found
