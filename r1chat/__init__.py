"""A local chat with DeepSeek-R1. `open` a model and `ask` it; everything else is loaded when it is used.

For example:

    with r1chat.open("demo") as chat:
        print(chat.reply("What is 17 + 25?").answer)
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # typing's own takes 10 ms to import, which the command pays before it can take Ctrl-C over
if TYPE_CHECKING:
    from r1chat.api import open
    from r1chat.chat import Chat, Reply
    from r1chat.core.events import Answer, Event, Finished, Notice, Progress, Reasoning, Started
    from r1chat.errors import R1ChatError

_HOMES = {
    "open": "r1chat.api",
    "Chat": "r1chat.chat",
    "Reply": "r1chat.chat",
    **dict.fromkeys(
        ("Answer", "Event", "Finished", "Notice", "Progress", "Reasoning", "Started"), "r1chat.core.events"
    ),
    "R1ChatError": "r1chat.errors",
}

__all__ = [
    "Answer",
    "Chat",
    "Event",
    "Finished",
    "Notice",
    "Progress",
    "R1ChatError",
    "Reasoning",
    "Reply",
    "Started",
    "__version__",
    "open",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for: `r1chat --help` must not pay for the engine."""
    if name not in _HOMES:
        raise AttributeError(f"module 'r1chat' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
