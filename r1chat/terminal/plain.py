r"""Sinks without a screen: the answer alone for pipes and files, one JSON object, or one JSON line per event.

Know nothing about Markdown, cursors or colours. A broken pipe is not handled here: BrokenPipeError reaches the caller.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import IO

from r1chat.core.events import Answer, Event, Failure, Finished, Notice, Progress, Reasoning, Started, Timings, Usage
from r1chat.core.sanitize import Cleaner, clean, dumps
from r1chat.terminal import progress
from r1chat.terminal.screen import Screen
from r1chat.terminal.wrap import fit


class Strip:
    """Takes the blanks off both ends of a text that comes in pieces."""

    def __init__(self) -> None:
        self.begun = False
        self._blanks = ""  # may be the end, or only the middle

    def feed(self, text: str) -> str:
        """Return what is surely not an end."""
        text = self._blanks + (text if self.begun else text.lstrip())
        kept = text.rstrip()
        self._blanks = text[len(kept) :]
        self.begun = self.begun or bool(kept)
        return kept


class PlainSink:
    """Writes the answer as it comes, clean, without blanks at its ends, ending in one newline; nothing for no answer.

    `thinking`: whether the thinking goes to stderr. Notices go there when `notices`, which is asked for by --verbose or
    by stderr being a terminal; then a status line, too, shows signs of life until the answer begins.
    """

    def __init__(
        self, stdout: IO[str], stderr: IO[str], screen: Screen, *, thinking: bool = False, verbose: bool = False
    ) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._screen = screen
        self._shows_thinking = thinking
        self.shows_notices = verbose or screen.stderr_tty
        self._shows_status = screen.stderr_tty and not screen.dumb and not thinking
        self._status = ""
        self._begin()

    def _begin(self) -> None:
        self._thought, self._answer = _Channel(), _Channel()
        self._n_thought = 0
        self._answering = False

    def handle(self, event: Event) -> None:
        """Write what the event brings. Raises BrokenPipeError when nobody reads any more."""
        if not isinstance(event, Started) and event.sample:
            return
        match event:
            case Started():
                self._begin()
            case Progress():
                self._show_status(progress.before_the_answer(event))
            case Reasoning():
                self._n_thought += event.n_tokens
                if self._shows_thinking:
                    self._write(self._stderr, self._thought.feed(event.text))
                else:
                    self._show_status(f"thinking… {progress.tokens(self._n_thought)}")
            case Answer():
                self._end_thinking()
                self._write(self._stdout, self._answer.feed(event.text))
            case Notice():
                self._note(event.text)
            case Finished():
                self._end_thinking()
                self._write(self._stdout, self._answer.finish())

    def close(self) -> None:
        """End what a turn without Finished left open."""
        self._end_thinking()
        self._write(self._stdout, self._answer.finish())

    def _end_thinking(self) -> None:
        self._show_status("")
        self._write(self._stderr, self._thought.finish())

    def _note(self, text: str) -> None:
        if self.shows_notices:
            self._show_status("")
            middle = "\n" if self._thought.open_line else ""
            self._write(self._stderr, middle + clean(text).strip() + "\n")

    def _show_status(self, text: str) -> None:
        if not self._shows_status or text == self._status:
            return
        self._status = text
        shown = fit(text, self._screen.columns - 1)
        if not self._screen.unicode:
            shown = shown.replace("…", "...")
        self._write(self._stderr, f"\r\x1b[K{shown}")

    @staticmethod
    def _write(stream: IO[str], text: str) -> None:
        if text:
            stream.write(text)
            stream.flush()


class _Channel:
    """One text on its way out: cleaned, stripped, ended by one newline."""

    def __init__(self) -> None:
        self._cleaner = Cleaner()
        self._strip = Strip()
        self._ended = False

    @property
    def open_line(self) -> bool:
        """Whether text is out that has not been ended."""
        return self._strip.begun and not self._ended

    def feed(self, text: str) -> str:
        return self._strip.feed(self._cleaner.feed(text))

    def finish(self) -> str:
        """Return what is left, with the newline. Later calls return nothing."""
        if self._ended:
            return ""
        rest = self._strip.feed(self._cleaner.finish())
        self._ended = True
        return rest + "\n" if self._strip.begun else ""


class JsonSink:
    """Writes one object at the end. `details` is asked then: model, sampling (with the seed that was used) and plan.

    The texts are the model's own, without blanks at their ends; JSON escapes what could drive a terminal.
    """

    def __init__(self, stdout: IO[str], details: Callable[[], Mapping[str, object]]) -> None:
        self._stdout = stdout
        self._details = details
        self._reasoning: list[str] = []
        self._answer: list[str] = []
        self._notices: list[dict[str, str]] = []
        self._end: Finished | None = None
        self._failure: Failure | None = None
        self._closed = False

    def handle(self, event: Event) -> None:
        """Keep what the object needs of the event."""
        if not isinstance(event, Started) and event.sample:
            return
        match event:
            case Reasoning():
                self._reasoning.append(event.text)
            case Answer():
                self._answer.append(event.text)
            case Notice():
                self._notices.append({"code": event.code, "text": event.text})
            case Finished():
                self._end = event
                self._failure = event.failure or self._failure
            case _:
                pass

    def fail(self, failure: Failure) -> None:
        """Report an error that no event carries: a model that is not there, a prompt that does not fit."""
        self._failure = failure

    def close(self) -> None:
        """Write the object, once."""
        if self._closed:
            return
        self._closed = True
        details = self._details()
        value: dict[str, object] = {
            "model": details.get("model"),
            "reasoning": "".join(self._reasoning).strip(),
            "answer": "".join(self._answer).strip(),
            "finish_reason": self._end.reason if self._end else None,
            "usage": asdict(self._end.usage if self._end else Usage()),
            "timings": asdict(self._end.timings if self._end else Timings()),
            "sampling": details.get("sampling", {}),
            "plan": details.get("plan", {}),
            "notices": self._notices,
        }
        if self._failure is not None:
            value["error"] = _error(self._failure)
        self._stdout.write(dumps(value) + "\n")
        self._stdout.flush()


class JsonLinesSink:
    """Writes one object per event as it happens: `event` names its kind, the other keys are the event's fields."""

    def __init__(self, stdout: IO[str]) -> None:
        self._stdout = stdout

    def handle(self, event: Event) -> None:
        """Write the event. Raises BrokenPipeError when nobody reads any more."""
        self._write({"event": type(event).__name__.lower(), **asdict(event)})

    def fail(self, failure: Failure) -> None:
        """Report an error that no event carries."""
        self._write({"event": "error", **_error(failure)})

    def close(self) -> None:
        """Nothing is held back."""

    def _write(self, value: Mapping[str, object]) -> None:
        self._stdout.write(dumps(value) + "\n")
        self._stdout.flush()


def _error(failure: Failure) -> dict[str, object]:
    return {"code": failure.code, "message": failure.message, "hint": failure.hint}
