"""The clipboard: which way is taken where, and the sequences that terminals and multiplexers understand."""

import base64
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from r1chat.errors import R1ChatError
from r1chat.terminal import clipboard
from tests.processes import wait_for


def names(platform: str, **environ: str) -> list[str]:
    """The ways on a machine that has every program."""
    return [way.name for way in clipboard.ways(environ, platform, lambda name: name)]


def test_the_platforms_program_comes_first() -> None:
    """Each platform has its own; over SSH none of them, because the clipboard is where the terminal is."""
    osc = clipboard.TERMINAL.name
    assert ["pbcopy", osc] == names("darwin")
    assert ["clip.exe", osc] == names("win32")
    assert ["clip.exe", osc] == names("linux", WSL_DISTRO_NAME="Debian")
    assert ["wl-copy", "xclip", "xsel", osc] == names("linux", WAYLAND_DISPLAY="w", DISPLAY=":0")
    assert ["tmux", osc] == names("linux", TMUX="x", DISPLAY=":0", SSH_CONNECTION="y")
    assert [osc] == names("linux")
    assert [] == names("linux", TERM="dumb")
    assert [osc] == [way.name for way in clipboard.ways({"DISPLAY": ":0"}, "linux", lambda name: None)]


def test_the_sequence() -> None:
    """Plain, passed on by tmux with its escapes doubled, and in pieces for GNU screen."""
    code = base64.b64encode("ü".encode()).decode()
    assert f"\x1b]52;c;{code}\x07" == clipboard.sequence("ü", {})
    assert f"\x1bPtmux;\x1b\x1b]52;c;{code}\x07\x1b\\" == clipboard.sequence("ü", {"TMUX": "x"})
    long = clipboard.sequence("x" * 3000, {"STY": "x"})
    pieces = long.removeprefix("\x1bP").removesuffix("\x1b\\").split("\x1b\\\x1bP")
    assert clipboard.sequence("x" * 3000, {}) == "".join(pieces)
    assert max(map(len, pieces)) <= 250


def test_what_is_too_long_for_a_terminal() -> None:
    """It is refused, not cut."""
    with pytest.raises(R1ChatError, match="does not take"):
        clipboard.sequence("x" * 60_000, {})


def test_a_program_that_fails_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next way is taken, at the end the terminal."""
    for name, code in (("wl-copy", 1), ("xclip", 0)):
        (tmp_path / name).write_text(f"#!/bin/sh\ncat > {tmp_path}/{name}.text\nexit {code}\n")
        (tmp_path / name).chmod((tmp_path / name).stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    sent: list[str] = []
    environ = {"WAYLAND_DISPLAY": "w", "DISPLAY": ":0"}
    assert "xclip" == clipboard.copy("text", sent.append, environ)
    assert "text" == (tmp_path / "xclip.text").read_text()
    (tmp_path / "xclip").write_text("#!/bin/sh\nexit 1\n")
    assert clipboard.TERMINAL.name == clipboard.copy("text", sent.append, environ)
    assert [clipboard.sequence("text", environ)] == sent
    with pytest.raises(R1ChatError, match="no clipboard"):
        clipboard.copy("text", sent.append, {"TERM": "dumb"})


@pytest.fixture
def tmux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A tmux server of its own; gives what TMUX is inside of it."""
    monkeypatch.delenv("TMUX", raising=False)
    argv = ["tmux", "-S", str(tmp_path / "socket"), "-f", os.devnull]
    subprocess.run([*argv, "new-session", "-d", "sh"], check=True, env={**os.environ, "TERM": "xterm-256color"})
    try:
        yield f"{tmp_path / 'socket'},0,0"
    finally:
        subprocess.run([*argv, "kill-server"], check=False, capture_output=True)


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_tmux_takes_the_text(tmux: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside of tmux, its own buffer gets the text, with tmux as it comes."""
    monkeypatch.setenv("TMUX", tmux)
    assert "tmux" == clipboard.copy("to tmux", lambda _: None, {"TMUX": tmux, "SSH_TTY": "x"})

    def buffer() -> str:
        return subprocess.run(["tmux", "show-buffer"], capture_output=True, text=True, check=False).stdout

    wait_for(lambda: buffer() == "to tmux", "the buffer")
