"""`r1chat list` and `verify`: what is on the disk. Parses, wires, prints; `show` is in show.py, `rm` in removal.py.

`verify` gets what pulls again from outside (`verify_command`).
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from r1chat import paths
from r1chat.core.sanitize import clean, dumps
from r1chat.core.sizes import size_text
from r1chat.errors import DownloadError, NotFoundError, UsageError
from r1chat.models import catalog, reference, resolve
from r1chat.models.catalog import Catalog
from r1chat.models.library import Library, Waste, locate, open_library
from r1chat.models.local import LocalModel
from r1chat.models.partial import Partial
from r1chat.models.verification import Checked
from r1chat.models.verification import verify as verify_files
from r1chat.terminal.screen import Screen
from r1chat.terminal.status import Status
from r1chat.terminal.tables import Column, ago, counted, home_short, one_line, table

# Gets files of a commit again: (repository, commit, paths). Raises R1ChatError.
PullAgain = Callable[[str, str, tuple[str, ...]], None]

HEADINGS: Final = {
    "ollama": "Ollama (run where they lie; Ollama removes them)",
    "lm-studio": "LM Studio (run where they lie; LM Studio removes them)",
}
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Models.", show_default=False)]


@dataclass(frozen=True, slots=True)
class Shelf:
    """The library and what is needed to speak of it."""

    library: Library
    catalog: Catalog
    screen: Screen
    home: str

    @property
    def mark(self) -> str:
        """The sign for a name that is cut."""
        return self.screen.glyph("…", "...")

    def rows(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
        """Lay out a table on this screen."""
        return table(columns, rows, columns_wide=self.screen.columns, mark=self.mark)

    def where(self, path: Path) -> str:
        """Write a path for a person."""
        return one_line(home_short(str(path), self.home))


def open_shelf() -> Shelf:
    """Open the library of this process's environment."""
    models = catalog.load(catalog.default_path(), paths.find().catalogue)
    screen = Screen.detect(os.environ, sys.stdin, sys.stdout, sys.stderr)
    return Shelf(open_library(os.environ, catalog=models), models, screen, os.path.expanduser("~"))  # noqa: PTH111 - it never raises


# list


def list_models(
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="Also downloads that were not finished, and what nothing uses.")
    ] = False,
    json: _Json = False,
) -> None:
    """List the models on this machine, with their sizes.

    Also those that Ollama and LM Studio hold: r1chat runs them where they lie.
    """
    shelf = open_shelf()
    models = shelf.library.models()
    waste = shelf.library.waste() if everything else Waste((), ())
    if json:
        typer.echo(dumps(_listed_json(shelf, models, waste, everything)))
        return
    say(_listed(shelf, models, waste, everything))


def _listed(shelf: Shelf, models: Sequence[LocalModel], waste: Waste, everything: bool) -> list[str]:
    now = time.time()
    lines: list[str] = []
    for origin in ("hub", "ollama", "lm-studio"):
        ours = [model for model in models if model.origin == origin]
        if ours:
            lines += ["", HEADINGS[origin]] if origin in HEADINGS else []
            lines += _model_rows(shelf, ours, now)
    if models:
        n_bytes = sum(_sizes(models).values())
        lines += [
            "",
            f"{counted(len(models), 'model')}, {size_text(n_bytes)}. "
            f"The Hub's cache is {shelf.where(shelf.library.cache)}",
        ]
    else:
        lines += ["No models yet.", "  Get one: r1chat pull 7b. Or begin with the bundled one: r1chat run demo"]
    if everything:
        lines += _waste_rows(shelf, waste, now)
    return lines


def _model_rows(shelf: Shelf, models: Sequence[LocalModel], now: float) -> list[str]:
    partly = any(not model.complete for model in models)
    columns = [Column("NAME", shrinks=True), Column("SIZE", right=True), Column("CHANGED")]
    rows = [[model.name, size_text(model.n_bytes), ago(model.changed, now)] for model in models]
    if partly:
        columns.append(Column("STATE"))
        rows = [[*row, "" if model.complete else parts_here(model)] for row, model in zip(rows, models, strict=True)]
    return shelf.rows(columns, rows)


def parts_here(model: LocalModel) -> str:
    """Say how many parts of a split model are here."""
    return f"{len(model.variant.files)} of {model.variant.n_shards} parts"


