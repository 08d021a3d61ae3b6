"""`--json` and `--jsonl`: the contract that scripts rely on, in success and in every kind of failure."""

import dataclasses
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from r1chat.core.events import (
    Answer,
    Event,
    Failure,
    Finished,
    Notice,
    Progress,
    Reason,
    Reasoning,
    Started,
    Timings,
    Usage,
)
from r1chat.core.messages import Message, Role
from r1chat.core.sampling import Sampling
from r1chat.engine.host import oom_kills
from tests.conftest import Command, Done
from tests.gguf_writer import tiny
from tests.law import check_law, texts
from tests.processes import engine_of

KEYS = ["model", "reasoning", "answer", "finish_reason", "usage", "timings", "sampling", "plan", "notices"]
USAGE = ["prompt_tokens", "cached_tokens", "reasoning_tokens", "answer_tokens"]
TIMINGS = ["load_s", "prompt_s", "first_token_s", "reasoning_s", "answer_s", "tokens_per_second"]
ERROR = ["code", "message", "hint"]
ASK = ("run", "demo", "What is 17 + 25?")
QUICK = ("--think-budget", "4", "--max-tokens", "20", "--seed", "1")


def the_object(done: Done) -> dict[str, Any]:
    """The object on stdout: one line, pure ASCII or UTF-8, and the same keys in the same order whatever happened."""
    assert done.out.endswith(b"\n")
    assert 1 == done.out.count(b"\n")
    value = json.loads(done.out)
    assert isinstance(value, dict)
    assert KEYS == list(value)[: len(KEYS)]
    assert USAGE == list(value["usage"])
    assert TIMINGS == list(value["timings"])
    return value


def test_success_has_every_key_and_no_error(r1chat: Command) -> None:
    """One object with the texts, counts, times, the sampling that was used and the plan; stderr is empty."""
    done = r1chat(*ASK, *QUICK, "--json")
    value = the_object(done)
    assert (KEYS, b"", 0) == (list(value), done.err, done.code)
    assert ("demo", 1) == (value["model"], value["sampling"]["seed"])
    assert [field.name for field in dataclasses.fields(Sampling)] == list(value["sampling"])
    assert {"n_ctx", "n_threads", "n_gpu_layers", "reasons"} <= set(value["plan"])
    assert value["usage"]["prompt_tokens"] > 0
    assert 0 == value["usage"]["cached_tokens"]
    assert all(seconds >= 0 for seconds in value["timings"].values())
    assert [["code", "text"]] == [list(notice) for notice in value["notices"]]


def _failures(folder: Path) -> dict[str, tuple[tuple[str, ...], int, str]]:
    (folder / "page.gguf").write_bytes(b"<!DOCTYPE html><html></html>")
    return {
        "a file to attach": ((*ASK, "-f", str(folder / "nothing")), 3, "There is no file"),
        "a name": (("run", "no-such-model", "1"), 3, "There is no model"),
        "a model that must be fetched": (("run", "7b", "1"), 3, "not on this machine"),
        "a path": (("run", str(folder / "nothing.gguf"), "1"), 3, "There is no file"),
        "a web page": (("run", str(folder / "page.gguf"), "1"), 6, "is a web page"),
        "no question": (("run", "demo"), 2, "no question"),
        "a context": ((*ASK, "--ctx", "1"), 2, "too small"),
        "a long prompt": ((*ASK, "--ctx", "32", "--system", "1" * 40), 7, "context of 32 has room for"),
    }


@pytest.mark.parametrize(
    "what",
    [
        *("a file to attach", "a name", "a model that must be fetched", "a path"),
        *("a web page", "no question", "a context", "a long prompt"),
    ],
)
def test_failure_is_the_same_object_with_the_error(r1chat: Command, tmp_path: Path, what: str) -> None:
    """On failure the object has what there is, and the exit code, the sentence and the way out."""
    args, code, said = _failures(tmp_path)[what]
    done = r1chat(*args, "--json")
    value = the_object(done)
    assert [*KEYS, "error"] == list(value)
    assert ERROR == list(value["error"])
    assert (code, code) == (done.code, value["error"]["code"])
    assert said in value["error"]["message"]
    assert value["error"]["hint"]
    assert [f"r1chat: {value['error']['message']}", f"  {value['error']['hint']}"] == done.err.decode().splitlines()


