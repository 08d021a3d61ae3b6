"""`r1chat fit`: what of a model would go where, on this machine or on one with other memory. Parses, wires, prints.

Nothing is loaded and nothing downloaded. What reads a header from the Hub comes from outside (`fit_command`).
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, cast

import typer

from r1chat import paths
from r1chat.cli import options as opt
from r1chat.cli.library import Shelf, open_shelf, say
from r1chat.cli.show import OpenRemote
from r1chat.core.memory import Devices, Plan, Wishes, largest_context, plan
from r1chat.core.placement import HOST, n_slots
from r1chat.core.sanitize import dumps
from r1chat.core.shape import Shape
from r1chat.core.sizes import size_text
from r1chat.engine import devices, host
from r1chat.engine.dryrun import DryRuns
from r1chat.errors import DownloadError, ExitCode, FitError, NotFoundError, R1ChatError, UsageError
from r1chat.launch import Target, check_wishes, find, measured_plan, names_of, with_advice
from r1chat.models import blueprint
from r1chat.models.card import card_of_streams
from r1chat.models.catalog import Entry
from r1chat.models.fitting import NO, largest_fitting, shape_of_download, words
from r1chat.models.hollow import Recorder, hollow
from r1chat.models.judge import judge
from r1chat.models.mixture import MIXTURES
from r1chat.models.resolve import Wish
from r1chat.models.shape import shape_of
from r1chat.models.shards import read_model
from r1chat.settings import uses
from r1chat.terminal.meters import ASCII, UNICODE, meter
from r1chat.terminal.tables import Column, facts, one_line
from r1chat.terminal.wrap import fold

BAR_CELLS: Final = 40
SOURCES: Final = {
    "file": "its file",
    "hub": "its header on the Hub",
    "catalogue": "the catalogue's figures; it is not on this machine",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A model whose shape is known. `source` says from where, `path` is its file, and `parts` its files' headers on the
    Hub.

    `exact`: its weights are counted, not estimated.
    """

    name: str
    shape: Shape
    source: str
    exact: bool
    entry: Entry | None = None
    path: Path | None = None
    parts: tuple[Recorder, ...] = ()


def fit_command(open_remote: OpenRemote | None) -> Callable[..., None]:
    """Make the command `fit`. `open_remote` opens a model that is not on this machine."""

    def fit(
        context: typer.Context,
        name: Annotated[
            str | None,
            typer.Argument(metavar="NAME", help="A model. Without one: all that have a name.", show_default=False),
        ] = None,
        profile: opt.Profile = None,
        ctx: opt.Ctx = None,
        gpu_layers: opt.GpuLayers = None,
        kv: opt.Kv = None,
        cpu_moe: opt.CpuMoe = None,
        vram: opt.Vram = None,
        ram: opt.Ram = None,
        margin: opt.Margin = None,
        json: opt.Json = False,
    ) -> None:
        """Show how a model fits this machine: layers, context, KV cache, and the memory of each device.

        With --vram and --ram: how it would fit another machine. Nothing is loaded or downloaded.
        """
        settings = opt.settings(context)
        found = find(name, paths.find()) if name is not None else None
        wishes = uses.wishes(settings.for_model(names_of(found)) if found else settings)
        shelf, machine = open_shelf(), devices.survey()
        if not any(wishes.vram):
            check_wishes(wishes, machine)
        if found is None:
            _catalogue(shelf, machine, wishes, json=json)
        else:
            code = _one(shelf, _subject(found, open_remote), machine, wishes, json=json)
            if code:
                raise typer.Exit(code)

    return fit


# One model


def _subject(found: Target | Wish, open_remote: OpenRemote | None) -> Subject:
    """Find a model's shape: from its file, from its header on the Hub, or else from the catalogue's figures."""
    if isinstance(found, Target):
        file = read_model(found.path)
        judge(file.header)
        return Subject(found.name, shape_of(file.header, found.family), "file", True, found.entry, file.path)
    entry = found.entry
    try:
        return _on_the_hub(found, open_remote)
    except DownloadError:  # no network: what the catalogue knows must do
        if entry is None:
            raise
    download = entry.quantized(found.quantization or entry.default)
    n_bytes = download.n_bytes if download else None
    quantization = found.quantization or entry.default
    shape = blueprint.estimated_shape(entry.id, quantization, n_bytes, entry.family)
    if shape is None:
        raise NotFoundError(f"Nobody knows the size of {one_line(found.title)}.", hint=f"Get it: {found.command}")
    return Subject(f"{entry.short}:{quantization}", shape, "catalogue", quantization in MIXTURES, entry)


