"""Kills chats at random moments, and compares what they had said with what is kept. Knows the program from outside."""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benches import engine
from r1chat.core.transcript import INTERRUPTED, Session, Transcript
from r1chat.store import database, writing
from r1chat.store.store import open_store
from tests.store.kills import ALLOWED, Said, compare, turns_of

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 2  # chats; more only wait for the processor
PACE = "20"  # tokens a second: an answer of the demo then takes some three seconds
LONGEST = 3.5  # seconds from the first event to the kill


def run(options: argparse.Namespace) -> int:
    """Kill, print the tally, and give the number of losses."""
    rng = random.Random(options.seed)
    engine.verdict()
    check = (Path(os.environ["R1CHAT_HOME"]) / "selfcheck.json").read_bytes()
    moments = [rng.uniform(0.0, LONGEST) for _ in range(options.kills)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda pair: kill(pair[0], pair[1], check), enumerate(moments)))
    problems = [problem for problem, _, _ in results if problem]
    for problem in problems:
        print(f"LOST: {problem}")
    cut = [lost for _, lost, reason in results if reason == INTERRUPTED]
    print(f"{options.kills} chats killed, {len(cut)} in the middle of an answer, {len(problems)} losses")
    print(f"characters said but not kept: {max(cut, default=0)} at most, {sum(cut) / max(1, len(cut)):.1f} on average")
    return len(problems)


def kill(number: int, moment: float, check: bytes) -> tuple[str, int, str]:
    """Kill one chat; give what is wrong, the characters that were lost, and how its turn is kept."""
    with tempfile.TemporaryDirectory(prefix="r1chat-stress-") as home:
        (Path(home) / "selfcheck.json").write_bytes(check)
        file = Path(home) / "sessions.db"
        with database.opened(file) as found, database.transaction(found.connection):
            writing.add_transcript(found.connection, Transcript(Session("", "to be killed", "demo"), ()))
        said = speak(home, f"What is {12 + number % 80} + 34?", moment)
        must = [event for event in said if event[0] <= said[-1][0] - ALLOWED]
        with open_store(file) as store:
            kept = store.read(store.last().key).turns
        problem = compare(kept, turns_of(said), turns_of(must))
        n_said = sum(len(text) for _, _, text in said)
        n_kept = sum(len(turn.reasoning + turn.answer) for turn in kept)
        return problem and f"chat {number}: {problem}", n_said - n_kept, kept[-1].reason if kept else INTERRUPTED


def speak(home: str, question: str, moment: float) -> Said:
    """Let r1chat answer in a session, kill it `moment` seconds after its first event; give what it said, and when."""
    command = [sys.executable, "-m", "r1chat", "run", "-c", "demo", question, "--jsonl", "--pace", PACE]
    environ = {**os.environ, "R1CHAT_HOME": home}
    said: Said = []
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        deadline = float("inf")
        os.set_blocking(process.stdout.fileno(), False)
        held = b""
        while process.poll() is None and time.monotonic() < deadline:
            held += process.stdout.read1(65536) or b""
            *lines, held = held.split(b"\n")
            said += [_event(line) for line in lines]
            if said and deadline == float("inf"):
                deadline = time.monotonic() + moment
            time.sleep(0.005)
        process.kill()
        os.set_blocking(process.stdout.fileno(), True)
        *lines, _ = (held + process.stdout.read()).split(b"\n")
        return [*said, *map(_event, lines)]


def _event(line: bytes) -> tuple[float, str, str]:
    value = json.loads(line)
    return time.monotonic(), value["event"], value.get("text", "") if value["event"] in ("reasoning", "answer") else ""
