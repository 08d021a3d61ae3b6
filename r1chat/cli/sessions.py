"""`r1chat sessions`: kept chats, listed, read, found, renamed, exported, removed. Parses, asks, prints."""

import os
import sys
import time
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from r1chat.cli.asking import confirm
from r1chat.cli.keeping import sessions_file
from r1chat.cli.library import say
from r1chat.cli.options import text as typed
from r1chat.core.sanitize import clean, dumps
from r1chat.core.transcript import Hit, Session, Transcript
from r1chat.errors import NotFoundError, UsageError
from r1chat.export import files
from r1chat.store.store import Store, open_store
from r1chat.terminal.screen import Screen
from r1chat.terminal.sessions import found_rows, session_rows, transcript_rows
from r1chat.terminal.tables import counted, cut, one_line

STDOUT = Path("-")
LISTED = 20  # sessions; what fits a screen

group = typer.Typer(
    help="Kept chats. Alone: list them.",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
TOLD = 60  # cells of what was searched for, where nothing is found
_All = Annotated[bool, typer.Option("--all", "-a", help=f"All of them, not only the {LISTED} used last.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_Session = Annotated[
    str, typer.Argument(metavar="ID", help="A session: its ID, the beginning of it, or words of its title.")
]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


@group.callback(invoke_without_command=True)
def sessions(context: typer.Context, everything: _All = False, json: _Json = False) -> None:
    """List kept chats, the one used last first."""
    if context.invoked_subcommand is None:
        list_sessions(everything, json)


@group.command("list")
def list_sessions(everything: _All = False, json: _Json = False) -> None:
    """List kept chats, the one used last first."""
    screen = _screen()
    with _store() as store:
        found, n_all = store.sessions(None if everything else LISTED), store.count()
    if json:
        typer.echo(dumps({"sessions": [_session_json(one) for one in found], "n_sessions": n_all}))
        return
    if not found:
        say(["There is no session yet.", "  A chat becomes one with its first question: r1chat run"])
        return
    lines = session_rows(found, time.time(), screen)
    if len(found) < n_all:
        lines += ["", f"{len(found)} of {counted(n_all, 'session')}. All: r1chat sessions --all"]
    say([*lines, "", "Go on with one: r1chat run --resume ID. With the last: r1chat run -c"])


@group.command()
def show(
    session: _Session,
    thinking: Annotated[bool, typer.Option("--thinking", help="With the thinking.")] = False,
    json: _Json = False,
) -> None:
    """Show a chat: as it was on the screen, in a pipe as Markdown."""
    transcript = _read(session)
    if json:
        typer.echo(files.text_of(transcript, "json"), nl=False)
        return
    screen = _screen()
    if not screen.paints:
        typer.echo(files.text_of(transcript, "md"), nl=False)
        return
    say(transcript_rows(transcript, screen, thinking=thinking))


@group.command()
def search(
    words: Annotated[list[str], typer.Argument(metavar="WORDS", help='What to find. "Quoted" words stand together.')],
    n_most: Annotated[int, typer.Option("-n", metavar="N", min=1, help="At most so many sessions.")] = LISTED,
    json: _Json = False,
) -> None:
    """Find chats in which all of the words stand, in questions, answers, thinking or titles; the newest first.

    A word with a * at its end is the beginning of one. Without a hit, all words are taken as beginnings.
    """
    screen = _screen()
    with _store() as store:
        hits = store.search(" ".join(_phrase(typed(word)) for word in words), n_most)
    if json:
        typer.echo(dumps({"hits": [_hit_json(hit) for hit in hits]}))
        return
    if not hits:
        what = cut(one_line(" ".join(words)), TOLD)
        raise NotFoundError(f"Nothing is found for {what}.", hint="Try fewer or shorter words.")
    say(found_rows(hits, time.time(), screen))


@group.command()
def rename(session: _Session, title: Annotated[list[str], typer.Argument(metavar="TITLE", help="A title.")]) -> None:
    """Give a chat another title."""
    name = " ".join(typed(" ".join(title)).split())
    if not name:
        raise UsageError("A title has at least one letter.", hint="r1chat sessions rename ID TITLE")
    with _store() as store:
        found = store.find(typed(session))
        store.rename(found.key, name)
    say([f"{found.key} is called {one_line(name)} now."])


@group.command()
def export(
    session: _Session,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Ends in .html, .md or .json. Without one, or -: to stdout.")
    ] = None,
    form: Annotated[
        Literal["md", "json", "html"] | None, typer.Option("--format", help="The form. Default: as FILE ends, else md.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE.")] = False,
) -> None:
    """Write a chat as Markdown, JSON, or one page of HTML that needs nothing else. Only you can read the file."""
    if file == STDOUT:
        file = None
    if file is not None and form is None:
        form = files.form_of(file)  # type: ignore[assignment]
    transcript = _read(session)
    if file is None:
        typer.echo(files.text_of(transcript, form or "md"), nl=False)
        return
    files.write(transcript, file, form=form, replace=force)
    say([f"Written to {clean(str(file))}."])


@group.command()
def rm(
    sessions: Annotated[list[str], typer.Argument(metavar="ID", help="Sessions.")],
    yes: _Yes = False,
) -> None:
    """Remove chats for good. Asks before, on a terminal."""
    screen = _screen()
    with _store() as store:
        found = list({one.key: one for one in (store.find(typed(word)) for word in sessions)}.values())
        if not yes:
            keys = " ".join(one.key for one in found)
            confirm(screen, session_rows(found, time.time(), screen), f"r1chat sessions rm {keys} --yes")
        store.remove([one.key for one in found])
    say([f"Removed {counted(len(found), 'session')}."])


def _store() -> AbstractContextManager[Store]:
    """Open the sessions of this process's environment; what was wrong with them goes to stderr."""
    return open_store(sessions_file(), lambda notice: typer.echo(f"r1chat: {clean(notice)}", err=True))


def _read(word: str) -> Transcript:
    with _store() as store:
        return store.read(store.find(typed(word)).key)


def _screen() -> Screen:
    return Screen.detect(os.environ, sys.stdin, sys.stdout, sys.stderr)


def _phrase(word: str) -> str:
    """Let an argument with blanks, which a shell's quotes have kept together, be a phrase."""
    return f'"{word}"' if " " in word and '"' not in word else word


def _session_json(session: Session) -> dict[str, Any]:
    value = asdict(session)
    del value["leaf"], value["system"]
    return value


def _hit_json(hit: Hit) -> dict[str, Any]:
    return {
        "session": _session_json(hit.session),
        "turn": hit.turn,
        "place": hit.place,
        "text": hit.excerpt.text,
        "start": hit.excerpt.start,
        "end": hit.excerpt.end,
    }
