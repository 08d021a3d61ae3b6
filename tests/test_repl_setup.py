"""Setting a chat up, and taking things out of it, on a real terminal: whole processes, real model."""

import base64
import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command
from tests.console import Console
from tests.processes import children, engine_of, wait_for, wait_until_gone

PROMPT = ">>>"
DONE = " tok/s · "  # of the line below an answer
DEMO = ROOT / "r1chat" / "data" / "demo.gguf"
SHORT = ("--max-tokens", "12", "--seed", "1", "--no-think")


@contextmanager
def repl(r1chat: Command, *args: str, columns: int = 100, rows: int = 40, **environ: str) -> Iterator[Console]:
    """Start a chat and wait for its prompt."""
    env = {**r1chat.environ, **environ}
    with Console([*r1chat.argv, "run", *args], env=env, cwd=ROOT, columns=columns, rows=rows) as console:
        console.wait(PROMPT)
        yield console


def row(console: Console, name: str) -> list[str]:
    """The cells of the last row of /show for a setting."""
    found = [line for line in console.lines if line.startswith(f"{name} ")]
    return re.split(r"  +", found[-1]) if found else []


def ask(console: Console, text: str, times: int = 1) -> None:
    """Ask, and wait for the end of the answer."""
    console.type(f"{text}\r")
    console.wait(DONE, times)


# Settings


def test_show_and_set(r1chat: Command, home: Path) -> None:
    """/show tells each value with its origin; /set changes one for the session, and `default` takes that back."""
    (home / "config.toml").write_text("seed = 5\n[models.demo]\ntop_k = 40\n[profiles.math]\nmath = true\n")
    with repl(r1chat, "demo", "--temp", "0.5", "--profile", "math", R1CHAT_TOP_P="0.9") as console:
        console.type("/show\r")
        console.wait("token_hosts")
        assert ["seed", "5", "config.toml:1"] == row(console, "seed")
        assert ["top_k", "40", "config.toml:3"] == row(console, "top_k")
        assert ["math", "on", "config.toml:5 (profile math)"] == row(console, "math")
        assert ["top_p", "0.9", "R1CHAT_TOP_P"] == row(console, "top_p")
        assert ["temperature", "0.5", "--temp"] == row(console, "temperature")
        assert ["min_p", "0", "default"] == row(console, "min_p")
        assert ["stop", "none", "default"] == row(console, "stop")
        assert ["model", "demo", "argument"] == row(console, "model")
        console.type("/set temperature 0.7\r")
        console.wait("temperature is 0.7 (it was 0.5).")
        console.type("/show temp\r")
        wait_for(lambda: row(console, "temperature") == ["temperature", "0.7", "/set"], "the new value")
        console.type("/set temperature=default\r")
        console.wait("temperature is 0.5, from --temp (it was 0.7).")
        console.type("/set temperature hot\r")
        console.wait("temperature can't be 'hot'.")
        console.type("/set temprature 1\r")
        console.wait("Did you mean temperature?")
        console.type("/set ctx 512\r")
        console.wait("It holds when a model is loaded: /model demo")
        console.type("/set think_min 8\r/set think_budget 4\r")
        console.wait("can't have at least 8 and at most 4 tokens")
        console.type("/show think_budget\r")
        wait_for(lambda: row(console, "think_budget") == ["think_budget", "none", "default"], "the old value")
        console.type("/model demo\r")
        console.wait("demo is loaded, with a context of 512 tokens.")


def test_what_is_set_holds_for_the_next_question(r1chat: Command) -> None:
    """A seed and a bound that are set in the chat give the answer that the same options give at the start."""
    with repl(r1chat, "demo", "--no-think", "--max-tokens", "12", "--seed", "3") as console:
        ask(console, "What is 1 + 1?")
        started = [line for line in console.lines if not line.startswith(PROMPT)][1]
    with repl(r1chat, "demo") as console:
        console.type("/set think off\r/set max-tokens 12\r/set seed 3\r")
        console.wait("seed is 3 (it was none, each answer is drawn anew).")
        ask(console, "What is 1 + 1?")
        lines = console.lines
        assert started == lines[lines.index(f"{PROMPT} What is 1 + 1?") + 1]