def _on_the_hub(wish: Wish, open_remote: OpenRemote | None) -> Subject:
    if open_remote is None:
        raise DownloadError(f"{one_line(wish.title)} can't be read on the Hub.")
    with open_remote(wish) as remote:
        family = wish.entry.family if wish.entry else None
        parts: list[Recorder] = []
        card = card_of_streams(_recorded(remote.streams(), parts), len(remote.variant.files), family)
        shape, exact = shape_of(card.header, family), card.n_parts == card.of_parts
        if not exact:  # the headers of the later parts were not read
            shape = blueprint.scaled(shape, remote.variant.n_bytes)
        title = f"{wish.entry.short}:{remote.variant.quantization}" if wish.entry else wish.title
        return Subject(title, shape, "hub", exact, wish.entry, parts=tuple(parts) if exact else ())


def _recorded(streams: Iterator[BinaryIO], parts: list[Recorder]) -> Iterator[BinaryIO]:
    """Keep what is read of the streams."""
    for stream in streams:
        parts.append(Recorder(stream))
        yield cast("BinaryIO", parts[-1])  # seek and read are enough


def _one(shelf: Shelf, subject: Subject, machine: Devices, wishes: Wishes, *, json: bool) -> int:
    """Show one model's plan; gives the exit code."""
    shape = subject.shape
    try:
        found = _plan(subject, machine, wishes)
    except FitError as error:
        failure = with_advice(error, subject.entry, shape.weights_bytes, machine, wishes)
        if json:
            typer.echo(dumps({**_head(subject, machine), "fits": False, "error": _error(failure)}))
            return ExitCode.NO_FIT
        raise failure from error
    largest = largest_context(shape, machine, wishes, found)
    if json:
        typer.echo(dumps({**_head(subject, machine), **_planned(shape, found, largest)}))
    else:
        say(_rows(shelf, subject, found, largest, machine, wishes))
    return ExitCode.OK


def _plan(subject: Subject, machine: Devices, wishes: Wishes) -> Plan:
    """Plan with buffers that the engine's library measures, on the file or on the headers alone; else with the formula.

    GPUs that are only imagined can't be measured.
    """
    make = partial(plan, subject.shape, machine, wishes)
    if any(wishes.vram[len(machine.gpus) :]) or not (subject.path or subject.parts):
        return make()
    with nullcontext(subject.path) if subject.path else hollow(subject.parts) as path:
        if path is None:
            return make()
        return measured_plan(make, subject.shape, machine, path, DryRuns(paths.find().dry_runs))


