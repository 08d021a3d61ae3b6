"""Joins a chat and the store: what the chat says is kept as it says it, and what was kept becomes a chat again.

Knows no terminal, no launch and no SQL. The model that answers is described by whoever knows it.
"""

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from r1chat.chat import Chat
from r1chat.core.conversation import Exchange
from r1chat.core.events import Answer, Event, Finished, Reasoning, Started
from r1chat.core.messages import Message, Role
from r1chat.core.transcript import UNTITLED, Session, Transcript, Turn, title_of

if TYPE_CHECKING:
    from r1chat.store.recorder import Recorder

_SHA256: Final = re.compile(r"(?:sha256-)?([0-9a-f]{64})$")  # the Hub's cache, and Ollama's, name files by their hash


@dataclass(frozen=True, slots=True)
class Model:
    """Who answers: the word that it was run by, its name, the sha256 of its file (empty if unknown), its plan."""

    word: str
    name: str
    digest: str = ""
    plan: Mapping[str, object] = field(default_factory=dict)


def digest_of(path: Path) -> str:
    """Give the sha256 of a model's file if its name tells it, else nothing: to compute it takes minutes."""
    found = _SHA256.match(path.resolve().name)
    return found[1] if found else ""


def take(path: Path, word: str | None, on_notice: Callable[[str], None] = lambda notice: None) -> Transcript:
    """Find the session that a word means (None: the one that was used last), and let this process go on with it.

    Raises NotFoundError, UsageError for a word that means several, and StoreError if it is open in another program.
    """
    from r1chat.store.store import open_store

    with open_store(path, on_notice) as store:
        session = store.last() if word is None else store.find(word)
        store.claim(session.key)
        return store.read(session.key)


def exchanges_of(transcript: Transcript) -> list[Exchange]:
    """Make a chat's exchanges of what was kept."""
    return [_exchange(turn) for turn in transcript.turns]


def kept_settings(transcript: Transcript) -> dict[str, object]:
    """Give the settings that a session was asked with last, by their names: its system prompt and its sampling."""
    settings: dict[str, object] = {"system": transcript.session.system}
    if turns := transcript.path or transcript.turns:
        sampling = asdict(turns[-1].sampling)
        settings |= {name: value for name, value in sampling.items() if name != "seed"}  # drawn anew
    return settings


def transcript_of(chat: Chat, model: Model) -> Transcript:
    """Make the values of a session of a chat that is not kept."""
    now = time.time()
    turns = tuple(
        _ended(Turn(number, exchange.parent, "", model=model.name, created=now), exchange, now)
        for number, exchange in enumerate(chat.exchanges)
    )
    title = title_of(turns[0].question) if turns else UNTITLED
    return Transcript(Session("", title, model.word, chat.system, now, now, len(turns), chat.leaf), turns)


