"""`r1chat rm` and `prune`: what is taken from the disk. Parses, asks, prints; models/removal.py does it."""

import time
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from r1chat.cli.asking import confirm
from r1chat.cli.library import (
    KINDS,
    Shelf,
    open_shelf,
    orphan_name,
    parts_here,
    progress_of,
    quoted,
    say,
)
from r1chat.core.sizes import size_text
from r1chat.errors import NotFoundError, R1ChatError, UsageError
from r1chat.models import reference, resolve
from r1chat.models.library import locate
from r1chat.models.local import LocalModel
from r1chat.models.partial import Partial
from r1chat.models.removal import Freed
from r1chat.terminal.tables import Column, ago, counted, one_line

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


def rm(names: Annotated[list[str], typer.Argument(metavar="NAME", help="Models.")], yes: Yes = False) -> None:
    """Remove models from the Hub's cache, and what their unfinished downloads left.

    A file that another revision still uses stays. Asks before, on a terminal.
    """
    shelf = open_shelf()
    models: list[LocalModel] = []
    partials: list[Partial] = []
    for name in dict.fromkeys(names):
        found, begun = _holdings(shelf, name)
        models += [model for model in found if model not in models]
        partials += [one for one in begun if one not in partials]
    rows = [[model.name, parts_here(model) if not model.complete else "", size_text(model.n_bytes)] for model in models]
    rows += [[shelf.library.name_of(one), "not finished", size_text(one.n_done)] for one in partials]
    freed = shelf.library.freed_by(models) + sum(one.n_done for one in partials)
    lines = [
        *shelf.rows([Column(shrinks=True), Column(), Column(right=True)], rows),
        f"Removing {'this' if len(rows) == 1 else 'these'} frees {size_text(freed)}.",
    ]
    if not yes:
        confirm(shelf.screen, lines, f"r1chat rm {' '.join(map(quoted, names))} --yes")
    _report_freed(shelf.library.remove(models, partials), "Removed")


def _holdings(shelf: Shelf, name: str) -> tuple[Sequence[LocalModel], Sequence[Partial]]:
    """Find everything that a name stands for. Raises NotFoundError for nothing, UsageError for what is not ours."""
    meant = reference.parse(name)
    match meant:
        case reference.Demo():
            raise UsageError("The demo model is a part of r1chat.", hint="It goes when r1chat is uninstalled.")
        case reference.File(path):
            model = shelf.library.owner_of(path)
            if model is None:
                raise UsageError(
                    f"{one_line(str(path))} is not in the Hub's cache.", hint="r1chat removes only what is there."
                )
            return [_ours(model)], shelf.library.partials([model])
        case reference.Ollama(word):
            raise UsageError(f"{one_line(name)} is Ollama's.", hint=f"Ollama removes it: ollama rm {one_line(word)}")
        case _:
            wish = resolve.wish(meant, shelf.catalog)
    revision = meant.revision if isinstance(meant, reference.Hub) else None
    found = shelf.library.holdings(wish.repository, revision=revision, quantization=wish.quantization, file=wish.file)
    begun = shelf.library.partials_of(wish.repository, quantization=wish.quantization, file=wish.file)
    if wish.quantization is None and wish.file is None and len(several := _names(found)) > 1:
        raise UsageError(
            f"{one_line(name)} is {len(several)} models here.", hint=f"Name them: {', '.join(map(one_line, several))}"
        )
    if not found and not begun:
        if model := locate(shelf.library, wish):
            if model.origin == "hub":
                raise NotFoundError(f"{one_line(name)} is not here.", hint=f"Here is {one_line(model.name)}.")
            _ours(model)
        raise NotFoundError(f"{one_line(name)} is not on this machine.", hint="What is here: r1chat list --all")
    return found, begun


def _names(models: Iterable[LocalModel]) -> list[str]:
    return sorted({model.name for model in models})


def _ours(model: LocalModel) -> LocalModel:
    if model.origin == "ollama":
        word = one_line(model.name.removeprefix("ollama:"))
        raise UsageError(f"{one_line(model.name)} is Ollama's.", hint=f"Ollama removes it: ollama rm {word}")
    if model.origin == "lm-studio":
        raise UsageError(f"{one_line(model.name)} is LM Studio's.", hint="Remove it in LM Studio.")
    return model


def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be removed.")] = False,
    yes: Yes = False,
) -> None:
    """Remove what unfinished downloads left in the Hub's cache, and files that nothing uses.

    Whole models are never touched. Asks before, on a terminal.
    """
    shelf = open_shelf()
    waste = shelf.library.waste()
    if not waste:
        say(["There is nothing to remove."])
        return
    now = time.time()
    rows = [
        [shelf.library.name_of(one), "not finished", progress_of(one), ago(one.changed, now)] for one in waste.partials
    ]
    rows += [
        [orphan_name(one.repository, one.path), KINDS[one.kind], size_text(one.n_bytes), ""] for one in waste.orphans
    ]
    columns = [Column(shrinks=True), Column(), Column(right=True), Column()]
    lines = [*shelf.rows(columns, rows), f"Removing this frees {size_text(waste.n_bytes)}."]
    if dry_run:
        say(lines)
        return
    if not yes:
        confirm(shelf.screen, lines, "r1chat prune --yes")
    _report_freed(shelf.library.prune(waste), "Removed")


def _report_freed(freed: Freed, verb: str) -> None:
    say([f"{verb} {counted(freed.n_files, 'file')}: {size_text(freed.n_bytes)} freed."])
    if freed.skipped:
        names = dict.fromkeys(f"{one_line(one.path)}: {one_line(one.why)}" for one in freed.skipped)
        raise R1ChatError(f"{counted(len(names), 'file')} stayed. {'; '.join(names)}.", hint="Try again later.")