def _waste_rows(shelf: Shelf, waste: Waste, now: float) -> list[str]:
    lines: list[str] = []
    columns = [Column("NAME", shrinks=True), Column("SIZE", right=True), Column("CHANGED")]
    if waste.partials:
        rows = [[shelf.library.name_of(one), progress_of(one), ago(one.changed, now)] for one in waste.partials]
        lines += ["", "Not finished (`r1chat pull` goes on with them)", *shelf.rows(columns, rows)]
    if waste.orphans:
        rows = [
            [orphan_name(one.repository, one.path), size_text(one.n_bytes), KINDS[one.kind]] for one in waste.orphans
        ]
        lines += ["", "Used by nothing", *shelf.rows([*columns[:2], Column("WHAT")], rows)]
    if waste:
        lines += ["", f"`r1chat prune` gives back {size_text(waste.n_bytes)}."]
    return lines


KINDS: Final = {"blob": "a file", "link": "a broken link", "stored": "a shared file"}


def orphan_name(repository: str, path: str) -> str:
    """Name a file that nothing uses."""
    return f"{repository}/{path}" if repository else path


def progress_of(one: Partial) -> str:
    """Say how far a download has come."""
    return f"{size_text(one.n_done)} of {size_text(one.n_bytes)}" if one.n_bytes else size_text(one.n_done)


def _sizes(models: Iterable[LocalModel]) -> dict[str, int]:
    """Give the size of every file once, however many models share it."""
    return {
        os.path.realpath(path): file.n_bytes
        for model in models
        for path, file in zip(model.paths, model.variant.files, strict=True)
    }


def _listed_json(shelf: Shelf, models: Sequence[LocalModel], waste: Waste, everything: bool) -> dict[str, Any]:
    value: dict[str, Any] = {
        "models": [model_json(model) for model in models],
        "n_bytes": sum(_sizes(models).values()),
        "cache": str(shelf.library.cache),
    }
    if everything:
        value["partials"] = [
            {
                "name": shelf.library.name_of(one),
                "repository": one.repository,
                "path": one.path,
                "n_done": one.n_done,
                "n_bytes": one.n_bytes,
                "changed": _time(one.changed),
                "files": [str(file) for file in one.files],
            }
            for one in waste.partials
        ]
        value["orphans"] = [
            {"kind": one.kind, "repository": one.repository, "n_bytes": one.n_bytes, "file": str(one.file)}
            for one in waste.orphans
        ]
    return value


def model_json(model: LocalModel) -> dict[str, Any]:
    """Describe a model on disk for `--json`."""
    return {
        "name": model.name,
        "origin": model.origin,
        "repository": model.repository,
        "commit": model.commit,
        "quantization": model.quantization,
        "complete": model.complete,
        "n_bytes": model.n_bytes,
        "n_files": len(model.paths),
        "n_parts": model.variant.n_shards,
        "changed": _time(model.changed),
        "path": str(model.path),
        "files": [
            {"path": str(path), "n_bytes": file.n_bytes, "sha256": file.sha256}
            for path, file in zip(model.paths, model.variant.files, strict=True)
        ],
    }


def _time(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):  # a file's time can be anything
        return ""


# verify


def verify_command(pull_again: PullAgain | None) -> Callable[..., None]:
    """Make the command `verify`. `pull_again` gets what is bad once more."""

    def verify(
        names: _Names = None,
        repair: Annotated[bool, typer.Option("--repair", help="Remove what is bad and pull it again.")] = False,
    ) -> None:
        """Check the files of models against the hashes that the Hub published.

        Without a name: of every model.
        """
        shelf = open_shelf()
        models = [_named(shelf, name) for name in dict.fromkeys(names or ())] or list(shelf.library.models())
        if not models:
            say(["There is no model here to check."])
        bad: list[str] = []
        n_checked = 0
        for model in models:
            checks = _verified(shelf, model)
            n_checked += len(checks)
            wrong = [check for check in checks if not check.ok]
            say(_verdict(model, checks, shelf))
            if wrong and repair and model.origin == "hub" and pull_again is not None:
                _repair(shelf, model, wrong, pull_again)
            else:
                bad += [check.path for check in wrong]
        if bad:
            _fail_verification(bad, n_checked, names or [], repair)

    return verify


def _named(shelf: Shelf, name: str) -> LocalModel:
    """Find one model by name. Raises NotFoundError."""
    model = find_local(shelf, name)
    if model is None:
        raise NotFoundError(f"{one_line(name)} is not on this machine.", hint="What is here: r1chat list")
    return model


