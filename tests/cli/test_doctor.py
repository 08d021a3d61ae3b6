"""`r1chat doctor`: the real command in a process of its own, on good and bad machines, and what it must never show."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from r1chat.cli.doctor import command_rows
from r1chat.engine import llama
from r1chat.engine.selfcheck import SelfCheck
from r1chat.models.library import demo_path
from r1chat.terminal.wrap import width
from tests.conftest import ROOT, Command, Done
from tests.console import Console

USER, PASSWORD, TOKEN = "zaphod", "beeblebr0x", "hf_HeartOfGold42HeartOfGold42"
OFFLINE = {"HF_HUB_OFFLINE": "1"}


def checks(done: Done) -> dict[str, dict[str, Any]]:
    """Read what --json printed, by the names of the checks."""
    value = json.loads(done.out)
    assert {"checks", "verdict"} == set(value)
    return {check["name"]: check for check in value["checks"]}


@pytest.fixture
def broken(tmp_path: Path) -> dict[str, str]:
    """An environment in which the engine's library lacks a library that it needs, as on a system without libgomp."""
    folder = tmp_path / "lib"
    shutil.copytree(llama.library_files()[0].parent, folder)
    for path in folder.iterdir():
        if "ggml-base" in path.name:
            path.unlink()
    return {"LLAMA_CPP_LIB_PATH": str(folder)}


def test_a_machine_on_which_r1chat_works(r1chat: Command) -> None:
    """Nothing fails; the engine that answers here is described by itself, and the self-check is the recorded one."""
    done = r1chat("doctor", "--json", "--offline")
    found = checks(done)
    assert (0, b"") == (done.code, done.err)
    assert {"ok", "warn"} >= {check["verdict"] for check in found.values()}
    assert llama.library_version() == found["engine"]["data"]["version"]
    assert "CPU" in found["engine"]["data"]["backends"]
    verdict = SelfCheck(Path(r1chat.environ["R1CHAT_HOME"]) / "selfcheck.json", demo_path()).verdict()
    assert (verdict.extra_buffers, True) == (
        found["self-check"]["data"]["extra_buffers"],
        found["self-check"]["data"]["recorded"],
    )
    assert found["memory"]["data"]["free_bytes"] <= found["memory"]["data"]["total_bytes"]
    assert "--offline" in found["hub"]["message"]


def test_the_first_check_makes_the_proof(r1chat: Command, tmp_path: Path) -> None:
    """In a new home the bundled model is decoded once; the second time that is on record."""
    environ = {**OFFLINE, "R1CHAT_HOME": str(tmp_path / "new")}
    recorded = [checks(r1chat("doctor", "--json", env=environ))["self-check"]["data"]["recorded"] for _ in range(2)]
    assert [False, True] == recorded


def test_lines_for_a_person(r1chat: Command) -> None:
    """One line for each check that begins with its verdict and name, the rest under it; one summary; no escapes."""
    done = r1chat("doctor", env=OFFLINE)
    lines = done.out.decode().splitlines()
    heads = [line.split()[:2] for line in lines if line and not line.startswith(" ")]
    names = list(checks(r1chat("doctor", "--json", env=OFFLINE)))
    assert names == [name for _, name in heads[:-1]]
    assert {"ok", "warn"} >= {verdict for verdict, _ in heads[:-1]}
    assert "Safe to show" in lines[-1]
    assert max(map(width, lines)) <= 80
    assert (0, b"", False) == (done.code, done.err, b"\x1b" in done.out)


@pytest.mark.parametrize(
    "environ",
    [
        {"LC_ALL": "C", "LANG": "C"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "30"},
        {"COLUMNS": "7"},
    ],
)
def test_any_surroundings(r1chat: Command, environ: Mapping[str, str]) -> None:
    """No locale and no width is one in which it fails."""
    done = r1chat("doctor", env={**OFFLINE, **environ})
    assert (0, b"") == (done.code, done.err)
    assert "Safe to show" in " ".join(done.out.decode().split())
    if environ.get("COLUMNS") == "30":
        assert max(map(width, done.out.decode().splitlines())) <= 30


def test_a_library_that_cannot_be_loaded(r1chat: Command, broken: dict[str, str]) -> None:
    """The failing import is one line with the loader's words, the others are there, and the exit code is 1."""
    done = r1chat("doctor", "--json", env={**OFFLINE, **broken})
    found = checks(done)
    assert (1, b"", "fail") == (done.code, done.err, json.loads(done.out)["verdict"])
    assert "ggml-base" in found["engine"]["message"]
    assert "LLAMA_CPP_LIB_PATH" in found["engine"]["remedy"]
    assert {"engine", "self-check"} == {name for name, check in found.items() if check["verdict"] == "fail"}
    done = r1chat("doctor", env={**OFFLINE, **broken})
    assert (1, b"") == (done.code, done.err)
    assert b"\nfail  engine" in done.out
    assert b"2 failures" in done.out


