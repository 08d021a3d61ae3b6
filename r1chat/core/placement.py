"""One way to load a model, in bytes: what of it lies on which device, and whether it fits. Pure arithmetic.

Knows no wishes and makes no choice; memory.py tries one way after the other.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from r1chat.core import kv
from r1chat.core.shape import Parts, Shape

HOST: Final = "CPU"
# What is left free for all that is not counted: half a GiB of the host's memory (this program, and what others take
# meanwhile), and on a GPU a GiB, as llama.cpp's own fitting leaves (common/common.h, fit_params_target); but of a
# small memory only an eighth.
HOST_MARGIN, GPU_MARGIN, MARGIN_SHARE = 1 << 29, 1 << 30, 8


@dataclass(frozen=True, slots=True)
class Device:
    """A device for layers, as the engine's library names it. `kind` is gpu, integrated, remote, or imagined."""

    name: str
    description: str
    kind: str
    backend: str
    free_bytes: int
    total_bytes: int

    @property
    def shares_memory(self) -> bool:
        """Whether its memory is the host's: integrated GPUs, and all of Apple's."""
        return self.kind == "integrated" or self.backend in ("MTL", "Metal")


@dataclass(frozen=True, slots=True)
class Machine:
    """The memory that may be used: the host's (None if unknown) and the GPUs'. `margin` None means the usual ones."""

    ram_bytes: int | None
    gpus: tuple[Device, ...] = ()
    margin: int | None = None

    def gpu_room(self, gpu: Device) -> int:
        """Give what a GPU has for a model."""
        margin = min(GPU_MARGIN, gpu.free_bytes // MARGIN_SHARE) if self.margin is None else self.margin
        return max(0, gpu.free_bytes - margin)

    def host_room(self) -> int | None:
        """Give what the host has for a model; None if nobody knows."""
        if self.ram_bytes is None:
            return None
        margin = min(HOST_MARGIN, self.ram_bytes // MARGIN_SHARE) if self.margin is None else self.margin
        return max(0, self.ram_bytes - margin)


@dataclass(frozen=True, slots=True)
class Rung:
    """A way to load a model: `n_gpu` of its layers (the output counts as the last one) on the GPUs, the experts of the
    first `n_cpu_moe` layers in memory, and a KV cache of a length and a type.
    """

    n_gpu: int
    n_cpu_moe: int
    n_ctx: int
    kv: str


@dataclass(frozen=True, slots=True)
class Use:
    """What a plan takes of one device, in bytes. `free_bytes` is what was free before (None: unknown)."""

    device: str
    description: str
    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    free_bytes: int | None

    @property
    def n_bytes(self) -> int:
        """All of it."""
        return self.weights_bytes + self.kv_bytes + self.compute_bytes


@dataclass(frozen=True, slots=True)
class Placement:
    """A rung on a machine: the uses, the GPUs' first and the host last, and how many layers each GPU has."""

    uses: tuple[Use, ...]
    tensor_split: tuple[int, ...]
    gpus_fit: bool
    host_fits: bool

    @property
    def fits(self) -> bool:
        """Whether every device has room for it."""
        return self.gpus_fit and self.host_fits


def parts_of(shape: Shape) -> Parts:
    """Give the weights by layer; where no tensor list is known, every layer and the output the same."""
    if shape.parts is not None:
        return shape.parts
    n = max(1, shape.n_layers)
    layer = shape.weights_bytes // (n + 2)
    return Parts(layer, shape.weights_bytes - layer * (n + 1), (layer,) * n, (0,) * n)


def n_slots(shape: Shape) -> int:
    """Give how many layers llama.cpp counts: the output is one."""
    return len(parts_of(shape).layers) + 1


def place(shape: Shape, rung: Rung, machine: Machine, compute: Sequence[int]) -> Placement:
    """Put a model onto the devices. `compute` is the compute buffers' bytes for each GPU and, last, for the host."""
    parts = parts_of(shape)
    weights, experts, caches = _slots(shape, parts, rung)
    first = len(weights) - rung.n_gpu
    needs = [weights[i] + caches[i] + (experts[i] if i >= rung.n_cpu_moe else 0) for i in range(first, len(weights))]
    if needs:
        needs[-1] += parts.tied
    rooms = [max(0, machine.gpu_room(gpu) - n) for gpu, n in zip(machine.gpus, compute, strict=False)]
    split = _split(needs, rooms)
    on_gpus = split is not None
    split = split or _by_memory(needs, rooms)
    uses = []
    for gpu, n_own, n_compute, begin in zip(
        machine.gpus, split, compute, itertools.accumulate(split, initial=first), strict=False
    ):
        own = range(begin, begin + n_own)
        own_weights = sum(weights[i] + (experts[i] if i >= rung.n_cpu_moe else 0) for i in own)
        if n_own and own[-1] == len(weights) - 1:
            own_weights += parts.tied
        uses.append(
            Use(
                gpu.name,
                gpu.description,
                own_weights,
                sum(caches[i] for i in own),
                n_compute if n_own else 0,
                gpu.free_bytes,
            )
        )
    in_memory = parts.input + sum(weights[:first]) + sum(experts[:first]) + sum(experts[first : rung.n_cpu_moe])
    host = Use(HOST, "memory", in_memory, sum(caches[:first]), compute[-1], machine.ram_bytes)
    shared = sum(use.n_bytes for use, gpu in zip(uses, machine.gpus, strict=True) if gpu.shares_memory)
    room = machine.host_room()
    return Placement((*uses, host), tuple(split), on_gpus, room is None or host.n_bytes + shared <= room)


def _slots(shape: Shape, parts: Parts, rung: Rung) -> tuple[list[int], list[int], list[int]]:
    """Give the weights, experts and caches of every layer, the output last."""
    n_layers = len(parts.layers)
    cache = kv.layer_bytes(shape, rung.n_ctx, rung.kv, rung.kv)
    # Trailing layers for the prediction of several tokens are in the file, and have no cache.
    caches = [cache if i < shape.n_layers else 0 for i in range(n_layers)]
    return [*parts.layers, parts.output], [*parts.experts, 0], [*caches, 0]


def _split(needs: Sequence[int], rooms: Sequence[int]) -> list[int] | None:
    """Give each GPU a run of layers, in order; None if there is no way. One GPU alone is best, the one with most room.

    Else each gets layers in proportion to its room, and where whole layers don't come out that way, the first GPUs are
    filled first, which finds a way whenever there is one.
    """
    total = sum(needs)
    if not needs:
        return [0] * len(rooms)
    if not rooms:
        return None
    largest = max(range(len(rooms)), key=lambda i: rooms[i])
    if total <= rooms[largest]:
        return [len(needs) if i == largest else 0 for i in range(len(rooms))]
    spread = _by_memory(needs, rooms)
    starts = itertools.accumulate(spread, initial=0)
    if all(sum(needs[at : at + n]) <= room for at, n, room in zip(starts, spread, rooms, strict=False)):
        return spread
    return _first_filled(needs, rooms)


def _by_memory(needs: Sequence[int], rooms: Sequence[int]) -> list[int]:
    total, room = sum(needs), sum(rooms) or 1
    counts, done, n_done, due = [], 0, 0, 0
    for each in rooms[:-1]:
        due += each
        n = 0
        while n_done + n < len(needs) and (done + needs[n_done + n] // 2) * room < due * total:
            done += needs[n_done + n]
            n += 1
        counts.append(n)
        n_done += n
    return [*counts, len(needs) - n_done] if rooms else []


def _first_filled(needs: Sequence[int], rooms: Sequence[int]) -> list[int] | None:
    counts, n_done = [], 0
    for room in rooms:
        n, used = 0, 0
        while n_done + n < len(needs) and used + needs[n_done + n] <= room:
            used += needs[n_done + n]
            n += 1
        counts.append(n)
        n_done += n
    return counts if n_done == len(needs) else None
