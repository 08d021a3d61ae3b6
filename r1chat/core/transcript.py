"""A kept conversation as values: a session, and its turns, which form a tree. Knows no database, screen or format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from r1chat.core.events import Failure, Reason, Timings, Usage
from r1chat.core.prompt import detach
from r1chat.core.sampling import Sampling

INTERRUPTED: Final = "interrupted"  # the word for a turn whose program ended before it did
UNFINISHED: Final = ""  # of a turn that is under way, in this program or in another one
TITLE: Final = 60  # characters
UNTITLED: Final = "untitled"


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and what came of it, as it is kept. `parent` is the number of the turn before it, None for none.

    Turns with one parent are versions of each other. `reason` is a word of core.events.Reason, INTERRUPTED or
    UNFINISHED. `sampling` holds the seed that was used; `plan` is the plan's values by name; `digest` is the sha256 of
    the model's file where that is known. `created` and `updated` are seconds of the epoch.
    """

    number: int
    parent: int | None
    question: str
    reasoning: str = ""
    answer: str = ""
    think: bool = True
    model: str = ""
    digest: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    plan: Mapping[str, object] = field(default_factory=dict)
    reason: str = UNFINISHED
    usage: Usage = field(default_factory=Usage)
    timings: Timings = field(default_factory=Timings)
    failure: Failure | None = None
    created: float = 0.0
    updated: float = 0.0

    @property
    def asked(self) -> str:
        """What was asked, without the attached files."""
        return detach(self.question)[1]

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """The attached files, as (name, content)."""
        return detach(self.question)[0]

    @property
    def ending(self) -> Reason:
        """Why it ended, as a chat knows it: one that was lost with its program counts as cancelled."""
        return Reason(self.reason) if self.reason in set(Reason) else Reason.CANCELLED


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of a session without reading its turns. `key` is what a user types for it.

    `model` is the word that the model was run by last; `leaf` is the number of the turn at which the conversation
    stands, None at its beginning. `running`: a program that lives writes to it.
    """

    key: str
    title: str
    model: str
    system: str = ""
    created: float = 0.0
    updated: float = 0.0
    n_turns: int = 0
    leaf: int | None = None
    running: bool = False


@dataclass(frozen=True, slots=True)
class Transcript:
    """A session with all its turns, in the order in which they began: a turn's number is its index."""

    session: Session
    turns: tuple[Turn, ...]

    @property
    def path(self) -> tuple[Turn, ...]:
        """The turns from the first to the one at which the conversation stands."""
        found = []
        at = self.session.leaf
        while at is not None:
            found.append(self.turns[at])
            at = self.turns[at].parent
        return tuple(reversed(found))

    def versions(self, turn: Turn) -> tuple[Turn, ...]:
        """The turns beside this one, itself included: what else was answered, or asked, at this place."""
        return tuple(other for other in self.turns if other.parent == turn.parent)


Place = Literal["title", "question", "thinking", "answer"]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A piece of a text in one line, and in it the place of what was found (equal ends: nothing was)."""

    text: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Hit:
    """A session in which something was found: where, and what stands around it. `turn` is None for its title."""

    session: Session
    turn: int | None
    place: Place
    excerpt: Excerpt


def title_of(question: str) -> str:
    """Make a title of a session's first question: its first line, or the name of a file, cut at a word."""
    files, text = detach(question)
    line = next((line for line in text.splitlines() if line.strip()), "")
    words = " ".join(line.split()) or " ".join(name for name, _ in files)
    return shortened(words, TITLE) or UNTITLED


def shortened(text: str, length: int) -> str:
    """Cut a line to at most `length` characters, at a blank if one is near."""
    if len(text) <= length:
        return text
    cut = text[: length - 1]
    at = cut.rfind(" ", length // 2)
    return (cut[:at] if at > 0 else cut).rstrip() + "…"


def is_tree(turns: Sequence[Turn], leaf: int | None) -> bool:
    """Whether numbers are indices and every parent stands before its child."""
    numbered = all(turn.number == index for index, turn in enumerate(turns))
    parents = [*(turn.parent for turn in turns), leaf]
    return numbered and all(parent is None or 0 <= parent < index for index, parent in enumerate(parents))
