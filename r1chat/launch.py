"""A word -> file -> plan -> engine: the only module that joins the models' room and the engine's.

Reads and judges the header before anything native is started. Knows no terminal, no conversation and no network: what
is not on this machine is told as a `Wish`, for others to pull.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from r1chat.core.memory import Plan, Wishes, plan
from r1chat.core.sanitize import clean
from r1chat.core.shape import FamilyName, Shape
from r1chat.core.sizes import size_text
from r1chat.engine import devices
from r1chat.engine.selfcheck import SelfCheck
from r1chat.engine.worker import WorkerEngine
from r1chat.errors import NotFoundError, R1ChatError
from r1chat.models import catalog, library, reference, resolve
from r1chat.models.judge import judge
from r1chat.models.resolve import Wish
from r1chat.models.shape import shape_of
from r1chat.models.shards import read_model
from r1chat.paths import Paths

DEMO = "demo"


@dataclass(frozen=True, slots=True)
class Target:
    """A model that is on this machine. `family` is the catalogue's, if it knows the model.

    `notice` says which quantization a name without one has come to; it is empty where there was nothing to choose.
    """

    name: str
    path: Path
    family: FamilyName | None = None
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Launched:
    """An engine that is loading, and what is known about its model."""

    target: Target
    shape: Shape
    plan: Plan
    engine: WorkerEngine


def find(model: str, paths: Paths) -> Target | Wish:
    """Find the file that a user's word for a model means; a Wish is a model of the Hub that is not on this machine.

    Raises NotFoundError for a word that means nothing, and UsageError for one that can't mean a model.
    """
    match meant := reference.parse(model):
        case reference.Demo():
            return Target(DEMO, library.demo_path())
        case reference.File(path):
            return Target(path.name, path)
    known = catalog.load(catalog.default_path(), paths.catalogue)
    here = library.open_library(os.environ, catalog=known)
    if isinstance(meant, reference.Ollama):
        if local := here.find_ollama(meant.name):
            return Target(local.name, local.path)
        name = clean(meant.name)
        raise NotFoundError(f"Ollama has no model {name} here.", hint="What is here: r1chat list")
    wish = resolve.wish(meant, known)
    local = library.locate(here, wish)
    if local is None:
        return wish
    notice = wish.notice
    if notice and local.quantization != wish.quantization:
        notice = f"{clean(model)} without a quantization is taken as {local.name}, which is here."
    return Target(local.name, local.path, wish.entry.family if wish.entry else None, notice)


def at_hand(model: str, paths: Paths) -> Target:
    """Find the file that a user's word for a model means. Raises what `find` does, and NotFoundError for a Wish."""
    found = find(model, paths)
    if isinstance(found, Wish):
        raise not_here(found)
    return found


def not_here(wish: Wish) -> NotFoundError:
    """Say that a model is not on this machine, and the command that gets it."""
    size = f" ({size_text(wish.download.n_bytes)})" if wish.download and wish.download.n_bytes else ""
    return NotFoundError(f"{clean(wish.title)} is not on this machine.", hint=f"Get it{size}: {clean(wish.command)}")


def launch(target: Target, wishes: Wishes, paths: Paths) -> Launched:
    """Judge the model's file, plan, and start an engine that loads it; returns before it is loaded.

    Raises NotFoundError, GGUFError, or UsageError for a wish that can't be honoured.
    """
    file = read_model(target.path)
    judge(file.header)
    shape = shape_of(file.header, target.family)
    chosen = plan(shape, devices.host(), wishes)
    engine = WorkerEngine(str(file.path), SelfCheck(paths.self_check, library.demo_path()))
    engine.load(chosen)
    return Launched(target, shape, chosen, engine)


def remember(model: str, paths: Paths) -> None:
    """Keep the word for the model, for a `run` without one. A path is kept whole; what can't be written is not."""
    if isinstance(found := reference.parse(model), reference.File):
        model = str(found.path.absolute())  # not resolved: in the Hub's cache a link has the name, its target has none
    with contextlib.suppress(OSError):
        paths.last_model.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(paths.last_model, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(os.fsencode(model))


def last_used(paths: Paths) -> str | None:
    """Give the word for the model that was run last, if it still means one."""
    try:
        model = os.fsdecode(paths.last_model.read_bytes()).strip()
        return model if model and at_hand(model, paths).path.is_file() else None
    except (OSError, ValueError, R1ChatError):
        return None
