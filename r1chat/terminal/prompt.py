"""The place where messages are typed: its text, what is folded in it, history, search, completion, and how it is drawn.

Knows no turn and no key; keys.py binds them to what is here.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from prompt_toolkit.application import get_app
from prompt_toolkit.buffer import Buffer, CompletionState
from prompt_toolkit.completion import CompleteEvent, get_common_complete_suffix
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition, has_completions
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.formatted_text.utils import fragment_list_to_text
from prompt_toolkit.layout import BufferControl, ConditionalContainer, Container, Window
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.menus import CompletionsMenuControl
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
from prompt_toolkit.widgets import SearchToolbar

from r1chat.errors import NotFoundError
from r1chat.terminal import draft as drafts
from r1chat.terminal.completion import Candidate, PromptCompleter
from r1chat.terminal.history import open_history
from r1chat.terminal.outbox import Entry
from r1chat.terminal.pastes import Pastes
from r1chat.terminal.screen import Screen

PROMPT, CONTINUATION = ">>> ", "... "
MENU_ROWS = 8
SHARE = 3  # the prompt takes at most a third of the screen; a longer text scrolls


class Prompt:
    """The prompt of one REPL. `on_change` is called whenever its text is another."""

    def __init__(
        self,
        screen: Screen,
        complete: Callable[[str], Iterable[str | Candidate]],
        history: Path | None,
        on_change: Callable[[], None],
    ) -> None:
        self._screen = screen
        self._on_change = on_change
        self._pastes = Pastes()
        self._literal = False
        self._pasted: list[str] = []  # what was pasted and shows its lines: no file is looked for in it
        self.buffer = Buffer(
            multiline=True,
            history=open_history(history, self._pastes),
            completer=PromptCompleter(complete),
            on_text_changed=self._changed,
        )
        self._search = SearchToolbar(forward_search_prompt="search: ", backward_search_prompt="search back: ")
        self._window = Window(
            BufferControl(
                self.buffer,
                input_processors=[_Labels(self._pastes)],
                search_buffer_control=self._search.control,
                preview_search=True,
            ),
            height=lambda: Dimension(min=1, max=max(1, self._screen.rows // SHARE)),
            wrap_lines=True,
            dont_extend_height=True,
            get_line_prefix=_prefix,
        )

    @property
    def draft(self) -> str:
        """What stands in the prompt, long pastes folded."""
        return self.buffer.text

    @property
    def whole(self) -> str:
        """What stands in the prompt, with all that was pasted."""
        return self._pastes.expand(self.buffer.text)

    @property
    def is_open(self) -> bool:
        """Whether the message is not complete, so that Enter begins a new line."""
        return drafts.is_open(self.buffer.text)

    @property
    def rows(self) -> list[Container]:
        """What is drawn, from the top down."""
        few = Condition(lambda: self._screen.rows > 2 * SHARE)
        menu = Window(
            CompletionsMenuControl(),
            height=lambda: Dimension(min=0, max=min(MENU_ROWS, self._screen.rows // SHARE)),
            dont_extend_height=True,
            dont_extend_width=True,
        )
        return [self._window, self._search.container, ConditionalContainer(menu, has_completions & few)]

    @property
    def focus(self) -> Window:
        """Where the keys go."""
        return self._window

    def entry(self) -> Entry:
        """Read the message. Raises NotFoundError for a file that is not there and can be nothing else."""
        return read_entry(
            self.buffer.text, expand=self._pastes.expand, literal=self._literal, pasted=tuple(self._pasted)
        )

    def remember(self, entry: Entry) -> None:
        """Put a message into the history. What was no command won't be one when it comes back."""
        draft = entry.draft
        if entry.literal and self._pastes.expand(draft).startswith("/"):
            draft = f" {draft}"
        strings = self.buffer.history.get_strings()
        if not strings or strings[-1] != draft:
            self.buffer.history.append_string(draft)

    def expanded(self, entry: Entry) -> str:
        """Give a message as it was typed, with all that was pasted."""
        return self._pastes.expand(entry.draft)

    def labelled(self, entry: Entry) -> str:
        """Give a message as the prompt shows it, in one line."""
        return " ".join(self._pastes.labelled(entry.draft).split())

    def clear(self) -> None:
        """Empty the prompt."""
        self.buffer.reset()
        self._forget()

    def put(self, *entries: Entry) -> None:
        """Put messages back for editing, above what stands there. Several together are no command."""
        pieces = [*(entry.draft for entry in entries), *filter(None, [self.buffer.text])]
        literal = self._literal or len(pieces) > 1 or any(entry.literal for entry in entries)
        self._set("\n".join(pieces), literal=literal)

    def replace(self, text: str) -> None:
        """Let another text stand there, folded where it is long."""
        self._set(self._pastes.fold(text), literal=self._literal)

    def _set(self, draft: str, *, literal: bool) -> None:
        self.buffer.document = Document(draft, len(draft))
        self._literal = literal and bool(draft)

    def paste(self, data: str) -> None:
        """Insert a paste. A message that begins with one, or has a pasted line end, is no command."""
        data = data.replace("\r\n", "\n").replace("\r", "\n")
        literal = self._literal or "\n" in data or not self.buffer.document.text_before_cursor
        folded = self._pastes.fold(data)
        self.buffer.insert_text(folded)
        self._literal = literal
        if folded == data and "\n" in data:
            self._pasted.append(data)

    def complete(self) -> None:
        """Complete the word before the cursor as far as it is certain, else offer what there is."""
        buffer = self.buffer
        if buffer.complete_state:
            buffer.complete_next()
            return
        document = buffer.document
        found = list(buffer.completer.get_completions(document, CompleteEvent(completion_requested=True)))
        if len(found) == 1:
            buffer.delete_before_cursor(-found[0].start_position)
            buffer.insert_text(found[0].text)
        elif suffix := get_common_complete_suffix(document, found):
            buffer.insert_text(suffix)
        elif found:
            buffer.complete_state = CompletionState(document, found)
            get_app().invalidate()

    def _changed(self, buffer: Buffer) -> None:
        if not buffer.text:
            self._forget()
        self._on_change()

    def _forget(self) -> None:
        self._literal = False
        self._pasted = []


