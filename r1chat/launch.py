"""Reference -> file -> plan -> engine: the only module that joins the models' room and the engine's.

Reads and judges the header before anything native is started. Knows no terminal and no conversation.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from r1chat.core.memory import Plan, Wishes, plan
from r1chat.core.shape import FamilyName, Shape
from r1chat.engine import devices
from r1chat.engine.selfcheck import SelfCheck
from r1chat.engine.worker import WorkerEngine
from r1chat.errors import NotFoundError
from r1chat.models import catalog, library, reference
from r1chat.models.judge import judge
from r1chat.models.shape import shape_of
from r1chat.models.shards import read_model
from r1chat.paths import Paths

DEMO = "demo"


@dataclass(frozen=True, slots=True)
class Target:
    """A model that is on this machine. `family` is the catalogue's, if it knows the model."""

    name: str
    path: Path
    family: FamilyName | None = None


@dataclass(frozen=True, slots=True)
class Launched:
    """An engine that is loading, and what is known about its model."""

    target: Target
    shape: Shape
    plan: Plan
    engine: WorkerEngine


def resolve(model: str) -> Target:
    """Find the file that a user's word for a model means. Raises NotFoundError, or UsageError for an empty word."""
    match reference.parse(model):
        case reference.Demo():
            return Target(DEMO, library.demo_path())
        case reference.File(path):
            return Target(path.name, path)
        case reference.Name(name):
            raise _not_here(name)


def launch(model: str, wishes: Wishes, paths: Paths) -> Launched:
    """Judge the model's file, plan, and start an engine that loads it; returns before it is loaded.

    Raises NotFoundError, GGUFError, or UsageError for a wish that can't be honoured.
    """
    target = resolve(model)
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
        return model if model and resolve(model).path.is_file() else None
    except (OSError, ValueError, NotFoundError):
        return None


def _not_here(name: str) -> NotFoundError:
    """Say what the name means, where its file is to be had, or what it may have been meant to be."""
    models = catalog.load(catalog.default_path())
    if entry := models.find(name):
        download = entry.download
        files = download.file if download.n_files == 1 else f"the {download.n_files} files of {download.quantization}"
        size = f" ({download.n_bytes / 1e9:.1f} GB)" if download.n_bytes else ""
        return NotFoundError(
            f"{entry.title} is not on this machine.",
            hint=f"Get {files}{size} from https://huggingface.co/{download.repository} and run it by its path.",
        )
    if len(name.split()) > 1:  # the question stands where the model should
        return NotFoundError(
            f"There is no model {name!r}.", hint="Name the model first: r1chat run demo 'What is 2+2?'"
        )
    if near := models.nearest(name):
        return NotFoundError(f"There is no model {name!r}.", hint=f"Did you mean {' or '.join(near)}?")
    hint = "Give the path of a GGUF file, or try the bundled model: r1chat run demo"
    return NotFoundError(f"There is no model {name!r}.", hint=hint)
