"""The thinking and the turns in the user's hands, on a real terminal: whole processes, the demo and made models."""

import re
from pathlib import Path

import pytest

from r1chat.engine.thinking import CIRCLE, ENDING
from tests.conftest import ROOT, Command
from tests.console import Console
from tests.made_models import circling, slow
from tests.processes import engine_of, wait_for, wait_until_idle
from tests.test_repl import DONE, PROMPT, context, repl

QUESTION = "What is 123 + 456?"
GREEDY = ("--temp", "0")


def parts(console: Console) -> list[str]:
    """The screen from one prompt to the next; the last part is the prompt that waits, so there must be one."""
    found: list[str] = []

    def whole() -> bool:  # not one that is just being redrawn
        text = console.text
        found[:] = re.split(r"^>>>", text, flags=re.MULTILINE)
        return text.rpartition("\n")[0].rpartition("\n")[2].startswith(PROMPT.strip())

    wait_for(whole, "a prompt")
    return found


def turn(console: Console) -> str:
    """What the screen shows of the last turn or command, white space as single blanks."""
    return " ".join(parts(console)[-2].split())


def enter(console: Console, line: str) -> None:
    """Type a line and press Enter; while the terminal is busy, it waits there."""
    n_before = len(parts(console))
    console.type(line)
    wait_for(lambda: line in parts(console)[-1], "what was typed")
    console.type("\r")
    wait_for(lambda: len(parts(console)) > n_before, "the line to be taken")


def cached(console: Console) -> tuple[int, int]:
    """The tokens of the last prompt and how many of them were in the cache, as /stats tells."""
    before = console.text.count("  together")
    enter(console, "/stats")
    console.wait("  together", before + 1)
    found = re.findall(r"prompt +([\d,]+) tokens, ([\d,]+) of them cached", console.text)[-1]
    return int(found[0].replace(",", "")), int(found[1].replace(",", ""))


def test_a_budget_is_landed_on_softly(r1chat: Command) -> None:
    """A thinking that reaches its budget says so itself, the screen says it too, and the answer comes."""
    with repl(r1chat, "demo", *GREEDY, "--think-min", "250", "--pace", "400") as console:
        enter(console, "/budget soon")
        console.wait("think_budget can't be 'soon'.")
        enter(console, "/budget 300")
        console.wait("The thinking has a budget of 300 tokens.")
        enter(console, QUESTION)
        console.wait(DONE)
        shown = turn(console)
        assert "The thinking was ended at its budget of 300 tokens." in shown
        assert ENDING[0] in shown.replace("│ ", "")
        assert int(re.findall(r"thought for [\d.]+ s, (\d+) tokens", shown)[0]) <= 300 + 4
        enter(console, "/budget off")
        console.wait("The thinking has no budget")


def test_the_answer_now(r1chat: Command) -> None:
    """/now ends the thinking where it is, without stopping the turn."""
    with repl(r1chat, "demo", "--pace", "12", "--seed", "1") as console:
        enter(console, "/now")
        console.wait("There is no thinking to end.")
        enter(console, QUESTION)
        console.wait("│ Add 123")
        enter(console, "/now")
        console.wait("answering")
        enter(console, "/steer too late")
        console.wait("There is no thinking to put it into.")
        console.wait(DONE)
        thought = int(re.findall(r"thought for [\d.]+ s, (\d+) tokens", console.text)[0])
        assert thought < 50  # of 62
        assert "Hundreds" not in console.text


def test_a_hint_is_put_into_the_thinking(r1chat: Command) -> None:
    """/steer puts the user's words into the running thinking, which goes on to its end."""
    with repl(r1chat, "demo", "--pace", "20", "--seed", "1") as console:
        enter(console, "/steer")
        console.wait("What should it think of?")
        enter(console, QUESTION)
        console.wait("│ Ones:")
        enter(console, "/steer begin with the hundreds")
        console.wait("│ Wait, the user gives me a hint: begin with the hundreds")
        console.wait("answering")
        after = turn(console).partition("begin with the hundreds │")[2].partition("thought for")[0]
        assert len(after) > 20
        console.wait(DONE)


