"""`r1chat pull`: get a model from the Hub. Parses, wires, prints; `look` and `fetch` serve `run` too."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import typer

from r1chat import paths
from r1chat.cli.show import Remote
from r1chat.core.sanitize import clean, dumps
from r1chat.core.sizes import size_text
from r1chat.engine import devices
from r1chat.errors import ExitCode, FitError, NotFoundError, R1ChatError
from r1chat.interrupts import raising
from r1chat.models import catalog
from r1chat.models.access import endpoint, find_token
from r1chat.models.access import offline as forbidden
from r1chat.models.cache import hub_cache
from r1chat.models.fitting import suited
from r1chat.models.hub import Hub, Listing, TokenPolicy, as_stream
from r1chat.models.library import Library
from r1chat.models.places import Room, place, room
from r1chat.models.pull import JOBS, Pulled, PullProgress
from r1chat.models.pull import pull as download
from r1chat.models.reference import parse
from r1chat.models.resolve import Wish, wish
from r1chat.models.variants import RepoFile, Variant, choose, listed, variants
from r1chat.settings import layers as settings
from r1chat.terminal.bars import Bar, bars
from r1chat.terminal.screen import Screen

STOPPED: Final = "Stopped. The same command goes on from here."
_WAITING: Final = "Another process fetches this model: waiting for it."


@dataclass(frozen=True, slots=True)
class Access:
    """How the Hub is reached, and where its files are kept."""

    endpoint: str
    tokens: TokenPolicy
    offline: bool
    cache: Path

    def hub(self) -> Hub:
        """Open it."""
        return Hub(self.endpoint, self.tokens, offline=self.offline)


@dataclass(frozen=True, slots=True)
class Order:
    """What a name has come to on the Hub: the files to fetch, and the disk before that."""

    wish: Wish
    listing: Listing
    variant: Variant
    room: Room

    @property
    def name(self) -> str:
        """How to write it in a message, as one would type it."""
        owner = self.wish.entry.short if self.wish.entry else self.listing.repository
        return clean(f"{owner}:{self.variant.quantization}" if self.variant.quantization else owner)


def pull(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME", help="7b, 7b:Q8_0, user/repository:Q4_K_M, or a Hub address.")
    ],
    quantization: Annotated[
        str | None, typer.Option("--quant", metavar="NAME", help="The quantization. Default: Q4_K_M, if it fits.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option("--revision", metavar="NAME", help="A branch, a tag or a commit. Default: main.")
    ] = None,
    token: Annotated[
        str | None, typer.Option("--token", metavar="TOKEN", help="For private and gated models; else HF_TOKEN.")
    ] = None,
    token_hosts: Annotated[
        list[str] | None,
        typer.Option("--token-host", metavar="HOST", help="May see the token, like huggingface.co. Repeatable."),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=64, metavar="N", help="Connections at once.")] = JOBS,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show files, sizes, target and room; fetch nothing.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Begin even if the disk has no room.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Use no network: see whether it is here.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing unless it fails.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
) -> None:
    """Get models from the Hub, into the cache that other programs use too.

    Without a quantization it is the model's default, or the largest one below it that fits this machine.
    What is here already is not fetched again. After Ctrl-C or a broken line the same command goes on where it was.
    """
    results: list[dict[str, Any]] = []
    failure: R1ChatError | None = None
    try:
        reach = access(os.environ, token=token, token_hosts=token_hosts or (), offline=offline)
        known = catalog.load(catalog.default_path(), paths.find().catalogue)
        wishes = [wish(parse(name), known, quantization=quantization, revision=revision) for name in names]
        if not reach.offline:
            wishes = fitted(wishes)
        if token and reach.tokens.token_for(reach.endpoint) is None and not quiet:
            _tell("The token is not sent to this host: name it with --token-host if you trust it.")
        with raising():
            for wanted in wishes:
                results.append(_one(wanted, reach, jobs=jobs, dry_run=dry_run, force=force, quiet=quiet, json=json))
    except KeyboardInterrupt:
        if not quiet:
            _tell(STOPPED)
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except R1ChatError as error:
        failure = error
        raise
    finally:
        if json:
            wrong = failure and {"code": failure.exit_code, "message": failure.message, "hint": failure.hint}
            typer.echo(dumps({"models": results, **({"error": wrong} if wrong else {})}))


def fitted(wishes: Sequence[Wish]) -> list[Wish]:
    """Let names without a quantization mean one that this machine has room for, with all its memory free."""
    if not any(each.notice for each in wishes):
        return list(wishes)
    machine = devices.survey().emptied
    return [suited(each, machine) for each in wishes]


def access(
    environ: Mapping[str, str], *, token: str | None = None, token_hosts: Sequence[str] = (), offline: bool = False
) -> Access:
    """Read from the environment how to reach the Hub. Raises UsageError."""
    trusted = settings.load(environ, paths.find(environ).settings)["token_hosts"]
    policy = TokenPolicy(find_token(environ, token).checked(), frozenset((*token_hosts, *trusted)))
    return Access(endpoint(environ), policy, offline or bool(forbidden(environ)), hub_cache(environ))


def look(wanted: Wish, hub: Hub, cache: Path) -> Order:
    """Ask the Hub what a wish comes to. Raises NotFoundError for what it hasn't, and DownloadError."""
    listing = hub.listing(wanted.repository, wanted.revision)
    found = variants(listing.files)
    if wanted.file is None:
        variant = choose(found, wanted.quantization, where=wanted.repository)
    else:
        variant = _holding(wanted.file, found, wanted.repository)
    return Order(wanted, listing, variant, room(listing, variant.files, cache))


