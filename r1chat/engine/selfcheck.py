"""Proves the native library on this machine once, and remembers the verdict. Knows no catalogue and no terminal.

Some machines (virtual ones above all) advertise instructions that fault when they are used: llama.cpp's AMX path then
dies with SIGSEGV for every quantized model. So the bundled demo model is decoded once in a throw-away child with every
CPU feature on. If that child dies, models are loaded without the repacked weights that those instructions need. The
verdict holds for one CPU and one build of the library; where no proof can be made, the safe way is taken.
"""

import contextlib
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from r1chat.core.sampling import Sampling
from r1chat.engine import process
from r1chat.engine.llama import AbortFlag, Context, Model, Sampler, library_files, library_version, silence_crashes

TIMEOUT = 60.0  # seconds; the proof takes well under one
N_PROMPT = 48  # tokens in one batch: more than the 32 rows of an AMX tile pair, so that the batched kernels run too


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether weights may be repacked for special instructions, and what to tell the user (once; else empty)."""

    extra_buffers: bool
    notice: str = ""


class SelfCheck:
    """The verdict on this CPU and library, kept in `file` (None: made anew in every process)."""

    def __init__(self, file: Path | None, demo: Path, prove: Callable[[Path], int | None] | None = None) -> None:
        self._file = file
        self._demo = demo
        self._prove = prove or decode_once

    def verdict(self) -> Verdict:
        """Give the remembered verdict, or make it: takes well under a second, once per machine and build."""
        try:
            key = machine_key()
        except OSError:  # the library is being replaced just now
            return Verdict(False)
        known = self._read().get(key)
        if isinstance(known, bool):
            return Verdict(known)
        returncode = self._prove(self._demo)
        if returncode == 0:
            self._write(key, True)
            return Verdict(True)
        if returncode is not None and process.is_hardware_fault(returncode):
            self._write(key, False)
            died = process.death(returncode)
            text = f"This CPU can't run all the instructions it advertises (the self-check died: {died}); "
            return Verdict(False, f"{text}the engine works without them from now on.")
        return Verdict(False)

    def revoke(self) -> None:
        """Forget the verdict: something died that it said would live."""
        with contextlib.suppress(OSError):
            verdicts = self._read()
            if verdicts.pop(machine_key(), None) is not None:
                self._save(verdicts)

    def _read(self) -> dict[str, Any]:
        try:
            verdicts = json.loads(self._file.read_text("utf-8")) if self._file else {}
        except (OSError, ValueError):
            return {}
        return verdicts if isinstance(verdicts, dict) else {}

    def _write(self, key: str, extra_buffers: bool) -> None:
        self._save({**self._read(), key: extra_buffers})

    def _save(self, verdicts: dict[str, Any]) -> None:
        """Replace the file in one step. A folder that can't be written only costs the proof again next time."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryDirectory(dir=self._file.parent, prefix=".selfcheck-") as folder:
                new = Path(folder, "verdicts")
                new.write_text(json.dumps(verdicts, indent=1), "utf-8")
                new.chmod(0o600)
                new.replace(self._file)


def machine_key() -> str:
    """Name the CPU (model and flags) and the build (version, sizes and times of the native libraries), as one hash."""
    parts = [library_version(), platform.machine(), processor()]
    for path in library_files():
        stat = path.stat()
        parts.append(f"{path.name} {stat.st_size} {stat.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def processor() -> str:
    """Describe the CPU: on Linux its model name and flags, elsewhere what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags", "Features", "CPU part")
    first: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in wanted:
            first.setdefault(name.strip(), value.strip())
    return "\n".join(first.values())


def decode_once(demo: Path) -> int | None:
    """Decode the demo model in a throw-away child. Its exit code; None when it can't be started or never ends."""
    try:
        with process.spawn(__name__, str(demo), output=subprocess.DEVNULL) as child:
            try:
                child.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                child.kill()
                return None
            return child.returncode
    except OSError:
        return None


def _leave_with_parent() -> None:
    """End this process when its stdin does: nobody waits for the proof any more."""
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """Be the throw-away child: load the model with every CPU feature, compute a batch and a token, and end."""
    silence_crashes()
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    model = Model(sys.argv[1], n_gpu_layers=0, extra_buffers=True)
    abort = AbortFlag(model.lib)
    context = Context(
        model,
        n_ctx=256,
        n_batch=64,
        n_ubatch=64,
        n_threads=1,
        type_k="f16",
        type_v="f16",
        flash_attention="auto",
        abort=abort,
    )
    context.decode([model.vocabulary.bos] * N_PROMPT)
    context.decode([Sampler(model, Sampling(seed=0)).sample(context)])
    os._exit(0)  # no teardown: the proof is made
