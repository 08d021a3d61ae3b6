"""Kills downloads at random moments. Knows the program from outside, and the state on disk by partial.py's words."""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from r1chat.models.partial import SUFFIX, Span, find_partial, find_partials, spans_of
from tests.hub import Bytes, Hub

ROOT = Path(__file__).resolve().parents[2]
MIB = 2**20
ALLOWED = 8 * MIB  # of what was recorded, that a pull may ask for again
REPOSITORY = "stress/model-GGUF"
RATE = 6e6  # bytes a second and connection, so that a kill falls into the middle
PATIENCE = 60.0


def run(options: argparse.Namespace) -> int:
    """Kill, print the tally, and give the number of losses."""
    rng = random.Random(options.seed)
    n_left, n_lost, n_rounds, again, forgotten = options.kills, 0, 0, 0, 0
    while n_left > 0:
        split = n_rounds % 2 == 1
        with tempfile.TemporaryDirectory(prefix="r1chat-stress-") as folder, Hub(rate=RATE) as hub:
            victim = Victim(hub, Path(folder), split=split, rng=rng)
            for _ in range(min(n_left, 6)):
                victim.kill()
                n_left -= 1
            problem = victim.finish()
        n_rounds += 1
        again, forgotten = max(again, victim.most_again), max(forgotten, victim.most_forgotten)
        if problem:
            n_lost += 1
            print(f"LOST: {problem}", flush=True)
    print(f"{options.kills} kills over {n_rounds} downloads, {n_lost} losses")
    print(
        f"asked for again of what was recorded: at most {again:,} bytes; sent but not recorded: at most {forgotten:,}"
    )
    return n_lost


class Victim:
    """One download, of a file or of three, that is killed again and again."""

    def __init__(self, hub: Hub, cache: Path, *, split: bool, rng: random.Random) -> None:
        names = [f"m-Q4_K_M-{n + 1:05d}-of-00003.gguf" for n in range(3)] if split else ["m-Q4_K_M.gguf"]
        self._files = {name: Bytes(b"GGUF" + rng.randbytes(24 * MIB // len(names))) for name in names}
        hub.put(REPOSITORY, self._files)
        self._hub, self._cache, self._rng = hub, cache, rng
        self.most_again = self.most_forgotten = 0

    def kill(self) -> None:
        """Begin or go on, kill it a moment after its first range, and count what it asked for."""
        recorded, since, n_before = self._recorded(), len(self._hub.seen), self._n_here()
        process = subprocess.Popen(self._command(), cwd=ROOT, env=self._environ(), stderr=subprocess.DEVNULL)
        begun = time.monotonic()
        while not self._hub.n_asked(since) and process.poll() is None and time.monotonic() - begun < PATIENCE:
            time.sleep(0.002)
        time.sleep(self._rng.uniform(0.0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        self._count(recorded, since)
        n_sent = sum(seen.n_sent for seen in self._hub.seen[since:] if seen.range)
        self.most_forgotten = max(self.most_forgotten, n_sent - (self._n_here() - n_before))

    def finish(self) -> str:
        """Let the last pull end; say what is wrong, if anything is."""
        self._hub.rate = 0
        recorded, since, n_here = self._recorded(), len(self._hub.seen), self._n_here()
        done = subprocess.run(
            self._command(), cwd=ROOT, env=self._environ(), capture_output=True, timeout=300, check=False
        )
        self._count(recorded, since)
        total = sum(content.n_bytes for content in self._files.values())
        found = {path.name: path for path in self._cache.glob("models--*/snapshots/*/*")}
        if done.returncode:
            return f"the last pull ended with {done.returncode}: {done.stderr[-300:]!r}"
        if any(found[name].read_bytes() != content.data for name, content in self._files.items()):
            return "a file is not what it should be"
        if self.most_again > ALLOWED:
            return f"{self.most_again:,} recorded bytes were asked for again"
        if self._hub.n_asked(since) != total - n_here:
            return f"{self._hub.n_asked(since):,} bytes were asked for where {total - n_here:,} were missing"
        left = [path.name for path in self._cache.rglob("*") if SUFFIX in path.name or path.suffix == ".incomplete"]
        return f"orphans: {left}" if left or find_partials(self._cache) else ""

    def _count(self, recorded: dict[str, tuple[Span, ...]], since: int) -> None:
        again = 0
        for seen in self._hub.seen[since:]:
            for name, spans in recorded.items():
                if seen.range and self._files[name].sha256 in seen.path:
                    again += sum(max(0, min(seen.range[1], b) - max(seen.range[0], a)) for a, b in spans)
        self.most_again = max(self.most_again, again)

    def _recorded(self) -> dict[str, tuple[Span, ...]]:
        return {
            name: ((0, content.n_bytes),) if self._blob(content).exists() else spans_of(self._blob(content))
            for name, content in self._files.items()
        }

    def _n_here(self) -> int:
        blobs = [(self._blob(content), content.n_bytes) for content in self._files.values()]
        return sum(n_bytes if blob.exists() else find_partial(blob) for blob, n_bytes in blobs)

    def _blob(self, content: Bytes) -> Path:
        return self._cache / f"models--{REPOSITORY.replace('/', '--')}" / "blobs" / content.sha256

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "r1chat", "pull", REPOSITORY, "--quiet"]

    def _environ(self) -> dict[str, str]:
        return {**os.environ, "HF_ENDPOINT": self._hub.endpoint, "HF_HUB_CACHE": str(self._cache)}
