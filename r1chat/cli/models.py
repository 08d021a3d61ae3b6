"""`r1chat models`: what can be run by name, how large it is, and what of it is here. Parses, wires, prints.

No network: the table is the catalogue's, the marks are the disk's, and what fits is the planner's word.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

from r1chat import paths
from r1chat.core.sanitize import clean, dumps
from r1chat.core.sizes import size_text
from r1chat.engine import devices
from r1chat.models import catalog
from r1chat.models.catalog import Catalog, Download, Entry
from r1chat.models.fitting import NO, verdict
from r1chat.models.library import Library, open_library
from r1chat.models.reference import Name, parse
from r1chat.models.resolve import unknown
from r1chat.terminal.screen import Screen
from r1chat.terminal.tables import Column, table
from r1chat.terminal.wrap import fold

Holds = Callable[[Download], bool]  # whether a quantization is on this machine, whole
Fits = Callable[[Entry, Download], str]  # where it would go on this machine, or "no"

_WIDE: Final = 1000  # cells: in a pipe no table is cut
_PROSE: Final = 80  # cells: no sentence is longer on any screen
_NOT_SAID: Final = "-"
# The results that most models have, each with a title that leaves room for all of them in 80 cells.
_RESULTS: Final = {
    "AIME 2024 pass@1": "AIME",
    "AIME 2024 cons@64": "cons@64",
    "MATH-500 pass@1": "MATH-500",
    "GPQA Diamond pass@1": "GPQA",
    "LiveCodeBench pass@1": "LiveCode",
    "Codeforces rating": "Codeforces",
}


def models(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only this model, every quantization.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every quantization, with its repository.")] = False,
    scores: Annotated[bool, typer.Option("--scores", help="The published results, to choose by.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON list of everything that is known.")] = False,
) -> None:
    """List the models that have a name here, with their sizes and licences, and whether they fit this machine.

    Any other GGUF file of the family can be had by its repository: user/repository:Q4_K_M.
    """
    known = catalog.load(catalog.default_path(), paths.find().catalogue)
    entries = known.entries if name is None else (_entry(name, known),)
    holds = holder(open_library(os.environ, catalog=known))
    machine = devices.survey().emptied  # what the machine can hold, not what it has free just now

    def fits(entry: Entry, download: Download) -> str:
        return verdict(entry, download, machine)

    screen = Screen.detect(os.environ, sys.stdin, sys.stdout, sys.stderr)
    wide = screen.columns if screen.stdout_tty else _WIDE
    if json:
        text = dumps([facts(entry, holds, fits) for entry in entries], indent=2)
    elif scores:
        text = "\n".join(scored(entries, wide))
    elif every or name is not None:
        text = "\n".join(detailed(entries, holds, fits, wide))
    else:
        text = "\n".join(overview(entries, holds, fits, wide))
    typer.echo(text if json else clean(text))


def holder(library: Library) -> Holds:
    """Look once at what is on the disk; give a question that can be asked of it."""
    here = {
        (model.repository.casefold(), model.quantization)
        for model in library.models()
        if model.repository and model.complete
    }
    return lambda download: (download.repository.casefold(), download.quantization) in here


def overview(entries: Sequence[Entry], holds: Holds, fits: Fits, wide: int) -> list[str]:
    """Give a line per model: its default quantization, where it would go, and what of it is here."""
    columns = (
        *(Column("NAME"), Column("MODEL", shrinks=True), Column("DEFAULT"), Column("SIZE", right=True)),
        *(Column("FITS"), Column("LICENCE", shrinks=True), Column("ON DISK", shrinks=True)),
    )
    rows = [
        (
            entry.short,
            entry.title.removeprefix("DeepSeek-").replace("R1-Distill", "Distill"),
            entry.default,
            _size(entry.download),
            fits(entry, entry.download),
            _licences(entry),
            ", ".join(download.quantization for download in entry.downloads if holds(download)),
        )
        for entry in entries
    ]
    seven = min(entries, key=lambda entry: abs(entry.parameters - 7e9), default=None)
    first = seven.short if seven else "7b"
    return [
        *table(columns, rows, columns_wide=wide),
        "",
        *_folded(
            "A name alone means its default quantization. "
            f"All of them: r1chat models {first}. To get one: r1chat pull {first}:Q8_0. "
            f"FITS is where it would go on this machine; in full: r1chat fit {first}",
            wide,
        ),
    ]


def detailed(entries: Sequence[Entry], holds: Holds, fits: Fits, wide: int) -> list[str]:
    """Give a line per quantization, under its model and its repository."""
    lines: list[str] = []
    # All tables are set in the same columns: what stands in them is as wide as the widest of any.
    cells = [_row(entry, download, holds, fits) for entry in entries for download in entry.downloads]
    columns = (Column(), Column(right=True), Column(right=True), Column(), Column())
    laid = iter(table(columns, cells, columns_wide=wide))
    for entry in entries:
        lines += [*([""] if lines else []), *_head(entry, wide)]
        repository = ""
        for download in entry.downloads:
            if download.repository != repository:
                repository = download.repository
                lines.append(f"  {repository}{f' at {download.revision}' if download.revision else ''}")
            lines.append(f"    {next(laid)}")
    return lines


def scored(entries: Sequence[Entry], wide: int) -> list[str]:
    """Give the published results, each model's own, and say what they are of."""
    columns = (Column("NAME"), *(Column(title, right=True) for title in _RESULTS.values()))
    rows = [(entry.short, *(_number(entry.results.get(key)) for key in _RESULTS)) for entry in entries]
    lines = [*table(columns, rows, columns_wide=wide), ""]
    for entry in entries:
        if others := [f"{name} {_number(value)}" for name, value in entry.results.items() if name not in _RESULTS]:
            lines += _folded(f"{entry.short} also: {', '.join(others)}", wide)
    lines += _folded(
        "These are published results of the unquantized weights; a quantized model may do worse. "
        "In per cent of one try each (pass@1), but cons@64, which is AIME by the majority of 64 tries, and Codeforces, "
        "which is a rating. AIME is of 2024, GPQA its Diamond part, LiveCode is LiveCodeBench.",
        wide,
    )
    for source in dict.fromkeys(entry.results_source for entry in entries if entry.results_source):
        names = ", ".join(entry.short for entry in entries if entry.results_source == source)
        lines += _folded(f"Source for {names}: {source}", wide)
    return lines


