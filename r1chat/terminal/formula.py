"""The tree of a formula, and what its atoms are to their neighbours. Values only: knows no LaTeX and no picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from r1chat.terminal.symbols import Class


class Unreadable(ValueError):
    """Not LaTeX that can be shown otherwise than as it is. Never leaves `latex`."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A character or a word. `bounds`: its scripts stand above and below it where there is room."""

    text: str
    kind: Class = Class.ORDINARY
    bounds: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """Words among the mathematics, with their blanks."""

    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """What is not understood, as it was written."""

    text: str


@dataclass(frozen=True, slots=True)
class Space:
    """A blank that the author asked for."""

    cells: int


@dataclass(frozen=True, slots=True)
class Group:
    """A sequence."""

    items: tuple["Node", ...] = ()


@dataclass(frozen=True, slots=True)
class Fraction:
    """`flat` is the author's wish: True for \\tfrac, False for \\dfrac."""

    top: "Node"
    bottom: "Node"
    flat: bool | None = None


@dataclass(frozen=True, slots=True)
class Binomial:
    """One above the other in round brackets."""

    top: "Node"
    bottom: "Node"


@dataclass(frozen=True, slots=True)
class Root:
    """A root with its index."""

    body: "Node"
    index: "Node | None" = None


@dataclass(frozen=True, slots=True)
class Scripts:
    """What stands lower and higher, right of `base`."""

    base: "Node"
    low: "Node | None" = None
    high: "Node | None" = None


@dataclass(frozen=True, slots=True)
class Fence:
    """Brackets around something; either may be empty."""

    left: str
    body: "Node"
    right: str


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows and columns. `spec` has l, c or r per column and repeats its last two; `steps`: lines of a calculation.

    `rules`: the rows that have a line above them; `bars`: the columns that have one to their left.
    """

    rows: tuple[tuple["Node", ...], ...]
    spec: str = "c"
    left: str = ""
    right: str = ""
    steps: bool = False
    rules: frozenset[int] = frozenset()
    bars: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Accent:
    """A mark on or through its body, by its name in ACCENTS."""

    body: "Node"
    name: str


@dataclass(frozen=True, slots=True)
class Stack:
    """Something small above or below; `brace`: with a brace between."""

    base: "Node"
    above: "Node | None" = None
    below: "Node | None" = None
    brace: bool = False


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow as long as what is written at it."""

    head: str
    above: "Node"
    below: "Node | None" = None


@dataclass(frozen=True, slots=True)
class Box:
    """A frame."""

    body: "Node"


@dataclass(frozen=True, slots=True)
class Phantom:
    """The room of something that is not shown."""

    body: "Node"


Node = (
    Sign
    | Text
    | Source
    | Space
    | Group
    | Fraction
    | Binomial
    | Root
    | Scripts
    | Fence
    | Grid
    | Accent
    | Stack
    | Arrow
    | Box
    | Phantom
)


def kinds_of(items: Sequence[Node], before: Class | None = None) -> list[Class]:
    """Find what each atom is to its neighbours. A plus or minus without a left or right side is a mere sign."""
    kinds = [_kind(item) for item in items]
    previous = before
    last = None
    for index, item in enumerate(items):
        if isinstance(item, Space):
            continue
        if kinds[index] is Class.BINARY and previous in _NO_LEFT_SIDE:
            kinds[index] = Class.ORDINARY
        if kinds[index] in (Class.RELATION, Class.CLOSE, Class.PUNCTUATION) and previous is Class.BINARY:
            assert last is not None
            kinds[last] = Class.ORDINARY
        previous, last = kinds[index], index
    return kinds


_NO_LEFT_SIDE: Final = frozenset(
    [None, Class.BINARY, Class.RELATION, Class.OPEN, Class.PUNCTUATION, Class.OPERATOR]
)  # The TeXbook, appendix G, rule 5


def _kind(node: Node) -> Class:
    match node:
        case Sign():
            return node.kind
        case Scripts():
            return _kind(node.base)
        case Stack():
            return _kind(node.base)
        case Accent(body=Sign() as body):
            return body.kind
        case Arrow():
            return Class.RELATION
        case Group(items=(only,)):
            return _kind(only) if isinstance(only, Sign) and only.kind is Class.RELATION else Class.ORDINARY
        case _:
            return Class.ORDINARY


def core_of(node: Node | None) -> Node | None:
    """Find what a scripted or single atom is at heart."""
    while True:
        if isinstance(node, Scripts):
            node = node.base
        elif isinstance(node, Group) and len(node.items) == 1:
            node = node.items[0]
        else:
            return node


def is_word(node: Node | None) -> bool:
    core = core_of(node)
    return isinstance(core, Sign) and len(core.text) > 1 and core.text.isalpha()


def begins_solid(node: Node) -> bool:
    """Whether a node begins with something that no command's name could run into."""
    return isinstance(node, Fence | Source | Space) or (isinstance(node, Sign) and not node.text[:1].isalpha())


ATOM, PRODUCT, SUM = 0, 1, 2  # how loosely the parts of a term hang together


def rank_of(node: Node) -> int:
    """Find how loosely the parts of a term in one row hang together."""
    items = [item for item in node.items if not isinstance(item, Space)] if isinstance(node, Group) else [node]
    while len(items) > 1 and isinstance(items[-1], Sign) and items[-1].text in "!′%°":
        items.pop()
    if len(items) == 1:
        return _rank_of_one(items[0])
    kinds = kinds_of(items)
    if any(kind not in (Class.ORDINARY, Class.OPEN, Class.CLOSE) for kind in kinds):
        return SUM
    if any(_rank_of_one(item) > PRODUCT for item in items):
        return SUM
    return PRODUCT


def _rank_of_one(node: Node) -> int:
    match node:
        case Group():
            return rank_of(node) if node.items else ATOM
        case Fraction():
            return SUM
        case Text():
            return SUM if " " in node.text.strip() else ATOM
        case Scripts():
            return ATOM if not isinstance(node.base, Sign) or node.base.kind is not Class.OPERATOR else SUM
        case Sign():
            return SUM if node.kind in (Class.RELATION, Class.BINARY) else ATOM
        case Source() | Arrow() | Stack():
            return SUM
        case Grid():
            return ATOM if node.left else SUM
        case _:
            return ATOM


def is_differential(node: Node) -> bool:
    """Whether this is dx, ∂x∂y or the like: one thing to the eye."""
    items = node.items if isinstance(node, Group) else (node,)
    bases = [core_of(item) for item in items]
    texts = [base.text if isinstance(base, Sign) else "" for base in bases]
    return (
        len(texts) > 1
        and len(texts) % 2 == 0
        and all(text in ("d", "∂") for text in texts[::2])
        and all(len(text) == 1 for text in texts[1::2])
    )


def is_letter(node: Node) -> bool:
    """Whether this is one letter or one number."""
    core = node.items[0] if isinstance(node, Group) and len(node.items) == 1 else node
    return isinstance(core, Sign) and core.kind is Class.ORDINARY


def is_sign(node: Node) -> bool:
    return isinstance(core_of(node), Sign)


def needs_brackets(base: Node, row: str) -> bool:
    """Whether scripts beside one row of a term would seem to belong to its last part only."""
    core = base.items[0] if isinstance(base, Group) and len(base.items) == 1 else base
    if isinstance(core, Fraction):
        return "/" in row
    if isinstance(core, Scripts):
        return core.high is not None
    return isinstance(core, Root) or (isinstance(core, Group) and rank_of(core) == SUM)
