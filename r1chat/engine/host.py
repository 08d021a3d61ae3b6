"""The host's memory, what its container bounds, and the GPUs that this build can't use. Knows no library and no model.

Everything is read from files below `proc` and `sysfs`, so that another machine's can be looked at; macOS and Windows,
which have none, are asked through psutil and the drivers' own tools.
"""

import contextlib
import platform
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from r1chat.core.placement import Device

PROC, SYSFS = Path("/proc"), Path("/sys")
ASK_SECONDS: Final = 5.0
_UNLIMITED: Final = 1 << 60  # what cgroup v1 writes for "no limit" is a little below 2**63
# By the version of control groups: the limit, what is used, and the part of it that goes when memory is needed; and the
# time that a group may have of each period, in microseconds.
_MEMORY_FILES: Final = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}
_CORE_FILES: Final = {1: ("cpu.cfs_quota_us", "cpu.cfs_period_us"), 2: ("cpu.max",)}
# The options that compile llama-cpp-python for a maker's GPUs: its README, section "Supported Backends".
_OPTIONS: Final = {"NVIDIA": "-DGGML_CUDA=on", "AMD": "-DGGML_HIP=on", "Apple": "-DGGML_METAL=on"}
_BACKENDS: Final = {
    "NVIDIA": ("CUDA", "Vulkan"),
    "AMD": ("ROCm", "HIP", "Vulkan", "CUDA"),  # the back end of HIP is CUDA's code, by other names
    "Apple": ("MTL", "Metal"),
}


@dataclass(frozen=True, slots=True)
class IdleGpu:
    """A GPU that this build of the engine can't use."""

    maker: str
    name: str
    n_bytes: int | None

    @property
    def backends(self) -> tuple[str, ...]:
        """The back ends of the engine's library that can use it."""
        return _BACKENDS[self.maker]

    @property
    def command(self) -> str:
        """The command that installs a build for it."""
        option = _OPTIONS[self.maker]
        pip = "pip install --force-reinstall --no-cache-dir llama-cpp-python"
        if sys.platform == "win32":
            return f'$env:CMAKE_ARGS="{option}"; {pip}'
        return f'CMAKE_ARGS="{option}" {pip}'


# Memory


def memory(proc: Path = PROC, sysfs: Path = SYSFS) -> tuple[int | None, int | None]:
    """Give the host's free and total memory, within the limits of the container; None for what nobody tells."""
    free, total = _of_system(proc)
    for limit, used in _limits(proc, sysfs):
        total = limit if total is None else min(total, limit)
        left = max(0, limit - used)
        free = left if free is None else min(free, left)
    return free, total


def container_limit(proc: Path = PROC, sysfs: Path = SYSFS) -> int | None:
    """Give the limit that the container sets below what the machine has; None where none binds."""
    _, total = _of_system(proc)
    lowest = min((limit for limit, _ in _limits(proc, sysfs)), default=None)
    return None if lowest is None or (total is not None and lowest >= total) else lowest


def _of_system(proc: Path) -> tuple[int | None, int | None]:
    """Read /proc/meminfo: what can be had without swapping, page cache included. Else ask psutil."""
    try:
        text = (proc / "meminfo").read_text("utf-8", "replace")
    except OSError:
        if proc != PROC:
            return None, None
        import psutil

        found = psutil.virtual_memory()
        return found.available, found.total
    values = {name: int(number) * 1024 for name, number in re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE)}
    # Kernels before 3.14 don't have MemAvailable.
    return values.get("MemAvailable", values.get("MemFree")), values.get("MemTotal")


def _limits(proc: Path, sysfs: Path) -> Iterator[tuple[int, int]]:
    """Give (limit, used) of every control group this process is in, up to the root; both versions of them.

    File pages that nobody has touched lately count as used there, and go when memory is needed.
    """
    for version, folders in _groups("memory", proc, sysfs):
        of_limit, of_use, reclaimable = _MEMORY_FILES[version]
        for folder in folders:
            limit = _number(folder / of_limit)
            if limit is not None and limit < _UNLIMITED:
                used = _number(folder / of_use) or 0
                yield limit, max(0, used - (_counted(folder / "memory.stat", reclaimable) or 0))


def core_quotas(proc: Path = PROC, sysfs: Path = SYSFS) -> Iterator[float]:
    """Give how many cores' time each control group that bounds it allows."""
    for version, folders in _groups("cpu", proc, sysfs):
        for folder in folders:
            with contextlib.suppress(OSError, ValueError):  # no such file, or "max": no quota
                words = " ".join((folder / name).read_text() for name in _CORE_FILES[version]).split()
                quota, period = map(int, words)
                if quota > 0 and period > 0:
                    yield quota / period


