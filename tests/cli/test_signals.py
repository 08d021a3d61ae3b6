"""`r1chat run` when it is interrupted: Ctrl-C, a closed pipe, a killed parent, a killed engine. Whole processes.

What is waited for is an event (a byte on stdout, a process that is there); no test judges how long something takes.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.conftest import ROOT, Command, Done
from tests.processes import children, engine_of, wait_for, wait_until_gone

# Tokens come so slowly that the answer is under way for as long as any test needs.
SLOW = ("run", "demo", "What is 17 + 25?", "--pace", "8", "--seed", "1")
ANSWERING = (*SLOW, "--no-think")


@contextmanager
def running(r1chat: Command, *args: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command with nothing on stdin; it is killed if the test leaves it behind."""
    with r1chat.start(*args, stdin=subprocess.DEVNULL, bufsize=0) as process:
        try:
            yield process
        finally:
            process.kill()


def first_byte(process: subprocess.Popen[bytes]) -> bytes:
    """Wait for the first byte of the answer."""
    assert process.stdout is not None
    return process.stdout.read(1)


def the_end(process: subprocess.Popen[bytes], begun: bytes = b"") -> Done:
    """Wait for a process's end."""
    out, err = process.communicate(timeout=60)
    return Done(begun + out, err, process.returncode)


# Ctrl-C


@pytest.mark.parametrize("milliseconds", range(0, 401, 40))
def test_an_interrupt_while_it_starts(r1chat: Command, milliseconds: int) -> None:
    """Ctrl-C at any moment of the start ends it without a word of ours, and nothing stays behind.

    In the interpreter's own start, before the first line of r1chat, Python decides what happens.
    """
    with running(r1chat, *SLOW) as process:
        time.sleep(milliseconds / 1000)
        family = children(process.pid)
        process.send_signal(signal.SIGINT)
        done = the_end(process)
    wait_until_gone(family)
    assert b"" == done.out
    assert str(ROOT / "r1chat").encode() + b"/" not in done.err  # as in `File "/…/r1chat/cli/app.py"`
    assert b"" == done.err or done.code != 130


def test_an_interrupt_before_the_command_is_imported() -> None:
    """From the first line of the command on, Ctrl-C ends it silently with 130."""
    code = "import r1chat.__main__, os, signal; os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(60)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, cwd=ROOT, check=False)
    assert (b"", b"", 130) == (done.stdout, done.stderr, done.returncode)


def test_an_interrupt_while_stdin_is_read(r1chat: Command) -> None:
    """Ctrl-C ends a command that waits for its input."""
    with r1chat.start("run", "demo") as process:
        time.sleep(0.5)  # wherever it is by then, the end is the same
        process.send_signal(signal.SIGINT)
        process.wait(60)
        assert process.stderr is not None
        assert b"" == process.stderr.read()
    assert 130 == process.returncode


def test_an_interrupted_answer_is_printed(r1chat: Command) -> None:
    """Ctrl-C keeps what there is of the answer, ends its line, says nothing and exits with 130."""
    whole = r1chat(*ANSWERING[:3], "--seed", "1", "--no-think", "--max-tokens", "40").out
    with running(r1chat, *ANSWERING) as process:
        begun = first_byte(process)
        engine = engine_of(process.pid)
        process.send_signal(signal.SIGINT)
        done = the_end(process, begun)
    wait_until_gone([engine])
    assert (b"", 130) == (done.err, done.code)
    assert done.out.endswith(b"\n")
    assert whole.startswith(done.out[:-1])


def test_an_interrupted_thinking_is_no_answer(r1chat: Command) -> None:
    """Ctrl-C while the model thinks leaves stdout empty."""
    with running(r1chat, *SLOW, "--thinking", "show") as process:
        assert process.stderr is not None
        begun = process.stderr.read(1)
        engine = engine_of(process.pid)
        process.send_signal(signal.SIGINT)
        done = the_end(process)
    wait_until_gone([engine])
    assert (b"", 130) == (done.out, done.code)
    assert (begun + done.err).endswith(b"\n")
    assert b"Traceback" not in done.err


