"""`r1chat run` in odd surroundings: locales, closed streams, homes that can't be written, what variables say."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command, Done

QUICK = ("--no-think", "--max-tokens", "6", "--seed", "1")
ASK = ("run", "demo", "What is 17 + 25?", *QUICK)


@pytest.fixture(scope="module")
def usual(verdict: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """What ASK leaves behind in usual surroundings."""
    home = tmp_path_factory.mktemp("usual")
    if verdict.exists():
        shutil.copy(verdict, home / "selfcheck.json")
    return Command(home)(*ASK)


def in_shell(r1chat: Command, redirections: str, *args: str) -> Done:
    """Run the command in a shell that closes or redirects its streams."""
    line = f'exec "$@" {redirections}'
    argv = ["sh", "-c", line, "sh", *r1chat.argv, *args]
    done = subprocess.run(argv, capture_output=True, env=r1chat.environ, cwd=ROOT, timeout=60, check=False)
    return Done(done.stdout, done.stderr, done.returncode)


@pytest.mark.parametrize(
    "environ",
    [
        {"LANG": "C", "LC_ALL": "C"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "utf-16"},
        {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "7"},
    ],
)
def test_no_locale_changes_what_is_asked_or_said(r1chat: Command, environ: Mapping[str, str]) -> None:
    """In any encoding of the environment, arguments, stdin and output are UTF-8 and arrive whole."""
    done = r1chat("run", "demo", "多少? 🙂", "--max-tokens", "1", "--jsonl", input="π²".encode(), env=environ)
    started, *_, finished = (json.loads(line) for line in done.out.decode("utf-8").splitlines())
    assert (b"", 0) == (done.err, done.code)
    assert "π²\n\n多少? 🙂" == started["message"]["content"]
    assert "length" == finished["reason"]


def test_stdin_need_not_be_utf_8(r1chat: Command) -> None:
    """Bytes that are no UTF-8 are replaced, not refused."""
    assert 0 == r1chat("run", "demo", *QUICK, input=b"1 + \xff\xfe 1").code


@pytest.mark.parametrize("redirections", ["<&-", "</dev/null"])
def test_no_stdin_is_no_hang(r1chat: Command, usual: Done, redirections: str) -> None:
    """With a prompt, a closed or empty stdin is as good as any; without one there is no question."""
    assert usual == in_shell(r1chat, redirections, *ASK)
    done = in_shell(r1chat, redirections, "run", "demo")
    assert (b"", 2) == (done.out, done.code)
    assert b"There is no question." in done.err


@pytest.mark.parametrize("redirections", ["2>&-", "<&- 2>&-"])
def test_a_closed_stderr_costs_nothing(r1chat: Command, usual: Done, redirections: str) -> None:
    """The answer comes, whether or not anybody can hear complaints."""
    assert usual.out == in_shell(r1chat, redirections, *ASK, "--thinking", "show").out
    assert 3 == in_shell(r1chat, redirections, "run", "no-such-model").code


@pytest.mark.parametrize(
    ("redirections", "form"), [(">&-", ()), ("<&- >&-", ("--json",)), ("<&- >&- 2>&-", ("--thinking", "show"))]
)
def test_a_closed_stdout_is_no_crash(r1chat: Command, redirections: str, form: tuple[str, ...]) -> None:
    """Without a stdout nothing is said, and nothing goes wrong."""
    assert Done(b"", b"", 0) == in_shell(r1chat, redirections, *ASK, *form)


def test_output_that_cannot_be_written_is_told(r1chat: Command, tmp_path: Path) -> None:
    """Where the answer can't be written, here for a limit on a file's size, that is one sentence and a failure."""
    line = f'ulimit -f 0; exec "$@" >{tmp_path}/answer'
    argv = ["sh", "-c", line, "sh", *r1chat.argv, *ASK]
    done = subprocess.run(
        argv, env=r1chat.environ, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    sentence, hint = done.stderr.decode().splitlines()
    assert 1 == done.returncode
    assert sentence.startswith("r1chat: The output can't be written: ")
    assert "  Make room, and run it again." == hint


# Where r1chat keeps its files


def test_a_home_that_cannot_be_written(r1chat: Command, usual: Done, tmp_path: Path) -> None:
    """A file in the place of the folder costs nothing but the memory."""
    (tmp_path / "file").write_text("not a folder")
    done = r1chat(*ASK, env={"R1CHAT_HOME": str(tmp_path / "file")})
    assert usual == done


def test_no_home_at_all(r1chat: Command, usual: Done, tmp_path: Path) -> None:
    """Without R1CHAT_HOME the platform's folders are used, and created privately on the first run."""
    environ = {name: value for name, value in r1chat.environ.items() if not name.startswith(("R1CHAT_", "XDG_"))}
    environ["HOME"] = str(tmp_path / "user")
    argv = [*r1chat.argv, *ASK]
    done = subprocess.run(argv, env=environ, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (usual.out, 0) == (done.stdout, done.returncode)
    kept = [path for path in (tmp_path / "user").rglob("last-model") if path.is_file()]
    assert ["demo"] == [path.read_text() for path in kept]
    assert [0o700] == [path.parent.stat().st_mode & 0o777 for path in kept]


def test_nothing_in_the_environment(r1chat: Command, usual: Done) -> None:
    """An empty environment, without HOME and PATH, is enough."""
    home = {"R1CHAT_HOME": r1chat.environ["R1CHAT_HOME"]}
    argv = [*r1chat.argv, *ASK]
    done = subprocess.run(argv, env=home, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert usual == Done(done.stdout, done.stderr, done.returncode)


def test_the_current_folder_is_not_imported_from(r1chat: Command, usual: Done, tmp_path: Path) -> None:
    """A json.py or a folder r1chat where the user works is nobody's module."""
    (tmp_path / "json.py").write_text("raise SystemExit('imported')")
    (tmp_path / "r1chat").mkdir()
    script = "import sys; sys.path[:] = [p for p in sys.path if p]; from r1chat.__main__ import main; main()"
    environ = {**r1chat.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    argv = [sys.executable, "-c", script, *ASK]
    done = subprocess.run(argv, env=environ, cwd=tmp_path, input=b"", capture_output=True, timeout=60, check=False)
    assert usual == Done(done.stdout, done.stderr, done.returncode)


# Which model


def test_the_model_of_the_environment(r1chat: Command) -> None:
    """Without a name, `r1chat run -f …` takes R1CHAT_MODEL, and says so when there is none of that name."""
    done = r1chat("run", *QUICK, input=b"1", env={"R1CHAT_MODEL": "no-such-model"})
    assert 3 == done.code
    assert b"There is no model 'no-such-model'." in done.err


def test_the_model_that_was_used_last(r1chat: Command, tmp_path: Path) -> None:
    """Without a name and a setting, the last model that answered is taken, by its whole path; else the demo."""
    assert "demo" == json.loads(r1chat("run", *QUICK, "--json", input=b"1").out)["model"]
    copy = tmp_path / "copy.gguf"
    copy.symlink_to(ROOT / "r1chat" / "data" / "demo.gguf")
    relative = os.path.relpath(copy, ROOT)
    assert 0 == r1chat("run", relative, "1", *QUICK).code
    assert "copy.gguf" == json.loads(r1chat("run", *QUICK, "--json", input=b"1").out)["model"]
    last = Path(r1chat.environ["R1CHAT_HOME"]) / "last-model"
    last.write_text(str(tmp_path / "gone.gguf"))
    assert "demo" == json.loads(r1chat("run", *QUICK, "--json", input=b"1").out)["model"]
