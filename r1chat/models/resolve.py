"""Reference + catalogue -> what is meant on the Hub. The same answer serves to look on disk and to pull.

Asks neither the disk nor the network: whether a repository has what is wished for is decided with its listing, by
`variants.choose`.
"""

from dataclasses import dataclass
from typing import Final

from r1chat.core.sanitize import clean
from r1chat.core.sizes import size_text
from r1chat.errors import NotFoundError, UsageError
from r1chat.models.catalog import Catalog, Download, Entry
from r1chat.models.reference import Demo, File, Hub, Name, Ollama, Reference
from r1chat.models.variants import canonical, looks_like_one, nearest, quantization_of

MAIN: Final = "main"


@dataclass(frozen=True, slots=True)
class Wish:
    """What to look for. `quantization` and `file` None: whatever `variants.choose` takes from the repository.

    `entry` is the catalogue's model, if it is one of these, `download` what the catalogue knows of this quantization
    (its size, hashes, number of files: to announce them before the Hub is asked). `notice` tells which quantization was
    taken for a name without one; it is empty where the user named it, or where only the listing can tell.
    """

    title: str
    repository: str
    revision: str
    quantization: str | None
    file: str | None
    entry: Entry | None = None
    download: Download | None = None
    notice: str = ""

    @property
    def command(self) -> str:
        """The command that pulls it, to be typed or copied."""
        if self.entry and self.file is None and self.revision == MAIN:
            return f"r1chat pull {self.entry.short}{f':{self.quantization}' if self.quantization else ''}"
        at = "" if self.revision == MAIN else f"@{self.revision}"
        if self.file is not None:
            return f"r1chat pull hf://{self.repository}{at}/{self.file}"
        return f"r1chat pull {self.repository}{at}{f':{self.quantization}' if self.quantization else ''}"


def wish(
    reference: Reference, catalog: Catalog, *, quantization: str | None = None, revision: str | None = None
) -> Wish:
    """Tell what a reference means on the Hub. `quantization` and `revision` are options beside it.

    Raises NotFoundError for a name that is not in the catalogue or a word that is no quantization, UsageError for what
    is not on the Hub at all and for a quantization or a revision that is named twice.
    """
    match reference:
        case Name(name, named):
            return _of_name(name, _one("quantization", named, quantization), revision, catalog)
        case Hub():
            return _of_hub(reference, quantization, revision, catalog)
        case Demo():
            raise UsageError("The demo model is a part of r1chat.", hint="Run it: r1chat run demo")
        case File(path):
            raise UsageError(f"{clean(str(path))} is a path on this machine, not a model of the Hub.", hint=_HINT)
        case Ollama(name):
            raise UsageError(f"{clean(name)} is Ollama's: it is run in place.", hint=f"Get it: ollama pull {name}")


_HINT: Final = "Name a model of `r1chat models`, or user/repository"


def unknown(name: str, catalog: Catalog) -> NotFoundError:
    """Say that a name means nothing, and what it may have been meant to be."""
    shown = clean(name) if len(name) <= 80 else f"{clean(name[:60])}…"
    if len(name.split()) > 1:  # the question stands where the model should
        hint = "Name the model first: r1chat run demo 'What is 2+2?'"
    elif near := catalog.nearest(name):
        hint = f"Did you mean {' or '.join(near)}?"
    else:
        hint = "See r1chat models, give the path of a GGUF file, or try the bundled one: r1chat run demo"
    return NotFoundError(f"There is no model {shown!r}.", hint=hint)


def _of_name(name: str, quantization: str | None, revision: str | None, catalog: Catalog) -> Wish:
    entry = catalog.find(name)
    if entry is None:
        head, _, tail = name.rpartition(":")
        if head and (owner := catalog.find(head)):
            raise _no_quantization(owner, tail)
        raise unknown(name if quantization is None else f"{name}:{quantization}", catalog)
    if quantization is not None and not entry.quantized(quantization):
        if not looks_like_one(quantization):
            raise _no_quantization(entry, quantization)
        return Wish(  # the catalogue doesn't know all that its repositories hold: the Hub decides
            title=entry.title,
            repository=entry.download.repository,
            revision=revision or entry.download.revision or MAIN,
            quantization=canonical(quantization),
            file=None,
            entry=entry,
        )
    download = entry.download if quantization is None else entry.quantized(quantization)
    assert download is not None  # asked just now
    return Wish(
        title=entry.title,
        repository=download.repository,
        revision=revision or download.revision or MAIN,
        quantization=download.quantization,
        file=file_of(download),
        entry=entry,
        download=download,
        notice="" if quantization is not None else _notice(entry),
    )


def _of_hub(reference: Hub, quantization: str | None, revision: str | None, catalog: Catalog) -> Wish:
    revision = _one("revision", reference.revision, revision)
    if reference.file is not None and quantization is not None:
        raise UsageError(
            f"{clean(reference.file)} is one file: --quant {clean(quantization)} can't choose from it.",
            hint="Leave out --quant, or name the repository alone.",
        )
    asked = _one("quantization", reference.quantization, quantization)
    entry = catalog.of_repository(reference.repository)
    named = quantization_of(reference.file) if reference.file else asked
    download = entry.quantized(named) if entry and named else None
    if download and download.repository.casefold() != reference.repository.casefold():
        download = None
    if download and reference.file and revision is None and reference.file != download.file:
        download = None
    return Wish(
        title=f"{reference.repository}{f'/{reference.file}' if reference.file else ''}",
        repository=reference.repository,
        revision=revision or MAIN,
        quantization=canonical(asked) if asked else None,
        file=reference.file,
        entry=entry,
        download=download,
    )


def file_of(download: Download) -> str | None:
    """Name the file only where its quantization can't be told by its name, in a user's own catalogue."""
    return None if quantization_of(download.file) == download.quantization else download.file


def _one(what: str, named: str | None, option: str | None) -> str | None:
    """Take what the name and the option say, which must be the same if both say something."""
    if named is None or option is None:
        return option if named is None else named
    same = canonical(named) == canonical(option) if what == "quantization" else named == option
    if not same:
        raise UsageError(f"Two {what}s are named: {clean(named)} and {clean(option)}.", hint="Leave out one of them.")
    return named


def _notice(entry: Entry) -> str:
    download = entry.download
    size = f" ({size_text(download.n_bytes)})" if download.n_bytes else ""
    return f"{entry.short} without a quantization is {entry.short}:{download.quantization}{size}."


def _no_quantization(entry: Entry, word: str) -> NotFoundError:
    """Say that a word is none of a model's quantizations, and which there are."""
    known = {download.quantization: download.n_bytes for download in entry.downloads}
    texts = (f"{name} ({size_text(size)})" if size else name for name, size in known.items())
    near = nearest(word, tuple(known))
    return NotFoundError(
        f"{entry.title} has no quantization {clean(word)[:80]!r}.",
        hint=f"It has {', '.join(texts)}." + (f" The nearest is {near}." if near else ""),
    )
