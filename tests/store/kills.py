"""Kills writers (writer.py) and says what of their chats was lost. For the tests and scripts/stress."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from r1chat.core.transcript import INTERRUPTED, UNFINISHED, Turn
from r1chat.store import database
from r1chat.store.store import open_store

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = 1.0  # seconds of text that may be lost
Said = list[tuple[float, str, str]]


def kill_some(file: Path, names: Sequence[str], rng: random.Random, longest: float) -> dict[str, Said]:
    """Start writers that share a file, kill each at a moment of its own; give what each had said until then."""
    command = [sys.executable, "-m", "tests.store.writer", str(file)]
    writers = {name: subprocess.Popen([*command, name], cwd=ROOT, stdout=subprocess.PIPE) for name in names}
    heads = {name: writer.stdout.readline() for name, writer in writers.items() if writer.stdout}  # all have begun
    moments = sorted((rng.uniform(0.0, longest), name) for name in names)
    begun = time.monotonic()
    said = {}
    for moment, name in moments:
        time.sleep(max(0.0, begun + moment - time.monotonic()))
        writers[name].kill()
        rest, _ = writers[name].communicate()
        said[name] = [tuple(json.loads(line)) for line in (heads[name] + rest).splitlines()]
    return said


def problem(file: Path, said: dict[str, Said]) -> str:
    """Say what is wrong with what was kept of killed chats; nothing if each lost the last second at most."""
    with open_store(file) as store:
        kept = {
            store.read(one.key).turns[0].question.partition(":")[0]: store.read(one.key) for one in store.sessions()
        }
    with database.opened(file) as found:
        if found.connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            return "the file is damaged"
    for name, events in said.items():
        last = events[-1][0]
        must = [event for event in events if event[0] <= last - ALLOWED]
        if name not in kept:
            if must:
                return f"{name}: nothing of it is there"
            continue
        if trouble := compare(kept[name].turns, turns_of(events), turns_of(must)):
            return f"{name}: {trouble}"
    return ""


def turns_of(events: Said) -> list[list[str]]:
    """Join what was said: of each turn the thinking, the answer, and whether it ended."""
    turns: list[list[str]] = []
    for _, kind, text in events:
        match kind:
            case "started":
                turns.append(["", "", ""])
            case "reasoning":
                turns[-1][0] += text
            case "answer":
                turns[-1][1] += text
            case "finished":
                turns[-1][2] = "ended"
    return turns


def compare(kept: Sequence[Turn], said: list[list[str]], must: list[list[str]]) -> str:
    """Say what is wrong with kept turns, given what was said in all and what of it must be there."""
    for number, (thinking, answer, ended) in enumerate(must):
        if number >= len(kept):
            return f"turn {number} is not there"
        turn = kept[number]
        if not (turn.reasoning.startswith(thinking) and turn.answer.startswith(answer)):
            return f"turn {number} lacks text that was said more than {ALLOWED:g} s before the end"
        if ended and turn.reason == INTERRUPTED:
            return f"turn {number} had ended, but is kept as {turn.reason}"
    for number, turn in enumerate(kept):
        thinking, answer, _ = said[number] if number < len(said) else ("", "", "")
        if not (thinking.startswith(turn.reasoning) and answer.startswith(turn.answer)):
            return f"turn {number} has text that was never said"
        if turn.reason == UNFINISHED:
            return f"turn {number} has no end"
    return ""