def test_a_library_that_kills(r1chat: Command, broken: dict[str, str]) -> None:
    """A child that dies is a failure's sentence, never a traceback."""
    for path in Path(broken["LLAMA_CPP_LIB_PATH"]).iterdir():
        if "llama" in path.name:
            path.write_bytes(path.read_bytes()[:200_000])
    done = r1chat("doctor", env={**OFFLINE, **broken})
    assert (1, b"") == (done.code, done.err)
    assert b"\nfail  engine" in done.out
    assert b"Traceback" not in done.out


def test_a_command_can_be_copied() -> None:
    """A command that is too wide goes on with the shell's own sign for that, and means what it meant."""
    command = "CMAKE_ARGS='-DGGML_CUDA=on' pip install --force-reinstall --no-cache-dir llama-cpp-python"
    lines = command_rows(command, 60, "\\")
    assert 1 < len(lines)
    assert 60 >= max(map(width, lines))
    script = 'pip() { printf \'%s|\' "$CMAKE_ARGS" "$@"; }\n' + "\n".join(lines)
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert "-DGGML_CUDA=on|install|--force-reinstall|--no-cache-dir|llama-cpp-python|" == said
    assert ["r1chat fit"] == [line.strip() for line in command_rows("r1chat fit", 60, "`")]


def planted(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A home folder, a token and passwords, planted wherever a check looks; settings and libraries are broken."""
    home = tmp_path / "Users" / USER
    own = home / ".r1chat"
    own.mkdir(parents=True)
    (own / "config.toml").write_text(f"{TOKEN} = {PASSWORD}")
    (own / "models.toml").write_text(f'[[model]]\nid = "{TOKEN}"\n{PASSWORD} = "{home}"\n')
    (home / "hf").mkdir()
    (home / "hf" / "token").write_text(TOKEN[::-1])
    (home / "cache").write_text("no folder")
    return home, {
        **{name: USER for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER")},
        **{name: str(home) for name in ("HOME", "USERPROFILE", "TMPDIR")},
        **{name: f"http://{USER}:{PASSWORD}@127.0.0.1:9" for name in ("http_proxy", "https_proxy", "ALL_PROXY")},
        "R1CHAT_HOME": str(own),
        "R1CHAT_MODEL": str(home / "no-such.gguf"),
        "R1CHAT_PROMPT": "What nobody shall know",
        "LLAMA_CPP_LIB_PATH": str(home / "lib"),
        "HF_HOME": str(home / "hf"),
        "HF_HUB_CACHE": str(home / "cache" / USER / TOKEN),
        "HF_TOKEN": TOKEN,
        "HF_ENDPOINT": f"http://{USER}:{PASSWORD}@hub.example/{USER}",
        "no_proxy": "",
        "TERM": str(home),
    }


@pytest.mark.parametrize("form", [(), ("--json",)])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"HF_TOKEN": ""},
        {"HF_TOKEN": f"{TOKEN} {PASSWORD}"},
        {"HF_ENDPOINT": f"http://{USER}:{PASSWORD}@[::1"},
        {"HF_ENDPOINT": f"ftp://{USER}:{PASSWORD}@hub.example"},
        {"http_proxy": f"{USER}:{PASSWORD}@"},
        {"http_proxy": f"socks9://{USER}:{PASSWORD}@[x"},
        {"LLAMA_CPP_LIB_PATH": "", "no_proxy": "*", "HF_ENDPOINT": f"http://{USER}:{PASSWORD}@127.0.0.1:9/{USER}"},
        {"HF_ENDPOINT": f"https://{USER}:{PASSWORD}@hub.example", "SSL_CERT_FILE": f"/home/{USER}/none.pem"},
        {"R1CHAT_HOME": f"~/{TOKEN}", "R1CHAT_DEBUG": "1"},
    ],
)
def test_it_can_be_shown_to_strangers(
    r1chat: Command, tmp_path: Path, form: tuple[str, ...], change: dict[str, str]
) -> None:
    """No home folder, user name, token, password or prompt is in what it prints, whatever goes wrong."""
    home, environ = planted(tmp_path)
    done = r1chat("doctor", *form, env={**environ, **change})
    text = (done.out + done.err).decode()
    assert done.code in (0, 1)
    assert len(text) > 500
    assert b"" == done.err
    for word in (str(home), USER, PASSWORD, TOKEN, TOKEN[::-1], "nobody shall know"):
        assert word.casefold() not in text.casefold()


def test_on_a_terminal(r1chat: Command) -> None:
    """Verdicts have colours, the terminal is described, and the status line leaves nothing behind."""
    argv, environ = [*r1chat.argv, "doctor"], {**r1chat.environ, **OFFLINE, "LC_ALL": "C.UTF-8"}
    with Console(argv, env=environ, cwd=ROOT) as console:
        assert 0 == console.end()
        (line,) = (line for line in console.lines if " terminal " in line)
        assert line.startswith("ok    terminal    80 by 24, ")
        assert "hub…" not in console.text
        assert "Safe to show" in console.lines[-1]