def test_a_bad_settings_file(r1chat: Command, home: Path) -> None:
    """The file and the line are named in place of a prompt, and the way out."""
    (home / "config.toml").write_text("# mine\n\ntemprature = 0.5\n")
    with Console([*r1chat.argv, "run", "demo"], env=r1chat.environ, cwd=ROOT, columns=200) as console:
        assert 2 == console.end()
        there = f"r1chat: {home / 'config.toml'}:3: there is no setting 'temprature'."
        assert [there, "  Did you mean temperature?"] == console.lines


def test_keys_as_in_vi(r1chat: Command, home: Path) -> None:
    """keys = "vi" edits the line as vi does."""
    (home / "config.toml").write_text('keys = "vi"')
    with repl(r1chat, "demo") as console:
        console.type("/showw")
        console.wait("/showw")
        console.type("\x1bx")
        wait_for(lambda: "/showw" not in console.text, "one letter less")
        console.type("A keys\r")
        wait_for(lambda: row(console, "keys") == ["keys", "vi", "config.toml:1"], "the setting")


@pytest.mark.parametrize(("theme", "code"), [("light", b"\x1b[35m"), ("dark", b"\x1b[33m")])
def test_a_theme(r1chat: Command, home: Path, theme: str, code: bytes) -> None:
    """A notice has a colour that can be read on the background that the setting names."""
    (home / "config.toml").write_text(f'theme = "{theme}"')
    argv = [*r1chat.argv, "run", "demo", "What is 1 + 1?", "--temp", "0"]
    with Console(argv, env=r1chat.environ, cwd=ROOT) as console:
        assert 0 == console.end()
        assert code in console.raw


def test_a_profile_brings_its_model(r1chat: Command, home: Path, tmp_path: Path) -> None:
    """The model of a profile is run when none is named, with the settings of its own section below the profile's."""
    path = other(tmp_path)
    (home / "config.toml").write_text(
        f"[models.other]\nmin_p = 0.2\ntop_k = 9\n[profiles.mine]\nmodel = '{path}'\nmax_tokens = 8\ntop_k = 5\n"
    )
    done = r1chat("run", "--profile", "mine", "--json", "--seed", "1", input=b"What is 1 + 1?")
    found = json.loads(done.out)
    assert ("other.gguf", "length", 5, 0.2) == (
        found["model"],
        found["finish_reason"],
        found["sampling"]["top_k"],
        found["sampling"]["min_p"],
    )


def test_the_file_in_an_editor(r1chat: Command, home: Path, tmp_path: Path) -> None:
    """`r1chat config --edit` makes a file to begin with, opens it, and tells a mistake at once."""
    editor = script(tmp_path, 'echo "temperature = hot" >> "$1"')
    done = r1chat("config", "--edit", env={"EDITOR": str(editor)})
    text = (home / "config.toml").read_text()
    assert (2, b"") == (done.code, done.out)
    assert f"config.toml:{len(text.splitlines())}: ".encode() in done.err
    if os.name != "nt":
        assert 0o600 == stat.S_IMODE((home / "config.toml").stat().st_mode)
    (home / "config.toml").write_text(text.replace("temperature = hot", "temperature = 0.5"))
    done = r1chat("config", "demo", env={"R1CHAT_SEED": "4"})
    assert b"" == done.err
    assert re.search(rf"temperature +0\.5 +config\.toml:{len(text.splitlines())} +R1CHAT_TEMP\n", done.out.decode())
    assert re.search(r"seed +4 +R1CHAT_SEED +R1CHAT_SEED\n", done.out.decode())


def test_the_line_of_a_setting_is_told_in_a_narrow_place(r1chat: Command, home: Path) -> None:
    """What 80 columns have no room for is the end of an origin, not its line."""
    (home / "config.toml").write_text('profile = "mathematics"\n[profiles.mathematics]\nseed = 4\n')
    assert re.search(r"seed +4 +config\.toml:3 \(prof", r1chat("config").out.decode())


