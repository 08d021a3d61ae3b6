"""Rows of the tables <-> values of core.transcript. Knows no connection."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

from r1chat.core.events import Failure, Timings, Usage
from r1chat.core.sampling import Sampling
from r1chat.core.transcript import INTERRUPTED, UNFINISHED, Session, Turn
from r1chat.store import owner

T = TypeVar("T")

SESSION = (
    "s.id, s.key, s.title, s.model, s.system, s.created, s.updated, s.leaf, s.owner,"
    " (SELECT count(*) FROM turns t WHERE t.session = s.id)"
)
TURN = "number, parent, question, reasoning, answer, model, digest, asked, reason, took, created, updated"


def session_of(row: tuple[Any, ...]) -> Session:
    """Read the columns SESSION."""
    _, key, title, model, system, created, updated, leaf, owned_by, n_turns = row
    return Session(key, title, model, system, created, updated, n_turns, leaf, owned_by is not None and _runs(owned_by))


def turn_of(row: tuple[Any, ...], *, running: bool) -> Turn:
    """Read the columns TURN. A turn without an end is under way if its session is `running`, else interrupted."""
    number, parent, question, reasoning, answer, model, digest, asked, reason, took, created, updated = row
    how, what = json.loads(asked), json.loads(took)
    return Turn(
        number,
        parent,
        question,
        reasoning,
        answer,
        think=bool(how.get("think", True)),
        model=model,
        digest=digest,
        sampling=_value(Sampling, how.get("sampling", {})),
        plan=how.get("plan", {}),
        reason=reason if reason is not None else UNFINISHED if running else INTERRUPTED,
        usage=_value(Usage, what.get("usage", {})),
        timings=_value(Timings, what.get("timings", {})),
        failure=_value(Failure, failure) if (failure := what.get("failure")) else None,
        created=created,
        updated=updated,
    )


def asked_of(turn: Turn) -> str:
    """Write how a turn was asked."""
    return _dumps({"think": turn.think, "sampling": asdict(turn.sampling), "plan": dict(turn.plan)})


def took_of(turn: Turn) -> str:
    """Write what a turn took, and how it failed if it did."""
    failure = asdict(turn.failure) if turn.failure else None
    return _dumps({"usage": asdict(turn.usage), "timings": asdict(turn.timings), "failure": failure})


def storable(text: str) -> str:
    """Give a text that UTF-8 can write: lone surrogates, which a damaged locale leaves, become question marks."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _runs(name: str) -> bool:
    return name == owner.this_process() or owner.lives(name)


def _value(kind: type[T], values: Mapping[str, Any]) -> T:
    """Make a value of what was kept of it; what a newer r1chat knows of it besides is left out."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items() if name in known})


def _dumps(value: object) -> str:
    return storable(json.dumps(value, ensure_ascii=False, default=str))
