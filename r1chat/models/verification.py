"""Are the bytes on the disk those that the Hub published? Hashes the files of a model again. No network, no repair.

What a file should hash to: the name of its blob (the sha256 of LFS, or git's own hash of small files), what
huggingface_hub or Ollama noted, or what the catalogue knows. Nothing is guessed: a file that nothing is known of is
told as such.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from r1chat.models.local import LocalModel

PIECE_BYTES: Final = 2 * 2**20  # large enough that hashing is all the work, small enough that Ctrl-C is at once
_GIT: Final = re.compile(r"[0-9a-f]{40}")

State = Literal["good", "bad", "unknown", "unreadable"]


@dataclass(frozen=True, slots=True)
class Checked:
    """One file's verdict. `expected` is empty when nothing is known; `found` is the hash, or why it can't be read."""

    path: str
    file: Path
    n_bytes: int
    state: State
    expected: str
    found: str

    @property
    def ok(self) -> bool:
        """Whether there is nothing to complain about."""
        return self.state in ("good", "unknown")


def verify(
    model: LocalModel,
    known: Callable[[str], str | None] = lambda path: None,
    on_bytes: Callable[[int], object] = lambda n_bytes: None,
) -> Iterator[Checked]:
    """Hash a model's files, one after the other. `known` tells the sha256 of a path if nothing on the disk does.

    `on_bytes` hears how many bytes more are done.
    """
    for member, file in zip(model.variant.files, model.paths, strict=True):
        expected = member.sha256 or _git_name(file) or known(member.path) or ""
        if not expected:
            on_bytes(member.n_bytes)
            yield Checked(member.path, file, member.n_bytes, "unknown", "", "")
            continue
        try:
            found = _hash(file, git=len(expected) == 40, on_bytes=on_bytes)
        except OSError as error:
            yield Checked(member.path, file, member.n_bytes, "unreadable", expected, error.strerror or str(error))
        else:
            yield Checked(member.path, file, member.n_bytes, "good" if found == expected else "bad", expected, found)


def _git_name(file: Path) -> str | None:
    """Read git's hash off the name of the blob that a link leads to."""
    try:
        name = file.readlink().name
    except (OSError, ValueError):
        return None
    return name if _GIT.fullmatch(name) else None


def _hash(file: Path, *, git: bool, on_bytes: Callable[[int], object]) -> str:
    with file.open("rb", buffering=0) as stream:
        # sha1 is git's name for content here, no protection.
        digest = hashlib.sha1(usedforsecurity=False) if git else hashlib.sha256()
        if git:
            digest.update(b"blob %d\0" % os.fstat(stream.fileno()).st_size)
        buffer = bytearray(PIECE_BYTES)
        view = memoryview(buffer)
        while n_bytes := stream.readinto(buffer):
            digest.update(view[:n_bytes])
            on_bytes(n_bytes)
    return digest.hexdigest()
