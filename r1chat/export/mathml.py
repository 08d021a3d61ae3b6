"""Formulas as MathML Core, from the tree that the terminal draws, with the LaTeX source in an annotation. Pure.

Browsers draw it by themselves: no script and no font is loaded. What MathML Core has no element for (a frame, a strike,
the sides of a column) has a class that page.py's style sheet knows.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from r1chat.terminal.formula import (
    Accent,
    Arrow,
    Binomial,
    Box,
    Fence,
    Fraction,
    Grid,
    Group,
    Node,
    Phantom,
    Root,
    Scripts,
    Sign,
    Source,
    Space,
    Stack,
    Text,
    Unreadable,
    core_of,
    kinds_of,
)
from r1chat.terminal.formula_parser import parse
from r1chat.terminal.latex import body
from r1chat.terminal.symbols import INTEGRALS, Class

_SIGNS: Final = {"-": "−", "'": "′"}
_EMS: Final = {0: 0.0, 1: 0.22, 2: 1.0, 4: 2.0}  # of a blank, by the terminal's cells for it
_OVER: Final = {
    "hat": "^",
    "widehat": "^",
    "tilde": "~",
    "widetilde": "~",
    "vec": "→",
    "overrightarrow": "→",
    "overleftarrow": "←",
    "overleftrightarrow": "↔",
    "dot": "˙",
    "ddot": "¨",
    "dddot": "⃛",
    "check": "ˇ",
    "breve": "˘",
    "acute": "´",
    "grave": "`",
    "mathring": "˚",
}
_WIDE: Final = frozenset(["widehat", "widetilde", "overrightarrow", "overleftarrow", "overleftrightarrow"])
_LINES: Final = {"bar": "over", "overline": "over", "underline": "under"}
_STRUCK: Final = {"cancel": "up", "bcancel": "down", "xcancel": "up down", "sout": "through"}
_THIN: Final = '<mspace width="0.17em"></mspace>'
_BARS: Final = frozenset("|‖")
_INTEGRAL_SIGNS: Final = frozenset(INTEGRALS.values())


def mathml(source: str, *, display: bool) -> str | None:
    """Write a formula, delimiters and all, as a `math` element; None for what can't be read as LaTeX."""
    inside = body(source)
    try:
        tree = _node(parse(inside))
    except Unreadable:
        return None
    way = ' display="block"' if display else ""
    text = escape(inside)
    note = f'<annotation encoding="application/x-tex">{text}</annotation>'
    return f'<math{way} alttext="{text}"><semantics>{_one(tree)}{note}</semantics></math>'


def _node(node: Node) -> str:
    match node:
        case Sign():
            return _sign(node, node.kind)
        case Text():
            return f"<mtext>{_words(node.text)}</mtext>"
        case Source():
            return f'<mtext class="source">{_words(node.text)}</mtext>'
        case Space():
            return f'<mspace width="{_EMS.get(node.cells, node.cells * 0.5):g}em"></mspace>'
        case Group(items=(Sign(kind=Class.PUNCTUATION, text=text),)):  # 10{,}000
            return f'<mo separator="false" lspace="0" rspace="0">{escape(text)}</mo>'
        case Group():
            return _sequence(node.items)
        case Fraction():
            return _fraction(node)
        case Binomial():
            over = f'<mfrac linethickness="0">{_one(_node(node.top))}{_one(_node(node.bottom))}</mfrac>'
            return _fenced("(", over, ")")
        case Root():
            if node.index is None:
                return f"<msqrt>{_node(node.body)}</msqrt>"
            return f"<mroot>{_one(_node(node.body))}{_one(_node(node.index))}</mroot>"
        case Scripts():
            return _scripts(node)
        case Fence():
            return _fenced(node.left, _node(node.body), node.right)
        case Grid():
            return _fenced(node.left, _grid(node), node.right)
        case Accent():
            return _accent(node)
        case Stack():
            return _stack(node)
        case Arrow():
            return _under_over(_operator(node.head, "stretchy"), node.below, node.above)
        case Box():
            return f'<mrow class="box">{_node(node.body)}</mrow>'
        case Phantom():
            return f"<mphantom>{_node(node.body)}</mphantom>"


def _sequence(items: Sequence[Node]) -> str:
    kinds = kinds_of(items)
    written: list[str] = []
    left: Node | None = None
    for item, kind in zip(items, kinds, strict=True):
        if left is not None and _apart(left, item):
            written.append(_THIN)
        written.append(_sign(item, kind) if isinstance(item, Sign) else _node(item))
        left = item
    return _row(written)


def _apart(left: Node, right: Node) -> bool:
    """Whether a thin blank is between: at words such as sin (The TeXbook, chapter 18)."""
    if isinstance(right, Fence | Space | Text) or isinstance(left, Space | Text):
        return False
    kinds = kinds_of([left, right])
    if _is_word(left):
        return kinds[1] in (Class.ORDINARY, Class.OPERATOR)
    return _is_word(right) and kinds[0] is Class.ORDINARY and not (isinstance(left, Sign) and left.kind is Class.BINARY)


def _is_word(node: Node) -> bool:
    core = core_of(node)
    return isinstance(core, Sign) and core.kind is Class.OPERATOR and core.text[:1].isalpha()


