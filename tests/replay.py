"""A program for tests in a real terminal: replays an answer, and waits at each cut for SIGUSR1.

    python -m tests.replay sink|repl ANSWER N_PARTS

The clock stands still, so that between two parts nothing is drawn but what the terminal makes necessary.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator

from r1chat.core.events import Answer, Event, Finished, Reason, Reasoning, Started, Usage
from r1chat.core.messages import Message, Role
from r1chat.terminal.input import ReplTerminal
from r1chat.terminal.live import Live
from r1chat.terminal.outbox import Entry
from r1chat.terminal.paint import TerminalSink
from r1chat.terminal.screen import Screen
from tests.answers import ALL, Spoken

PIECE = 4  # characters of one token


def parts(spoken: Spoken, n_parts: int) -> Iterator[list[Event]]:
    """A turn in parts of about the same length; the last one is only its end."""
    events: list[Event] = [Reasoning(piece, 1) for piece in pieces(spoken.thinking)]
    events += [Answer(piece, 1) for piece in pieces(spoken.answer)]
    size = -(-len(events) // n_parts)
    events.insert(0, Started(1, Message(Role.USER, "question")))
    for start in range(0, len(events), size):
        yield events[start : start + size]
    yield [Finished(Reason.STOP, Usage(1, 0, 0, 1))]


def pieces(text: str) -> Iterator[str]:
    """Cut a text into tokens."""
    return (text[start : start + PIECE] for start in range(0, len(text), PIECE))


def main() -> None:
    """Replay."""
    form, name, n_parts = sys.argv[1:]
    spoken = next(spoken for spoken in ALL if spoken.name == name)
    screen = Screen.detect(os.environ, sys.stdin, sys.stdout, sys.stderr)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    live = Live(screen, session=True, clock=lambda: 0.0)
    if form == "sink":
        with TerminalSink(sys.stdout, screen, live, clock=lambda: 0.0) as sink:
            for part in parts(spoken, int(n_parts)):
                for event in part:
                    sink.handle(event)
                sink.draw()
                signal.sigwait({signal.SIGUSR1})
        return

    def work() -> None:
        for part in parts(spoken, int(n_parts)):
            for event in part:
                terminal.sink.handle(event)
            signal.sigwait({signal.SIGUSR1})
        terminal.exit()

    def answer(entry: Entry) -> None:
        terminal.busy = True
        threading.Thread(target=work, daemon=True).start()

    terminal = ReplTerminal(
        screen,
        live,
        on_submit=answer,
        on_interrupt=lambda: None,
        bar=lambda: ["a bar", "with parts", "of which some fit"],
    )
    terminal.run()


if __name__ == "__main__":
    main()
