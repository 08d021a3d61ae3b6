"""The engine room's small parts: the wire, the names of deaths, the host's cores, the scripted engine."""

import math
import re
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from r1chat.core.events import Answer, Failure, Finished, Notice, Progress, Reason, Reasoning, Started, Timings, Usage
from r1chat.core.memory import Plan
from r1chat.core.messages import Message, Role
from r1chat.core.prompt import Special, Text
from r1chat.core.sampling import Sampling
from r1chat.engine import devices, process, wire
from r1chat.engine.base import AnswerNow, Cancel, EngineInfo, Request, Steer, ThinkBudget
from r1chat.engine.llama import bindings, library_files, library_version
from r1chat.engine.scripted import ScriptedEngine
from tests.chunks import every_split
from tests.law import check_law, texts

REQUEST = Request(
    (Special("<think>"), Text("é\ud800\x00\n")), True, Sampling(seed=3), 5, ThinkBudget(1, 2.5), ("a", "b"), 3.0
)
MESSAGES = [
    wire.Load("/a b", Plan(64, 2, reasons=("x", "y")), True),
    wire.Start(7, REQUEST),
    wire.Interfere(7, Cancel()),
    wire.Interfere(7, AnswerNow()),
    wire.Interfere(7, Steer("\u2028")),
    wire.Warm(REQUEST),
    wire.Count(1, (Text(""), Special("x"))),
    wire.Loading(500),
    wire.Loaded(EngineInfo("d", 1, 2, 0.5, "l")),
    wire.Refused(Failure(6, "m", "h", ("1", "2"))),
    wire.Happened(1, Progress("prefill", 1, 2)),
    wire.Happened(1, Reasoning("</think>", 2, True, 1)),
    wire.Happened(1, Answer("\x1b[31m")),
    wire.Happened(1, Notice("c", "t")),
    wire.Happened(1, Finished(Reason.DIED, Usage(1, 2, 3, 4), Timings(1, 2, 3, 4, 5, 6), Failure(1, "x"))),
    wire.Counted(1, -1),
]


@pytest.mark.parametrize("number", range(len(MESSAGES)))
def test_a_message_comes_back_as_it_was(number: int) -> None:
    """Every kind of message survives the wire, on one line of ASCII."""
    message = MESSAGES[number]
    line = wire.encode(message)
    assert line.isascii()
    assert 1 == line.count(b"\n")
    assert message == wire.decode(line)


def test_a_reason_is_a_reason_again() -> None:
    """The reason of a Finished is the enumeration's member on the other side, not only its word."""
    happened = wire.decode(wire.encode(wire.Happened(1, Finished(Reason.LIMIT))))
    assert happened.event.reason is Reason.LIMIT


def test_every_message_is_known_to_the_wire() -> None:
    """Each type on the wire has a distinct name and only fields the wire can carry."""
    assert len(wire.TYPES) == len(set(wire.TYPES.values()))
    assert all("@" not in {field.name for field in fields(kind)} for kind in wire.TYPES.values())


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_death_is_called_by_its_name(number: signal.Signals) -> None:
    """A real process that a signal ended is named by it."""
    code = f"import os, resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); os.kill(os.getpid(), {int(number)})"
    assert number.name == process.death(subprocess.run([sys.executable, "-c", code], check=False).returncode)


def test_a_dead_child_is_seen_off_quietly() -> None:
    """Bytes that wait for a child that has died are nobody's error: its turn tells the death."""
    with process.running("r1chat.engine.child") as child:
        child.kill()
        child.wait()
        assert child.stdin is not None
        child.stdin.write(b"a message")
    assert "SIGKILL" == process.death(child.returncode)
    assert child.stdin.closed


@pytest.mark.parametrize(
    ("returncode", "name", "fault"),
    [
        (-11, "SIGSEGV", True),
        (-4, "SIGILL", True),
        (-9, "SIGKILL", False),
        (3, "exit code 3", False),
        (-250, "signal 250", False),
        (0xC0000005, "access violation", True),
        (0xC000001D - (1 << 32), "illegal instruction", True),
    ],
)
def test_faults_of_the_hardware_are_told_apart(returncode: int, name: str, fault: bool) -> None:
    """Signals, exit codes and Windows' exception numbers have names; some of them speak against the CPU."""
    assert (name, fault) == (process.death(returncode), process.is_hardware_fault(returncode))