def _groups(controller: str, proc: Path, sysfs: Path) -> Iterator[tuple[int, list[Path]]]:
    """Find the process's groups for a controller: their version, and their folders from its own up to the root.

    Inside a container its own group is often mounted as the root, and the path is the host's: then the root counts.
    """
    try:
        lines = (proc / "self/cgroup").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    for line in lines or ["0::/", f"1:{controller}:/"]:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        version, root = 2, sysfs / "fs/cgroup"
        if controllers:
            if controller not in controllers.split(","):
                continue
            version, root = 1, root / controller
        folder = root / path.lstrip("/")
        if ".." in path or not folder.is_dir():
            folder = root
        yield version, [at for at in (folder, *folder.parents) if at.is_relative_to(root)]


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # no such file, or "max"
        return None


def _counted(file: Path, name: str) -> int | None:
    """Read one number of a file with a name and a number on each line."""
    with contextlib.suppress(OSError, ValueError):
        for line in file.read_text().splitlines():
            key, _, number = line.partition(" ")
            if key == name:
                return int(number)
    return None


def oom_kills(proc: Path = PROC, sysfs: Path = SYSFS) -> int | None:
    """Count what the out-of-memory killer has ended so far: in this process's control group, else on the whole machine.

    None where nobody tells: on macOS and Windows, and before Linux 4.13.
    """
    for version, folders in _groups("memory", proc, sysfs):
        name = {1: "memory.oom_control", 2: "memory.events"}[version]
        if (found := _counted(folders[0] / name, "oom_kill")) is not None:
            return found
    return _counted(proc / "vmstat", "oom_kill")


# GPUs


def idle_gpus(usable: Sequence[Device], proc: Path = PROC, sysfs: Path = SYSFS) -> tuple[IdleGpu, ...]:
    """Find the GPUs of this machine whose maker none of the engine's devices is for."""
    backends = {device.backend for device in usable if device.kind != "remote"}
    found = (*_nvidia(proc, sysfs), *_amd(sysfs), *_apple(proc))
    return tuple(gpu for gpu in found if not backends & set(gpu.backends))


def names(gpus: Iterable[IdleGpu]) -> str:
    """Name GPUs in a row, those of one name once and with their number."""
    counts = Counter(gpu.name for gpu in gpus)
    return ", ".join(name if n == 1 else f"{name} ({n})" for name, n in counts.items())


def _nvidia(proc: Path, sysfs: Path) -> Iterator[IdleGpu]:
    """Ask the driver: on Linux by its files, elsewhere (and in Windows' own Linux) by nvidia-smi."""
    names = []
    with contextlib.suppress(OSError):
        for file in sorted((proc / "driver/nvidia/gpus").glob("*/information")):
            match = re.search(r"^Model:\s*(.+?)\s*$", file.read_text("utf-8", "replace"), re.MULTILINE)
            names.append(match[1] if match else "NVIDIA GPU")
    if names or (proc, sysfs) != (PROC, SYSFS):
        yield from (IdleGpu("NVIDIA", name, None) for name in names)
        return
    if (program := shutil.which("nvidia-smi")) is None:
        return
    argv = [program, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(argv, capture_output=True, timeout=ASK_SECONDS, check=True)
        yield from nvidia_listed(done.stdout.decode("utf-8", "replace"))


def nvidia_listed(text: str) -> Iterator[IdleGpu]:
    """Read nvidia-smi's list: a name and MiB on each line."""
    for line in text.splitlines():
        name, _, size = line.rpartition(",")
        if name.strip():
            yield IdleGpu("NVIDIA", name.strip(), int(size) << 20 if size.strip().isdecimal() else None)


def _amd(sysfs: Path) -> Iterator[IdleGpu]:
    """Find AMD's cards by their vendor number and the memory that amdgpu tells (kernel: amdgpu's sysfs files)."""
    for card in sorted((sysfs / "class/drm").glob("card[0-9]*")):
        device = card / "device"
        try:
            if "-" in card.name or (device / "vendor").read_text().strip() != "0x1002":
                continue
        except OSError:
            continue
        n_bytes = _number(device / "mem_info_vram_total")
        if n_bytes is not None:
            name = ""
            with contextlib.suppress(OSError):
                name = (device / "product_name").read_text("utf-8", "replace").strip()
            yield IdleGpu("AMD", name or "AMD GPU", n_bytes)


def _apple(proc: Path) -> Iterator[IdleGpu]:
    """Every Mac with Apple's own processor has a GPU."""
    if proc == PROC and platform.system() == "Darwin" and platform.machine() == "arm64":
        yield IdleGpu("Apple", "Apple GPU", None)