def _sign(sign: Sign, kind: Class) -> str:
    """Write a sign; `kind` is what it is to its neighbours: a minus may be a mere sign."""
    text = _SIGNS.get(sign.text, sign.text)
    if kind is Class.OPERATOR:
        if text.replace(" ", "").isalpha():
            return f"<mi>{_words(text)}</mi>"
        return _operator(text, "largeop", *(["movablelimits"] if sign.bounds else []))
    if sign.kind is Class.BINARY and kind is Class.ORDINARY:
        return f'<mo form="prefix">{escape(text)}</mo>'
    if text in _BARS and kind is Class.ORDINARY:  # which of two is the left one, nobody knows
        return f'<mo stretchy="false" lspace="0" rspace="0">{escape(text)}</mo>'
    if kind is not Class.ORDINARY:
        return f'<mo stretchy="false">{escape(text)}</mo>'
    if text[:1].isdecimal():
        return f"<mn>{escape(text)}</mn>"
    if text.isalpha() or text in "∞∅∂∇":
        return f"<mi>{escape(text)}</mi>"
    return f"<mo>{escape(text)}</mo>"


def _fraction(node: Fraction) -> str:
    written = f"<mfrac>{_one(_node(node.top))}{_one(_node(node.bottom))}</mfrac>"
    if node.flat is None:
        return written
    return f'<mstyle displaystyle="{str(not node.flat).lower()}">{written}</mstyle>'


def _scripts(node: Scripts) -> str:
    core = core_of(node.base)
    base = _one(_node(node.base)) if node.base != Group() else "<mrow></mrow>"
    if isinstance(core, Sign) and core.bounds:
        return _under_over(base, node.low, node.high)
    low, high = (None if part is None else _one(_node(part)) for part in (node.low, node.high))
    if low and high:
        return f"<msubsup>{base}{low}{high}</msubsup>"
    return f"<msub>{base}{low}</msub>" if low else f"<msup>{base}{high}</msup>"


def _under_over(base: str, low: Node | None, high: Node | None) -> str:
    """Put something below and above; `base` is one element."""
    below, above = (None if part is None or part == Group() else _one(_node(part)) for part in (low, high))
    if below and above:
        return f"<munderover>{base}{below}{above}</munderover>"
    if below:
        return f"<munder>{base}{below}</munder>"
    return f"<mover>{base}{above}</mover>" if above else base


def _stack(node: Stack) -> str:
    base = _one(_node(node.base))
    if node.brace and node.above is not None:
        base = f"<mover>{base}{_operator('⏞', 'stretchy')}</mover>"
    if node.brace and node.below is not None:
        base = f"<munder>{base}{_operator('⏟', 'stretchy')}</munder>"
    return _under_over(base, node.below, node.above)


def _accent(node: Accent) -> str:
    inside = _one(_node(node.body))
    if struck := _STRUCK.get(node.name):
        return f'<mrow class="struck {struck}">{inside}</mrow>'
    if side := _LINES.get(node.name):
        return f'<mrow class="{side}">{inside}</mrow>'
    sign = escape(_OVER.get(node.name, "^"))
    stretchy = str(node.name in _WIDE).lower()
    return f'<mover accent="true">{inside}<mo stretchy="{stretchy}">{sign}</mo></mover>'


def _grid(node: Grid) -> str:
    rows = []
    for number, row in enumerate(node.rows):
        line = " above" if number in node.rules else ""
        cells = "".join(
            f'<mtd class="{_side(node, column)}{line}{" bar" if column in node.bars else ""}">{_node(cell)}</mtd>'
            for column, cell in enumerate(row)
        )
        rows.append(f"<mtr>{cells}</mtr>")
    kind = ' class="steps" displaystyle="true"' if node.steps else ""
    return f"<mtable{kind}>{''.join(rows)}</mtable>"


def _side(node: Grid, column: int) -> str:
    """Find the alignment of a column: the last two repeat (l, c or r)."""
    spec = node.spec
    if column >= len(spec):
        tail = spec[-2:]
        return tail[(column - len(spec)) % len(tail)]
    return spec[column]


def _fenced(left: str, inside: str, right: str) -> str:
    if not left and not right:
        return inside
    return _row([*_bracket(left, "prefix"), inside, *_bracket(right, "postfix")])


def _bracket(sign: str, form: str) -> Iterable[str]:
    if sign:
        yield f'<mo form="{form}" fence="true" stretchy="true">{escape(sign)}</mo>'


def _operator(sign: str, *properties: str) -> str:
    given = "".join(f' {name}="true"' for name in properties)
    return f"<mo{given}>{escape(sign)}</mo>"


def _row(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"<mrow>{''.join(parts)}</mrow>"


def _one(element: str) -> str:
    """Give exactly one element: what stands in a fraction or beside a script is counted."""
    return element or "<mrow></mrow>"


def _words(text: str) -> str:
    """Keep the blanks at both ends, which MathML would drop."""
    inner = text.strip()
    if not inner:
        return "\N{NO-BREAK SPACE}" * bool(text)
    left, right = text[0].isspace(), text[-1].isspace()
    return "\N{NO-BREAK SPACE}" * left + escape(inner) + "\N{NO-BREAK SPACE}" * right
