"""Sinks for pipes: the answer alone, one object, one line per event."""

import io
import json

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
from r1chat.terminal.plain import JsonLinesSink, JsonSink, PlainSink
from r1chat.terminal.screen import Screen

START = Started(1, Message(Role.USER, "question"))
STOP = Finished(Reason.STOP)
HOSTILE = [
    "\x1b[2J\x1b[H",
    "\x1b]52;c;aGk=\x07",
    "\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\",
    "\x1bP1$r\x1b\\",
    "\x9b31m\x9d0;title\x9c",
    "\x07\x08\x0c\r\x00\x7f",
    "\u202egnp.exe",
]


def plain(*events: Event, screen: Screen | None = None, thinking: bool = False, verbose: bool = False) -> list[str]:
    """Run the events through a PlainSink. Return what stdout and stderr got."""
    stdout, stderr = io.StringIO(), io.StringIO()
    sink = PlainSink(stdout, stderr, screen or Screen(), thinking=thinking, verbose=verbose)
    for event in events:
        sink.handle(event)
    sink.close()
    return [stdout.getvalue(), stderr.getvalue()]


def test_every_split_of_an_answer_prints_the_same() -> None:
    """Blanks at both ends go, those inside stay, one newline ends it, however the text was cut."""
    text = "\n\n  a \n\n b\r\n\t \n"
    for cut in range(len(text) + 1):
        events = [START, Answer(text[:cut]), Answer(text[cut:]), STOP]
        assert ["a \n\n b\n", ""] == plain(*events)
    assert ["a \n\n b\n", ""] == plain(START, *map(Answer, text), STOP)


@pytest.mark.parametrize("text", ["", " \n"])
def test_no_answer_prints_nothing(text: str) -> None:
    """An empty answer leaves stdout empty."""
    assert ["", ""] == plain(START, Reasoning("hm"), Answer(text), STOP)


def test_text_is_written_as_it_comes() -> None:
    """The answer is out before the turn ends."""
    stdout = io.StringIO()
    sink = PlainSink(stdout, io.StringIO(), Screen())
    sink.handle(Answer("one "))
    sink.handle(Answer("two"))
    assert "one two" == stdout.getvalue()


def test_stderr_is_empty_in_a_pipe() -> None:
    """Without a terminal, neither notices nor a status line nor the thinking appear."""
    events = [START, Progress("load", 1, 2), Reasoning("hm", 1), Notice("x", "note"), Answer("a"), STOP]
    assert ["a\n", ""] == plain(*events)
    assert ["a\n", "note\n"] == plain(*events, verbose=True)
    assert ["a\n", "hm\n"] == plain(*events, thinking=True)


def test_the_status_line_on_stderr_erases_itself() -> None:
    """On a terminal the status line is gone before the answer begins."""
    events = [Progress("load", 450, 1000), Reasoning("hm", 1), Answer("a"), STOP]
    erase = "\r\x1b[K"
    expected = f"{erase}loading… 45 %{erase}thinking… 1 token{erase}"
    assert ["a\n", expected] == plain(*events, screen=Screen(stderr_tty=True))


def test_a_notice_does_not_break_the_thinking() -> None:
    """A notice in the middle of the thinking stands on a line of its own."""
    events = [Reasoning("one"), Notice("x", "note"), Reasoning(" two"), Answer("a"), STOP]
    assert ["a\n", "one\nnote\n two\n"] == plain(*events, thinking=True, verbose=True)


@pytest.mark.parametrize("payload", HOSTILE)
def test_no_byte_of_a_model_drives_a_terminal(payload: str) -> None:
    """Hostile text comes out without a control byte, whole and split anywhere, on both streams."""
    expected = plain(Reasoning(payload + "."), Notice("x", payload), Answer(payload + "."), thinking=True, verbose=True)
    assert [] == [char for char in "".join(expected) if not (char.isprintable() or char == "\n")]
    for cut in range(1, len(payload)):
        events = [Reasoning(payload[:cut]), Reasoning(payload[cut:] + "."), Notice("x", payload)]
        events += [Answer(payload[:cut]), Answer(payload[cut:] + ".")]
        assert expected == plain(*events, thinking=True, verbose=True)


