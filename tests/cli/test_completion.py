"""The completion: what is offered where, and real shells in which a person presses Tab."""

import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from r1chat.cli.commands import COMMANDS
from r1chat.cli.completion import SCRIPTS, choices, complete
from tests.conftest import ROOT, Command
from tests.console import Console

BREAKS = " \t\n\"'><=;|&(:"  # bash's own COMP_WORDBREAKS


def words(line: str) -> list[str]:
    """What is offered behind `r1chat `; the last word is the one at the cursor."""
    return [choice.word for choice in choices(line.split(" "))]


def bash(capsys: pytest.CaptureFixture[str], line: str, breaks: str = BREAKS) -> list[str]:
    """What bash is told for a line."""
    complete(["bash", "r1chat", line, breaks])
    out, err = capsys.readouterr()
    assert "" == err
    return out.split("\n")[:-1]


def test_commands_and_options() -> None:
    """Every command has a name to complete, and every option that its help shows is offered behind two dashes."""
    assert [command.name for command in COMMANDS] == words("")
    assert ["run", "rm"] == words("r")
    assert ["--help", "--version"] == words("-")
    assert {"--temp", "--no-think", "--file", "--profile", "--help"} <= set(words("run demo --"))
    assert ["--threads"] == words("run --thr")
    assert [] == words("frobnicate ")
    assert [] == words("run -- -")


def test_models(home: Path) -> None:
    """Names of the catalogue and the user's own; behind a colon, the quantizations; a path is left to the shell."""
    assert ["7b", "70b"] == words("run 7")
    assert "7b:Q4_K_M" in words("run 7b:")
    assert ["demo"] == words("run d")
    assert [] == words("pull dem")
    assert [] == words("run ./")
    assert [] == words("run demo ")
    assert ["7b", "70b"] == words("pull 14b 7")
    assert ["1.5b", "14b"] == words("run --temp 0.5 -y 1")


