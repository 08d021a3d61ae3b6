"""The Python API: open, ask, reply, messages, reset, and what goes wrong. The real engine on the bundled model."""

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

import r1chat
from r1chat.engine.base import Cancel
from r1chat.errors import ContextError, EngineError, GGUFError, NotFoundError, UsageError
from tests.conftest import ROOT
from tests.law import check_law, texts
from tests.processes import children, wait_until_gone

pytestmark = pytest.mark.usefixtures("checked")

CONTRACT = ["Answer", "Chat", "Event", "Finished", "Notice", "Progress", "R1ChatError", "Reasoning", "Reply", "Started"]


def test_the_public_names_are_there() -> None:
    """Every name of `__all__` can be had, and nothing else pretends to be there."""
    assert [*CONTRACT, "__version__", "open"] == sorted(r1chat.__all__)
    for name in r1chat.__all__:
        assert getattr(r1chat, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'close'"):
        r1chat.close  # type: ignore[attr-defined]  # noqa: B018 - the look-up is the test


def test_importing_costs_nothing() -> None:
    """`import r1chat` brings in no engine, no terminal and no numpy."""
    heavy = {"llama_cpp", "numpy", "rich", "prompt_toolkit", "typer", "huggingface_hub"}
    code = "import sys, r1chat; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert set() == heavy & set(done.stdout.split())


def test_a_conversation() -> None:
    """`reply` waits for the answer; the messages grow; `reset` begins anew."""
    with r1chat.open("demo", seed=1, think_budget=4, max_tokens=20) as chat:
        reply = chat.reply("What is 17 + 25?")
        assert reply.finish_reason in ("stop", "length")
        assert reply.answer == reply.answer.strip() != ""
        assert reply.usage.prompt_tokens > 0
        assert ["user", "assistant"] == [message.role for message in chat.messages]
        assert "What is 17 + 25?" == chat.messages[0].content
        assert reply.answer == chat.messages[1].content.strip()
        assert reply.reasoning == chat.messages[1].reasoning.strip()
        longer = chat.reply("And 1 more?")
        assert longer.usage.prompt_tokens > reply.usage.prompt_tokens
        assert longer.usage.cached_tokens > 0
        assert 4 == len(chat.messages)
        chat.reset()
        assert () == chat.messages
        assert reply.usage.prompt_tokens == chat.reply("What is 17 + 25?").usage.prompt_tokens


def test_a_cut_reply_can_be_gone_on_with() -> None:
    """The least thinking is an option too; what was cut goes on, and `messages` has the whole."""
    with r1chat.open("demo", seed=1, think_min=80, max_tokens=90) as chat:
        reply = chat.reply("What is 17 + 25?")
        assert "length" == reply.finish_reason
        assert reply.usage.reasoning_tokens >= 80
        list(chat.resume())
        assert chat.path[0].answer.reasoning.startswith(reply.reasoning)
        assert len(chat.path[0].answer.reasoning + chat.path[0].answer.content) > len(reply.reasoning + reply.answer)


def test_the_messages_are_read_only() -> None:
    """Nobody changes the conversation from outside."""
    with r1chat.open("demo") as chat, pytest.raises(AttributeError):
        chat.messages = ()  # type: ignore[misc]


def test_events_obey_the_law_and_are_the_reply() -> None:
    """`ask` gives the events of one turn as they happen; joined they are what `reply` gives."""
    with r1chat.open("demo", seed=1, think_budget=4, max_tokens=20) as chat:
        events = list(chat.ask("What is 17 + 25?"))
        check_law(events)
        chat.reset()
        reply = chat.reply("What is 17 + 25?")
        reasoning, answer = texts(events)
        assert (reply.reasoning, reply.answer) == (reasoning.strip(), answer.strip())


def test_options_reach_the_engine() -> None:
    """Sampling, limits and stop strings of `open` hold for every turn."""
    with r1chat.open("demo", temperature=0.0, think=False, max_tokens=3, n_ctx=64, n_threads=1) as chat:
        events = list(chat.ask("1 + 1"))
        end = events[-1]
        assert isinstance(end, r1chat.Finished)
        assert ("length", 0, 3) == (end.reason, end.usage.reasoning_tokens, end.usage.answer_tokens)
        assert ["greedy"] == [event.code for event in events if isinstance(event, r1chat.Notice)]
        chat.reset()
        whole = chat.reply("1 + 1").answer
    with r1chat.open("demo", temperature=0.0, think=False, max_tokens=3, stop=[whole[0]]) as chat:
        stopped = chat.reply("1 + 1")
        assert ("", "stop") == (stopped.answer, stopped.finish_reason)


def test_files_are_attached(tmp_path: Path) -> None:
    """A file is a path or a pair of name and content; both are sent in R1's template."""
    (tmp_path / "a.txt").write_text("1 + 1")
    with r1chat.open("demo", max_tokens=1, think=False) as chat:
        by_path = list(chat.ask("How much?", files=[tmp_path / "a.txt"]))
        chat.reset()
        by_pair = list(chat.ask("How much?", files=[("a.txt", "1 + 1")]))
        for events in (by_path, by_pair):
            started = events[0]
            assert isinstance(started, r1chat.Started)
            assert "[file name]: a.txt\n[file content begin]\n1 + 1\n[file content end]\nHow much?" == (
                started.message.content
            )
        with pytest.raises(NotFoundError, match="no file"):
            list(chat.ask("How much?", files=[tmp_path / "nothing.txt"]))


def test_dropping_the_events_cancels() -> None:
    """Who stops iterating stops the answer; what was said is kept and the next question works."""
    with r1chat.open("demo", think=False, seed=1, max_tokens=200) as chat:
        for event in chat.ask("What is 17 + 25?"):
            if isinstance(event, r1chat.Answer):
                break
        assert 2 == len(chat.messages)
        assert chat.reply("And 1 + 1?").usage.prompt_tokens > 0


def test_another_thread_may_cancel() -> None:
    """`control` is for any thread; the turn ends in `cancelled`."""
    with r1chat.open("demo", think=False, seed=1) as chat:
        chat.options = replace(chat.options, pace=1.0)  # else the answer may end before the cancel comes
        reasons = []
        for event in chat.ask("What is 17 + 25?"):
            if isinstance(event, r1chat.Answer) and not reasons:
                thread = threading.Thread(target=chat.control, args=(Cancel(),))
                thread.start()
                thread.join()
                reasons.append("asked")
            if isinstance(event, r1chat.Finished):
                reasons.append(event.reason)
        assert ["asked", "cancelled"] == reasons


def test_a_cancel_may_come_before_the_engine_has_the_question() -> None:
    """A control in answer to the turn's very first event is not lost."""
    with r1chat.open("demo") as chat:
        events = []
        for event in chat.ask("What is 17 + 25?"):
            events.append(event)
            if isinstance(event, r1chat.Started):
                chat.control(Cancel())
        check_law(events)
        end = events[-1]
        assert isinstance(end, r1chat.Finished)
        assert "cancelled" == end.reason


def test_errors_are_raised_where_they_happen(tmp_path: Path) -> None:
    """What can be known at once is raised by `open`, what shows with the prompt by `reply`."""
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"no model")
    with pytest.raises(NotFoundError):
        r1chat.open("no-such-model")
    with pytest.raises(NotFoundError):
        r1chat.open(str(tmp_path / "nothing.gguf"))
    with pytest.raises(GGUFError):
        r1chat.open(str(bad))
    with pytest.raises(UsageError):
        r1chat.open("demo", temperature=-1)
    with pytest.raises(UsageError):
        r1chat.open("demo", n_ctx=1_000_000)
    with r1chat.open("demo", n_ctx=32) as chat:
        with pytest.raises(ContextError, match="context of 32 has room for 28") as caught:
            chat.reply("1 + " * 100)
        assert (7, True) == (caught.value.exit_code, bool(caught.value.hint))
        assert () == chat.messages


