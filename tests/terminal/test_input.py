"""The REPL's terminal: keys in, callbacks out; events in, rows out. By pipe, and once on a real terminal."""

import os
import signal
import stat
import subprocess
import sys
import termios
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.data_structures import Size as PtkSize
from prompt_toolkit.input import PipeInput, create_pipe_input

from r1chat.core.events import Answer, Finished, Reason, Reasoning, Started
from r1chat.core.messages import Message, Role
from r1chat.terminal.application import ReplOutput
from r1chat.terminal.history import LONGEST, MOST, open_history
from r1chat.terminal.input import LEAVE_HINT, QUEUE_HINT, ReplTerminal
from r1chat.terminal.live import Live, Thinking
from r1chat.terminal.outbox import Entry
from r1chat.terminal.pastes import Pastes
from r1chat.terminal.screen import Screen, Size

SIZE = Size(80, 24)
SCREEN = Screen(stdin_tty=True, stdout_tty=True, size=lambda: SIZE)
LEAVE = "\x04"


Emulate = Callable[[Size], Any]  # the fixture of conftest.py


class Repl:
    """A terminal that is typed into, and what came of it."""

    def __init__(self, emulate: Emulate, on_submit: Callable[["Repl"], None] = lambda repl: None) -> None:
        self.emulator = emulate(SIZE)
        self.submitted: list[tuple[str, bool]] = []
        self.calls: list[str] = []
        self.terminal: ReplTerminal
        self.keys: PipeInput
        self._action = on_submit

    def type(self, keys: str, history_path: Path | None = None, *, vi: bool = False) -> "Repl":
        """Run the terminal with these keys."""
        output = ReplOutput(self.emulator, lambda: PtkSize(rows=24, columns=80), enable_cpr=False)
        with create_pipe_input() as pipe:
            self.keys = pipe
            self.terminal = ReplTerminal(
                SCREEN,
                Live(SCREEN, session=True, clock=lambda: 0.0),
                on_submit=self._submit,
                on_interrupt=self._interrupt,
                on_leave=lambda: self.calls.append("leave"),
                bar=lambda: ["the bar"],
                complete=lambda text: ["/help"] if text.startswith("/h") else [],
                on_think=lambda: self.calls.append("think"),
                on_answer_now=lambda: self.calls.append("answer now"),
                at_once=lambda text: text == "/now",
                history_path=history_path,
                vi=vi,
                input=pipe,
                output=output,
            )
            typist = threading.Thread(target=pipe.send_text, args=[keys])  # a pipe holds less than a long paste
            typist.start()
            self.terminal.run()
            typist.join()
        return self

    def _submit(self, entry: Entry) -> None:
        self.submitted.append((entry.text, entry.literal))
        self._action(self)

    def _interrupt(self) -> None:
        self.calls.append("interrupt")
        self.terminal.busy = False


def test_enter_submits_and_alt_enter_breaks_the_line(emulate: Emulate) -> None:
    """A message may have several lines; blank ones are not sent; each is repeated in the scrollback."""
    repl = Repl(emulate).type("one\x1b\rtwo\r\r  \rthree\r" + LEAVE)
    assert [("one\ntwo", False), ("  three", False)] == repl.submitted
    assert [">>> one", "... two", "", ">>>   three"] == repl.emulator.rows()
    assert ["leave"] == repl.calls


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("\x1b[200~/exit\r\nsecond\r\x1b[201~\r", ("/exit\nsecond\n", True)),
        ("\x1b[200~/exit\x1b[201~\r", ("/exit", True)),
        ("/exit\r", ("/exit", False)),
        ("/say \x1b[200~word\x1b[201~\r", ("/say word", False)),
        ("a \x1b[200~1\n2\x1b[201~\r", ("a 1\n2", True)),
        ("\x1b[200~x\x1b[201~\x03/exit\r", ("/exit", False)),
    ],
)
def test_a_paste_is_one_message_and_never_a_command(emulate: Emulate, keys: str, expected: tuple[str, bool]) -> None:
    """Pasted lines arrive together and say that they were pasted; clearing the line forgets it."""
    assert [expected] == Repl(emulate).type(keys + LEAVE).submitted


def test_a_paste_of_ten_thousand_lines_is_one_message_with_a_short_echo(emulate: Emulate) -> None:
    """The scrollback shows only the beginning of a very long message."""
    lines = "\n".join(f"line {number}" for number in range(10_000))
    repl = Repl(emulate).type(f"\x1b[200~{lines}\x1b[201~\r{LEAVE}")
    assert [(lines, True)] == repl.submitted
    assert "... (9,990 more lines)" == repl.emulator.rows()[-1]
    assert 11 == len(repl.emulator.rows())


