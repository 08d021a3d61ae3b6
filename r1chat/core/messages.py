"""One conversation as values. Knows nothing about templates, tokens or where a message came from."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the assistant asked for. `arguments` is JSON text, as the model wrote it."""

    name: str
    arguments: str
    type: str = "function"


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `content` is the answer (or the user's text) with every blank; `reasoning` is the thinking.

    Reasoning is kept for the reader: a prompt never holds it (R1's rule), except a partial last turn that is continued.
    """

    role: Role
    content: str
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Partial:
    """The assistant's turn so far, to be continued. `answer` is None while the thinking is still open."""

    reasoning: str
    answer: str | None = None