def fetch(
    order: Order, hub: Hub, cache: Path, screen: Screen, *, jobs: int = JOBS, force: bool = False, quiet: bool = False
) -> Pulled:
    """Fetch what was ordered, and show on stderr how far it is. Raises what `models.pull.pull` raises."""
    return _fetched(hub, order.listing, order.variant.files, cache, screen, jobs=jobs, force=force, quiet=quiet)


def _fetched(
    hub: Hub,
    listing: Listing,
    files: Sequence[RepoFile],
    cache: Path,
    screen: Screen,
    *,
    jobs: int = JOBS,
    force: bool = False,
    quiet: bool = False,
) -> Pulled:
    shown = bars(sys.stderr, screen, quiet=quiet)

    def show(progress: PullProgress) -> None:
        files = [Bar(file.path, file.n_bytes, file.n_done, file.n_checked) for file in progress.files]
        with contextlib.suppress(OSError, ValueError):  # nobody looks: no reason to end, and not the cache's fault
            shown.show(files, progress.n_fetched, _WAITING if progress.waiting else "")

    try:
        return download(hub, listing, files, cache, jobs=jobs, force=force, on_progress=show)
    finally:
        with contextlib.suppress(OSError, ValueError):
            shown.close()


def offer(wanted: Wish, screen: Screen, *, yes: bool) -> bool:
    """Pull a model that is not here, after one question; tells whether it is here now. For `run`.

    Raises what `look` and `fetch` raise. Ctrl-C at the question or in the download ends with KeyboardInterrupt.
    """
    reach = access(os.environ)
    if reach.offline:
        return False
    with raising(), reach.hub() as hub:
        order = look(wanted, hub, reach.cache)
        if not yes:
            if wanted.notice:
                _tell(wanted.notice)
            quantization = f", {order.variant.quantization}," if order.variant.quantization else ""
            _tell(f"{wanted.title}{quantization} is not on this machine.")
            _tell(f"  {size_text(order.room.n_missing)} to fetch, {size_text(order.room.n_free)} free in {reach.cache}")
            typer.echo("Pull it now? [Y/n] ", nl=False, err=True)
            if not _agrees():
                return False
        try:
            fetch(order, hub, reach.cache, screen)
        except KeyboardInterrupt:
            _tell(STOPPED)
            raise
    return True


def _agrees() -> bool:
    """Read the answer to a question; Enter is yes. A terminal that was closed (Ctrl-D) or is gone says no."""
    try:
        line = sys.stdin.readline()
    except (OSError, ValueError):
        line = ""
    if not line:
        typer.echo(err=True)  # what follows begins on a line of its own
    return bool(line) and line.strip().casefold() in ("", "y", "yes")


def pull_again(repository: str, commit: str, files: tuple[str, ...]) -> None:
    """Get files of a commit again. For `verify --repair`. Raises what `look` and `fetch` raise."""
    reach = access(os.environ)
    screen = Screen.detect(os.environ, sys.stdin, sys.stdout, sys.stderr)
    with raising(), reach.hub() as hub:
        listing = hub.listing(repository, commit)
        _fetched(hub, listing, [file for file in listing.files if file.path in files], reach.cache, screen)


@contextlib.contextmanager
def open_remote(wanted: Wish) -> Iterator[Remote]:
    """Open a model of the Hub to read its header. For `show`. Raises what `look` raises."""
    reach = access(os.environ)
    with reach.hub() as hub:
        order = look(wanted, hub, reach.cache)
        listing = order.listing

        def streams() -> Iterator[BinaryIO]:
            for file in order.variant.files:
                with hub.source(listing.repository, listing.commit, file.path) as source:
                    yield as_stream(source)

        yield Remote(listing.repository, listing.commit, order.variant, streams)


