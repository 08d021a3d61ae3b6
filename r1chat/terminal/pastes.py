"""Long texts in the prompt, folded to one character each that is shown as `[10,000 lines]`. Pure; knows no terminal.

The character is of a plane that Unicode leaves to private use, so that it is moved over, deleted and brought back as
one. A text that has such characters of its own is always folded: in the prompt they can't be mistaken.
"""

import re

FOLD_LINES, FOLD_CHARACTERS = 10, 2_000  # what is longer is folded
_FIRST, _LAST = 0xF0000, 0xFFFFD  # Supplementary Private Use Area-A
_FOLDED = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")


class Pastes:
    """The folded texts of one session."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._signs: dict[str, str] = {}

    def fold(self, text: str) -> str:
        """Give the text itself, or its sign if it is long."""
        short = text.count("\n") < FOLD_LINES and len(text) <= FOLD_CHARACTERS
        if (short and not _FOLDED.search(text)) or len(self._texts) > _LAST - _FIRST:
            return text
        if text not in self._signs:
            sign = chr(_FIRST + len(self._texts))
            self._texts[sign], self._signs[text] = text, sign
        return self._signs[text]

    def expand(self, draft: str) -> str:
        """Put the texts back in the place of their signs."""
        return _FOLDED.sub(lambda match: self._texts.get(match[0], match[0]), draft)

    def labelled(self, draft: str) -> str:
        """Give the draft as it is shown."""
        return _FOLDED.sub(lambda match: self.label(match[0]) or match[0], draft)

    def label(self, sign: str) -> str:
        """Say what is folded to this sign; nothing for any other character."""
        text = self._texts.get(sign)
        if text is None:
            return ""
        n_lines = text.count("\n") + (not text.endswith("\n"))
        return f"[{n_lines:,} lines]" if n_lines > 1 else f"[{len(text):,} characters]"
