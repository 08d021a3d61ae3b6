"""The colours of code, on a dark and on a light background. Declarations only.

Only the sixteen colours that a terminal's own theme defines, and of these only those that keep a contrast of 3:1 (WCAG
2.2, 1.4.11) in the palettes of xterm, VGA and Windows: on white just blue, magenta and red.
"""

from typing import Any, Final

from pygments.token import (
    Comment,
    Error,
    Generic,
    Keyword,
    Name,
    Number,
    Operator,
    String,
    Token,
)
from rich.style import Style

DARK: Final[dict[Any, Style]] = {
    Token: Style(),
    Comment: Style(dim=True),
    Comment.Preproc: Style(color="bright_cyan"),
    Keyword: Style(color="bright_blue"),
    Keyword.Type: Style(color="bright_cyan"),
    Operator.Word: Style(color="bright_magenta"),
    Name.Builtin: Style(color="bright_cyan"),
    Name.Function: Style(color="bright_green"),
    Name.Class: Style(color="bright_green", underline=True),
    Name.Decorator: Style(color="bright_magenta"),
    Name.Variable: Style(color="bright_red"),
    Name.Constant: Style(color="bright_red"),
    Name.Attribute: Style(color="bright_cyan"),
    Name.Tag: Style(color="bright_blue"),
    String: Style(color="yellow"),
    Number: Style(color="bright_magenta"),
    Generic.Deleted: Style(color="bright_red"),
    Generic.Inserted: Style(color="bright_green"),
    Generic.Heading: Style(bold=True),
    Generic.Subheading: Style(bold=True),
    Generic.Prompt: Style(bold=True),
    Generic.Error: Style(color="bright_red"),
    Error: Style(underline=True),
}
LIGHT: Final[dict[Any, Style]] = {
    Token: Style(),
    Comment: Style(dim=True),
    Comment.Preproc: Style(color="magenta"),
    Keyword: Style(color="blue", bold=True),
    Keyword.Type: Style(color="blue"),
    Operator.Word: Style(color="blue", bold=True),
    Name.Builtin: Style(color="blue"),
    Name.Function: Style(bold=True),
    Name.Class: Style(bold=True, underline=True),
    Name.Decorator: Style(color="magenta"),
    Name.Variable: Style(color="magenta"),
    Name.Constant: Style(color="magenta"),
    Name.Attribute: Style(color="magenta"),
    Name.Tag: Style(color="blue"),
    String: Style(color="red"),
    Number: Style(color="magenta"),
    Generic.Deleted: Style(color="red"),
    Generic.Inserted: Style(color="blue"),
    Generic.Heading: Style(bold=True),
    Generic.Subheading: Style(bold=True),
    Generic.Prompt: Style(bold=True),
    Generic.Error: Style(color="red"),
    Error: Style(underline=True),
}