def test_system_and_math(r1chat: Command) -> None:
    """A system prompt and the directive come and go in the middle of a chat."""
    with repl(r1chat, "demo", *SHORT) as console:
        console.type("/system Be brief.\r")
        console.wait("The system prompt is: Be brief.")
        console.type("/system off\r")
        console.wait("There is no system prompt")
        console.type("/math\r")
        console.wait("is added to your questions")
        ask(console, "What is 1 + 1?")
        console.type("/edit \t")
        console.wait("boxed") if "boxed" in console.text else None
        console.type("\x15/math off\r")
        console.wait("is not added to your questions")


def test_completion_in_the_chat(r1chat: Command, home: Path) -> None:
    """Tab completes commands, settings, their words, and models."""
    with repl(r1chat, "demo") as console:
        console.type("/sh\t")
        console.wait("/show")
        console.type(" repe\t")
        console.wait("/show repeat_penalty")
        console.type("\x15/set latex o\t")
        console.wait("off")
        console.type("\x15/model d\t")
        console.wait("/model demo")


# Another model


def other(tmp_path: Path, name: str = "other.gguf") -> Path:
    """A second model: the first one under another name."""
    path = tmp_path / name
    shutil.copy(DEMO, path)
    return path


def test_another_model_in_the_middle_of_a_chat(r1chat: Command, home: Path, tmp_path: Path) -> None:
    """/model loads it, with its own settings; the conversation goes on, and the old engine is gone."""
    path = other(tmp_path)
    (home / "config.toml").write_text('[models."other.gguf"]\ntop_k = 7\n')
    with repl(r1chat, "demo", *SHORT) as console:
        ask(console, "What is 1 + 1?")
        before = engine_of(console.process.pid)
        console.type(f"/model {path}\r")
        console.wait("other.gguf is loaded, with a context of 2,048 tokens. The conversation goes on.")
        wait_until_gone([before])
        console.type("/show top_k\r/show model\r")
        wait_for(lambda: row(console, "top_k") == ["top_k", "7", "config.toml:2"], "its own setting")
        wait_for(lambda: row(console, "model")[-1] == "/model", "where it comes from")
        ask(console, "And 2 + 2?", 2)
        console.type("/context\r")
        console.wait("earlier turns (1)")
        wait_for(lambda: "other.gguf" in console.text.rpartition("\n")[2], "the bar")
    with repl(r1chat) as console:
        console.wait("· other.gguf ·")  # it is the one that was used last


def test_a_model_that_is_not_here(r1chat: Command) -> None:
    """The chat stays as it is, and the command that gets the model is told; a mistyped name is told too."""
    with repl(r1chat, "demo", *SHORT) as console:
        console.type("/model 14b\r")
        console.wait("r1chat pull 14b")
        console.type("/model 15b\r")
        console.wait("There is no model '15b'.")
        ask(console, "What is 1 + 1?")
        console.type("/model\r")
        console.wait("> demo")


def test_a_model_that_can_not_be_loaded(r1chat: Command, tmp_path: Path) -> None:
    """A broken file costs nothing; one that fails only while it is loaded brings the old model back."""
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF but no more")
    with repl(r1chat, "demo", *SHORT) as console:
        ask(console, "What is 1 + 1?")
        engine = engine_of(console.process.pid)
        console.type(f"/model {broken}\r")
        wait_for(lambda: "broken.gguf" in console.text.replace("\n", ""), "the refusal")
        assert engine.is_running()
        path = other(tmp_path)
        console.type("/set gpu_layers 3\r")
        console.wait("gpu_layers is 3")
        console.type(f"/model {path}\r")
        console.wait("demo is loaded again, and the conversation is as it was.")
        ask(console, "And 2 + 2?", 2)


def test_ctrl_c_while_a_model_is_loaded(r1chat: Command, tmp_path: Path) -> None:
    """Ctrl-C while the other model is loaded goes back to the old one."""
    path = other(tmp_path)
    with repl(r1chat, "demo", *SHORT) as console:
        ask(console, "What is 1 + 1?")
        old = engine_of(console.process.pid)
        console.type(f"/model {path}\r")
        wait_until_gone([old])
        engine_of(console.process.pid).suspend()  # a load that takes its time
        console.type("\x03")
        console.wait("demo is loaded again")
        ask(console, "And 2 + 2?", 2)