def _rows(shelf: Shelf, subject: Subject, found: Plan, largest: int, machine: Devices, wishes: Wishes) -> list[str]:
    shape = subject.shape
    glyphs = shelf.screen.glyph(UNICODE, ASCII)
    title = f"{one_line(subject.name)}: {size_text(shape.weights_bytes)} of weights, {shape.n_layers} layers"
    uses = [use for use in found.uses if use.n_bytes or use.free_bytes]
    several = len(found.uses) > 2
    names = {use.device: f"{use.device} {use.description}" if several else use.description for use in found.uses}
    names[HOST] = "memory"
    cells = max(10, min(BAR_CELLS, shelf.screen.columns - 40))
    bars = [
        [
            names[use.device],
            meter([use.weights_bytes, use.kv_bytes, use.compute_bytes], use.free_bytes or use.n_bytes, cells, glyphs),
            f"{size_text(use.n_bytes)}{f' of {size_text(use.free_bytes)}' if use.free_bytes else ''}",
        ]
        for use in uses
    ]
    legend = f"{glyphs[0]} weights  {glyphs[1]} KV cache  {glyphs[2]} buffers  {glyphs[3]} free"
    columns = [
        Column("DEVICE", shrinks=True),
        *(Column(t, right=True) for t in ("WEIGHTS", "KV CACHE", "BUFFERS", "FREE")),
    ]
    table = [
        [
            names[use.device],
            *(size_text(n) for n in (use.weights_bytes, use.kv_bytes, use.compute_bytes)),
            "?" if use.free_bytes is None else size_text(use.free_bytes - use.n_bytes),
        ]
        for use in uses
    ]
    narrower = ", KV q8_0 if need be" if found.type_k == "f16" and not wishes.kv and largest > found.n_ctx else ""
    pairs = [
        ("plan", found.reasons[0]),
        ("context", f"up to {largest:,} tokens fit with the same layers{narrower}; trained for {shape.n_ctx_train:,}"),
        ("weights", f"{'' if subject.exact else 'estimated, '}from {SOURCES[subject.source]}"),
        ("buffers", "estimated by a formula" if found.estimated else "measured by the engine's dry run"),
        *_idle(machine),
    ]
    wide = shelf.screen.columns
    return [
        title,
        *facts(pairs, columns_wide=wide),
        "",
        *shelf.rows([Column(shrinks=True), Column(), Column(right=True)], bars),
        legend,
        "",
        *shelf.rows(columns, table),
    ]


def _idle(machine: Devices) -> list[tuple[str, str]]:
    """Name GPUs that this build can't use, with the way out."""
    idle = host.idle_gpus(machine.gpus)
    commands = dict.fromkeys(gpu.command for gpu in idle)
    return [
        ("not used", f"{host.names(gpu for gpu in idle if gpu.command == command)}; a build for it: {command}")
        for command in commands
    ]


def _head(subject: Subject, machine: Devices) -> dict[str, Any]:
    shape = subject.shape
    return {
        "name": subject.name,
        "quantization": shape.quantization,
        "weights_bytes": shape.weights_bytes,
        "weights_exact": subject.exact,
        "source": subject.source,
        "n_layers": n_slots(shape),
        "context_trained": shape.n_ctx_train,
        "machine": _machine_json(machine),
    }


def _planned(shape: Shape, found: Plan, largest: int) -> dict[str, Any]:
    return {
        "fits": True,
        "n_layers_gpu": found.n_gpu_layers,
        "context": found.n_ctx,
        "context_largest": largest,
        "kv": found.type_k,
        "buffers_measured": not found.estimated,
        "devices": [asdict(use) for use in found.uses],
        "plan": {key: value for key, value in asdict(found).items() if key not in ("uses", "estimated")},
    }


def _machine_json(machine: Devices) -> dict[str, Any]:
    return {
        "n_cores": machine.n_threads,
        "ram_free_bytes": machine.ram_free,
        "ram_total_bytes": machine.ram_total,
        "gpus": [asdict(gpu) for gpu in machine.gpus],
        "idle_gpus": [{**asdict(gpu), "install": gpu.command} for gpu in host.idle_gpus(machine.gpus)],
    }


def _error(error: R1ChatError) -> dict[str, Any]:
    return {"code": error.exit_code, "message": error.message, "hint": error.hint}