def become_busy(repl: Repl) -> None:
    """Begin a turn that ends when it is interrupted, or told to by the message `end`."""
    repl.terminal.busy = repl.submitted[-1][0] != "/now"


def test_what_is_entered_during_a_turn_waits_for_its_end(emulate: Emulate) -> None:
    """One turn at a time, in the order of entering; a command that may come at any time does not wait."""

    queued = threading.Event()

    def work(repl: Repl, text: str) -> None:
        queued.wait()
        repl.terminal.busy = False
        if text == "three":
            repl.terminal.exit()

    def begin(repl: Repl) -> None:
        text, _ = repl.submitted[-1]
        if text == "/now":
            queued.set()
        else:
            repl.terminal.busy = True
            threading.Thread(target=work, args=(repl, text)).start()

    repl = Repl(emulate, begin).type("one\rtwo\rthree\r/now\r")
    assert ["one", "/now", "two", "three"] == [text for text, _ in repl.submitted]


def test_ctrl_c_gives_back_what_waits(emulate: Emulate) -> None:
    """Who stops an answer does not start the next one; all that waited is in the prompt, above what stood there."""
    repl = Repl(emulate, become_busy).type("one\rtwo\r/three\rdraft\x03\r\x03" + LEAVE)
    assert [("one", False), ("two\n/three\ndraft", True)] == repl.submitted
    assert ["interrupt", "interrupt", "leave"] == repl.calls


def test_up_at_an_empty_prompt_takes_back_what_waits(emulate: Emulate) -> None:
    """The last one first; it can be edited, and is sent as it is then."""
    up = "\x1b[A"
    repl = Repl(emulate, become_busy).type(f"one\rtwo\rthree\r{up}!\x03\r\x03{LEAVE}")
    assert ["one", "two\nthree!"] == [text for text, _ in repl.submitted]


def test_a_command_that_was_taken_back_is_a_command(emulate: Emulate) -> None:
    """Waiting changes nothing in what a message is."""
    repl = Repl(emulate, become_busy).type("one\r/two\r\x03\r\x03" + LEAVE)
    assert [("one", False), ("/two", False)] == repl.submitted


def test_what_waits_can_be_held(emulate: Emulate) -> None:
    """After a turn that failed nothing is sent by itself: it is in the prompt."""

    def fail(repl: Repl) -> None:
        repl.terminal.busy = True
        if repl.submitted[-1][0] == "/now":
            repl.terminal.hold()
            repl.terminal.busy = False
            repl.keys.send_text("!\r\x03" + LEAVE)

    repl = Repl(emulate, fail).type("one\rtwo\r/now\r")
    assert ["one", "/now", "two!"] == [text for text, _ in repl.submitted]


def test_a_message_that_was_refused_is_given_back(emulate: Emulate) -> None:
    """It stands in the prompt again, to be mended."""

    def refuse(repl: Repl) -> None:
        if len(repl.submitted) == 1:
            repl.terminal.restore(Entry("on", "on"))
            repl.keys.send_text("e\r" + LEAVE)

    repl = Repl(emulate, refuse).type("first\r")
    assert ["first", "one"] == [text for text, _ in repl.submitted]


def test_open_blocks_go_on_at_enter(emulate: Emulate) -> None:
    """A fence and a quote keep the message together; quotes come off, and make a command a question."""
    repl = Repl(emulate).type('```\rx = 1\r```\r"""\r/exit\r"""\r' + LEAVE)
    assert [("```\nx = 1\n```", False), ("/exit", True)] == repl.submitted


def test_shift_tab_switches_during_a_turn_and_asks_after_it(emulate: Emulate) -> None:
    """The key belongs to the thinking; F2 asks for the answer."""
    repl = Repl(emulate, become_busy).type("\x1b[Zone\r\x1b[Z\x1bOQ\x03" + LEAVE)
    assert ["think", "answer now", "interrupt", "leave"] == repl.calls
    assert Thinking.FOLD == repl.terminal._live.thinking


def test_the_keys_of_vi(emulate: Emulate) -> None:
    """With vi keys, Escape leaves the insert mode, and Enter sends from either."""
    repl = Repl(emulate).type("hello worl\x1b0xA d\r" + LEAVE, vi=True)
    assert ["ello worl d"] == [text for text, _ in repl.submitted]


