"""Memory of the parent and of the engine's child, in one shot, in the REPL, and against what the model itself needs.

Linux only: reads /proc.
"""

import re
import subprocess
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import psutil

from benches import engine, program
from benches.report import table
from r1chat.engine import worker

MIB = 2**20
N_TOKENS = 48
INTERVAL = 0.02  # seconds between two looks
QUIET = 2.0  # seconds without work after which a turn is over
# The native log's lines on buffers: "CPU_Mapped model buffer size = 1059.89 MiB", "CPU KV buffer size = …", and so on.
BUFFER = re.compile(r"(\w+)\s+(model|KV|compute|output) buffer size\s*=\s*([\d.]+) MiB")


def run(options: Namespace) -> None:
    """Measure and print."""
    model = str(options.model)
    engine.verdict()
    one_shot, repl = in_one_shot(model), in_repl(model)
    rows = [
        ("parent, one shot", f"{one_shot.parent / MIB:.1f}", "≤ 70"),
        ("parent, REPL", f"{repl.parent / MIB:.1f}", "≤ 70"),
        ("child, one shot", f"{one_shot.child / MIB:,.1f}", ""),
        ("child, REPL", f"{repl.child / MIB:,.1f}", ""),
    ]
    table(f"Resident memory at its peak, {options.model.name}, in MiB", ("process", "MiB", "target"), rows)
    against_the_log(options)


def in_one_shot(model: str) -> program.Peak:
    """Ask once in a pipe, looking at the memory all the while."""
    peak = program.Peak()
    command = [*program.r1chat(), "run", model, "Hi", "--max-tokens", str(N_TOKENS), "--seed", "1"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ours:
        while ours.poll() is None:
            peak.sample(ours.pid)
            time.sleep(INTERVAL)
    return peak


def in_repl(model: str) -> program.Peak:
    """Ask once in the REPL, and look until its child has nothing to do any more."""
    peak = program.Peak()
    command = [*program.r1chat(), "run", model, "--max-tokens", str(N_TOKENS), "--seed", "1"]
    with program.terminal(command) as found:
        found.until(watched(found, peak, lambda output: program.PROMPT in output))
        found.until(watched(found, peak, idle(found.pid)))
        found.type(b"Hi\r")
        found.until(watched(found, peak, idle(found.pid)))
    return peak


def idle(pid: int) -> Callable[[bytes], bool]:
    """Tell whether a process's child has used no processor time for a while."""
    last, since = -1.0, time.perf_counter()

    def is_idle(output: bytes) -> bool:
        nonlocal last, since
        used = sum(sum(child.cpu_times()[:2]) for child in psutil.Process(pid).children())
        if used - last > 0.011:  # the kernel counts in hundredths; waking up now and then is no work
            last, since = used, time.perf_counter()
        return time.perf_counter() - since > QUIET

    return is_idle


def watched(found: program.Terminal, peak: program.Peak, done: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
    """Look at the memory whenever the terminal asks whether it is done."""

    def look(output: bytes) -> bool:
        peak.sample(found.pid)
        return done(output)

    return look


def against_the_log(options: Namespace) -> None:
    """Compare the child after an answer with the buffers that the native log lists."""
    worker.LOG_LINES = 100_000  # a model whose weights are repacked fills the usual ring with a line per tensor
    with engine.launched(str(options.model)) as found:
        engine.finish(found, engine.question(engine.text_of(found, 600, seed=1), max_tokens=N_TOKENS))
        (child,) = psutil.Process().children()
        numbers = program.status(child.pid)
        mapped = resident_of(child.pid, options.model)
        log = found.engine.log()
    buffers = [(name, kind, float(size)) for line in log for name, kind, size in BUFFER.findall(line)]
    listed = sum(size for _, _, size in buffers)
    not_weights = sum(size for name, _, size in buffers if not name.endswith("_Mapped"))
    rss = numbers["VmRSS"] / MIB
    rows = [
        *((f"log: {name} {kind} buffer", f"{size:,.1f}", "") for name, kind, size in buffers),
        ("RSS", f"{rss:,.1f}", ""),
        ("  of it anonymous", f"{numbers['RssAnon'] / MIB:,.1f}", ""),
        ("  of it files", f"{numbers['RssFile'] / MIB:,.1f}", ""),
        ("RSS less all buffers of the log", f"{rss - listed:,.1f}", "≤ 150"),
        ("  the same without the mapped file on either side", f"{rss - mapped / MIB - not_weights:,.1f}", "≤ 150"),
    ]
    table("The child after a prompt of 600 tokens and an answer, in MiB", ("", "MiB", "target"), rows)


def resident_of(pid: int, file: Path) -> int:
    """Add up how much of a mapped file is resident in a process, in bytes."""
    inside, total = False, 0
    for line in Path(f"/proc/{pid}/smaps").read_text("utf-8", "replace").splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            inside = line.endswith(str(file.resolve()))
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total
