"""Which key does what at the prompt. What is not here is prompt_toolkit's: line editing as in emacs, or as in vi."""

from collections.abc import Callable
from dataclasses import dataclass

from prompt_toolkit.filters import (
    Condition,
    emacs_mode,
    has_completions,
    has_focus,
    has_selection,
    vi_navigation_mode,
)
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from r1chat.terminal.prompt import Prompt


@dataclass(frozen=True, slots=True)
class Deeds:
    """What keys can do that the prompt can't do alone. `can_take_back`: whether a message waits."""

    enter: Callable[[], None]
    interrupt: Callable[[], None]
    leave: Callable[[], None]
    suspend: Callable[[], None]
    think: Callable[[], None]
    answer_now: Callable[[], None]
    edit: Callable[[], None]
    pasted: Callable[[], None]
    take_back: Callable[[], None]
    can_take_back: Callable[[], bool]


def bindings(prompt: Prompt, deeds: Deeds) -> KeyBindings:
    """Bind the keys. While the history is searched they are prompt_toolkit's."""
    keys = KeyBindings()
    here = has_focus(prompt.buffer)
    empty = Condition(lambda: not prompt.draft)

    def chosen() -> bool:
        state = prompt.buffer.complete_state
        return state is not None and state.current_completion is not None

    def bind(*names: Keys | str, filter: object, to: Callable[[], None]) -> None:
        keys.add(*names, filter=filter)(lambda event: to())  # type: ignore[arg-type]

    def accept() -> None:
        prompt.buffer.complete_state = None

    bind("enter", filter=here, to=deeds.enter)
    bind("enter", filter=here & Condition(chosen), to=accept)
    bind("escape", "enter", filter=here, to=lambda: prompt.buffer.insert_text("\n"))
    bind("c-c", filter=here, to=deeds.interrupt)
    bind("<sigint>", filter=here, to=deeds.interrupt)
    bind("c-d", filter=here & empty, to=deeds.leave)
    bind("c-z", filter=here, to=deeds.suspend)
    bind("tab", filter=here, to=prompt.complete)
    bind("s-tab", filter=here & ~has_completions, to=deeds.think)
    bind("f2", filter=here, to=deeds.answer_now)
    bind("c-x", "c-e", filter=here & emacs_mode & ~has_selection, to=deeds.edit)
    bind("v", filter=here & vi_navigation_mode, to=deeds.edit)
    bind("up", filter=here & empty & Condition(deeds.can_take_back), to=deeds.take_back)

    @keys.add(Keys.BracketedPaste, filter=here)
    def paste(event: KeyPressEvent) -> None:
        prompt.paste(event.data)
        deeds.pasted()

    return keys