def test_a_dead_engine_is_an_error_and_the_next_question_works() -> None:
    """`reply` raises EngineError when the engine dies, and the chat lives on."""
    before = {process.pid for process in children(_pid())}
    with r1chat.open("demo", think=False, seed=1, max_tokens=8) as chat:
        first = chat.reply("What is 17 + 25?")
        engine = next(process for process in children(_pid()) if process.pid not in before)
        engine.suspend()
        killer = threading.Timer(0.2, engine.kill)
        killer.start()
        with pytest.raises(EngineError, match="SIGKILL"):
            chat.reply("And 1 + 1?")
        killer.join()
        assert chat.reply("And 1 + 1?").usage.prompt_tokens > first.usage.prompt_tokens


def test_closing_ends_the_engine() -> None:
    """After the `with` block no process is left, and closing again does nothing."""
    before = {process.pid for process in children(_pid())}
    with r1chat.open("demo") as chat:
        chat.count()
        mine = [process for process in children(_pid()) if process.pid not in before]
        assert 1 == len(mine)
    wait_until_gone(mine)
    chat.__exit__(None, None, None)


def test_the_example_of_the_docstring_runs() -> None:
    """What the package's docstring shows is what works."""
    assert r1chat.__doc__ is not None
    lines = [line[4:] for line in r1chat.__doc__.splitlines() if line.startswith("    ")]
    code = "import r1chat\n" + "\n".join(lines)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert ("", True) == (done.stderr, bool(done.stdout.strip()))


def _pid() -> int:
    return os.getpid()
