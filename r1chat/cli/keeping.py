"""What `run` has to do with kept sessions: which one goes on, with which model and question, and whether it is kept."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from r1chat import paths
from r1chat.chat import Chat
from r1chat.core.sanitize import clean
from r1chat.core.transcript import Transcript
from r1chat.errors import UsageError
from r1chat.launch import Launched, lasting
from r1chat.sessions import Keeper, Model, digest_of, take
from r1chat.settings.layers import Settings
from r1chat.terminal.screen import Screen

if TYPE_CHECKING:
    from r1chat.cli.run import Job


def taken(settings: Settings, *, continued: bool, resume: str | None, raw: bool) -> Transcript | None:
    """Take the session that is asked for; None for none.

    Raises UsageError for options that exclude each other, and what `take` raises.
    """
    if not continued and resume is None:
        return None
    option = "--continue" if resume is None else "--resume"
    if continued and resume is not None:
        raise UsageError("--continue and --resume exclude each other.", hint="Give one of them.")
    if raw:
        raise UsageError(f"--raw and {option} exclude each other.", hint="A raw prompt has no conversation.")
    if not settings["history"]:
        origin = settings.origin("history")
        raise UsageError(f"{option} needs sessions, but {origin} says that none is kept.", hint="Give --history.")
    return take(paths.find().sessions, resume)


def model_and_prompt(model: str | None, prompt: str | None) -> tuple[str | None, str | None]:
    """Read `run -c WORDS`: a session has its model, so a single argument with a blank in it is the question."""
    if model is not None and prompt is None and " " in model.strip() and not os.path.exists(model):  # noqa: PTH110 - never raises
        return None, model
    return model, prompt


def way_on(job: "Job", hint: str, *, asks: bool) -> str:
    """Say how a session goes on whose model, or what was taken for one (`run -c WORD`), is not there."""
    assert job.resumed is not None
    session = job.resumed.session
    if job.named and not asks:
        model = clean(session.model)
        return f"If it is the question, name the model before it: r1chat run {model} --resume {session.key} {job.model}"
    return f"With another model: r1chat run MODEL --resume {session.key}. {hint}"


def keeps(job: "Job", screen: Screen) -> bool:
    """Whether one question becomes a session: one that is asked in a script does not, unless it goes on with one."""
    asked_by_a_person = screen.converses and job.form == "text" and not job.raw
    return bool(job.settings["history"]) and (asked_by_a_person or job.resumed is not None)


@contextmanager
def keeping(chat: Chat, launched: Launched, job: "Job", tell: Callable[[str], None]) -> Iterator[None]:
    """Keep what a chat says in the `with` block; at its end, tell what could not be kept."""
    troubles: list[str] = []
    keeper = Keeper(chat, lambda: model_of(launched, job.model), sessions_file(), troubles.append)
    if job.resumed:
        keeper.resume(job.resumed)
    chat.add_sink(keeper)
    try:
        yield
    finally:
        keeper.close()
        for trouble in troubles:
            tell(trouble)


def model_of(launched: Launched, word: str) -> Model:
    """Describe the model that answers."""
    target = launched.target
    return Model(lasting(word), target.name, digest_of(target.path), asdict(launched.plan))


def sessions_file() -> Path:
    """Where the sessions are."""
    return paths.find().sessions
