"""What a build of the engine's library is: its back ends, and the instructions it was compiled for. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from r1chat.core.placement import Device

# The library's names for the features that a prompt's and a token's speed hang on, and the CPU's flags that stand for
# them in /proc/cpuinfo: ggml/src/ggml-cpu/CMakeLists.txt, and arch/x86 and arch/arm64 of the kernel.
_FLAGS: Final = {
    "AVX": "avx",
    "AVX2": "avx2",
    "FMA": "fma",
    "F16C": "f16c",
    "DOTPROD": "asimddp",
    "MATMUL_INT8": "i8mm",
}


@dataclass(frozen=True, slots=True)
class Build:
    """A build: its back ends, what it says of its features, the devices for layers, and its warnings about these."""

    backends: tuple[str, ...]
    features: str
    devices: tuple[Device, ...]
    warnings: tuple[str, ...] = ()

    @property
    def gpu_backends(self) -> tuple[str, ...]:
        """The back ends that are for GPUs of this machine."""
        return tuple(name for name in self.backends if name not in ("CPU", "BLAS", "RPC"))

    def features_of(self, backend: str) -> Mapping[str, str]:
        """Read the features of one back end out of "CPU : AVX2 = 1 | FMA = 1 | CUDA : ARCHS = 890 | "."""
        found: dict[str, str] = {}
        section = ""
        for part in self.features.split("|"):
            head, colon, rest = part.rpartition(" : ")
            section = head.strip() if colon else section
            name, _, value = (rest if colon else part).partition("=")
            if section == backend and value.strip() not in ("", "0"):
                found[name.strip()] = value.strip()
        return found

    def unused(self, processor: str) -> tuple[str, ...]:
        """Name the instructions that a CPU has by its flags, but that this build was compiled without."""
        has, built = set(re.findall(r"\w+", processor)), self.features_of("CPU")
        return tuple(name for name, flag in _FLAGS.items() if flag in has and name not in built)
