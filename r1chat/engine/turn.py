"""One request under way in a child process: its events, and the controls that go to it. Knows no process.

Events and controls meet in one queue, so that a control may be left there in a signal handler.
"""

import os
import queue
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

from r1chat.core.events import Answer, Event, Finished, Progress, Reason, Reasoning, Usage
from r1chat.engine import wire
from r1chat.engine.base import Cancel, Control, EngineInfo

HEED = 0.3  # seconds a child has to heed a cancel after the user has asked a second time
# A blocked wait can't be interrupted by Ctrl-C on Windows; everywhere else it can.
POLL = 0.2 if os.name == "nt" else None


class Child(Protocol):
    """The child process as a turn uses it."""

    info: EngineInfo | None

    def send(self, message: Any) -> None:
        """Leave a message for it."""

    def forget(self, id: int) -> None:
        """Send no more events of a request."""

    def kill(self) -> None:
        """End it at once."""


class WorkerTurn:
    """One request under way in a child. Events and the user's controls meet in one queue, read by the iterator.

    `control` may be called in a signal handler: it only puts into a queue that is made for that. The iterating thread
    forwards it, so that no lock is ever taken twice.
    """

    def __init__(self, id: int, child: Child) -> None:
        self.id = id
        self._child = child
        self._queue: queue.SimpleQueue[Event | Control] = queue.SimpleQueue()
        self._n_cancels = 0
        self._usage = Usage()  # as far as the events told it, for an end that the child could not count

    def control(self, control: Control) -> None:
        """Interfere, from any thread or from a signal handler."""
        self._queue.put(control)

    def put(self, event: Event) -> None:
        """Hand over an event; called by the child's reader."""
        self._queue.put(event)

    def __iter__(self) -> Iterator[Event]:
        """Give the events; ends in Finished. Dropping the iterator cancels the turn."""
        finished = False
        try:
            while not finished:
                item = self._next()
                if isinstance(item, Control):
                    if (event := self._forward(item)) is None:
                        continue
                    item = event
                self._count(item)
                if isinstance(item, Finished):
                    finished = True
                    item = replace(item, usage=self._usage) if item.usage == Usage() else item
                yield item
        finally:
            if not finished:
                self._child.send(wire.Interfere(self.id, Cancel()))
            self._child.forget(self.id)

    def _next(self) -> Event | Control:
        """Wait for the next event or control. After a second cancel the child has a moment to heed the first."""
        patience = HEED if self._n_cancels > 1 else POLL
        while True:
            try:
                return self._queue.get(timeout=patience)
            except queue.Empty:
                if self._n_cancels > 1:
                    self._child.kill()
                    return Finished(Reason.CANCELLED)

    def _forward(self, control: Control) -> Event | None:
        """Send a control on. A cancel before the model is there ends the turn at once, and so does a third one."""
        if isinstance(control, Cancel):
            self._n_cancels += 1
            if self._n_cancels > 2:
                self._child.kill()
                return Finished(Reason.CANCELLED)
            if self._n_cancels == 2:
                return None
        self._child.send(wire.Interfere(self.id, control))
        return Finished(Reason.CANCELLED) if isinstance(control, Cancel) and self._child.info is None else None

    def _count(self, event: Event) -> None:
        usage = self._usage
        match event:
            case Progress("prefill", _, n_prompt):
                self._usage = replace(usage, prompt_tokens=n_prompt)
            case Reasoning():
                self._usage = replace(usage, reasoning_tokens=usage.reasoning_tokens + event.n_tokens)
            case Answer():
                self._usage = replace(usage, answer_tokens=usage.answer_tokens + event.n_tokens)