def test_an_interrupt_in_json(r1chat: Command) -> None:
    """Ctrl-C still gives the whole object, with what there is, `cancelled` and the code."""
    with running(r1chat, *SLOW, "--thinking", "show", "--json") as process:
        engine = engine_of(process.pid)
        process.send_signal(signal.SIGINT)
        done = the_end(process)
    wait_until_gone([engine])
    value = json.loads(done.out)
    assert (b"", 130) == (done.err, done.code)
    assert ("cancelled", 130) == (value["finish_reason"], value["error"]["code"])


@pytest.mark.parametrize("stage", ["started", "progress", "reasoning"])
def test_an_interrupt_at_every_stage(r1chat: Command, stage: str) -> None:
    """Ctrl-C while it loads, reads or thinks ends in `finished` with `cancelled`, and no engine stays."""
    with running(r1chat, *SLOW, "--jsonl") as process:
        assert process.stdout is not None
        events = []
        while not events or events[-1]["event"] != stage:
            events.append(json.loads(process.stdout.readline()))
        family = children(process.pid)
        process.send_signal(signal.SIGINT)
        done = the_end(process)
    wait_until_gone(family)
    finished, error = [json.loads(line) for line in done.out.splitlines()][-2:]
    assert (b"", 130) == (done.err, done.code)
    assert ("finished", "cancelled", "error") == (finished["event"], finished["reason"], error["event"])


def test_a_second_interrupt_ends_an_engine_that_does_not_listen(r1chat: Command) -> None:
    """Where the engine hangs, the second Ctrl-C kills it and the answer so far is printed."""
    with running(r1chat, *ANSWERING) as process:
        begun = first_byte(process)
        engine = engine_of(process.pid)
        engine.suspend()
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)  # two at once would be one signal
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        done = the_end(process, begun)
    wait_until_gone([engine])
    assert (b"", 130) == (done.err, done.code)
    assert done.out.endswith(b"\n")


# The other ends


def test_a_reader_that_leaves_is_quiet(r1chat: Command) -> None:
    """`| head -c 1` ends the run without a word, and the engine with it."""
    with running(r1chat, *ANSWERING) as process:
        first_byte(process)
        engine = engine_of(process.pid)
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        process.wait(60)
    wait_until_gone([engine])
    assert (b"", 128 + signal.SIGPIPE) == (err, process.returncode)


def test_a_reader_that_is_gone_from_the_start(r1chat: Command) -> None:
    """`--json` into a closed pipe is quiet too."""
    with running(r1chat, "run", "demo", "1", "--max-tokens", "2", "--json") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        process.wait(60)
    assert (b"", 128 + signal.SIGPIPE) == (err, process.returncode)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_the_engine_does_not_outlive_its_parent(r1chat: Command, number: signal.Signals) -> None:
    """However the parent ends, its engine ends too."""
    with running(r1chat, *ANSWERING) as process:
        first_byte(process)
        family = children(process.pid)
        assert family
        process.send_signal(number)
        process.wait(60)
    wait_until_gone(family)
    assert -number == process.returncode


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_dead_engine_is_told(r1chat: Command, number: signal.Signals) -> None:
    """When the engine dies, the answer so far is printed, one sentence names the signal, and the exit code is 6."""
    with running(r1chat, *ANSWERING) as process:
        begun = first_byte(process)
        engine_of(process.pid).send_signal(number)
        done = the_end(process, begun)
    sentence, hint = done.err.decode().splitlines()
    assert 6 == done.code
    assert done.out.endswith(b"\n")
    assert f"r1chat: The engine died ({number.name}) while it answered." == sentence
    assert "Ask again" in hint


def test_a_stopped_run_goes_on(r1chat: Command) -> None:
    """SIGSTOP and SIGCONT, what Ctrl-Z and `fg` send to a run in a pipe, lose nothing of the answer."""
    args = ("run", "demo", "What is 17 + 25?", "--seed", "1", "--no-think", "--max-tokens", "12")
    whole = r1chat(*args).out
    with running(r1chat, *args, "--pace", "20") as process:
        begun = first_byte(process)
        os.kill(process.pid, signal.SIGSTOP)
        wait_for(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, "the stop")
        os.kill(process.pid, signal.SIGCONT)
        done = the_end(process, begun)
    assert Done(whole, b"", 0) == done
