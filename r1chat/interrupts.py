"""What Ctrl-C does while there is something to lose. Knows a chat; knows no terminal.

While one question is answered the first one ends the answer, the second the engine: the handler only leaves a note in a
queue that the turn's iterator reads, so that it can't meet a lock its own thread holds. While a download runs it raises
KeyboardInterrupt, so that what has come is kept. At any other time it ends the program at once (__main__).
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

from r1chat.chat import Chat
from r1chat.engine.base import Cancel
from r1chat.errors import ExitCode

PATIENCE = 3  # the interrupt at which we leave without waiting for anything


class Interrupts:
    """Takes Ctrl-C over for the time of a `with` block, in the main thread."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._n = 0
        self._before: Any = None

    def __enter__(self) -> "Interrupts":
        self._before = signal.signal(signal.SIGINT, self._on_interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        self._n += 1
        if self._n >= PATIENCE or not self._chat.busy:
            os._exit(ExitCode.INTERRUPTED)
        self._chat.control(Cancel())


@contextlib.contextmanager
def raising() -> Iterator[None]:
    """Let the first Ctrl-C in a `with` block raise KeyboardInterrupt; a second one does what it did before.

    Anywhere but in the main thread it changes nothing: only that one is ever interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
