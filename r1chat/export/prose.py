"""What a model or a person wrote, as HTML: Markdown with formulas and code, or plain text with formulas.

Nothing dirty gets through: see page.py.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from html import escape
from typing import Any, Final

from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from r1chat.core.sanitize import clean
from r1chat.export.mathml import mathml
from r1chat.terminal.commonmark import Formula, Masked, mask, parser
from r1chat.terminal.latex import spans

_LINKS: Final = re.compile(r"(?:https?|mailto):", re.IGNORECASE)
LONGEST_CODE: Final = 200_000  # characters that are highlighted; a longer block is shown as it is


def prose(source: str) -> str:
    """Write Markdown as HTML."""
    masked = mask(clean(source))
    tokens = parser().parse(masked.source)
    return _Renderer(masked).render(tokens, parser().options, {})


def plain(source: str) -> str:
    """Write plain text as HTML, its lines kept and its formulas drawn."""
    text = clean(source)
    pieces, position = [], 0
    for span in spans(text):
        pieces.append(escape(text[position : span.start]))
        pieces.append(formula(Formula(text[span.start : span.end], span.display)))
        position = span.end
    return f'<div class="plain">{"".join(pieces)}{escape(text[position:])}</div>'


def formula(found: Formula) -> str:
    """Draw a formula, or show the source of one that can't be read."""
    drawn = mathml(found.source, display=found.display)
    return drawn if drawn is not None else f'<code class="tex">{escape(found.source)}</code>'


class _Renderer(RendererHTML):
    """markdown-it's own renderer, which escapes; with our formulas, links, pictures and code."""

    def __init__(self, masked: Masked) -> None:
        super().__init__()
        self._masked = masked

    def text(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        parts = self._masked.split(tokens[index].content)
        return "".join(escape(part) if isinstance(part, str) else formula(part) for part in parts)

    def code_inline(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return f"<code>{escape(self._masked.restore(tokens[index].content))}</code>"

    def code_block(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        """Write indented text as code, unless it is a formula: models indent those."""
        content = tokens[index].content
        parts = self._masked.split(content)
        if (
            any(isinstance(part, Formula) for part in parts)
            and not "".join(p for p in parts if isinstance(p, str)).strip()
        ):
            return "".join(formula(part) for part in parts if isinstance(part, Formula))
        return _code(self._masked.restore(content), "")

    def fence(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        words = self._masked.restore(tokens[index].info).split()
        return _code(self._masked.restore(tokens[index].content), words[0] if words else "")

    def link_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        target = self._masked.restore(str(tokens[index].attrGet("href") or ""))
        return f'<a href="{escape(target)}" rel="noopener noreferrer">' if _LINKS.match(target) else "<a>"

    def image(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        """Write a picture as a link: a page that loads it would tell its server who reads it, and when."""
        target = self._masked.restore(str(tokens[index].attrGet("src") or ""))
        name = escape(self._masked.restore(tokens[index].content) or target)
        if not _LINKS.match(target):
            return f"[{name}]"
        return f'<a href="{escape(target)}" rel="noopener noreferrer">[{name}]</a>'


def _code(source: str, language: str) -> str:
    label = f' data-language="{escape(language)}"' if language else ""
    return f'<pre class="code"{label}><code>{_highlighted(source, language)}</code></pre>\n'


def _highlighted(source: str, language: str) -> str:
    if language and len(source) <= LONGEST_CODE:
        try:
            lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
        except ClassNotFound:
            return escape(source)
        return str(highlight(source, lexer, formatter()))
    return escape(source)


@lru_cache(maxsize=4)
def formatter(style: str = "default") -> "HtmlFormatter[str]":
    """Make pygments' writer of HTML, which escapes: spans with classes, no frame of its own."""
    return HtmlFormatter(nowrap=True, style=style)
