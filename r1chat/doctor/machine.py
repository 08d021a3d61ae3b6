"""Checks of the machine: GPUs, memory, cores."""

import contextlib
import os
from typing import Any

from r1chat.core.memory import Devices, Wishes
from r1chat.core.placement import Device
from r1chat.core.sizes import size_text
from r1chat.doctor.check import OK, WARN, Check, Surroundings
from r1chat.engine import devices, host
from r1chat.errors import EngineError
from r1chat.models import catalog
from r1chat.models.fitting import fitting_plan, shape_of_download


def gpus(around: Surroundings) -> Check:
    """The GPUs: those that the library uses, and those that it can't."""
    build, usable = None, _machine(around).gpus
    with contextlib.suppress(EngineError):
        build = around.inspect()
    idle = around.idle_gpus(usable)
    data = {
        "usable": [
            {
                "name": gpu.name,
                "description": gpu.description,
                "backend": gpu.backend,
                "free_bytes": gpu.free_bytes,
                "total_bytes": gpu.total_bytes,
            }
            for gpu in usable
        ],
        "idle": [{"maker": gpu.maker, "name": gpu.name, "command": gpu.command} for gpu in idle],
    }
    said = "; ".join(map(_room, usable))
    if not idle:
        none = "None. The CPU computes." if build else "None was found, but the engine's library can't be asked."
        return Check(OK, f"{said}." if said else none, data=data)
    names = host.names(idle)
    head = f"{said}. " if said else ""
    if build and (shown := sorted({*build.gpu_backends} & {*idle[0].backends})):
        warning = f" ({build.warnings[0].rstrip('.')})" if build.warnings else ""
        text = (
            f"{head}{names}: not used. This build is for {', '.join(shown)}, but its driver shows no device{warning}."
        )
        return Check(WARN, text, "Update the GPU's driver. In a container: start it with access to the GPU.", data=data)
    text = f"{head}{names}: not used, because this build of llama-cpp-python can't."
    return Check(WARN, text, "Install a build for it:", idle[0].command, data)


def _room(gpu: Device) -> str:
    room = f"{size_text(gpu.free_bytes)} of {size_text(gpu.total_bytes)} free"
    return f"{gpu.description or gpu.name} ({gpu.backend}): {room}"


def memory(around: Surroundings) -> Check:
    """The memory, and the largest model of the catalogue that has room in it (and in the GPUs')."""
    machine = _machine(around)
    free, total, limit = machine.ram_free, machine.ram_total, host.container_limit()
    name = _largest(machine)
    data = {"free_bytes": free, "total_bytes": total, "container_limit_bytes": limit, "largest_model": name}
    if free is None or total is None:
        return Check(WARN, "Nobody tells how much there is.", "Give it with --ram: r1chat run 7b --ram 16G", data=data)
    by = ", as the container allows" if limit is not None else ""
    text = f"{size_text(free)} of {size_text(total)} free{by}"
    if not name:
        way = "allow the container more" if limit is not None else "close other programs"
        text = f"{text}: too little for every model but the demo."
        return Check(WARN, text, f"To run larger ones, {way}. What each needs: r1chat fit", data=data)
    return Check(OK, f"{text}. The largest model that fits: {name}.", data=data)


def _machine(around: Surroundings) -> Devices:
    """What models can be planned with."""
    free, total = host.memory()
    found: tuple[Device, ...] = ()
    with contextlib.suppress(EngineError):
        found = around.inspect().devices
    usable = tuple(devices.with_memory(gpu, free, total) for gpu in found)
    return Devices(devices.usable_cores(), free, total, usable)


def _largest(machine: Devices) -> str:
    """Name the largest model that fits in its usual quantization; empty if none does."""
    entries = catalog.load(catalog.default_path()).entries
    for entry in sorted(entries, key=lambda entry: -(entry.download.n_bytes or 0)):
        shape = shape_of_download(entry, entry.download)
        if shape is not None and fitting_plan(shape, machine, Wishes()):
            return f"{entry.short}:{entry.default}"
    return ""


def cores(around: Surroundings) -> Check:
    """The processor's cores, and what keeps r1chat from using all of them."""
    logical = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else logical
    physical, usable, quota = devices.physical_cores(), devices.usable_cores(), devices.quota_cores()
    data: dict[str, Any] = {"usable": usable, "physical": physical, "logical": logical}
    bounds = []
    if allowed < logical:
        bounds.append(f"{allowed} of {logical} logical processors are allowed (affinity)")
    if quota < physical:
        data["quota"] = quota
        bounds.append(f"a quota of time allows {quota}")
    threads = f" with {logical} logical processors" if logical != physical and not bounds else ""
    text = f"{usable} {'core' if usable == 1 else 'cores'} to compute with{threads}"
    return Check(OK, f"{text}: {', and '.join(bounds)}." if bounds else f"{text}.", data=data)
