"""`r1chat show`: one model in facts, from its header; also one that is only on the Hub. Parses, wires, prints.

What reads from the Hub comes from outside (`show_command`): a stream for each file, reading by ranges.
"""

import difflib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from r1chat.cli.library import Shelf, find_local, model_json, open_shelf
from r1chat.core.sanitize import clean, dumps
from r1chat.core.shape import FamilyName
from r1chat.core.sizes import size_text
from r1chat.errors import NotFoundError
from r1chat.models import reference, resolve
from r1chat.models.card import Card, card_of, card_of_streams, plain, summary
from r1chat.models.catalog import Entry
from r1chat.models.library import demo_path
from r1chat.models.local import LocalModel
from r1chat.models.resolve import Wish
from r1chat.models.variants import Variant
from r1chat.terminal.tables import Column, counted, facts, one_line

MAX_KEYS = 200  # rows of metadata; a real model has some 60 keys


@dataclass(frozen=True, slots=True)
class Remote:
    """A model on the Hub whose header can be read. `streams` opens its files, in order, one after the other."""

    repository: str
    commit: str
    variant: Variant
    streams: Callable[[], Iterator[BinaryIO]]


OpenRemote = Callable[[Wish], AbstractContextManager[Remote]]


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of a model: where it is, what the catalogue and what its own header say."""

    name: str
    where: str
    n_bytes: int
    n_files: int
    entry: Entry | None
    card: Card
    local: LocalModel | None
    remote: Remote | None = None


def show_command(open_remote: OpenRemote | None) -> Callable[..., None]:
    """Make the command `show`. `open_remote` opens a model that is not on this machine."""

    def show(
        name: Annotated[str, typer.Argument(metavar="NAME", help="A model, or the path of a GGUF file.")],
        json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
        get: Annotated[
            str | None, typer.Option("--get", metavar="KEY", help="Print one value of the metadata, whole.")
        ] = None,
    ) -> None:
        """Show what a model's header says: size, context, licence, chat template, tensors, metadata.

        Of a model that is not on this machine only the header is fetched, at most 16 MB.
        """
        shelf = open_shelf()
        shown = _find(shelf, name, open_remote)
        if get is not None:
            typer.echo(_value(shown.card, get, json=json))
        elif json:
            typer.echo(dumps(_as_json(shown)))
        elif isinstance(reference.parse(name), reference.Demo):
            typer.echo("\n".join(_demo_rows(shelf, shown)))
        else:
            typer.echo("\n".join(_rows(shelf, shown)))

    return show


def _find(shelf: Shelf, name: str, open_remote: OpenRemote | None) -> Shown:
    """Find the model and read its header. Raises NotFoundError, GGUFError, and what `open_remote` raises."""
    meant = reference.parse(name)
    match meant:
        case reference.Demo():
            return _of_path("demo", demo_path(), None, None)
        case reference.File(path):
            owner = shelf.library.owner_of(path)
            return _of_path(owner.name if owner else path.name, path, _entry(shelf, owner), owner)
        case reference.Ollama():
            if model := find_local(shelf, name):
                return _of_path(model.name, model.path, None, model)
            raise NotFoundError(f"Ollama has no model {one_line(name)} here.", hint="What is here: r1chat list")
        case _:
            wish = resolve.wish(meant, shelf.catalog)
    model = find_local(shelf, name)
    if model is not None and model.complete:
        return _of_path(model.name, model.path, wish.entry or _entry(shelf, model), model)
    if open_remote is None:
        raise NotFoundError(f"{one_line(name)} is not on this machine.", hint=f"Get it: {wish.command}")
    with open_remote(wish) as remote:
        family = wish.entry.family if wish.entry else None
        card = card_of_streams(remote.streams(), len(remote.variant.files), family)
        where = f"https://huggingface.co/{remote.repository}"
        title = f"{wish.entry.short}:{remote.variant.quantization}" if wish.entry else wish.title
        n_bytes, n_files = remote.variant.n_bytes, len(remote.variant.files)
        return Shown(title, where, n_bytes, n_files, wish.entry, card, None, remote)


def _of_path(name: str, path: Path, entry: Entry | None, owner: LocalModel | None) -> Shown:
    family: FamilyName | None = entry.family if entry else None
    card = card_of(path, family)
    n_bytes = owner.n_bytes if owner else card.header.file_size
    n_files = len(owner.paths) if owner else card.of_parts
    return Shown(name, str(path), n_bytes, n_files, entry, card, owner)


def _entry(shelf: Shelf, model: LocalModel | None) -> Entry | None:
    return shelf.catalog.of_repository(model.repository) if model and model.repository else None


def _demo_rows(shelf: Shelf, shown: Shown) -> list[str]:
    """The short form: of a toy nobody needs the tensors."""
    card = shown.card
    pairs = [
        ("about", card.description),
        ("licence", card.licence),
        ("context", f"{card.n_ctx_train:,} tokens"),
        ("size", f"{size_text(shown.n_bytes)}, {_parameters(card)} parameters, {card.quantization}"),
        ("where", shelf.where(Path(shown.where))),
        ("run it", "r1chat run demo 'What is 17 + 25?'"),
    ]
    return [one_line(card.title), *facts(pairs, columns_wide=shelf.screen.columns)]


def _rows(shelf: Shelf, shown: Shown) -> list[str]:
    card = shown.card
    lines = [one_line(card.title or shown.name), *facts(_facts(shelf, shown), columns_wide=shelf.screen.columns)]
    part = f" (of the first {card.n_parts} of {card.of_parts} parts)" if card.n_parts < card.of_parts else ""
    columns = [Column("TYPE"), Column("TENSORS", right=True), Column("SIZE", right=True)]
    groups = [[group.type, f"{group.count:,}", size_text(group.n_bytes)] for group in card.tensors]
    total = sum(group.count for group in card.tensors)
    lines += ["", f"{counted(total, 'tensor')}{part}", *shelf.rows(columns, groups)]
    metadata = card.header.metadata
    rows = [[key, summary(metadata[key])] for key in list(metadata)[:MAX_KEYS]]
    lines += ["", "Metadata (one whole: --get KEY)"]
    lines += shelf.rows([Column("KEY", shrinks=True), Column("VALUE", shrinks=True, at_end=True)], rows)
    if len(metadata) > MAX_KEYS:
        lines.append(f"and {len(metadata) - MAX_KEYS:,} more: --json")
    return lines


def _facts(shelf: Shelf, shown: Shown) -> list[tuple[str, str]]:
    card, entry = shown.card, shown.entry
    parts = f" in {shown.n_files} files" if shown.n_files > 1 else ""
    pairs = [
        ("name", shown.name),
        ("about", card.description),
        ("architecture", f"{card.architecture}, {counted(card.n_layers, 'layer')}, a vocabulary of {card.n_vocab:,}"),
        ("parameters", _parameters(card)),
        ("context", f"{card.n_ctx_train:,} tokens"),
        ("quantization", card.quantization),
        ("size", f"{size_text(shown.n_bytes)}{parts}"),
        ("licence", entry.licences if entry else card.licence or "not told"),
        ("prompt form", card.family),
        ("template", _template(card)),
        ("runs", f"no: {card.problem}" if card.problem else "yes"),
    ]
    if entry and entry.results:
        pairs.append(("results", ", ".join(f"{name} {value:g}" for name, value in entry.results.items())))
    if shown.local is not None and not shown.local.complete:
        pairs.append(("parts", f"{len(shown.local.paths)} of {shown.local.variant.n_shards}"))
    if shown.remote is not None:
        pairs += [("where", f"{shown.where} (not on this machine)"), ("commit", shown.remote.commit)]
    else:
        pairs.append(("where", shelf.where(Path(shown.where))))
    return [(label, value) for label, value in pairs if value]


def _parameters(card: Card) -> str:
    number = card.parameters
    return f"{number / 1e9:.2f} billion" if number >= 1e9 else f"{number / 1e6:.1f} million"


def _template(card: Card) -> str:
    if card.known:
        return f"that of {card.known}"
    if card.like_r1:
        return "not DeepSeek's own, with R1's markers (r1chat uses its own)"
    return "not one of R1's" if card.template else "none (r1chat uses its own)"


def _value(card: Card, key: str, *, json: bool) -> str:
    """Give one value of the metadata: text as it is, an array one item a line. Raises NotFoundError."""
    field = card.header.metadata.get(key)
    if field is None:
        near: Sequence[str] = difflib.get_close_matches(key, card.header.metadata, n=3)
        hint = f"Did you mean {' or '.join(map(one_line, near))}?" if near else "Leave out --get to see every key."
        raise NotFoundError(f"The model has no metadata {one_line(key)!r}.", hint=hint)
    value = plain(field, whole=True)
    if json:
        return dumps(value)
    if isinstance(value, list):
        return "\n".join(clean(str(item)) for item in value)
    return clean(str(value).lower() if isinstance(value, bool) else str(value))


def _as_json(shown: Shown) -> dict[str, Any]:
    card = shown.card
    value: dict[str, Any] = {
        "name": shown.name,
        "title": card.title,
        "description": card.description,
        "architecture": card.architecture,
        "family": card.family,
        "parameters": card.parameters,
        "n_layers": card.n_layers,
        "context": card.n_ctx_train,
        "n_vocab": card.n_vocab,
        "quantization": card.quantization,
        "licence": shown.entry.licences if shown.entry else card.licence,
        "n_bytes": shown.n_bytes,
        "where": shown.where,
        "template": {"known": card.known or None, "like_r1": card.like_r1, "n_chars": len(card.template)},
        "runs": not card.problem,
        "problem": card.problem or None,
        "tensors": {group.type: {"count": group.count, "n_bytes": group.n_bytes} for group in card.tensors},
        "n_parts": card.of_parts,
        "n_parts_read": card.n_parts,
        "metadata": {key: plain(field) for key, field in card.header.metadata.items()},
        "results": dict(shown.entry.results) if shown.entry else {},
        "on_disk": model_json(shown.local) if shown.local else None,
    }
    if shown.remote is not None:
        value |= {"repository": shown.remote.repository, "commit": shown.remote.commit}
    return value
