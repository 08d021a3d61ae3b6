"""Exports: Markdown, JSON and the page; what a model wrote can't get out of any of them."""

import os
import stat
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from r1chat.core.transcript import Transcript, Turn
from r1chat.errors import R1ChatError, UsageError
from r1chat.export import files
from r1chat.export.data import from_json, to_json
from r1chat.export.page import page
from r1chat.export.prose import prose
from r1chat.export.text import markdown
from tests.store.kept import transcript

FILED = "[file name]: notes.txt\n[file content begin]\nSome `notes` ```\n[file content end]\nWhat is in it?"
TOLD = transcript((FILED, "I think\nso.", "It is $x^2$."), ("And now?", "", "**Bold** \\(y\\)."), key="told22")
VERSION = replace(TOLD.turns[1], number=2, answer="Another answer.", reason="interrupted")
TREE = Transcript(replace(TOLD.session, n_turns=3, system="Be <brief>."), (*TOLD.turns, VERSION))
PAYLOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt&colon;alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "[x](file:///etc/passwd)",
    "![x](https://evil.example/pixel.png)",
    '![x](https://evil.example/" onload="alert(1))',
    '[x](https://a.example/" onmouseover="alert(1) "t")',
    "<https://a.example/?<script>>",
    '```"><script>alert(1)</script>\ncode\n```',
    "```html\n</code></pre><script>alert(1)</script>\n```",
    "`</code><script>alert(1)</script>`",
    "$\\text{</annotation><script>alert(1)</script>}$",
    "$\\unknown{<script>alert(1)</script>}$ and \\(x^^<script>\\)",
    '[x]($y$ "<script>")',
    "[$x$](javascript:alert(1))",
    "&#xE000;9&#xE001; $x$",
    "</details></article></main></body></html><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "<!-- --><svg onload=alert(1)>",
    "| <script>alert(1)</script> |\n|---|\n| a |",
    "\x1b[2J\u202etxt.exe",
)


