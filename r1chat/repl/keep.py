"""Slash commands about kept sessions: list, resume, rename, search, export."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from r1chat.core.sanitize import clean
from r1chat.core.transcript import Session, Transcript
from r1chat.errors import UsageError
from r1chat.export import files as export
from r1chat.sessions import take, transcript_of
from r1chat.terminal.completion import Candidate
from r1chat.terminal.sessions import answer_rows, found_rows, session_rows
from r1chat.terminal.tables import ago, counted, one_line

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from r1chat.repl.loop import Repl
    from r1chat.store.store import Store

LISTED = 12  # sessions; half of a small screen
OFFERED = 500  # sessions that completion looks through
FEWEST = 6  # rows of the last answer that are shown, however low the screen is


def sessions(repl: "Repl", argument: str) -> None:
    """List the sessions used last."""
    with _store(repl) as store:
        found, n_all = store.sessions(LISTED), store.count()
    if not found:
        repl.say("There is no session yet.")
        return
    repl.terminal.print("\n".join(session_rows(found, time.time(), repl.screen)))
    more = f"{n_all - len(found):,} more: r1chat sessions --all" if n_all > len(found) else ""
    repl.say(*filter(None, [more, "/resume ID goes on with one; /search WORDS finds one."]))


def resume(repl: "Repl", argument: str) -> None:
    """Go on with another session."""
    if not argument:
        sessions(repl, "")
        return
    keeper = repl.keeper
    if keeper is None:
        raise UsageError("This chat is not kept.", hint="Begin r1chat without --no-history to resume a session.")
    with _store(repl) as store:
        wanted = store.find(argument)
    if wanted.key == keeper.key:
        repl.say("This is that session.")
        return
    repl.resume(take(repl.paths.sessions, wanted.key))


def rename(repl: "Repl", argument: str) -> None:
    """Give this session another title."""
    key = _key(repl)
    if not argument:
        with _store(repl) as store:
            repl.say(f"This session is {key}: {one_line(store.find(key).title)}. /rename TITLE gives it another title.")
        return
    with _store(repl) as store:
        store.rename(key, argument)
    repl.say(f"This session is called {one_line(argument)} now.")


def search(repl: "Repl", argument: str) -> None:
    """Find sessions by what was said in them."""
    if not argument:
        repl.say('/search WORDS finds sessions in which all of them stand; "in quotes" words that stand together.')
        return
    with _store(repl) as store:
        hits = store.search(argument, LISTED)
    if not hits:
        repl.say(f"Nothing is found for {one_line(argument)}.")
        return
    repl.terminal.print("\n".join(found_rows(hits, time.time(), repl.screen)))
    repl.say("/resume ID goes on with one.")


def export_(repl: "Repl", argument: str) -> None:
    """Write this session to a file, in the form that its name's end tells."""
    if repl.keeper is None:
        transcript = transcript_of(repl.chat, repl.described())
    else:
        key = _key(repl)
        with _store(repl) as store:
            transcript = store.read(key)
    if not transcript.turns:
        raise UsageError("There is nothing to export yet.", hint="Ask something first.")
    file = Path(argument.strip('"')).expanduser() if argument else Path(export.file_name(transcript, "html"))
    export.write(transcript, file)
    repl.say(f"Written to {clean(str(file))}, readable for you alone.")


def session_words(repl: "Repl", argument: str) -> Iterable[Candidate]:
    """Complete the keys of sessions, by a key's beginning or by a part of a title."""
    sign = argument.casefold()
    with _store(repl) as store:
        found = store.sessions(OFFERED)
    for one in found:
        if one.key.startswith(sign) or sign in one.title.casefold():
            yield Candidate(one.key, len(argument), one_line(one.title))


def recap(repl: "Repl", transcript: Transcript) -> None:
    """Show where a resumed session stands: its title, its last question, the end of its last answer."""
    session, path = transcript.session, transcript.path
    repl.terminal.remark(f"Continued: {one_line(session.title)} · {told(session, len(path))}")
    if not path:
        repl.terminal.print()
        return
    last = path[-1]
    rows = answer_rows(last, repl.screen, formulas=repl.settings["latex"])
    most = max(FEWEST, repl.screen.rows // 2)
    if len(rows) > most:
        above = f"({counted(len(rows) - most, 'row')} above)"
        rows = [repl.screen.dim(above), *rows[-most:]]
    question = one_line(last.asked) or counted(len(last.files), "file")
    repl.terminal.remark(f">>> {question}")
    repl.terminal.print("\n".join([*rows, ""]))


def told(session: Session, n_turns: int) -> str:
    """Say how long a session is, and when it was used last."""
    return f"{counted(n_turns, 'turn')}, last {ago(session.updated, time.time())}"


def _store(repl: "Repl") -> "AbstractContextManager[Store]":
    """Open the sessions; what was wrong with them is told."""
    from r1chat.store.store import open_store  # the prompt does not wait for SQLite

    return open_store(repl.paths.sessions, repl.say)


def _key(repl: "Repl") -> str:
    if repl.keeper is None:
        raise UsageError("This chat is not kept.", hint="Begin r1chat without --no-history to keep it.")
    if not (key := repl.keeper.key):
        raise UsageError("There is no session yet.", hint="It begins with the first question.")
    return key