EMACS = {
    "\x01X": "Xone two",  # Ctrl-A, beginning of the line
    "\x02\x02X": "one tXwo",  # Ctrl-B, back
    "\x01\x06X": "oXne two",  # Ctrl-F, forward
    "\x01\x04": "ne two",  # Ctrl-D with text deletes
    "\x08": "one tw",  # Ctrl-H
    "\x17": "one ",  # Ctrl-W
    "\x15": "",  # Ctrl-U
    "\x01\x0b\x19\x19": "one twoone two",  # Ctrl-K, Ctrl-Y
    "\x1bb\x1bd": "one ",  # Alt-B, Alt-D
    "\x01\x1bf!": "one! two",  # Alt-F
    "\x14": "one tow",  # Ctrl-T transposes
    "\x1bu": "one two",  # Alt-U at the end
    "!\x1f": "one two",  # Ctrl-_ undoes
}


@pytest.mark.parametrize(("keys", "expected"), EMACS.items())
def test_no_key_collides_with_line_editing(emulate: Emulate, keys: str, expected: str) -> None:
    """What emacs and readline users have in their fingers works."""
    found = [text for text, _ in Repl(emulate).type(f"one two{keys}\r\x03{LEAVE}{LEAVE}").submitted]
    assert ([expected] if expected else []) == found


def test_ctrl_r_searches_earlier_sessions(emulate: Emulate, tmp_path: Path) -> None:
    """The last message that has the typed letters comes back, and is sent only by another Enter."""
    path = tmp_path / "history"
    Repl(emulate).type("first question\rsecond one\rthird\r" + LEAVE, path)
    repl = Repl(emulate).type("\x12quest\r\x05!\r" + LEAVE, path)
    assert ["first question!"] == [text for text, _ in repl.submitted]


def test_a_long_paste_comes_back_from_the_history(emulate: Emulate, tmp_path: Path) -> None:
    """Folded in the prompt, whole when it is sent; a pasted command stays none."""
    path = tmp_path / "history"
    lines = "\n".join(f"line {number}" for number in range(500))
    Repl(emulate).type(f"\x1b[200~{lines}\x1b[201~ end\r\x1b[200~/exit\x1b[201~\r{LEAVE}", path)
    up = "\x1b[A"
    for keys, expected in ((up, " /exit"), (up + up, f"{lines} end")):
        assert [(expected, False)] == Repl(emulate).type(f"{keys}\r{LEAVE}", path).submitted