class Keeper:
    """A Sink that keeps a chat. It begins a session with the first question, and goes on with the one it was given.

    Add it to the chat's sinks; call `follow` after every turn and every command that changes the conversation: only
    then the chat has settled what there is.
    """

    def __init__(self, chat: Chat, model: Callable[[], Model], path: Path, on_notice: Callable[[str], None]) -> None:
        self._chat = chat
        self._model = model
        self._path, self._on_notice = path, on_notice
        self._lock = threading.Lock()  # turns end in a thread of their own
        self._begin()

    def _begin(self) -> None:
        self._under_way = False  # whether there is a session
        self._word = ""
        self._base = len(self._chat.exchanges)  # what is before belongs to another session
        self._known: list[Exchange] = []
        self._leaf: int | None = None
        self._opened: dict[int, Turn] = {}

    @cached_property
    def _recorder(self) -> "Recorder":
        # SQLite and the writer are there with the first question: the prompt does not wait for them.
        from r1chat.store.recorder import Recorder

        return Recorder(self._path, self._on_notice)

    @property
    def key(self) -> str:
        """The key of the session, empty before its first question; what was said until now is on the disk then."""
        if not self._under_way:
            return ""
        self._recorder.flush()
        return self._recorder.key

    def handle(self, event: Event) -> None:
        """Take one event."""
        match event:
            case Started():
                with self._lock:
                    self._start(event)
            case Reasoning(text=text, sample=0):
                self._recorder.text("reasoning", text)
            case Answer(text=text, sample=0):
                self._recorder.text("answer", text)
            case _:
                pass

    def follow(self) -> None:
        """Bring what is kept to what the chat holds. Does nothing while a turn runs."""
        with self._lock:
            if not self._chat.busy:
                self._settle()
                self._stand()

    def restart(self) -> None:
        """Let the next question begin a new session. The chat has gone back to its beginning, the old one has not."""
        with self._lock:
            self._settle()
            if self._under_way:
                self._recorder.leave()
            self._begin()

    def resume(self, transcript: Transcript) -> None:
        """Go on with a session that was taken, whose exchanges the chat has been given."""
        with self._lock:
            if self._under_way:
                self._recorder.leave()
            self._begin()
            self._recorder.resume(transcript.session.key)
            self._under_way = True
            self._word = transcript.session.model
            self._base = 0
            self._known = list(self._chat.exchanges)
            self._leaf = self._chat.leaf

    def close(self) -> None:
        """Write what is left, and let go of the session. Safe to call twice."""
        self.follow()
        with self._lock:
            if self._under_way:
                self._recorder.leave()
                self._under_way = False
        if "_recorder" in vars(self):
            self._recorder.close()

    # Inside, with the lock held

    def _start(self, event: Started) -> None:
        now = time.time()
        model = self._model()
        if not self._under_way:
            self._under_way, self._word = True, model.word
            title = title_of(event.message.content)
            self._recorder.begin(Session("", title, model.word, self._chat.system, created=now, updated=now))
        elif model.word != self._word:
            self._word = model.word
            self._recorder.use(model.word)
        number = event.turn - 1 - self._base
        turn = Turn(
            number,
            self._parent_of(event),
            event.message.content,
            think=self._chat.options.think,
            model=model.name,
            digest=model.digest,
            sampling=replace(self._chat.options.sampling, seed=self._chat.seed),
            plan=model.plan,
            created=now,
            updated=now,
        )
        self._opened[number] = turn
        self._leaf = number
        self._recorder.open(turn)

    def _settle(self) -> None:
        """Write the exchanges that are new, or have grown."""
        exchanges = self._chat.exchanges[self._base :]
        for number, exchange in enumerate(exchanges):
            if number >= len(self._known) or self._known[number] is not exchange:
                self._recorder.put(self._turn(number, exchange))
        for number in self._opened:
            if number >= len(exchanges):
                self._recorder.drop(number)
        self._opened.clear()
        self._known = list(exchanges)

    def _parent_of(self, event: Started) -> int | None:
        """Find what a turn that begins stands behind: another try of the current question stands beside that one."""
        leaf = self._chat.leaf
        if leaf is not None and self._chat.exchanges[leaf].question is event.message:
            leaf = self._chat.exchanges[leaf].parent
        return self._own(leaf)

    def _turn(self, number: int, exchange: Exchange) -> Turn:
        now = time.time()
        began = self._opened.get(number) or Turn(number, None, "", created=now)
        return replace(_ended(began, exchange, now), parent=self._own(exchange.parent))

    def _stand(self) -> None:
        leaf = self._own(self._chat.leaf)
        if self._under_way and leaf != self._leaf:
            self._recorder.stand_at(leaf)
        self._leaf = leaf

    def _own(self, index: int | None) -> int | None:
        """Give the number in the session of an exchange of the chat."""
        return index - self._base if index is not None and index >= self._base else None


def _ended(turn: Turn, exchange: Exchange, now: float) -> Turn:
    """Give a turn with what came of it."""
    return replace(
        turn,
        question=exchange.question.content,
        reasoning=exchange.answer.reasoning,
        answer=exchange.answer.content,
        think=exchange.think,
        reason=exchange.finished.reason.value,
        usage=exchange.finished.usage,
        timings=exchange.finished.timings,
        failure=exchange.finished.failure,
        updated=now,
    )


def _exchange(turn: Turn) -> Exchange:
    finished = Finished(turn.ending, turn.usage, turn.timings, turn.failure)
    return Exchange(
        turn.parent,
        Message(Role.USER, turn.question),
        Message(Role.ASSISTANT, turn.answer, turn.reasoning),
        finished,
        think=turn.think,
    )