@pytest.mark.skipif(oom_kills() is None, reason="no counter of this system tells a kill by hand from its own")
@pytest.mark.parametrize("form", ["--json", "--jsonl"])
def test_the_death_of_the_engine_is_told(r1chat: Command, form: str) -> None:
    """When the engine is killed in the middle, the output is whole, says `died`, names the signal, and exits with 6."""
    with r1chat.start(*ASK, "--pace", "4", form, stdin=subprocess.DEVNULL) as process:
        engine_of(process.pid).kill()
        out, err = process.communicate(timeout=60)
    assert 6 == process.returncode
    assert b"SIGKILL" in err
    assert b"Traceback" not in err
    if form == "--json":
        value = the_object(Done(out, err, process.returncode))
        assert ("died", 6) == (value["finish_reason"], value["error"]["code"])
        assert "SIGKILL" in value["error"]["message"]
    else:
        last = [json.loads(line) for line in out.splitlines()][-1]
        assert ("error", 6) == (last["event"], last["code"])


def events_of(done: Done) -> list[Event]:
    """Read the events back from `--jsonl`; a trailing error line is no event."""
    return [event for line in done.out.splitlines() if (event := _event(json.loads(line)))]


def _event(value: dict[str, Any]) -> Event | None:
    match value.pop("event"):
        case "started":
            message = value.pop("message")
            return Started(**value, message=Message(Role(message["role"]), message["content"]))
        case "finished":
            failure = value.pop("failure")
            return Finished(
                Reason(value.pop("reason")),
                Usage(**value.pop("usage")),
                Timings(**value.pop("timings")),
                Failure(**failure) if failure else None,
                **value,
            )
        case "error":
            return None
        case kind:
            of = {"progress": Progress, "reasoning": Reasoning, "answer": Answer, "notice": Notice}
            return of[kind](**value)


@pytest.mark.parametrize(
    "options",
    [QUICK, ("--max-tokens", "3"), ("--no-think", "--max-tokens", "4"), ("--ctx", "32", "--system", "1" * 40)],
)
def test_json_lines_obey_the_law(r1chat: Command, options: tuple[str, ...]) -> None:
    """`--jsonl` gives one event per line, and they obey the law of events, also when the prompt does not fit."""
    events = events_of(r1chat(*ASK, *options, "--jsonl"))
    check_law(events)
    assert Started(1, Message(Role.USER, "What is 17 + 25?")) == events[0]


def test_json_lines_and_the_object_tell_the_same(r1chat: Command) -> None:
    """The events' texts joined are the object's texts, but for the blanks at their ends."""
    events = events_of(r1chat(*ASK, *QUICK, "--jsonl"))
    value = the_object(r1chat(*ASK, *QUICK, "--json"))
    reasoning, answer = texts(events)
    assert (value["reasoning"], value["answer"]) == (reasoning.strip(), answer.strip())


def test_json_lines_come_as_they_happen(r1chat: Command) -> None:
    """A line is there as soon as its event: a reader that goes away after the first thought ends the run."""
    with r1chat.start(*ASK, "--pace", "2", "--jsonl", stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        while json.loads(process.stdout.readline())["event"] != "reasoning":
            pass
        assert process.poll() is None
        process.stdout.close()
        process.wait(60)


def test_a_failure_is_the_last_line(r1chat: Command) -> None:
    """Where no event carries the error, `--jsonl` ends with a line for it."""
    done = r1chat("run", "no-such-model", "1", "--jsonl")
    assert (3, 1) == (done.code, done.out.count(b"\n"))
    assert ["event", *ERROR] == list(json.loads(done.out))


def test_text_in_json_cannot_drive_a_terminal(r1chat: Command, tmp_path: Path) -> None:
    """Whatever a model says, no control, C1 or bidi character stands in the output as itself."""
    model = tmp_path / "random.gguf"
    model.write_bytes(tiny().build())  # says every byte there is
    args = ("run", str(model), "1", "--no-think", "--temp", "3", "--seed", "1", "--max-tokens", "300")
    for form in ((), ("--json",), ("--jsonl",)):
        text = r1chat(*args, *form).out.decode()
        bad = [c for c in text if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 or "\u202a" <= c <= "\u202e"]
        assert [] == bad


def test_json_and_json_lines_exclude_each_other(r1chat: Command) -> None:
    """Asking for both forms is a usage error."""
    done = r1chat(*ASK, "--json", "--jsonl")
    assert (b"", 2) == (done.out, done.code)
    assert b"exclude each other" in done.err