def test_the_history_file_is_bounded(tmp_path: Path) -> None:
    """It loses its older half when it has grown too long; a message too long for it is not kept; none is broken."""
    path = tmp_path / "history"
    history = open_history(path, Pastes())
    messages = [f"message {number} " + "x" * (LONGEST - 20) for number in range(3)]
    for message in (*messages, "y" * (LONGEST + 1)):
        history.append_string(message)
    path.write_bytes(path.read_bytes() * (2 * MOST // path.stat().st_size))
    pastes = Pastes()
    left = [pastes.expand(string) for string in open_history(path, pastes).load_history_strings()]
    assert MOST / 4 < path.stat().st_size <= MOST / 2
    assert set(messages) == set(left)


def test_ctrl_c_clears_then_hints_then_leaves(emulate: Emulate) -> None:
    """At a non-empty prompt Ctrl-C clears it, at an empty one it says how to leave, and twice in a row it does."""
    repl = Repl(emulate).type("text\x03\x03x\x7f\x03\x03")
    assert [LEAVE_HINT, LEAVE_HINT] == repl.emulator.rows()
    assert ([], ["leave"]) == (repl.submitted, repl.calls)


def test_tab_completes_the_last_word(emulate: Emulate) -> None:
    """A single candidate is put in the place of the word."""
    assert [("/help", False)] == Repl(emulate).type("/h\t\r" + LEAVE).submitted


def test_history_is_private_and_comes_back(emulate: Emulate, tmp_path: Path) -> None:
    """Messages are kept across sessions in a file that nobody else may read."""
    path = tmp_path / "new" / "history"
    Repl(emulate).type("first\x1b\rline\r" + LEAVE, path)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert "first\nline" in path.read_text().replace("\n+", "\n")


def test_a_history_that_cannot_be_kept_is_no_obstacle(emulate: Emulate, tmp_path: Path) -> None:
    """Where no file can be made, the prompt works all the same."""
    (tmp_path / "file").touch()
    assert [("x", False)] == Repl(emulate).type("x\r" + LEAVE, tmp_path / "file" / "history").submitted


def test_a_turn_in_another_thread_is_shown_above_the_prompt(emulate: Emulate) -> None:
    """Finished rows stand in the scrollback once, in order with what the program prints; the tail and bar are gone."""

    def answer(repl: Repl) -> None:
        def work() -> None:
            terminal = repl.terminal
            terminal.busy = True
            terminal.sink.handle(Started(1, Message(Role.USER, "q")))
            for char in "Let me see.\nYes.":
                terminal.sink.handle(Reasoning(char))
            for char in "\n\nIt is **42**.\n\n- a\n- b\n":
                terminal.sink.handle(Answer(char))
            terminal.sink.handle(Finished(Reason.STOP))
            terminal.busy = False
            terminal.print("done")
            terminal.exit()

        threading.Thread(target=work).start()

    repl = Repl(emulate, answer).type("question\r")
    thought = ["│ Let me see.", "│ Yes.", "thought for 0.0 s, 0 tokens", ""]
    rows = [">>> question", "", *thought, "It is 42.", "", "• a", "• b", "", "0 tokens", "", "done"]
    assert rows == repl.emulator.rows()


def test_leaving_in_the_middle_of_a_turn_keeps_what_there_is(emulate: Emulate) -> None:
    """The open tail becomes final when the application ends."""

    def answer(repl: Repl) -> None:
        repl.terminal.sink.handle(Answer("half an ans"))

    assert [">>> q", "", "half an ans"] == Repl(emulate, answer).type("q\r" + LEAVE).emulator.rows()


def test_an_error_of_the_owner_leaves_run(emulate: Emulate) -> None:
    """An exception in a callback ends the application and reaches the caller."""

    def fail(repl: Repl) -> None:
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        Repl(emulate, fail).type("q\r")


def test_text_of_others_cannot_drive_the_terminal(emulate: Emulate) -> None:
    """A pasted escape is shown, in the echo too."""
    repl = Repl(emulate).type("\x1b[200~a\x1b[2Jb\x1b[201~\r" + LEAVE)
    assert [">>> a␛[2Jb"] == repl.emulator.rows()


CHILD = """
import os, sys
from r1chat.terminal.input import ReplTerminal
from r1chat.terminal.live import Live
from r1chat.terminal.screen import Screen

screen = Screen.detect(os.environ, sys.stdin, sys.stdout, sys.stderr)
terminal = ReplTerminal(
    screen,
    Live(screen),
    on_submit=lambda entry: setattr(terminal, "busy", True) or terminal.print(f"got {entry.text}"),
    on_interrupt=lambda: setattr(terminal, "busy", False) or terminal.print("stopped"),
    on_leave=lambda: terminal.print("bye"),
    bar=lambda: ["the bar"],
)
terminal.run()
"""


class RealTerminal:
    """A child process on a pty of its own, seen through an emulator."""

    def __init__(self, emulate: Emulate) -> None:
        self.parent, self._terminal = os.openpty()
        self.emulator = emulate(SIZE)
        environ = os.environ | {"TERM": "xterm-256color"}
        self.child = subprocess.Popen(
            [sys.executable, "-c", CHILD],
            stdin=self._terminal,
            stdout=self._terminal,
            stderr=self._terminal,
            env=environ,
            process_group=0,
        )

    def show(self, *texts: str) -> None:
        """Read until the screen shows the texts."""
        self.emulator.follow(self.parent, lambda shown: all(text in shown for text in texts))

    def type(self, keys: str) -> None:
        """Send keys."""
        os.write(self.parent, keys.encode())

    def end(self) -> None:
        """Clear away."""
        self.child.kill()
        self.child.wait()
        os.close(self.parent)
        os.close(self._terminal)


def test_a_conversation_on_a_real_terminal(emulate: Emulate) -> None:
    """The prompt appears, takes a message, keeps text while busy, stops, leaves, and restores the terminal."""
    terminal = RealTerminal(emulate)
    try:
        before = termios.tcgetattr(terminal.parent)
        terminal.show(">>>", "the bar")
        terminal.type("hello\r")
        terminal.show("got hello")
        terminal.type("more\r")
        terminal.show(QUEUE_HINT[:40])
        terminal.type("\x03")
        terminal.show("stopped", "the bar")
        terminal.type("\x03\x04")
        terminal.show("bye")
        assert 0 == terminal.child.wait()
        assert before == termios.tcgetattr(terminal.parent)
        assert [">>> hello", "", "got hello", "stopped", "bye"] == terminal.emulator.rows()
    finally:
        terminal.end()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_it_restores_the_terminal(emulate: Emulate, number: signal.Signals) -> None:
    """SIGTERM and a hang-up leave like Ctrl-D."""
    terminal = RealTerminal(emulate)
    try:
        before = termios.tcgetattr(terminal.parent)
        terminal.show(">>>", "the bar")
        terminal.child.send_signal(number)
        terminal.show("bye")
        assert 0 == terminal.child.wait()
        assert before == termios.tcgetattr(terminal.parent)
    finally:
        terminal.end()
