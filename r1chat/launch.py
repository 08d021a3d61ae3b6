"""A word -> file -> plan -> engine: the only module that joins the models' room and the engine's.

Reads and judges the header before anything native is started. Knows no terminal, no conversation and no network: what
is not on this machine is told as a `Wish`, for others to pull.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from r1chat.core.memory import ALL_LAYERS, Devices, Measured, Plan, Wishes, plan, step_down
from r1chat.core.placement import Device
from r1chat.core.sanitize import clean
from r1chat.core.shape import FamilyName, Shape
from r1chat.core.sizes import size_text
from r1chat.engine import devices, host
from r1chat.engine.dryrun import DryRuns
from r1chat.engine.selfcheck import SelfCheck
from r1chat.engine.worker import WorkerEngine
from r1chat.errors import FitError, NotFoundError, R1ChatError, UsageError
from r1chat.models import catalog, library, reference, resolve
from r1chat.models.catalog import Entry
from r1chat.models.fitting import largest_fitting
from r1chat.models.judge import judge
from r1chat.models.resolve import Wish
from r1chat.models.shape import shape_of
from r1chat.models.shards import read_model
from r1chat.paths import Paths

DEMO = "demo"
IdleGpus = Callable[[Sequence[Device]], Sequence[host.IdleGpu]]
ROUNDS = 3  # of plan and dry run; the second settles nearly everything


@dataclass(frozen=True, slots=True)
class Target:
    """A model that is on this machine. `family` is the catalogue's, if it knows the model.

    `notice` says which quantization a name without one has come to; it is empty where there was nothing to choose.
    `entry` is the catalogue's, for what else there is of the model.
    """

    name: str
    path: Path
    family: FamilyName | None = None
    notice: str = ""
    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class Launched:
    """An engine that is loading, and what is known about its model."""

    target: Target
    shape: Shape
    engine: WorkerEngine
    devices: Devices

    @property
    def plan(self) -> Plan:
        """The plan that the engine follows: a lower one than at first, if the memory was too small for that."""
        plan = self.engine.plan
        assert plan is not None
        return plan


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
    return Target(local.name, local.path, wish.entry.family if wish.entry else None, notice, wish.entry)


def at_hand(model: str, paths: Paths) -> Target:
    """Find the file that a user's word for a model means. Raises what `find` does, and NotFoundError for a Wish."""
    found = find(model, paths)
    if isinstance(found, Wish):
        raise not_here(found)
    return found


def names_of(found: Target | Wish) -> tuple[str, ...]:
    """Give the names under which settings may speak of a model: those of all its forms, then those of just this one."""
    title = reference.named(found.title if isinstance(found, Wish) else found.name)
    quantization = found.quantization if isinstance(found, Wish) else title.quantization
    every = (*(found.entry.names if found.entry else ()), title.name)
    own = (found.repository,) if isinstance(found, Wish) else (found.path.stem, found.path.name, str(found.path))
    return (*every, *(f"{name}:{quantization}" for name in every if quantization), *own)


def not_here(wish: Wish) -> NotFoundError:
    """Say that a model is not on this machine, and the command that gets it."""
    size = f" ({size_text(wish.download.n_bytes)})" if wish.download and wish.download.n_bytes else ""
    return NotFoundError(f"{clean(wish.title)} is not on this machine.", hint=f"Get it{size}: {clean(wish.command)}")


def launch(target: Target, wishes: Wishes, paths: Paths) -> Launched:
    """Judge the model's file, plan, and start an engine that loads it; returns before it is loaded.

    Raises NotFoundError, GGUFError, UsageError for a wish that can't be honoured, or FitError.
    """
    file = read_model(target.path)
    judge(file.header)
    shape = shape_of(file.header, target.family)
    machine, runs = devices.survey(), DryRuns(paths.dry_runs)
    check_wishes(wishes, machine)

    def advised(error: FitError, machine: Devices) -> FitError:
        return with_advice(error, target.entry, shape.weights_bytes, machine, wishes)

    def lower(failed: Plan) -> Plan:
        """Step down, with the memory that is free now."""
        now = devices.survey()
        try:
            return measured_plan(partial(step_down, shape, now, wishes, failed), shape, now, file.path, runs)
        except FitError as error:
            raise advised(error, now) from error

    try:
        chosen = settle(shape, machine, wishes, file.path, runs)
    except FitError as error:
        raise advised(error, machine) from error
    engine = WorkerEngine(str(file.path), SelfCheck(paths.self_check, library.demo_path()), lower)
    engine.load(chosen)
    return Launched(target, shape, engine, machine)