def test_bash_takes_what_it_is_given_for_one_word(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """Signs that mean something to bash are written so that they mean nothing, within quotes and without."""
    (home / "config.toml").write_text('[profiles."it\'s $x; y"]')
    assert [r"it\'s\ \$x\;\ y"] == bash(capsys, "r1chat run --profile it")
    assert [r"it's \$x; y"] == bash(capsys, 'r1chat run --profile "it')
    assert [r"it'\''s $x; y"] == bash(capsys, "r1chat run --profile 'it")
    assert "7b:Q8_0" in bash(capsys, 'r1chat run "7b:')  # between quotes, bash replaces what is before the colon too
    assert "Q8_0" in bash(capsys, "r1chat run 7b:")


def test_values_of_options(home: Path) -> None:
    """A setting's few words are offered, profiles as the file has them; a broken file offers none and says nothing."""
    assert ["show", "fold", "hide", "auto"] == words("run --thinking ")
    assert ["--kv=q8_0"] == words("run --kv=q8")
    assert [] == words("run --file ")
    assert [] == words("run --profile ")
    (home / "config.toml").write_text("[profiles.math]\n[profiles.prose]")
    assert ["math"] == words("run --profile m")
    (home / "config.toml").write_text("[profiles.math")
    assert [] == words("run --profile m")
    assert ["bash", "zsh", "fish"] == words("completion ")


def test_sessions(r1chat: Command) -> None:
    """The commands of the group are offered, and the keys of kept sessions, with their titles as remarks."""
    assert {"list", "show", "search", "export", "rm"} <= set(words("sessions "))
    assert [] == words("sessions show ")
    assert "--all" in words("sessions --")
    assert "--thinking" in words("sessions show --")
    with Console([*r1chat.argv, "run", "demo", "--max-tokens", "4"], env=r1chat.environ, cwd=ROOT) as console:
        console.wait(">>>")
        console.type("What is 1 + 1?\r")
        console.wait(" tok/s")
        console.type("\x04")
        assert 0 == console.end()
    offered = choices(["sessions", "show", ""])
    assert ["What is 1 + 1?"] == [choice.note for choice in offered]
    assert offered == choices(["run", "--resume", ""])
    assert [] == words("sessions search ")


def test_bash_replaces_what_follows_a_colon(capsys: pytest.CaptureFixture[str]) -> None:
    """The part of a word that bash keeps is not said again; without the colon among its breaks, all is said."""
    assert "Q4_K_M" in bash(capsys, "r1chat run 7b:Q4")
    assert "7b:Q4_K_M" in bash(capsys, "r1chat run 7b:Q4", " ")
    assert ["q8_0"] == bash(capsys, "r1chat run --kv=q8")
    assert ["demo"] == bash(capsys, "HF_TOKEN=x r1chat run 'dem")


@pytest.mark.parametrize("argv", [[], ["bash"], ["bash", "r1chat", "other run "], ["zsh"], ["tcsh", "x", ""]])
def test_it_never_complains(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    """Whatever a script may ask, nothing is said on stderr."""
    complete(argv)
    assert "" == capsys.readouterr().err


def test_an_unknown_shell(r1chat: Command) -> None:
    """The shells that there are are named."""
    done = r1chat("completion", "tcsh")
    assert (2, b"") == (done.code, done.out)
    assert b"Use one of bash, zsh, fish." in done.err


def test_a_tab_needs_neither_engine_nor_prompt(r1chat: Command) -> None:
    """A Tab at a model's name imports none of the heavy libraries, and not even the command."""
    code = (
        "import sys; from r1chat.cli.app import main; main(['__complete', 'fish', 'r1chat', 'run', '7']); "
        "print(*sys.modules, file=sys.stderr)"
    )
    python = r1chat.argv[0]
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=True, env=r1chat.environ, cwd=ROOT
    )
    assert ["7b", "70b"] == [line.partition("\t")[0] for line in done.stdout.splitlines()]
    heavy = {"llama_cpp", "numpy", "huggingface_hub", "prompt_toolkit", "rich", "r1chat.cli.run"}
    assert heavy & set(done.stderr.split()) == set()


@contextmanager
def shell(r1chat: Command, folder: Path, *argv: str, **environ: str) -> Iterator[Console]:
    """Start a shell that finds `r1chat` on its path, with the script loaded."""
    tools = folder / "bin"
    tools.mkdir()
    command = tools / "r1chat"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {" ".join(r1chat.argv)} "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    env = {**r1chat.environ, "PATH": f"{tools}:{r1chat.environ['PATH']}", "HOME": str(folder), **environ}
    with Console(argv, env=env, cwd=folder, columns=120, rows=30) as console:
        console.wait("$>")
        yield console


def needs(program: str) -> pytest.MarkDecorator:
    """Skip where a shell is not installed."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def press(console: Console) -> None:
    """Type words with Tab behind them, and see them completed."""
    console.type("r1chat ru\t")
    console.wait("r1chat run")
    console.type("dem\t")
    console.wait("r1chat run demo")
    console.type("--prof\t")
    console.wait("r1chat run demo --profile")
    console.type("ma\t")
    console.wait("r1chat run demo --profile math")
    console.type("\x15r1chat run 7b:Q6\t")  # Ctrl-U clears the line
    console.wait("r1chat run 7b:Q6_K")
    console.type("\x15r1chat run ./mod\t")
    console.wait("r1chat run ./model.gguf")
    console.type("\x15r1chat run 7\t\t")
    console.wait("70b")
    assert "Traceback" not in console.text


@pytest.fixture
def folder(tmp_path: Path, home: Path) -> Path:
    """A folder with a model in it, and a profile in the settings."""
    (home / "config.toml").write_text("[profiles.math]\nmath = true\n")
    (tmp_path / "model.gguf").touch()
    return tmp_path


@needs("bash")
def test_bash(r1chat: Command, folder: Path) -> None:
    """In bash, Tab completes commands, models, quantizations, options, their values, and files."""
    with shell(r1chat, folder, "bash", "--norc", "--noprofile", "-i", PS1="$> ") as console:
        console.type("source <(r1chat completion bash)\r")
        console.wait("$>", 2)
        press(console)


@needs("zsh")
def test_zsh(r1chat: Command, folder: Path) -> None:
    """In zsh, the same."""
    with shell(r1chat, folder, "zsh", "-f", "-i", PS1="$> ", ZDOTDIR=str(folder)) as console:
        console.type("autoload -Uz compinit; compinit -u; source <(r1chat completion zsh); echo ready\r")
        console.wait("ready", 2)
        press(console)


@needs("fish")
def test_fish(r1chat: Command, folder: Path) -> None:
    """In fish, the same."""
    prompt = "function fish_prompt; echo '$> '; end; set -g fish_greeting; set -g fish_autosuggestion_enabled 0"
    with shell(r1chat, folder, "fish", "--no-config", "--init-command", prompt, "-i") as console:
        console.type("r1chat completion fish | source; echo ready\r")
        console.wait("ready", 2)
        press(console)


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_script_says_how_to_keep_it(r1chat: Command, name: str) -> None:
    """A comment of the script tells where it belongs; zsh's begins as the files of its path must."""
    lines = r1chat("completion", name).out.decode().splitlines()
    assert [] != [line for line in lines[:2] if line.startswith("# For good: ")]
    assert name != "zsh" or lines[0] == "#compdef r1chat"
