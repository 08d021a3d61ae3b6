"""Growing Markdown: where it is cut, and that no way of feeding it matters."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1chat.terminal.blocks import CODE_LINES, LONGEST, Block, Blocks, Kind

DOCUMENT = r"""Intro with two
lines.
## Heading
- one
  more of one
- two

  second paragraph of two
- three
After the list.

1. first
2. second
   ```sh
   - no item

   ls
   ```
3. third

| a | b |
|---|---|
| 1 | 2 |
after the table

```python
x = 1

# not a heading
```
> quote
> more
lazy

\[
x = 1

y = 2
\]
$$z$$
---
\begin{align}
a &= b
\end{align}
end"""


def split(text: str) -> list[Block]:
    """Feed the text whole."""
    blocks = Blocks()
    return blocks.feed(text) + blocks.finish()


def test_a_document_is_cut_into_its_blocks() -> None:
    """Paragraphs, items, tables, fences and displays each leave as one block, in order."""
    assert [
        (Kind.TEXT, "Intro with two\nlines.", False),
        (Kind.HEADING, "## Heading", False),
        (Kind.LIST, "- one\n  more of one", False),
        (Kind.LIST, "- two\n\n  second paragraph of two", True),
        (Kind.LIST, "- three\nAfter the list.", True),
        (Kind.LIST, "1. first", False),
        (Kind.LIST, "2. second\n   ```sh\n   - no item\n\n   ls\n   ```", True),
        (Kind.LIST, "3. third", True),
        (Kind.TABLE, "| a | b |\n|---|---|\n| 1 | 2 |", False),
        (Kind.TEXT, "after the table", False),
        (Kind.CODE, "```python\nx = 1\n\n# not a heading\n```", False),
        (Kind.QUOTE, "> quote\n> more\nlazy", False),
        (Kind.MATH, "\\[\nx = 1\n\ny = 2\n\\]", False),
        (Kind.MATH, "$$z$$", False),
        (Kind.RULE, "---", False),
        (Kind.MATH, "\\begin{align}\na &= b\n\\end{align}", False),
        (Kind.TEXT, "end", False),
    ] == [(block.kind, block.source.strip("\n"), block.joined) for block in split(DOCUMENT)]


def test_every_split_gives_the_same_blocks() -> None:
    """The document cut in two anywhere, and character by character, leaves the same blocks."""
    expected = split(DOCUMENT)
    for cut in range(len(DOCUMENT) + 1):
        blocks = Blocks()
        assert expected == blocks.feed(DOCUMENT[:cut]) + blocks.feed(DOCUMENT[cut:]) + blocks.finish()
    blocks = Blocks()
    assert expected == [block for char in DOCUMENT for block in blocks.feed(char)] + blocks.finish()


LINES = st.lists(
    st.sampled_from(
        "|- a|  b|1. c|2. d|text|a ¦ b|¦-¦-¦|```|```py|~~~|# h|> q|---|\\[|\\]|$$|$$x$$|\\begin{align}|\\end{align}"
        "|    code|   - n|LONG".replace("LONG", "w " * 5000).split("|")
    ),
    max_size=12,
).map(lambda lines: "\n".join(lines).replace("¦", "|"))


@settings(deadline=None)
@given(LINES, st.lists(st.integers(1, 3000).map(lambda n: n if n < 20 else 50 * n), min_size=1, max_size=5))
def test_nothing_is_lost_whatever_comes_however(text: str, steps: list[int]) -> None:
    """The sources joined, with the tail at every moment, are the text that was fed."""
    blocks = Blocks()
    left, fed, turn = "", 0, 0
    got: list[Block] = []
    while fed < len(text):
        piece = text[fed : fed + steps[turn % len(steps)]]
        fed, turn = fed + len(piece), turn + 1
        done = blocks.feed(piece)
        got += done
        left += "".join(block.source for block in done)
        assert text[:fed] == left + "".join(block.source for block in blocks.tail)
    assert split(text) == got + blocks.finish()


def test_code_leaves_in_chunks() -> None:
    """A long listing leaves piece by piece, and every piece knows its language."""
    code = "```python\n" + "x = 1\n" * 30 + "```\n"
    blocks = split(code)
    assert code == "".join(block.source for block in blocks)
    assert {"python"} == {block.info for block in blocks}
    assert [False, *[True] * (len(blocks) - 1)] == [block.joined for block in blocks]
    assert [*[False] * (len(blocks) - 1), True] == [block.closed for block in blocks]
    assert CODE_LINES == max(block.source.count("\n") for block in blocks)


@pytest.mark.parametrize(
    "text", ["word " * 10_000, "x" * 50_000, "- item " * 8_000, "> q\n" * 12_000, "| a\n|-\n" + "| b\n" * 12_000]
)
def test_the_tail_is_bounded(text: str) -> None:
    """Whatever a model writes without end, the open text stays short."""
    blocks = Blocks()
    longest = 0
    for start in range(0, len(text), 500):
        blocks.feed(text[start : start + 500])
        longest = max(longest, sum(len(block.source) for block in blocks.tail))
    assert longest <= LONGEST


def test_the_tail_shows_a_new_block_before_its_line_is_complete() -> None:
    """An incomplete line that looks like the next item is shown as one, not as more of the paragraph."""
    blocks = Blocks()
    blocks.feed("Steps:\n- fir")
    assert [Block(Kind.TEXT, "Steps:\n"), Block(Kind.LIST, "- fir", joined=True)] == blocks.tail


def test_an_inline_display_with_text_behind_it_is_text() -> None:
    """Mathematics that a sentence goes on after belongs to the sentence."""
    assert [Kind.TEXT] == [block.kind for block in split("$$x$$ is small")]


def test_dollars_without_an_end_are_a_paragraph() -> None:
    """Two dollars that open no display do not swallow the rest of the answer."""
    assert [(Kind.TEXT, "$$ is money\n\n"), (Kind.TEXT, "more")] == [
        (block.kind, block.source) for block in split("$$ is money\n\nmore")
    ]


@pytest.mark.parametrize("begun", ["A paragraph", "# Heading", "- an item", "> a quote", "```", "| a |"])
def test_blank_lines_go_with_the_block_that_begins_below_them(begun: str) -> None:
    """The block that is complete has the source that its incomplete line was shown with."""
    blocks = Blocks()
    blocks.feed(f"# Above\n\n\n{begun}")
    assert [f"\n\n{begun}"] == [block.source for block in blocks.tail]
    done = [*blocks.feed("\n"), *blocks.finish()]
    assert [f"\n\n{begun}\n"] == [block.source for block in done]