# Asking anew


def script(folder: Path, line: str) -> Path:
    """Write a small editor."""
    path = folder / "editor"
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_edit_in_the_editor(r1chat: Command, tmp_path: Path) -> None:
    """/edit opens the last question in $EDITOR, asks what is saved in its place, and forgets neither version."""
    editor = script(tmp_path, "sed -i 's/1 + 1/3 + 4/' \"$1\"")
    with repl(r1chat, "demo", *SHORT, EDITOR=str(editor)) as console:
        console.type("/edit\r")
        console.wait("There is no question yet.")
        ask(console, "What is 1 + 1?")
        console.type("/edit\r")
        console.wait(">>> What is 3 + 4?")
        console.wait(DONE, 2)
        console.type("/context\r")
        console.wait("earlier turns (0)")
        console.type("/edit\r")
        console.wait("The question is as it was, so that nothing is asked.")


def test_edit_behind_the_command(r1chat: Command) -> None:
    """Tab behind /edit puts the last question into the prompt, where it can be changed."""
    with repl(r1chat, "demo", *SHORT) as console:
        ask(console, "What is 1 + 1?")
        console.type("/edit W\t")
        console.wait("/edit What is 1 + 1?")
        console.type("\x7f\x7f2?\r")
        console.wait(">>> What is 1 + 2?")
        console.wait(DONE, 2)
        console.type("/context\r")
        console.wait("earlier turns (0)")


def test_an_editor_that_is_none(r1chat: Command) -> None:
    """What can't be started is told, and the chat goes on."""
    with repl(r1chat, "demo", *SHORT, EDITOR="/no/such/editor") as console:
        ask(console, "What is 1 + 1?")
        console.type("/edit\r")
        console.wait("The editor /no/such/editor can't be started")
        ask(console, "And 2 + 2?", 2)


# Taking out

SCRIPTED = """
import os, sys
from pathlib import Path
from r1chat import paths
from r1chat.chat import Chat
from r1chat.core.memory import Devices, Plan
from r1chat.engine.scripted import ScriptedEngine
from r1chat.launch import Launched, Target
from r1chat.models.shape import shape_of
from r1chat.models.shards import read_model
from r1chat.repl.loop import Repl
from r1chat.settings.layers import Settings
from r1chat.terminal.screen import Screen

engine = ScriptedEngine((sys.argv[1],))
plan = Plan(n_ctx=2048, n_threads=1)
engine.load(plan)
engine.plan = plan
target = Target("scripted", Path(sys.argv[2]))
shape = shape_of(read_model(target.path).header, None)
screen = Screen.detect(os.environ, sys.stdin, sys.stdout, sys.stderr)
with Chat(engine, family="r1-distill") as chat:
    launched = Launched(target, shape, engine, Devices(1))
    Repl(chat, launched, screen, Settings(), "demo", paths.find()).run()
"""
ANSWER = """Think of it.</think>Two ways:

```python
print("one")
```

1. and

   ```sh
   echo two
   ```
"""


@contextmanager
def scripted(r1chat: Command, folder: Path, answer: str = ANSWER, **environ: str) -> Iterator[Console]:
    """A chat in which the model has answered so, in a folder of its own."""
    env = {**r1chat.environ, "PYTHONPATH": str(ROOT), **environ}
    argv = [sys.executable, "-c", SCRIPTED, answer, str(DEMO)]
    with Console(argv, env=env, cwd=folder, columns=100, rows=40) as console:
        console.wait(PROMPT)
        console.type("Show me.\r")
        console.wait("\n1 token\n")
        yield console


