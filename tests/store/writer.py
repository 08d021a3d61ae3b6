"""A chat that is going to be killed: keeps itself in FILE, and says every event on stdout as it happens.

    python -m tests.store.writer FILE NAME [PACE]

The model is a script; the chat, the store and its thread are the real ones. A line is the time and the event's text.
"""

import json
import os
import sys
import time
from pathlib import Path

from r1chat.chat import Chat, Options
from r1chat.core.events import Answer, Event, Finished, Reasoning, Started
from r1chat.core.memory import Plan
from r1chat.engine.scripted import ScriptedEngine
from r1chat.sessions import Keeper, Model


class Teller:
    """A Sink that says what it is given, a line at a time."""

    def handle(self, event: Event) -> None:
        """Write a line, in one piece."""
        kind = type(event).__name__.lower()
        text = event.text if isinstance(event, Reasoning | Answer) else ""
        if isinstance(event, Reasoning | Answer | Started | Finished):
            os.write(1, (json.dumps([time.monotonic(), kind, text]) + "\n").encode())

    def close(self) -> None:
        """Nothing is held back."""


def main(file: Path, name: str, pace: float) -> None:
    """Answer one question after another."""
    engine = ScriptedEngine()
    engine.load(Plan(n_ctx=4096, n_threads=1))
    keeper: Keeper | None = None
    with Chat(engine, family="r1-distill", options=Options(pace=pace), sinks=(Teller(),), ahead=False) as chat:
        keeper = Keeper(chat, lambda: Model("demo", "demo"), file, lambda notice: sys.exit(notice))
        chat.add_sink(keeper)
        for number in range(1000):
            n_words = 150 if number % 2 else 20  # a turn of seconds, and one that ends soon
            words = [f"{name}-{number}-{index} " for index in range(n_words)]
            engine.enqueue(*words, "</think>", *words)
            for _ in chat.ask(f"{name}: question {number}"):
                pass
            keeper.follow()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 200.0)