def check_file(target: Target) -> None:
    """Refuse a file that no plan could load, before anything is given up for it. Raises what `launch` does of it."""
    judge(read_model(target.path).header)


def check_wishes(wishes: Wishes, machine: Devices) -> None:
    """Refuse what this machine has not: only plans for another machine may imagine GPUs. Raises UsageError."""
    n_gpus = len(machine.gpus)
    asks = wishes.n_gpu_layers is not None and (wishes.n_gpu_layers == ALL_LAYERS or wishes.n_gpu_layers > 0)
    if n_gpus == 0 and (asks or any(wishes.vram)):
        idle = host.idle_gpus(())
        hint = f"Install a build for it: {idle[0].command}" if idle else "Leave out --gpu-layers and --vram."
        raise UsageError("This build of llama-cpp-python can't use a GPU of this machine.", hint=hint)
    if len(wishes.vram) > max(1, n_gpus):
        has = n_gpus or "none that this build of llama-cpp-python can use"
        raise UsageError(f"--vram names {len(wishes.vram)} GPUs; this machine has {has}.", hint="See: r1chat doctor")


def settle(shape: Shape, machine: Devices, wishes: Wishes, path: Path, runs: DryRuns) -> Plan:
    """Plan, let the engine's library measure the plan's buffers, and plan again with them until nothing changes.

    The formula for the buffers is never below what the CPU needs: so a plan that has all it could have without a GPU is
    not measured. Raises what `plan` raises.
    """
    make = partial(plan, shape, machine, wishes)
    with contextlib.suppress(FitError):  # by the formula; the true buffers may have room yet
        chosen = make()
        if not chosen.n_gpu_layers and chosen.rung == plan(shape, Devices(machine.n_threads), wishes).rung:
            return chosen
    return measured_plan(make, shape, machine, path, runs)


def measured_plan(
    make: Callable[[Measured | None], Plan], shape: Shape, machine: Devices, path: Path, runs: DryRuns
) -> Plan:
    """Plan with measured buffers; with the estimate where the library can't tell. Raises what `make` raises.

    Where the estimate, an upper bound, leaves no way, the plan that there would be without any buffers is measured.
    """
    refusal: FitError | None = None
    try:
        chosen = make(None)
    except FitError as error:
        refusal = error
        try:
            chosen = make(Measured((0,) * (len(machine.gpus) + 1)))
        except FitError:
            raise error from None
    worst: tuple[int, ...] = ()
    for _ in range(ROUNDS):
        measured = runs.measure(path, shape.digest, chosen, machine.gpus)
        if measured is None:
            if refusal:
                raise refusal
            return chosen
        worst = tuple(map(max, zip(worst or measured.compute_bytes, measured.compute_bytes, strict=True)))
        again = make(measured)
        if (again.rung, again.tensor_split) == (chosen.rung, chosen.tensor_split):
            return again
        chosen = again
    return make(Measured(worst))


def with_advice(error: FitError, entry: Entry | None, n_bytes: int, machine: Devices, wishes: Wishes) -> FitError:
    """Add to a refusal which quantization of the same model would fit."""
    fits = largest_fitting(entry, n_bytes, machine, wishes) if entry else None
    if entry is None or fits is None:
        return error
    download, n_fitting = fits
    name = f"{entry.short}:{download.quantization}"
    return FitError(error.message, hint=f"{name} would fit ({size_text(n_fitting)}): r1chat run {name}")


def idle_notice(machine: Devices, paths: Paths, look: IdleGpus = host.idle_gpus) -> str:
    """Say that a GPU of this machine is not used, and what changes that; once, and then never look again."""
    if paths.told_gpus.exists() or not (idle := look(machine.gpus)):
        return ""
    names = host.names(idle)
    with contextlib.suppress(OSError):
        paths.told_gpus.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        paths.told_gpus.write_text(names, "utf-8")
    return f"{names}: not used, because this build of llama-cpp-python can't. To install one: {idle[0].command}"


def lasting(model: str) -> str:
    """Give a word for the model that means the same in another folder: a path is written whole."""
    if isinstance(found := reference.parse(model), reference.File):
        return str(found.path.absolute())  # not resolved: in the Hub's cache a link has the name, its target has none
    return model


def remember(model: str, paths: Paths) -> None:
    """Keep the word for the model, for a `run` without one. What can't be written is not."""
    model = lasting(model)
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
