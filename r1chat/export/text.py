"""A session as Markdown: for people, editors and other programs. The answers are the model's own text, but clean."""

import re

from r1chat.core.sanitize import clean
from r1chat.core.transcript import Transcript, Turn
from r1chat.export.words import dated, ending, models_of, took

_FENCE = re.compile(r"^ {0,3}(`{3,})", re.MULTILINE)


def markdown(transcript: Transcript) -> str:
    """Write the path from the first turn to the current one; other versions stand below the one that was kept."""
    session = transcript.session
    about = " · ".join([*models_of(transcript.turns), dated(session.created)])
    parts = [f"# {_line(session.title)}", f"*{_line(about)}*"]
    if session.system:
        parts += ["## System prompt", _quoted(session.system)]
    for number, turn in enumerate(transcript.path, 1):
        parts += [f"## Question {number}", *_question(turn), f"## Answer {number}", *_answer(turn)]
        for other in transcript.versions(turn):
            if other is not turn:
                parts += _version(turn, other)
    return "\n\n".join(parts) + "\n"


def _question(turn: Turn) -> list[str]:
    files = [f"Attached: {_line(name)}\n\n{_fenced(clean(content))}" for name, content in turn.files]
    return [*files, *([clean(turn.asked).strip()] if turn.asked.strip() else [])]


def _answer(turn: Turn) -> list[str]:
    parts = []
    if turn.reasoning.strip():
        parts += [f"*{took(turn)}*", _quoted(turn.reasoning.strip())]
    if turn.answer.strip():
        parts.append(clean(turn.answer).strip())
    if said := ending(turn):
        parts.append(f"*({said})*")
    return parts


def _version(turn: Turn, other: Turn) -> list[str]:
    asked = _question(other) if other.question != turn.question else []
    return ["### Another version", *asked, *_answer(other)]


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in clean(text).split("\n"))


def _fenced(text: str) -> str:
    """Put text between fences that are longer than any in it."""
    longest = max((len(fence) for fence in _FENCE.findall(text)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _line(text: str) -> str:
    return " ".join(clean(text).split())