class Reader(HTMLParser):
    """Collects what a page's elements are."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in ("meta", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop(), "elements are closed in their order"


TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "article", "section", "div"),
    *("details", "summary", "p", "h1", "h2", "h3", "h4", "h5", "h6", "em", "strong", "s", "a", "code", "pre", "span"),
    *("ul", "ol", "li", "blockquote", "table", "thead", "tbody", "tr", "th", "td", "hr", "br"),
    *("math", "semantics", "annotation", "mrow", "mi", "mo", "mn", "mtext", "mspace", "mfrac", "msqrt", "mroot"),
    *("msub", "msup", "msubsup", "munder", "mover", "munderover", "mtable", "mtr", "mtd", "mstyle", "mphantom"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "rel", "data-language", "style"),
    *("start", "display", "alttext", "encoding", "form", "fence", "stretchy", "separator", "lspace", "rspace", "width"),
    *("accent", "largeop", "movablelimits", "displaystyle", "linethickness"),
}


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_gets_out_of_the_page(payload: str) -> None:
    """Whatever stands in a question, a file, a title, a thinking or an answer: no script, no load, no stray element."""
    question = f"[file name]: {payload[:20]}\n[file content begin]\n{payload}\n[file content end]\n{payload}"
    dirty = transcript((question, payload, payload), (payload, payload, f"text {payload} text"))
    dirty = replace(dirty, session=replace(dirty.session, title=payload, system=payload))
    found = Reader(page(dirty))
    assert set() == found.tags - TAGS
    assert set() == found.attributes - ATTRIBUTES
    assert [] == found.open
    assert all(link.startswith("https://") for link in found.links)
    assert "\x1b" not in page(dirty)
    assert "\u202e" not in page(dirty)


def test_the_page_loads_nothing() -> None:
    """The page forbids every load and script, and names no address of its own accord."""
    written = page(TREE)
    assert "default-src 'none'; style-src 'unsafe-inline'" in written
    assert [] == Reader(written).links
    for word in ("http://", "https://", "url(", "@import"):
        assert word not in written


def test_the_page_shows_everything() -> None:
    """Files and thinking are folded, formulas are drawn, other versions stand below, and what was cut says so."""
    written = page(TREE)
    for piece in (
        "<summary>notes.txt</summary>",
        "<summary>Thought for 1.5 s, 7 tokens</summary>",
        "<summary>Another version</summary>",
        "<summary>System prompt</summary>",
        "Be &lt;brief&gt;.",
        '<annotation encoding="application/x-tex">x^2</annotation>',
        "<strong>Bold</strong>",
        "interrupted · seed 1001",
    ):
        assert piece in written


def test_a_formula_that_cannot_be_read_is_shown_as_written() -> None:
    """A formula that is none is its source, in its place."""
    assert '<code class="tex">\\(x^^2\\)</code>' in prose("so \\(x^^2\\) it is")


def test_an_indented_formula_is_no_code() -> None:
    """Models indent displayed formulas; Markdown would take those for code."""
    assert "<math" in prose("So:\n\n    \\[ x^2 \\]\n\nand")
    assert "<pre" in prose("So:\n\n    x = 2\n\nand")


def test_code_is_highlighted() -> None:
    """Code in a known language has spans; in an unknown one it is as written."""
    assert '<span class="k">def</span>' in prose("```python\ndef f(): pass\n```")
    assert "def f(): pass" in prose("```klingon\ndef f(): pass\n```")


def test_markdown() -> None:
    """The Markdown has the path, its files between long enough fences, the thinking quoted, and the other versions."""
    written = markdown(TREE)
    assert "````\nSome `notes` ```\n````" not in written  # three in the middle of a line need no more
    assert "Attached: notes.txt\n\n```\nSome `notes` ```\n```" in written
    assert "> I think\n> so." in written
    assert "It is $x^2$." in written
    assert written.index("## Answer 2") < written.index("### Another version") < written.index("*(interrupted)*")


def test_json_comes_back_as_it_was() -> None:
    """The JSON holds the whole tree, and is read back as the same values."""
    assert TREE == from_json(to_json(TREE))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": "r1chat-session", "version": 99, "turns": []}',
        to_json(TREE).replace('"parent": 0', '"parent": 7'),
    ],
)
def test_json_that_is_none_of_ours(text: str) -> None:
    """What is no export, or a damaged one, is refused in a sentence."""
    with pytest.raises(UsageError):
        from_json(text)


@pytest.mark.parametrize("end", ["html", "md", "json"])
def test_files(tmp_path: Path, end: str) -> None:
    """The name's end tells the form; the file is private, and never replaces another one unless that is said."""
    file = tmp_path / f"out.{end}"
    files.write(TREE, file)
    assert files.text_of(TREE, end) == file.read_text("utf-8")
    with pytest.raises(UsageError, match="already"):
        files.write(TREE, file)
    file.chmod(0o644)
    files.write(TOLD, file, replace=True)
    assert files.text_of(TOLD, end) == file.read_text("utf-8")
    if os.name != "nt":
        assert 0o600 == stat.S_IMODE(file.stat().st_mode)


def test_files_that_cannot_be(tmp_path: Path) -> None:
    """A name that tells no form, and a place that can't be written, are one sentence."""
    with pytest.raises(UsageError, match="does not tell the form"):
        files.write(TREE, tmp_path / "out.pdf")
    with pytest.raises(R1ChatError, match="can't be written"):
        files.write(TREE, tmp_path / "no" / "such" / "folder.md")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("What is entropy?", "r1chat-what-is-entropy.md"),
        ("什么是热力学?", "r1chat-什么是热力学.md"),
        ("../../etc", "r1chat-etc.md"),
        ("?", "r1chat-told22.md"),
    ],
)
def test_names(title: str, name: str) -> None:
    """A file's name is made of the title's words, and nothing else."""
    told = replace(TOLD, session=replace(TOLD.session, title=title))
    assert name == files.file_name(told, "md")


def test_a_turn_knows_its_files() -> None:
    """What was attached and what was asked are told apart again."""
    turn = Turn(0, None, FILED)
    assert ((("notes.txt", "Some `notes` ```"),), "What is in it?") == (turn.files, turn.asked)