def test_circles_are_broken(r1chat: Command, tmp_path: Path) -> None:
    """A model that goes in circles is nudged, then made to answer, and an answer in circles ends; all of it is told."""
    model = circling(tmp_path / "circling.gguf")
    with repl(r1chat, str(model), *GREEDY, columns=160) as console:
        enter(console, "hello")
        console.wait(DONE)
        shown = turn(console)
        assert "The thinking went in circles: a nudge to try something else was put in." in shown
        assert CIRCLE[0] in shown
        assert "The thinking went in circles again: it was ended." in shown
        assert "The answer went in circles: it was ended." in shown
        assert "/continue goes on where it stopped." in turn(console)


def test_one_question_without_thinking(r1chat: Command) -> None:
    """/nothink answers what follows it, or the next question, and only that one, without thinking."""
    with repl(r1chat, "demo", "--seed", "1") as console:
        enter(console, f"/nothink {QUESTION}")
        console.wait(DONE)
        assert "thought for" not in console.text
        enter(console, "/nothink")
        console.wait("The next question is answered without thinking.")
        enter(console, QUESTION)
        console.wait(DONE, 2)
        assert "thought for" not in console.text
        enter(console, QUESTION)
        console.wait(DONE, 3)
        console.wait("thought for")


# Ctrl-C loses nothing


def test_an_interrupt_while_the_model_loads(r1chat: Command, tmp_path: Path) -> None:
    """The prompt is back at once, the question is kept, and /continue answers it when the model is there."""
    model = slow(tmp_path / "slow.gguf")
    argv = [*r1chat.argv, "run", str(model), "--max-tokens", "3"]
    with Console(argv, env=r1chat.environ, cwd=ROOT, columns=120) as console:
        engine = engine_of(console.process.pid)
        engine.suspend()  # before it has begun to load; a disk could be as slow
        console.wait("loading…")
        enter(console, "hello")
        console.wait("loading… 0 %")
        console.type("\x03")
        console.wait("interrupted")
        console.wait("/continue goes on with it, /retry begins anew.")
        assert "leaves this question out" in turn(console)
        engine.resume()
        wait_for(lambda: context(console) >= 0, "the model")
        enter(console, "/continue")
        console.wait("cut at --max-tokens")


def test_an_interrupt_while_the_prompt_is_read(r1chat: Command, tmp_path: Path) -> None:
    """A long prompt can be stopped; what was read of it is not read again."""
    model = slow(tmp_path / "slow.gguf")
    with repl(r1chat, str(model), "--max-tokens", "3", columns=100) as console:
        wait_for(lambda: context(console) == 0, "the model")
        console.paste("\n".join(f"{n} bottles of beer on the wall" for n in range(90)))
        console.type("\r")
        wait_for(lambda: re.search(r"reading the prompt… [1-9]", console.text) is not None, "a first batch")
        console.type("\x03")
        console.wait("interrupted")
        console.wait("There is no answer, so the next prompt leaves this question out.")
        enter(console, "/continue")
        console.wait("cut at --max-tokens")
        n_prompt, n_cached = cached(console)
        assert n_prompt > 2500
        assert n_cached >= 512


@pytest.mark.parametrize(("options", "stage"), [((), "thinking… "), (("--no-think",), "answering… ")])
def test_an_interrupted_turn_goes_on(r1chat: Command, options: tuple[str, ...], stage: str) -> None:
    """Stopped in its thinking or its answer, /continue ends the turn as it would have ended, without recomputing."""
    words = "How many r's are in strawberry?"
    with repl(r1chat, "demo", *GREEDY, *options, columns=120) as console:
        enter(console, words)
        console.wait(DONE)
        whole = said(turn(console))
    with repl(r1chat, "demo", *GREEDY, *options, "--pace", "20", columns=120) as console:
        enter(console, words)
        console.wait(stage)
        wait_for(lambda: len(turn(console)) > 60, "some of it")
        console.type("\x03")
        console.wait("interrupted")
        console.wait("/continue goes on")
        first = said(turn(console))
        enter(console, "/continue")
        console.wait(DONE, 2)
        rest = said(turn(console))  # it begins with the row, or the block, that was open
        assert whole.endswith(rest)
        assert first.startswith(whole.removesuffix(rest))
        n_prompt, n_cached = cached(console)
        assert n_prompt - n_cached <= 2


def said(shown: str) -> str:
    """The model's own text in a turn as it is shown, without blanks: no remark, no status, no question."""
    shown = re.sub(r"^(What is .*?\?|How many .*?\?|/continue) ", "", shown)
    shown = re.sub(r"(▸ .*? 0\.6\.|thought for .*? tokens?|[\d,]+ tokens? · .*)", "", shown, flags=re.DOTALL)
    return re.sub(r"[│\s]", "", shown)


