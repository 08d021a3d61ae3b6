"""llama-server with the same conversation: what it computes between a question and the first token, turn by turn.

It is asked by /completion with R1's template written out, as its chat would send it: the thinking left out of the
history. Its cache keeps what was generated, thinking included, so the prompt is shared only up to the thinking.
"""

import json
import socket
import subprocess
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from benches.report import table
from r1chat.core.messages import Message, Role
from r1chat.core.prompt import Special, render

PATIENCE = 120.0  # seconds until it has loaded
THOUGHT_SHARE = 1 / 4  # of what random weights write; it stands for the thinking


def compare(options: Namespace, n_ctx: int, n_generated: int) -> None:
    """Hold the conversation with llama-server, and print what it says it has computed."""
    rows, messages = [], []
    with serving(options, n_ctx) as address:
        for number in range(1, options.turns + 1):
            text = f"Question {number}: what else is there to say about the number {number * 7919}?"
            messages.append(Message(Role.USER, text))
            answer = ask(address, spelled(messages), n_generated)
            timings = answer["timings"]
            cells = (timings["cache_n"] + timings["prompt_n"], timings["prompt_n"])
            rows.append((str(number), *(f"{n:,}" for n in cells), f"{timings['prompt_ms']:,.0f}"))
            said = answer["content"]
            messages.append(Message(Role.ASSISTANT, said[int(len(said) * THOUGHT_SHARE) :]))
            time.sleep(options.pause)
    table("llama-server, the same conversation", ("turn", "prompt", "computed", "ms"), rows[1:])


def spelled(messages: list[Message]) -> str:
    """Write a conversation with its special tokens spelled out, which /completion reads as such."""
    return "".join(part.name if isinstance(part, Special) else part.text for part in render(messages))


def ask(address: str, prompt: str, n_generated: int) -> dict[str, Any]:
    """Have a prompt continued."""
    fields = {"prompt": prompt, "n_predict": n_generated, "cache_prompt": True, "ignore_eos": True, "seed": 1}
    body = json.dumps(fields).encode()
    request = Request(f"{address}/completion", body, {"Content-Type": "application/json"})
    with urlopen(request) as response:
        found: dict[str, Any] = json.load(response)
    return found


@contextmanager
def serving(options: Namespace, n_ctx: int) -> Iterator[str]:
    """Run llama-server on a free port; give its address once the model is loaded. Raises TimeoutError."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [options.llama_bin / "llama-server", "-m", options.model, "-c", n_ctx, "--port", port, "-np", 1]
    with subprocess.Popen([*map(str, argv)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            address = f"http://127.0.0.1:{port}"
            wait(address)
            yield address
        finally:
            server.terminate()


def wait(address: str) -> None:
    """Wait until the model is loaded."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            with urlopen(f"{address}/health"):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise TimeoutError(f"llama-server was not ready within {PATIENCE:g} s.")
