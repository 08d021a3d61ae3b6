'''What is typed at the prompt, read as a message: whether it is still open, what is quoted, which files it names.

Pure: whether a file is there is asked of the caller. Knows no keys and no screen.

A message goes on at Enter while a code fence is open, or while the `"""` that it begins with has no partner. A file is
named by `@` at the beginning of a word: @notes.txt, @"my notes.txt", @my\\ notes.txt. An `@` inside a word (an e-mail
address), in code, or before what is no file is plain text; but a path that can be nothing else (@./x, @/x, @~/x, @"x")
must be there.
'''

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

QUOTE = '"""'
N_EMPTY_LINES = 3  # at the end of an open message, they send it all the same
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^`]*)$")
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_MENTION = re.compile(r"""(?<![^\s(\[{])@(?:"([^"\n]+)"|'([^'\n]+)'|((?:\\[ ]|[^\s"'\\]|\\(?![ ]))+))""")
_OPEN_MENTION = re.compile(r"""(?<![^\s(\[{])@(?:"([^"\n]*)|((?:\\[ ]|[^\s"'])*))$""")
_CERTAIN = re.compile(r"\.{1,2}[/\\]|/|~|[A-Za-z]:[/\\]")
_PUNCTUATION = ".,;:!?)]}"


@dataclass(frozen=True, slots=True)
class Mention:
    """A file that a message names: where (`text[start:end]`), its path, and whether it can be nothing but a file."""

    start: int
    end: int
    path: str
    certain: bool


def is_open(text: str) -> bool:
    """Say whether Enter begins a new line of the message rather than sending it."""
    if text.endswith("\n" * N_EMPTY_LINES):
        return False
    if text.lstrip().startswith(QUOTE):
        return text.count(QUOTE) == 1
    return _fences(text)[1]


def unquoted(text: str) -> tuple[str, bool]:
    """Take the quotes off a message that stands in them as a whole. Say whether there were any."""
    inner = text.strip()
    if text.count(QUOTE) != 2 or not (inner.startswith(QUOTE) and inner.endswith(QUOTE)):
        return text, False
    return inner.removeprefix(QUOTE).removesuffix(QUOTE).removeprefix("\n").removesuffix("\n"), True


def mentions(text: str, is_file: Callable[[str], bool], apart: tuple[str, ...] = ()) -> Iterator[Mention]:
    """Find the files that a message names. Nothing is looked for in code, nor in the pieces `apart`."""
    closed = [*_fences(text)[0], *(match.span() for match in _CODE_SPAN.finditer(text))]
    for piece in filter(None, apart):
        start = text.find(piece)
        while start >= 0:
            closed.append((start, start + len(piece)))
            start = text.find(piece, start + len(piece))
    for match in _MENTION.finditer(text):
        if any(start <= match.start() < end for start, end in closed):
            continue
        if quoted := match[1] or match[2]:
            yield Mention(match.start(), match.end(), quoted, certain=True)
            continue
        path, end = match[3].replace("\\ ", " "), match.end()
        while path[-1:] in _PUNCTUATION and len(path) > 1 and not is_file(path):  # of the sentence around it
            path, end = path[:-1], end - 1
        certain = _CERTAIN.match(path) is not None
        if certain or is_file(path):
            yield Mention(match.start(), end, path, certain)


def open_mention(text: str) -> tuple[str, int] | None:
    """Give the beginning of a path that is being typed after an `@`, and how long all of it is, `@` and quote too."""
    match = _OPEN_MENTION.search(text)
    if match is None:
        return None
    path = match[1] if match[1] is not None else match[2].replace("\\ ", " ")
    return path, len(match[0])


def mention(path: str) -> str:
    """Write a path so that it is read as one."""
    if not re.search(r"""[\s"'\\]""", path):
        return f"@{path}"
    return f"@'{path}'" if '"' in path else f'@"{path}"'


def _fences(text: str) -> tuple[list[tuple[int, int]], bool]:
    """Find the fenced blocks, and whether the last one is still open."""
    found: list[tuple[int, int]] = []
    fence, start, position = "", 0, 0
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if match and not fence:
            fence, start = match[1], position
        elif match and match[1].startswith(fence) and not match[2].strip():
            found.append((start, position + len(line)))
            fence = ""
        position += len(line) + 1
    if fence:
        found.append((start, len(text)))
    return found, bool(fence)