def find_local(shelf: Shelf, name: str) -> LocalModel | None:
    """Find the model on this machine that a word means; None if there is none. Raises UsageError for other things."""
    meant = reference.parse(name)
    match meant:
        case reference.Demo():
            raise UsageError("The demo model is a part of r1chat.", hint="Install r1chat again if it is broken.")
        case reference.File(path):
            return shelf.library.owner_of(path)
        case reference.Ollama(word):
            return shelf.library.find_ollama(word)
        case _:
            wish = resolve.wish(meant, shelf.catalog)
    if model := locate(shelf.library, wish):
        return model
    parts = shelf.library.holdings(wish.repository, quantization=wish.quantization, file=wish.file)
    return parts[0] if parts else None  # incomplete: also its parts can be checked


def _verified(shelf: Shelf, model: LocalModel) -> list[Checked]:
    status = Status(sys.stderr, shelf.screen)
    begun, done = time.monotonic(), 0

    def progress(n_bytes: int) -> None:
        nonlocal done
        done += n_bytes
        speed = done / max(1e-3, time.monotonic() - begun)
        per_cent = 100 * done // max(1, model.n_bytes)
        status.show(f"checking {one_line(model.name)}{shelf.mark} {per_cent} %, {size_text(int(speed))}/s")

    try:
        return list(verify_files(model, _catalogue_hashes(shelf, model), progress))
    finally:
        status.clear()


def _catalogue_hashes(shelf: Shelf, model: LocalModel) -> Callable[[str], str | None]:
    """Tell the sha256 that the catalogue knows of the files of a model."""
    hashes: dict[str, str] = {}
    for entry in shelf.catalog.entries:
        for one in entry.downloads:
            if one.repository == model.repository and one.quantization == model.quantization:
                hashes = {
                    file.path: sha256 for file, sha256 in zip(model.variant.files, one.sha256, strict=False) if sha256
                }
    return lambda path: hashes.get(path)


def _verdict(model: LocalModel, checks: Sequence[Checked], shelf: Shelf) -> list[str]:
    wrong = [check for check in checks if not check.ok]
    unknown = sum(check.state == "unknown" for check in checks)
    if wrong:
        state = f"{len(wrong)} of {counted(len(checks), 'file')} bad"
    elif unknown:
        state = "not checked: nothing tells its hash"
    else:
        state = "good"
    if not model.complete:
        state += f", {parts_here(model)}"
    lines = shelf.rows(
        [Column(shrinks=True), Column(right=True), Column()], [[model.name, size_text(model.n_bytes), state]]
    )
    for check in wrong:
        why = "its content is not what was published" if check.state == "bad" else f"it can't be read: {check.found}"
        lines.append(f"  {one_line(check.path)}: {one_line(why)}")
    return lines


def _repair(shelf: Shelf, model: LocalModel, wrong: Sequence[Checked], pull_again: PullAgain) -> None:
    freed, lost = shelf.library.drop(model, [check.path for check in wrong])
    if freed.skipped:
        skipped = freed.skipped[0]
        raise DownloadError(f"{one_line(skipped.path)} can't be repaired: {one_line(skipped.why)}.", hint="Try later.")
    commits: dict[str, list[str]] = {}
    for commit, path in lost:
        commits.setdefault(commit, []).append(path)
    try:
        for commit, files in commits.items():
            pull_again(model.repository or "", commit, tuple(files))
    finally:
        shelf.library.tidy(model.repository or "")
    say([f"  Repaired: {counted(len(wrong), 'file')}."])


def _fail_verification(bad: Sequence[str], n_checked: int, names: Sequence[str], repair: bool) -> None:
    words = " ".join(["r1chat verify", *map(quoted, names), "--repair"])
    hint = f"Remove and pull again what is bad: {words}" if not repair else "Get it again from where it came."
    raise DownloadError(
        f"{len(bad)} of {counted(n_checked, 'file')} {'is' if len(bad) == 1 else 'are'} bad: {one_line(bad[0])}"
        f"{' and others' if len(bad) > 1 else ''}.",
        hint=hint,
    )


def quoted(word: str) -> str:
    """Write a word as a shell takes it."""
    import shlex

    return clean(shlex.quote(word))


def say(lines: Sequence[str]) -> None:
    """Print lines."""
    typer.echo("\n".join(lines))