def _one(
    wanted: Wish, reach: Access, *, jobs: int, dry_run: bool, force: bool, quiet: bool, json: bool
) -> dict[str, Any]:
    """Get one model; give what there is to say of it."""
    begun = time.monotonic()
    screen = Screen.detect(os.environ, sys.stdin, sys.stdout, sys.stderr)
    if wanted.notice and not quiet:
        _tell(wanted.notice)
    if reach.offline:
        return _from_disk(wanted, reach, quiet=quiet or json)
    with reach.hub() as hub:
        order = look(wanted, hub, reach.cache)
        if dry_run:
            return _announce(order, reach, force=force, quiet=quiet or json)
        if not quiet and order.room.n_missing:
            _tell(f"{order.name}: {size_text(order.room.n_missing)} to fetch.")
        pulled = fetch(order, hub, reach.cache, screen, jobs=jobs, force=force, quiet=quiet)
    if not (quiet or json):
        typer.echo(clean(f"{order.name} is here, {size_text(pulled.n_bytes)}:\n  {pulled.paths[0]}"))
    return {
        **_facts(order),
        "paths": [clean(str(path)) for path in pulled.paths],
        "bytes": pulled.n_bytes,
        "fetched_bytes": pulled.n_fetched,
        "seconds": round(time.monotonic() - begun, 3),
    }


def _from_disk(wanted: Wish, reach: Access, *, quiet: bool) -> dict[str, Any]:
    """Find a model without the network. Raises NotFoundError."""
    revision = None if wanted.revision == "main" else wanted.revision
    library = Library(reach.cache)
    found = library.find(wanted.repository, revision=revision, quantization=wanted.quantization, file=wanted.file)
    if found is None or not found.complete:
        raise NotFoundError(
            f"{clean(wanted.title)} is not on this machine.", hint="Pull it without --offline and HF_HUB_OFFLINE."
        )
    if not quiet:
        typer.echo(clean(f"{found.name} is here, {size_text(found.n_bytes)}:\n  {found.path}"))
    return {
        "repository": found.repository,
        "commit": found.commit,
        "quantization": found.quantization,
        "paths": [clean(str(path)) for path in found.paths],
        "bytes": found.n_bytes,
        "fetched_bytes": 0,
    }


def _announce(order: Order, reach: Access, *, force: bool, quiet: bool) -> dict[str, Any]:
    """Show what a pull would do. Raises FitError if there is no room for it."""
    space, files = order.room, order.variant.files
    target = place(order.listing, files[0], reach.cache).parent
    if not quiet:
        typer.echo(f"{order.name}, revision {clean(order.listing.revision)} ({order.listing.commit[:12]})")
        for file in files:
            typer.echo(clean(f"  {size_text(file.n_bytes):>9}  {file.path}"))
        typer.echo(clean(f"  into      {target}"))
        typer.echo(f"  to fetch  {size_text(space.n_missing)} of {size_text(order.variant.n_bytes)}")
        typer.echo(f"  room      {size_text(space.n_needed)} needed, {size_text(space.n_free)} free")
    if not space.fits and not force:
        raise FitError(
            f"There is no room: this needs {size_text(space.n_needed)}, and {size_text(space.n_free)} are free.",
            hint="Make room, or choose a smaller quantization.",
        )
    return {
        **_facts(order),
        "files": [{"path": clean(file.path), "bytes": file.n_bytes, "sha256": file.sha256} for file in files],
        "target": clean(str(target)),
        "bytes": order.variant.n_bytes,
        "missing_bytes": space.n_missing,
        "needed_bytes": space.n_needed,
        "free_bytes": space.n_free,
    }


def _facts(order: Order) -> dict[str, Any]:
    return {
        "repository": order.listing.repository,
        "revision": order.listing.revision,
        "commit": order.listing.commit,
        "quantization": order.variant.quantization,
    }


def _holding(path: str, found: Sequence[Variant], repository: str) -> Variant:
    """Find the model that a file is a part of."""
    for variant in found:
        if any(file.path == path for file in variant.files):
            if not variant.complete:
                raise NotFoundError(f"{clean(repository)} lacks parts of {clean(path)}.", hint="Choose another one.")
            return variant
    hint = f"It has {listed(found)}." if found else "It holds no GGUF model."
    raise NotFoundError(f"{clean(repository)} has no model in {clean(path)}.", hint=hint)


def _tell(*lines: str) -> None:
    typer.echo(clean("\n".join(lines)), err=True)
