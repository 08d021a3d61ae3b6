"""Asks the engine's library about itself, in a throw-away child: its build, its devices, and dry loads of a model.

A header can make the library die, and a GPU's driver as well; both cost a child only. What was measured is kept, keyed
by the model's header, the options and the library.
"""

import contextlib
import hashlib
import json
import os
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from r1chat.core.events import Failure
from r1chat.core.memory import Measured, Plan
from r1chat.core.placement import Device
from r1chat.core.sanitize import clean
from r1chat.engine import llama, process, wire
from r1chat.engine.buffers import Buffers, by_device
from r1chat.engine.build import Build
from r1chat.errors import EngineError, R1ChatError

TIMEOUT = 60.0  # seconds; a dry run takes well under one, the first start of a GPU's driver some
MAX_KEPT = 200
# What an offloaded layer or a longer context changes; the weights' names and numbers are in the header's digest.
_OPTIONS = (
    *("n_ctx", "n_batch", "n_ubatch", "type_k", "type_v", "flash_attention"),
    *("n_gpu_layers", "tensor_split", "n_cpu_moe"),
)


def gpus() -> tuple[Device, ...]:
    """List the devices that layers can be offloaded to. None where the library is not one that can, or fails."""
    if not may_offload(llama.library_files()):
        return ()
    try:
        answer = _ask(wire.Survey())
    except EngineError:
        return ()
    return answer.devices if isinstance(answer, wire.Surveyed) else ()


def inspect() -> Build:
    """Ask what build of the library this is. Raises EngineError when it can't be loaded, or dies of the question."""
    answer = _ask(wire.Inspect())
    if isinstance(answer, wire.Refused):
        raise EngineError(answer.failure.message, hint=answer.failure.hint)
    assert isinstance(answer, Build)
    return answer


def may_offload(files: Sequence[Path]) -> bool:
    """Tell whether the library has a back end beside the CPU's: it is a file of its own, such as libggml-cuda.so."""
    backends = {path.name.partition(".")[0].removeprefix("lib") for path in files}
    return any(
        name.startswith("ggml-") and not name.startswith(("ggml-base", "ggml-cpu", "ggml-blas")) for name in backends
    )


def dry_runs(path: Path, plans: Sequence[Plan]) -> tuple[Buffers, ...]:
    """Load a model dry with each plan. Raises EngineError when the library refuses it, dies, or takes too long."""
    answer = _ask(wire.DryLoad(os.fsencode(path).hex(), tuple(plans)))
    if isinstance(answer, wire.Refused):
        raise EngineError(answer.failure.message, hint=answer.failure.hint)
    assert isinstance(answer, wire.DryLoaded)
    return answer.runs


class DryRuns:
    """Measures the compute buffers of plans, and keeps what it found in `file` (None: nowhere)."""

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def measure(self, path: Path, digest: str, plan: Plan, gpus: Sequence[Device] = ()) -> Measured | None:
        """Give the compute buffers of a plan; None when the library can't tell."""
        key = _key(digest, plan, gpus)
        kept = self._read()
        found = kept.get(key)
        if not (isinstance(found, list) and len(found) == len(gpus) + 1 and all(type(n) is int for n in found)):
            try:
                (run,) = dry_runs(path, (plan,))
            except EngineError:
                return None
            found = by_device(run.compute, [gpu.name for gpu in gpus])
            self._save({**dict(list(kept.items())[-MAX_KEPT:]), key: found})
        return Measured(tuple(found))

    def _read(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._file.read_text("utf-8")) if self._file else {}
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def _save(self, kept: dict[str, Any]) -> None:
        """Replace the file in one step. A folder that can't be written only costs the dry run again next time."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryDirectory(dir=self._file.parent, prefix=".dryruns-") as folder:
                new = Path(folder, "dryruns")
                new.write_text(json.dumps(kept), "utf-8")
                new.chmod(0o600)
                new.replace(self._file)


def _key(digest: str, plan: Plan, gpus: Sequence[Device]) -> str:
    options = [getattr(plan, name) for name in _OPTIONS]
    devices = [(gpu.name, gpu.backend, gpu.description) for gpu in gpus]
    text = json.dumps([digest, options, devices, llama.library_version()])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _ask(question: Any) -> Any:
    """Start a child, send it the question, and give its answer. Raises EngineError."""
    try:
        with process.running(__name__) as child:
            assert child.stdin is not None
            timer = threading.Timer(TIMEOUT, child.kill)
            timer.start()
            try:
                answer, said = child.communicate(wire.encode(question))
            finally:
                timer.cancel()
            if child.returncode == 0 and answer:
                return wire.decode(answer)
            died = process.death(child.returncode)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"The engine could not be asked: {error}.") from error
    words = clean(said.decode("utf-8", "replace")).strip().rpartition("\n")[2].rstrip(".")
    raise EngineError(f"The engine died ({died}) before it could answer{f': {words}' if words else ''}.")


def main() -> None:
    """Be the throw-away child: answer one question and end, without any teardown."""
    llama.silence_crashes()
    out = os.dup(1)
    os.dup2(2, 1)  # a native printf must not end up in the answer
    try:
        answer: Any = _answer(wire.decode(sys.stdin.buffer.read()))
    except R1ChatError as error:
        answer = wire.Refused(Failure(error.exit_code, error.message, error.hint))
    with open(out, "wb") as stream:  # noqa: PTH123 - a file descriptor
        stream.write(wire.encode(answer))
    os._exit(0)


def _answer(question: Any) -> Any:
    match question:
        case wire.Survey():
            return wire.Surveyed(llama.gpus())
        case wire.Inspect():
            return llama.inspect()
        case wire.DryLoad(path, plans):
            return wire.DryLoaded(tuple(llama.dry_run(bytes.fromhex(path), plans)))
    raise EngineError(f"{asdict(question)} is no question.")
