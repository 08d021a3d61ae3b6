"""The messages of earlier sessions, in a file that only its owner can read. Knows no prompt and no turn.

The file's form is prompt_toolkit's. A full disk or a folder that can't be written stops nothing; a message longer than
LONGEST is kept for the session only; a file longer than MOST loses its older half at the start of a session.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from r1chat.terminal.pastes import Pastes

LONGEST = 100_000  # characters of one message
MOST = 4_000_000  # bytes of the file


class PrivateHistory(FileHistory):
    """A history whose long messages are folded while they are in the prompt, and whole in the file."""

    def __init__(self, path: Path, pastes: Pastes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
        path.chmod(0o600)
        _shorten(path)
        self._pastes = pastes
        super().__init__(str(path))

    def load_history_strings(self) -> Iterable[str]:
        """Give the messages, the last first."""
        with suppress(OSError):
            for string in super().load_history_strings():
                yield self._pastes.fold(string)

    def store_string(self, string: str) -> None:
        """Append a message to the file."""
        whole = self._pastes.expand(string)
        if len(whole) <= LONGEST:
            with suppress(OSError):
                super().store_string(whole)


def open_history(path: Path | None, pastes: Pastes) -> History:
    """Open the file, or keep the messages in memory where there can't be one."""
    if path is not None:
        with suppress(OSError):
            return PrivateHistory(path, pastes)
    return InMemoryHistory()


def _shorten(path: Path) -> None:
    """Leave the newer half of a file that has grown too long. It begins at a message."""
    if path.stat().st_size <= MOST:
        return
    data = path.read_bytes()
    start = data.find(b"\n# ", len(data) - MOST // 2)
    path.write_bytes(data[start:] if start >= 0 else b"")
