"""A download against `hf download` and curl, from a Hub on loopback: throughput, CPU, memory, and what a kill costs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches.program import r1chat
from benches.report import Samples, compared, table

ROOT = Path(__file__).resolve().parents[2]
LATENCY, RATE = 0.02, 20e6  # seconds before each answer; bytes a second and connection
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of a program: wall-clock and CPU seconds, and the most memory it had."""

    seconds: float
    cpu: float
    peak: int


def run(options: Namespace) -> None:
    """Measure and print."""
    n_bytes = int(options.gib * GIB)
    with tempfile.TemporaryDirectory(prefix="r1chat-bench-pull-", dir=options.folder) as folder:
        for title, arguments, rounds in (
            ("full speed", [], options.rounds),
            (f"{LATENCY * 1e3:g} ms, {RATE / 1e6:g} MB/s a connection", [LATENCY, RATE], 1),
        ):
            with hub(n_bytes, *arguments) as found:
                compare(title, n_bytes, found, Path(folder), rounds)
        with hub(n_bytes) as found:
            after_kill(n_bytes, found, Path(folder))


@contextmanager
def hub(n_bytes: int, latency: float = 0.0, rate: float = 0.0) -> Iterator[dict[str, Any]]:
    """Serve a generated file from a process of its own."""
    command = [sys.executable, "-m", "tests.hub", "--n-bytes", str(n_bytes)]
    command += ["--latency", str(latency), "--rate", str(rate)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield {**json.loads(process.stdout.readline()), "process": process}
        process.stdin.close()


def compare(title: str, n_bytes: int, found: dict[str, Any], folder: Path, rounds: int) -> None:
    """Fetch the file with each program in turn, `rounds` times."""
    name, repository = found["files"][0], found["repository"]
    url = f"{found['endpoint']}/{repository}/resolve/main/{name}"
    hf = Path(sys.executable).with_name("hf")
    commands = {
        "r1chat pull": [*r1chat(), "pull", f"hf://{repository}/{name}", "--quiet"],
        "hf download": [str(hf), "download", repository, name, "--quiet"],
        "curl": ["curl", "--silent", "--location", "--output", str(folder / "cache" / "file"), url],
    }
    environ = {"HF_ENDPOINT": found["endpoint"], "HF_HUB_CACHE": str(folder / "cache"), "HF_HUB_DISABLE_XET": "1"}
    compared(*commands.values())
    runs: dict[str, list[Ran]] = {program: [] for program in commands}
    for _ in range(rounds):
        for program, command in commands.items():
            shutil.rmtree(folder / "cache", ignore_errors=True)
            (folder / "cache").mkdir()
            os.sync()  # what the one before has left unwritten is not this one's to wait for
            runs[program].append(timed(command, environ))
    rows = []
    theirs = Samples(tuple(n_bytes / one.seconds for one in runs["hf download"])).median
    for program, ran in runs.items():
        speeds = Samples(tuple(n_bytes / one.seconds for one in ran))
        cpu = Samples(tuple(one.cpu for one in ran))
        peak = max(one.peak for one in ran) / 1e6
        rows.append((program, speeds.show(0, 1e-6), f"{speeds.median / theirs:.2f}", cpu.show(1), f"{peak:.0f}"))
    headings = ("program", "MB/s", "of hf", "CPU s", "peak MB")
    table(f"{n_bytes / GIB:g} GiB at {title}: median (range)", headings, rows)


def timed(command: list[str], environ: dict[str, str]) -> Ran:
    """Run a command to its end."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environ}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    scale = 1 if sys.platform == "darwin" else 1024
    return Ran(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale)


def after_kill(n_bytes: int, found: dict[str, Any], folder: Path) -> None:
    """Kill a pull at the half, and print what the next one asks for again."""
    cache = folder / "killed"
    name = found["files"][0]
    command = [*r1chat(), "pull", f"hf://{found['repository']}/{name}", "--quiet"]
    environ = {**os.environ, "HF_ENDPOINT": found["endpoint"], "HF_HUB_CACHE": str(cache)}
    victim = subprocess.Popen(command, cwd=ROOT, env=environ)
    while victim.poll() is None and recorded(cache) < n_bytes / 2:
        time.sleep(0.005)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    n_recorded = recorded(cache)
    n_sent = sum(sent for _, _, sent in ranges(found))
    subprocess.run(command, cwd=ROOT, env=environ, check=True)
    n_asked = sum(end - start for start, end, _ in ranges(found))
    rows = [
        ("sent before the kill", f"{n_sent:,}"),
        ("recorded", f"{n_recorded:,}"),
        ("asked for by the next pull", f"{n_asked:,}"),
        ("of that recorded already", f"{n_asked + n_recorded - n_bytes:,}"),
        ("of that sent already (in the sockets, too)", f"{n_asked + n_sent - n_bytes:,}"),
    ]
    table("A kill at the half", ("bytes", ""), rows)


def recorded(cache: Path) -> int:
    """Tell how much is recorded in a cache."""
    from r1chat.models.partial import find_partials

    return sum(partial.n_done for partial in find_partials(cache) if partial.path)


def ranges(found: dict[str, Any]) -> list[tuple[int, int, int]]:
    """Ask the hub for the ranges since the last time, each with the bytes it sent."""
    process = found["process"]
    process.stdin.write("ranges\n")
    process.stdin.flush()
    return [(int(start), int(end), int(sent)) for start, end, sent in json.loads(process.stdout.readline())]
