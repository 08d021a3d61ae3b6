"""Tells whether a process failed because the memory ran out, from its log, its end and the kernel's counter. Pure.

The words are those of llama.cpp and its back ends (ggml/src, src/llama-*.cpp), of CUDA and Vulkan, and of the C and C++
libraries below them. Apple's system and Windows have no counter to ask: there a kill that nobody asked for is taken for
the system's.
"""

import re
from collections.abc import Iterable
from typing import Final

_WORDS: Final = re.compile(
    r"(?:failed|unable) to allocate|out of memory|insufficient memory|bad_alloc|cannot allocate memory"
    r"|not enough memory|MemoryError|outof(?:device|host)memory|paging file is too small|MapViewOfFile failed",
    re.IGNORECASE,
)
# Memory that the library can do without, and lengths in a broken file that nobody could hold (gguf.cpp).
_HARMLESS: Final = re.compile(r"pinned|skipping reorder|falling back|while reading", re.IGNORECASE)
KILLED: Final = "The system's out-of-memory killer ended the engine (SIGKILL)"
LIKELY_KILLED: Final = "The engine was killed (SIGKILL), most likely by the system because the memory ran out"
REFUSED: Final = "The engine could not get the memory it needed"


def shortage(death: str, log: Iterable[str], kills: tuple[int | None, int | None]) -> str:
    """Say how the memory ran out, as the beginning of a sentence; nothing when it was something else.

    `death` is the way the process ended, in the words of process.py, and `kills` how often the out-of-memory killer had
    struck before and after (None: nobody tells).
    """
    before, after = kills
    if death == "SIGKILL":
        if before is None or after is None:
            return LIKELY_KILLED
        return KILLED if after > before else ""
    if death == "out of memory" or any(_WORDS.search(line) and not _HARMLESS.search(line) for line in log):
        return REFUSED
    return ""