def test_the_current_folder_is_not_on_the_childs_import_path(tmp_path: Path) -> None:
    """A file in the user's folder that is named like a module of ours or Python's is not run."""
    (tmp_path / "json.py").write_text("raise SystemExit('hijacked')")
    (tmp_path / "r1chat.py").write_text("raise SystemExit('hijacked')")
    child = subprocess.run(
        process.command("r1chat.engine.child"), cwd=tmp_path, input=b"", capture_output=True, check=False
    )
    assert (0, b"") == (child.returncode, child.stderr)


def topology(sysfs: Path, cores: dict[int, tuple[int, int]]) -> None:
    """Write a CPU topology as Linux shows it."""
    for cpu, (package, core) in cores.items():
        folder = sysfs / f"devices/system/cpu/cpu{cpu}/topology"
        folder.mkdir(parents=True)
        (folder / "physical_package_id").write_text(f"{package}\n")
        (folder / "core_id").write_text(f"{core}\n")


@pytest.mark.skipif(not hasattr(devices.os, "sched_getaffinity"), reason="affinity and sysfs are Linux's")
def test_hyper_threads_count_as_one_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logical CPUs of one core count once, and only those this process may run on."""
    topology(tmp_path, {0: (0, 0), 1: (0, 0), 2: (0, 1), 3: (1, 0), 4: (1, 1)})
    monkeypatch.setattr(devices.os, "sched_getaffinity", lambda pid: {0, 1, 2, 3, 9})
    assert 4 == devices.physical_cores(tmp_path)  # (0, 0), (0, 1), (1, 0), and 9, whose topology is hidden


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu.max": "garbage"}, None),
        ({}, None),
    ],
)
def test_a_containers_quota_is_a_number_of_cores(tmp_path: Path, files: dict[str, str], cores: int | None) -> None:
    """cgroup v2 and v1 quotas are rounded up to cores; none means no bound."""
    for name, content in files.items():
        path = tmp_path / "fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    found = devices.quota_cores(tmp_path / "proc", tmp_path)
    assert found == cores if cores is not None else found > 4096


def test_the_host_has_at_least_one_core() -> None:
    """Whatever the machine hides, there is a thread to compute with."""
    assert 1 <= devices.usable_cores() < math.inf


@pytest.mark.parametrize("pieces", list(every_split("I think.\n</think>\n\nIt is 4.")))
def test_the_scripted_engine_obeys_the_law(pieces: list[str]) -> None:
    """The fake gives lawful turns for every way to cut the text."""
    engine = ScriptedEngine(pieces)
    engine.load(Plan(64, 1))
    events = list(engine.start(Request((), starts_inside=True)))
    check_law([Started(1, Message(Role.USER, "")), *events])
    assert ("I think.\n", "\n\nIt is 4.") == texts(events)


def test_the_scripted_engine_stops_when_told() -> None:
    """A cancel and a bound on tokens end a scripted turn."""
    engine = ScriptedEngine(["a", "b", "c"], ["a", "b", "c"])
    turn = engine.start(Request((), starts_inside=False))
    turn.control(Cancel())
    assert Reason.CANCELLED is next(e for e in turn if isinstance(e, Finished)).reason
    events = list(engine.start(Request((), starts_inside=False, max_tokens=2)))
    assert ("", "ab") == texts(events)


def test_the_library_has_every_symbol_we_use() -> None:
    """Every name of llama_cpp that the hazardous module uses exists in the installed version, under its own name."""
    source = Path(process.PACKAGE, "engine/llama.py").read_text("utf-8")
    used = set(re.findall(r"lib\.((?:llama|ggml)_\w+)", source))
    library = bindings()
    assert set() == {name for name in used if not hasattr(library, name)}
    assert len(used) > 25


def test_the_librarys_own_python_is_not_imported() -> None:
    """Only the ctypes layer of llama_cpp is loaded: not numpy, not jinja2."""
    code = "import sys; from r1chat.engine.llama import bindings; bindings(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"numpy", "jinja2", "llama_cpp.llama"} & set(done.stdout.split()) == set()


def test_the_library_is_known_without_loading_it() -> None:
    """Version and files of the native library are found without importing anything of it."""
    assert library_version()[0].isdigit()
    assert any("llama" in path.name for path in library_files())
