"""A session as JSON, whole: every version, how it was asked, and what it took. Can be read back."""

import json
from dataclasses import asdict, fields
from typing import Any, Final, TypeVar

from r1chat.core.events import Failure, Timings, Usage
from r1chat.core.sampling import Sampling
from r1chat.core.sanitize import dumps
from r1chat.core.transcript import Session, Transcript, Turn, is_tree
from r1chat.errors import R1ChatError, UsageError

FORMAT: Final = "r1chat-session"
VERSION: Final = 1

T = TypeVar("T")


def to_json(transcript: Transcript) -> str:
    """Write the session; times are seconds of the epoch. Text is the model's own, escaped as `dumps` does."""
    session = asdict(transcript.session)
    del session["running"]
    value = {"format": FORMAT, "version": VERSION, **session, "turns": [asdict(turn) for turn in transcript.turns]}
    return dumps(value, indent=2) + "\n"


def from_json(text: str) -> Transcript:
    """Read what `to_json` wrote. Raises UsageError for anything else."""
    try:
        value = json.loads(text)
        if value["format"] != FORMAT or value["version"] != VERSION:
            raise UsageError("This is no session of this version of r1chat.", hint="Update r1chat, or export it anew.")
        turns = tuple(_turn(each) for each in value["turns"])
        transcript = Transcript(_make(Session, value), turns)
        if not is_tree(turns, transcript.session.leaf):
            raise ValueError("its turns are no tree")
    except R1ChatError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"This is no session that r1chat exported: {error}.", hint="Export it as JSON.") from error
    return transcript


def _turn(value: dict[str, Any]) -> Turn:
    failure = value["failure"]
    return _make(
        Turn,
        {
            **value,
            "sampling": _make(Sampling, value["sampling"]),
            "usage": _make(Usage, value["usage"]),
            "timings": _make(Timings, value["timings"]),
            "failure": None if failure is None else _make(Failure, {**failure, "log": tuple(failure["log"])}),
        },
    )


def _make(kind: type[T], value: dict[str, Any]) -> T:
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: each for name, each in value.items() if name in known})
