"""The blocks of code in a Markdown text, as they were written. Draws nothing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """One block: its language as the model named it, empty if it did not, and its text, which ends in a line end."""

    language: str
    text: str

    @property
    def n_lines(self) -> int:
        """How many lines it has."""
        return self.text.count("\n")


def code_blocks(markdown: str) -> list[CodeBlock]:
    """Find the blocks, also those in lists and quotes. One that was cut off ends with the text."""
    from markdown_it import MarkdownIt  # takes 30 ms, which no start should wait for

    tokens = MarkdownIt().parse(markdown)
    found = [token for token in tokens if token.type in ("fence", "code_block") and token.content.strip()]
    return [CodeBlock(token.info.split()[0] if token.info.split() else "", token.content) for token in found]
