"""Reads from the native library's log what it has reserved. Pure; knows nothing but the log's words.

The lines are those of `load_tensors` (src/llama-model.cpp), src/llama-kv-cache.cpp and `sched_reserve`
(src/llama-context.cpp) of llama.cpp; they give hundredths of a MiB.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_BUFFER: Final = re.compile(r"(\S+) +(model|KV|compute|output) buffer size = +([\d.]+) MiB")
_KV_SIZE: Final = re.compile(r"llama_kv_cache: size = +([\d.]+) MiB")
_BEGINNING: Final = "loading model tensors"


@dataclass(frozen=True, slots=True)
class Buffers:
    """What was reserved, in bytes: for weights and the KV cache in all, and for computing by the buffers' names.

    `mapped_bytes` of the weights are the file itself: a range of it that also spans what was copied elsewhere.
    """

    weights_bytes: int
    kv_bytes: int
    compute: tuple[tuple[str, int], ...]
    mapped_bytes: int = 0

    @property
    def compute_bytes(self) -> int:
        """All that is for computing."""
        return sum(n_bytes for _, n_bytes in self.compute)


def read_buffers(lines: Iterable[str]) -> Buffers:
    """Sum up the buffers of the last load that the log tells of."""
    weights = mapped = kv = 0
    compute: dict[str, int] = {}
    for line in lines:
        if _BEGINNING in line:
            weights, mapped, kv, compute = 0, 0, 0, {}
        elif match := _KV_SIZE.search(line):
            kv += mebibytes(match[1])
        elif match := _BUFFER.search(line):
            if match[2] == "model":
                weights += mebibytes(match[3])
                mapped += mebibytes(match[3]) if match[1].endswith("_Mapped") else 0
            elif match[2] != "KV":
                compute[match[1]] = compute.get(match[1], 0) + mebibytes(match[3])
    return Buffers(weights, kv, tuple(compute.items()), mapped)


def mebibytes(number: str) -> int:
    """Turn the log's MiB into bytes."""
    return round(float(number) * (1 << 20))
