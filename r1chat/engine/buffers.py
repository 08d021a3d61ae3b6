"""Reads from the native library's log what it has reserved. Pure; knows nothing but the log's words.

The lines are those of `load_tensors` (src/llama-model.cpp), src/llama-kv-cache.cpp and `sched_reserve`
(src/llama-context.cpp) of llama.cpp; they give hundredths of a MiB.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from r1chat.core.placement import HOST

_BUFFER: Final = re.compile(r"(\S+) +(model|KV|compute|output) buffer size = +([\d.]+) MiB")
_KV_SIZE: Final = re.compile(r"llama_kv_cache: size = +([\d.]+) MiB")
_BEGINNING: Final = "loading model tensors"


Named = tuple[tuple[str, int], ...]  # bytes by the names of the buffers


@dataclass(frozen=True, slots=True)
class Buffers:
    """What was reserved, in bytes: in all, and by the buffers' names (a dry run gives those of `compute` only).

    `mapped_bytes` of the weights are the file itself: a range of it that also spans what was copied elsewhere.
    """

    weights_bytes: int
    kv_bytes: int
    compute: Named
    weights: Named = ()
    kv: Named = ()
    mapped_bytes: int = 0


def read_buffers(lines: Iterable[str]) -> Buffers:
    """Sum up the buffers of the last load that the log tells of."""
    kv_bytes = 0
    found: dict[str, dict[str, int]] = {"model": {}, "KV": {}, "compute": {}}
    for line in lines:
        if _BEGINNING in line:
            kv_bytes, found = 0, {kind: {} for kind in found}
        elif match := _KV_SIZE.search(line):
            kv_bytes += mebibytes(match[1])
        elif match := _BUFFER.search(line):
            of_kind = found.get(match[2], found["compute"])
            of_kind[match[1]] = of_kind.get(match[1], 0) + mebibytes(match[3])
    weights, kv, compute = (tuple(of_kind.items()) for of_kind in found.values())
    mapped = sum(n_bytes for name, n_bytes in weights if name.endswith("_Mapped"))
    return Buffers(sum(n_bytes for _, n_bytes in weights), kv_bytes, compute, weights, kv, mapped)


def by_device(buffers: Named, gpus: Iterable[str]) -> list[int]:
    """Sum up buffers by the GPUs they are on, and the host's last: its own, and those that a GPU pins there."""
    sums = dict.fromkeys(gpus, 0) | {HOST: 0}
    for name, n_bytes in buffers:
        owner = next(
            (known for known in sums if re.fullmatch(rf"{re.escape(known)}(\[.*|_Mapped|_Private)?", name)), HOST
        )
        sums[owner] += n_bytes
    return list(sums.values())


def mebibytes(number: str) -> int:
    """Turn the log's MiB into bytes."""
    return round(float(number) * (1 << 20))
