"""A model's headers in files of the model's own size: all that the engine's library needs to load it dry.

In the place of the weights the files have holes, which take no room. Knows no Hub and no engine.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

_PROBE_BYTES: Final = 64 << 20


class Recorder:
    """A stream that keeps what was read of its beginning, and knows its size once somebody has sought its end."""

    def __init__(self, stream: BinaryIO) -> None:
        self.data = b""
        self.n_bytes = 0
        self._stream = stream
        self._position = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position."""
        self._position = self._stream.seek(offset, whence)
        self.n_bytes = max(self.n_bytes, self._position)
        return self._position

    def read(self, n_bytes: int) -> bytes:
        """Read on, and keep it where it continues what was kept."""
        piece = self._stream.read(n_bytes)
        if self._position == len(self.data):
            self.data += piece
        self._position += len(piece)
        return piece


@contextlib.contextmanager
def hollow(parts: Sequence[Recorder], folder: Path | None = None) -> Iterator[Path | None]:
    """Write the files of a model, one for each part in order, and remove them at the end; gives the one to load.

    None where the file system can't make holes or has no room for them.
    """
    with contextlib.ExitStack() as stack:
        try:
            room = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="r1chat-", dir=folder)))
            made = _written(room, parts) if _has_holes(room, sum(part.n_bytes for part in parts)) else None
        except OSError:
            made = None
        yield made


def _written(room: Path, parts: Sequence[Recorder]) -> Path:
    """Write the files under names as llama.cpp gives them to parts. Raises OSError."""
    count = len(parts)
    names = [f"model-{n:05d}-of-{count:05d}.gguf" for n in range(1, count + 1)] if count > 1 else ["model.gguf"]
    for name, part in zip(names, parts, strict=True):
        (room / name).write_bytes(part.data)
        os.truncate(room / name, max(part.n_bytes, len(part.data)))
    return room / names[0]


def _has_holes(room: Path, n_bytes: int) -> bool:
    """Try whether a file can be larger than what it takes.

    Windows does not tell what a file takes, and takes all of it at once without writing it: there must be room.
    """
    probe = room / "probe"
    probe.write_bytes(b"")
    os.truncate(probe, _PROBE_BYTES)
    taken = getattr(probe.stat(), "st_blocks", None)
    probe.unlink()
    return shutil.disk_usage(room).free > 2 * n_bytes if taken is None else taken * 512 < _PROBE_BYTES // 2