def test_a_cut_answer_goes_on(r1chat: Command) -> None:
    """Also one that --max-tokens has cut, as often as it takes."""
    with repl(r1chat, "demo", *GREEDY, "--max-tokens", "30") as console:
        enter(console, QUESTION)
        for number in range(1, 10):
            console.wait(DONE, number)
            if "cut at" not in turn(console):
                break
            enter(console, "/continue")
        assert number == 3
        assert "579" in turn(console)
        enter(console, "/continue")
        console.wait("There is nothing to go on with")


def test_another_version_and_back(r1chat: Command) -> None:
    """/retry asks again, with a seed if one is given; /undo takes back, and the context is what it was before."""
    with repl(r1chat, "demo", "--no-think") as console:
        enter(console, "/retry")
        console.wait("There is no question to ask again.")
        enter(console, "/undo")
        console.wait("There is nothing to take back.")
        enter(console, QUESTION)
        console.wait(DONE)
        wait_for(lambda: context(console) > 0, "the count")
        first = context(console)
        enter(console, "And what is 9 - 3?")
        console.wait(DONE, 2)
        enter(console, "/retry 5")
        console.wait(DONE, 3)
        one = said(turn(console))
        enter(console, "/retry 5")
        console.wait(DONE, 4)
        assert one.removeprefix("/retry5") == said(turn(console)).removeprefix("/retry5")
        enter(console, "/retry soon")
        console.wait("soon is no seed")
        wait_for(lambda: context(console) > first, "the count")
        enter(console, "/undo")
        console.wait("Taken back: And what is 9 - 3?")
        wait_for(lambda: context(console) == first, "the count before")


# A next turn that starts at once, and a context that is full


def test_a_paste_is_read_before_enter(r1chat: Command) -> None:
    """A long paste is computed while it waits to be sent."""
    with repl(r1chat, "demo", "--max-tokens", "3", columns=100) as console:
        wait_for(lambda: context(console) == 0, "the model")
        engine = engine_of(console.process.pid)
        used = engine.cpu_times().user
        console.paste("\n".join(f"{n} + {n} is a sum" for n in range(75)))
        wait_for(lambda: engine.cpu_times().user > used, "the engine at work")
        wait_until_idle(engine)
        console.type(" What is it?\r")
        console.wait("cut at --max-tokens")
        n_prompt, n_cached = cached(console)
        assert n_prompt > 500
        assert n_prompt - n_cached <= 24


def test_a_full_context(r1chat: Command) -> None:
    """Nothing is dropped in silence: first it stops and says why; then, as wished, the oldest go and are named."""
    with repl(r1chat, "demo", "--no-think", "--ctx", "256", *GREEDY, columns=120, rows=60) as console:
        question = f"What is 1 + 1? {'1 ' * 30}1"
        while "but the context of 256" not in console.text:
            done = console.text.count(DONE)
            enter(console, question)
            wait_for(lambda: console.text.count(DONE) > done or "has room for" in console.text, "the turn's end")  # noqa: B023
        assert "of the context's 256 tokens are left for this turn" in console.text
        console.wait("/clear begins a new conversation; /overflow oldest goes on without the oldest exchanges.")
        console.wait("There is no answer, so the next prompt leaves this question out.")
        done = console.text.count(DONE)
        enter(console, "/overflow oldest")
        console.wait("When the context is full, the oldest exchanges are left out, and listed.")
        enter(console, "/retry")
        console.wait("The context is full: ")
        console.wait(DONE, done + 1)
        assert re.search(r"oldest exchanges? (is|are) left out from now on\.[\s▸]+What is 1 \+ 1\?", console.text)
        assert "Traceback" not in console.text


def test_a_full_context_from_the_start(r1chat: Command) -> None:
    """--overflow sets the policy of the chat; a word that is none is refused."""
    done = r1chat("run", "demo", "hi", "--overflow", "newest")
    assert 2 == done.code
    with Console([*r1chat.argv, "run", "demo", "--overflow", "oldest"], env=r1chat.environ, cwd=ROOT) as console:
        console.wait(">>>")
        enter(console, "/overflow")
        console.wait("the oldest exchanges are left out, and listed.")