def test_a_broken_pipe_reaches_the_caller() -> None:
    """The sink does not swallow that nobody reads any more."""

    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        PlainSink(Broken(), io.StringIO(), Screen()).handle(Answer("a"))


def test_other_samples_are_left_out() -> None:
    """One stream shows one sample."""
    assert ["a\n", ""] == plain(Answer("a"), Answer("b", sample=1), Finished(Reason.STOP, sample=1), STOP)


def test_json_is_one_object_of_the_documented_form() -> None:
    """The object has exactly the keys of docs/design.md, section 5."""
    out = io.StringIO()
    sink = JsonSink(out, lambda: {"model": "demo", "sampling": {"seed": 7}, "plan": {"n_ctx": 8192}})
    usage, timings = Usage(10, 2, 3, 4), Timings(load_s=0.5)
    events = [START, Reasoning("\nhm "), Reasoning("hm\n"), Answer("\n\n4\x1b"), Notice("code", "note")]
    for event in [*events, Answer("ignored", sample=1), Finished(Reason.STOP, usage, timings)]:
        sink.handle(event)
    sink.close()
    sink.close()
    assert 1 == out.getvalue().count("\n")
    assert "\x1b" not in out.getvalue()
    assert {
        "model": "demo",
        "reasoning": "hm hm",
        "answer": "4\x1b",
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 10, "cached_tokens": 2, "reasoning_tokens": 3, "answer_tokens": 4},
        "timings": {
            "load_s": 0.5,
            "prompt_s": 0.0,
            "first_token_s": 0.0,
            "reasoning_s": 0.0,
            "answer_s": 0.0,
            "tokens_per_second": 0.0,
        },
        "sampling": {"seed": 7},
        "plan": {"n_ctx": 8192},
        "notices": [{"code": "code", "text": "note"}],
    } == json.loads(out.getvalue())


def test_json_of_a_failure_has_what_there_is_and_the_error() -> None:
    """A death in the middle keeps the text so far; an error before any event has the same form."""
    died, early = io.StringIO(), io.StringIO()
    sink = JsonSink(died, lambda: {"model": "demo"})
    sink.handle(Answer("half"))
    sink.handle(Finished(Reason.DIED, failure=Failure(6, "The engine died.", "Try again.", ("log",))))
    sink.close()
    value = json.loads(died.getvalue())
    assert ("half", "died") == (value["answer"], value["finish_reason"])
    assert {"code": 6, "message": "The engine died.", "hint": "Try again."} == value["error"]
    sink = JsonSink(early, dict)
    sink.fail(Failure(3, "No such file."))
    sink.close()
    value = json.loads(early.getvalue())
    assert (None, "", None) == (value["model"], value["answer"], value["finish_reason"])
    assert {"code": 3, "message": "No such file.", "hint": ""} == value["error"]


def test_json_lines_are_the_events() -> None:
    """Each event is one line as it happens, with its fields; errors without an event have a line of their own."""
    out = io.StringIO()
    sink = JsonLinesSink(out)
    seen = []
    for event in [START, Answer("a\u2028b\x9b\n", 1), Finished(Reason.STOP)]:
        sink.handle(event)
        seen.append(out.getvalue().count("\n"))
    sink.fail(Failure(3, "No."))
    sink.close()
    assert [1, 2, 3] == seen
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert ["started", "answer", "finished", "error"] == [line["event"] for line in lines]
    assert {"event": "answer", "text": "a\u2028b\x9b\n", "n_tokens": 1, "forced": False, "sample": 0} == lines[1]
    assert ("question", "stop") == (lines[0]["message"]["content"], lines[2]["reason"])