def test_copy_with_osc_52(r1chat: Command, tmp_path: Path) -> None:
    """Without a program for it, the terminal is asked to copy the answer, its code, or the thinking, as they were."""
    nothing = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "TMUX": "", "STY": "", "SSH_CONNECTION": "x"}
    with scripted(r1chat, tmp_path, **nothing) as console:
        for command, text in (
            ("/copy", ANSWER.partition("</think>")[2].strip()),
            ("/copy code", 'print("one")\n\necho two\n'),
            ("/copy code 2", "echo two\n"),
            ("/copy thinking", "Think of it."),
        ):
            console.type(f"{command}\r")
            sequence = b"\x1b]52;c;" + base64.b64encode(text.encode()) + b"\x07"
            wait_for(lambda sequence=sequence: sequence in console.raw, command)  # type: ignore[misc]
        console.wait("Copied the thinking (12 characters) with the terminal (OSC 52)")
        console.type("/copy that\r")
        console.wait("'that' can't be copied.")
        console.type("/copy code 3\r")
        console.wait("The last answer has no block 3.")


def test_copy_with_a_program(r1chat: Command, tmp_path: Path) -> None:
    """Where a display server is told, its program gets the text."""
    tools = tmp_path / "tools"
    tools.mkdir()
    tool = script(tools, f"cat > {tmp_path}/clipboard").rename(tools / "wl-copy")
    environ = {
        "WAYLAND_DISPLAY": "wayland-0",
        "SSH_CONNECTION": "",
        "SSH_TTY": "",
        "PATH": f"{tools}:{os.environ['PATH']}",
    }
    with scripted(r1chat, tmp_path, **environ) as console:
        console.type("/copy code 1\r")
        console.wait(f"Copied block 1 (13 characters) with {tool.name}.")
        assert 'print("one")\n' == (tmp_path / "clipboard").read_text()


def test_code_is_listed_shown_and_saved(r1chat: Command, tmp_path: Path) -> None:
    """/code lists the blocks, shows one, saves one; what is there is written over only when that is said."""
    with scripted(r1chat, tmp_path) as console:
        console.type("/code\r")
        console.wait("/code N FILE saves one")
        rows = [re.split(r"  +", line.strip()) for line in console.lines if re.match(r"\d  ", line)]
        assert [["1", "python", "1", 'print("one")'], ["2", "sh", "1", "echo two"]] == rows
        console.type("/code 1 one.py\r")
        console.wait("Saved 1 line as one.py.")
        assert 'print("one")\n' == (tmp_path / "one.py").read_text()
        console.type("/code 2 one.py\r")
        console.wait("one.py is there already, and was left as it is.")
        assert 'print("one")\n' == (tmp_path / "one.py").read_text()
        console.type("/code 2 one.py --force\r")
        console.wait("Saved 1 line as one.py, over what was there.")
        assert "echo two\n" == (tmp_path / "one.py").read_text()
        console.type("/code x.py\r")
        console.wait("more than one block of code (2)")
        console.type("/code 1 no/such/folder\r")
        console.wait("can't be written: No such file or directory.")
        assert "Traceback" not in console.text


def test_nothing_to_take_out(r1chat: Command, tmp_path: Path) -> None:
    """An answer without code says so, and so does a chat without an answer."""
    with scripted(r1chat, tmp_path, "Hm.</think>Just words.") as console:
        console.type("/code\r")
        console.wait("The last answer has no code.")
        console.type("/clear\r/copy\r")
        console.wait("There is no answer yet.")


def test_leaving_while_a_model_is_loaded(r1chat: Command, tmp_path: Path) -> None:
    """Ctrl-D in the middle of a change of models ends at once, and leaves no engine behind."""
    path = other(tmp_path)
    with repl(r1chat, "demo", *SHORT) as console:
        console.wait("context 0 of")
        old = engine_of(console.process.pid)
        console.type(f"/model {path}\r")
        wait_until_gone([old])
        family = [*children(console.process.pid)]
        console.type("\x04")
        assert 0 == console.end()
        wait_until_gone(family)


@pytest.mark.parametrize("columns", [40, 200])
def test_any_width(r1chat: Command, columns: int) -> None:
    """The tables fit into narrow and wide windows."""
    with repl(r1chat, "demo", columns=columns) as console:
        console.wait("context 0 of")
        console.type("/show\r")
        console.wait("/set NAME VALUE")
        console.type("/context\r")
        console.wait("of 2,048 tokens")
        assert "Traceback" not in console.text
