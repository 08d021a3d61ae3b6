"""Messages that wait for the end of the running turn, in the order in which they were entered. Knows no terminal."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

N_SHOWN = 3  # rows; what waits beyond them is counted


@dataclass(frozen=True, slots=True)
class Entry:
    """A message as it was entered.

    `draft` is what stood in the prompt, with long pastes folded; `text` is what it means, in which a named file is
    called by its name alone; `files` are to be attached. `literal`: it was pasted or quoted, so it is never a command.
    """

    draft: str
    text: str
    literal: bool = False
    files: tuple[Path, ...] = ()

    @property
    def commands(self) -> bool:
        """Whether it is a slash command."""
        return self.text.startswith("/") and not self.literal


class Outbox:
    """The queue of waiting messages."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def put(self, entry: Entry) -> None:
        """Let one more message wait."""
        self._entries.append(entry)

    def next(self) -> Entry | None:
        """Take the one that waits longest."""
        return self._entries.popleft() if self._entries else None

    def take_back(self) -> Entry | None:
        """Take the one that was put last."""
        return self._entries.pop() if self._entries else None

    def empty(self) -> list[Entry]:
        """Take all."""
        entries = list(self._entries)
        self._entries.clear()
        return entries