# The catalogue


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found for a model of the catalogue: a plan, why there is none, or None where its size is not known."""

    name: str
    shape: Shape | None = None
    found: Plan | FitError | UsageError | None = None
    largest: int = 0  # context, in tokens
    smaller: str = ""  # the largest quantization that would fit


def _catalogue(shelf: Shelf, machine: Devices, wishes: Wishes, *, json: bool) -> None:
    """Show every model's default quantization, by the catalogue's figures. Raises UsageError for a wish of no model."""
    verdicts = [_verdict(entry, machine, wishes) for entry in shelf.catalog.entries]
    refused = _refused(verdicts)
    if json:
        typer.echo(dumps({"machine": _machine_json(machine), "models": [_verdict_json(each) for each in verdicts]}))
        return
    columns = [
        *(Column("NAME", shrinks=True), Column("WEIGHTS", right=True), Column("LAYERS", right=True)),
        *(
            Column("CONTEXT", right=True),
            Column("UP TO", right=True),
            Column("KV"),
            Column("VERDICT", shrinks=True, at_end=True),
        ),
    ]
    has_gpus = bool(machine.gpus) or any(wishes.vram)
    notes = [f"{', '.join(names)}: {message}" for message, names in refused.items()]
    notes += [f"{label}: {text}" for label, text in _idle(machine)]
    notes.append("Catalogue figures, estimated buffers. One model in full: r1chat fit 7b")
    wide = shelf.screen.columns
    say(
        [
            *fold(_this_machine(machine, wishes), wide),
            "",
            *shelf.rows(columns, [_verdict_row(each, has_gpus=has_gpus) for each in verdicts]),
            "",
            *(line for note in notes for line in fold(note, wide)),
        ]
    )


def _verdict(entry: Entry, machine: Devices, wishes: Wishes) -> Verdict:
    """Plan for a model of the catalogue."""
    name, shape = f"{entry.short}:{entry.default}", shape_of_download(entry, entry.download)
    if shape is None:
        return Verdict(name)
    if not (shape.parts and any(shape.parts.experts)):  # in a list, a wish for experts is for the models that have some
        wishes = dataclasses.replace(wishes, n_cpu_moe=None)
    try:
        found = plan(shape, machine, wishes)
    except UsageError as error:
        return Verdict(name, shape, error)
    except FitError as error:
        smaller = largest_fitting(entry, shape.weights_bytes, machine, wishes)
        return Verdict(name, shape, error, smaller=smaller[0].quantization if smaller else "")
    return Verdict(name, shape, found, largest_context(shape, machine, wishes, found))


def _refused(verdicts: Sequence[Verdict]) -> dict[str, list[str]]:
    """Give the models that can't have what is wished, by the reason. Raises UsageError where none can."""
    refused: dict[str, list[str]] = {}
    for each in verdicts:
        if isinstance(each.found, UsageError):
            refused.setdefault(each.found.message, []).append(each.name)
    known = [each.found for each in verdicts if each.found]
    if known and isinstance(known[-1], UsageError) and sum(map(len, refused.values())) == len(known):
        raise known[-1]
    return refused


def _verdict_row(each: Verdict, *, has_gpus: bool) -> tuple[str, str, str, str, str, str, str]:
    weights = size_text(each.shape.weights_bytes) if each.shape else ""
    match each.found:
        case Plan() as found if each.shape:
            layers = f"{found.n_gpu_layers}/{n_slots(each.shape)}" if has_gpus else "-"
            contexts = f"{found.n_ctx:,}", f"{each.largest:,}"
            return each.name, weights, layers, *contexts, found.type_k, words(found, each.shape)
        case FitError():
            word = f"{NO}; {each.smaller} fits" if each.smaller else NO
        case UsageError():
            word = "refused"
        case _:
            word = "unknown"
    return each.name, weights, "", "", "", "", word


def _verdict_json(each: Verdict) -> dict[str, Any]:
    if each.shape is None:
        return {"name": each.name, "fits": None}
    head = {"name": each.name, "quantization": each.shape.quantization, "weights_bytes": each.shape.weights_bytes}
    if isinstance(each.found, Plan):
        return {**head, **_planned(each.shape, each.found, each.largest)}
    return {**head, "fits": False, "reason": each.found.message if isinstance(each.found, UsageError) else NO}


def _this_machine(machine: Devices, wishes: Wishes) -> str:
    """Name the memory that was planned with."""
    gpus = [f"{gpu.description or gpu.name} with {size_text(gpu.free_bytes)} free" for gpu in machine.gpus]
    if wishes.vram:
        gpus = [f"a GPU with {size_text(n_bytes)} free" for n_bytes in wishes.vram if n_bytes]
    ram = wishes.ram if wishes.ram is not None else machine.ram_free
    memory = "memory of unknown size" if ram is None else f"{size_text(ram)} of memory free"
    return one_line(f"For {', '.join([*gpus, memory])}{'' if gpus else ', without a GPU'}:")