def facts(entry: Entry, holds: Holds, fits: Fits) -> dict[str, Any]:
    """Give everything the catalogue knows of a model, for JSON."""
    downloads = [
        {**asdict(each), "url": each.url, "on_disk": holds(each), "fits": fits(entry, each) or None}
        for each in entry.downloads
    ]
    sampling = {"temperature": entry.sampling.temperature, "top_p": entry.sampling.top_p}
    for name, value, off in (
        ("top_k", entry.sampling.top_k, 0),
        ("min_p", entry.sampling.min_p, 0.0),
        ("repeat_penalty", entry.sampling.repeat_penalty, 1.0),
    ):
        if value != off:
            sampling[name] = value
    return {
        "id": entry.id,
        "title": entry.title,
        "name": entry.short,
        "aliases": entry.aliases,
        "family": entry.family,
        "base": entry.base,
        "licence": entry.licence,
        "also_applies": entry.also_applies,
        "parameters": entry.parameters or None,
        "active_parameters": entry.active_parameters or None,
        "context": entry.context or None,
        "system_text": entry.system_text,
        "forced_thinking": entry.forced_thinking,
        "sampling": {**sampling, "source": entry.sampling_source},
        "results": {"of": "the unquantized weights", "source": entry.results_source, "values": dict(entry.results)},
        "default": entry.default,
        "downloads": downloads,
    }


def _entry(name: str, known: Catalog) -> Entry:
    """Find the model of a name; a quantization behind it does no harm."""
    reference = parse(name)
    entry = known.find(reference.name) if isinstance(reference, Name) else None
    if entry is None:
        raise unknown(name, known)
    return entry


def _head(entry: Entry, wide: int) -> Iterator[str]:
    """Name a model, and say what it is."""
    yield f"{entry.short}  {entry.title}"
    parts = []
    if entry.parameters:
        active = f", {entry.active_parameters / 1e9:.0f} billion of them for a token"
        parts.append(
            f"{entry.parameters / 1e9:.1f} billion parameters"
            f"{active if entry.active_parameters != entry.parameters else ''}"
        )
    if entry.base:
        parts.append(f"from {entry.base}")
    if entry.context:
        parts.append(f"context {entry.context:,}")
    parts.append(f"licence {entry.licences}")
    yield from (f"  {line}" for line in _folded("; ".join(parts), wide - 2))


def _row(entry: Entry, download: Download, holds: Holds, fits: Fits) -> tuple[str, str, str, str, str]:
    default = "default" if download.quantization == entry.default else ""
    files = "" if download.n_files == 1 else f"{download.n_files} files" if download.n_files else "several files"
    here = "on disk" if holds(download) else ""
    where = {"": "", NO: "does not fit"}.get(word := fits(entry, download), f"fits {word}")
    marks = ", ".join(filter(None, (here, default)))
    return f"{entry.short}:{download.quantization}", _size(download), files, where, marks


def _size(download: Download) -> str:
    return size_text(download.n_bytes) if download.n_bytes else _NOT_SAID


def _licences(entry: Entry) -> str:
    """Name the licences in few words: what stands in brackets, and what all these licences are called, is left out."""
    also = [each.partition(" (")[0].removesuffix(" Community License") for each in entry.also_applies]
    return ", ".join((entry.licence, *also))


def _number(value: float | None) -> str:
    return _NOT_SAID if value is None else f"{value:.0f}" if value > 100 else f"{value:.1f}"


def _folded(text: str, wide: int) -> list[str]:
    return fold(text, max(20, min(wide, _PROSE)))