def read_entry(
    draft: str,
    *,
    expand: Callable[[str], str] = lambda text: text,
    literal: bool = False,
    pasted: tuple[str, ...] = (),
) -> Entry:
    """Read a draft as a message. `literal`: it is no command; `pasted`: pieces that name no file.

    Raises NotFoundError for a file that is not there and can be nothing else.
    """
    text, quoted = drafts.unquoted(draft)
    if text.endswith("\n" * drafts.N_EMPTY_LINES):
        text = text.rstrip("\n")
    literal = literal or quoted
    files: list[Path] = []
    if literal or not text.startswith("/"):
        for mention in reversed(list(drafts.mentions(text, _is_file, pasted))):
            if not _exists(mention.path):
                raise NotFoundError(f"There is no file {mention.path}.", hint="Mend its name, or take the @ away.")
            path = Path(mention.path).expanduser()
            text = text[: mention.start] + path.name + text[mention.end :]
            files.insert(0, path)
    return Entry(draft, expand(text), literal, tuple(files))


class _Labels(Processor):
    """Shows what is folded as `[10,000 lines]`."""

    def __init__(self, pastes: Pastes) -> None:
        self._pastes = pastes

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """Put the labels in the place of their signs."""
        text = fragment_list_to_text(transformation_input.fragments)
        labels = {index: label for index, char in enumerate(text) if (label := self._pastes.label(char))}
        if not labels:
            return Transformation(transformation_input.fragments)
        fragments: StyleAndTextTuples = []
        starts = []  # where each character of the text is shown
        column = 0
        for index, char in enumerate(text):
            starts.append(column)
            shown = labels.get(index, char)
            fragments.append(("italic" if index in labels else "", shown))
            column += len(shown)
        starts.append(column)

        def to_display(position: int) -> int:
            return starts[min(position, len(text))] + max(0, position - len(text))

        def to_source(position: int) -> int:
            return max(index for index, start in enumerate(starts) if start <= position or index == 0)

        return Transformation(fragments, to_display, to_source)


def _prefix(line: int, wrap: int) -> StyleAndTextTuples:
    if wrap:
        return [("", " " * len(PROMPT))]
    return [("bold", PROMPT if line == 0 else CONTINUATION)]


def _is_file(path: str) -> bool:
    return _asked(path, Path.is_file)


def _exists(path: str) -> bool:
    return _asked(path, Path.exists)


def _asked(path: str, question: Callable[[Path], bool]) -> bool:
    try:
        return question(Path(path).expanduser())
    except (OSError, ValueError, RuntimeError):  # too long a name; a NUL in it; no home for ~
        return False
