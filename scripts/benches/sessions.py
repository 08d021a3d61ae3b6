"""What ten thousand kept sessions cost: the REPL's prompt, the list, and full-text search over a gigabyte of them."""

import os
import random
import statistics
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from benches import program
from benches.report import Samples, table
from r1chat.core.transcript import Session, Transcript, Turn
from r1chat.store import database, writing
from r1chat.store.store import open_store

TURNS = 4  # of a session
KB = 25  # of text in a turn, most of it thinking: some 6,000 tokens
N_WORDS = 30_000  # different ones; that they are rarer the higher their number, is Zipf's law
HAN = [chr(code) for code in range(0x4E00, 0x4E00 + 2000)]
PORTION = 100  # sessions in one transaction
QUERIES = {
    "a word in every turn": "w0",
    "two frequent words": "w3 w40",
    "a rare word": "w29000",
    "three words, seldom together": "w900 w1700 w2500",
    "a phrase": '"w0 w1 w2"',
    "a beginning": "w12*",
    "a Chinese word of two characters": HAN[10] + HAN[11],
    "one Chinese character": HAN[20],
    "a word that is nowhere": "xyzzy",
}


def run(options: Namespace) -> None:
    """Make the sessions if they are not there, measure, print."""
    with tempfile.TemporaryDirectory(prefix="r1chat-sessions-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "sessions.db"
        if not file.exists():
            fill(file, options.sessions)
        print(f"{file}: {file.stat().st_size / 1e9:.2f} GB", flush=True)
        searches(file, options.rounds)
        starts(folder, options.rounds)


def searches(file: Path, rounds: int) -> None:
    """Time searches, each on a connection of its own, as a command has it."""
    rows = []
    for what, typed in QUERIES.items():
        found = 0

        def search(typed: str = typed) -> None:
            nonlocal found
            with open_store(file) as store:
                found = len(store.search(typed))

        times = Samples(tuple(timed(search) for _ in range(rounds)))
        rows.append((what, f"{found}", times.show(0, 1e3), "≤ 200"))

    def listing() -> None:
        with open_store(file) as store:
            store.sessions(20)

    rows.append(("(the list, 20 of all)", "20", Samples(tuple(timed(listing) for _ in range(rounds))).show(0, 1e3), ""))
    table("Search, milliseconds: median (range)", ("what", "hits", "ms", "target"), rows)


def starts(folder: Path, rounds: int) -> None:
    """Time the REPL's prompt with these sessions and without any, in turn, and the commands as whole processes."""
    empty = os.environ["R1CHAT_HOME"]
    with_all: list[float] = []
    with_none: list[float] = []
    listed: list[float] = []
    searched: list[float] = []
    for _ in range(rounds):
        for home, times in ((empty, with_none), (str(folder), with_all)):
            os.environ["R1CHAT_HOME"] = home
            times.append(program.seconds_to_prompt("demo"))
        listed.append(program.seconds([*program.r1chat(), "sessions"]))
        searched.append(program.seconds([*program.r1chat(), "sessions", "search", "w29000"]))
    os.environ["R1CHAT_HOME"] = empty
    rows = [
        ("REPL's prompt, demo, no session", Samples(tuple(with_none)).show(3), "≤ 0.5"),
        ("REPL's prompt, demo, all of them", Samples(tuple(with_all)).show(3), "≤ 0.5"),
        ("r1chat sessions", Samples(tuple(listed)).show(3), ""),
        ("r1chat sessions search", Samples(tuple(searched)).show(3), ""),
    ]
    table("Whole processes, seconds: median (range)", ("", "seconds", "target"), rows)


def timed(function: Callable[[], None]) -> float:
    """Give the seconds that a call takes."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def fill(file: Path, n_sessions: int) -> None:
    """Write sessions of made-up words, one in ten of them Chinese."""
    rng = random.Random(1)
    weights = [1 / (rank + 1) for rank in range(N_WORDS)]
    words = [f"w{number}" for number in range(N_WORDS)]
    pool = [" ".join(rng.choices(words, weights, k=200)) for _ in range(3000)]  # paragraphs, to be put together anew
    han = ["".join(rng.choices(HAN, k=120)) + "。" for _ in range(3000)]
    begun = time.perf_counter()
    with database.opened(file) as found:
        connection = found.connection
        for first in range(0, n_sessions, PORTION):
            with database.transaction(connection):
                for number in range(first, min(first + PORTION, n_sessions)):
                    writing.add_transcript(connection, made_up(number, pool, han, rng))
                writing.index_turns(connection, PORTION * TURNS)
        connection.execute("PRAGMA wal_checkpoint (TRUNCATE)")
    seconds = time.perf_counter() - begun
    print(f"wrote {n_sessions:,} sessions in {seconds:.0f} s, {seconds / n_sessions * 1e3:.1f} ms each", flush=True)


def made_up(number: int, pool: list[str], han: list[str], rng: random.Random) -> Transcript:
    """Make a session."""
    when = 1.7e9 + 100 * number
    texts = han if number % 10 == 0 else pool
    size = statistics.fmean(len(text.encode()) for text in texts[:20])
    n_texts = max(1, round(KB * 1000 / size))
    turns = tuple(
        Turn(
            index,
            index - 1 if index else None,
            f"Question {number}.{index} about {rng.choice(pool)[:60]}?",
            "\n".join(rng.choices(texts, k=n_texts - n_texts // 5)),
            "\n".join(rng.choices(texts, k=n_texts // 5 or 1)),
            model="demo",
            reason="stop",
            created=when,
            updated=when,
        )
        for index in range(TURNS)
    )
    return Transcript(Session("", turns[0].question[:60], "demo", "", when, when, TURNS, TURNS - 1), turns)
