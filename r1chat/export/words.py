"""What all forms of an export say about a session and its turns, in words. Pure."""

from collections.abc import Sequence
from datetime import datetime

from r1chat.core.transcript import INTERRUPTED, UNFINISHED, Turn
from r1chat.terminal import progress


def dated(seconds: float) -> str:
    """Write a time of this machine's zone as a date with hours and minutes; nothing for one that is none."""
    try:
        return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return ""


def models_of(turns: Sequence[Turn]) -> list[str]:
    """Name the models that answered, in the order in which they came."""
    return list(dict.fromkeys(turn.model for turn in turns if turn.model))


def took(turn: Turn) -> str:
    """Say how long the thinking was."""
    if not turn.usage.reasoning_tokens:
        return "Thinking"
    return progress.thought(turn.usage.reasoning_tokens, turn.timings.reasoning_s).capitalize()


def ending(turn: Turn) -> str:
    """Say why an answer is not whole; nothing for one that is."""
    if turn.reason in (INTERRUPTED, UNFINISHED):
        return turn.reason or "under way"
    return progress.ending(turn.ending)
