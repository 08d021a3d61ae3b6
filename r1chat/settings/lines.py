"""Where the keys of a TOML text stand: tomllib gives values without their lines. Pure; knows no setting.

Strategy: the text has passed tomllib, so that its grammar need not be checked again. A scanner goes over it once, takes
headers and keys apart, and skips each value up to the end of its line or of its last bracket or quote.
"""

import re
from collections.abc import Mapping, Sequence

Key = tuple[str, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_PART = re.compile(r"""[ \t]*(?:"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)'|([A-Za-z0-9_-]+))[ \t]*(\.?)""")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}' r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")
_SINGLE = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r"}


def lines_of(text: str) -> Mapping[Key, int]:
    """Give the line, counted from 1, of every table header and every key outside of inline tables."""
    found: dict[Key, int] = {}
    section: Key = ()
    line, counted, at = 1, 0, _skip_blank(text, 0)
    while at < len(text):
        line, counted = line + text.count("\n", counted, at), at
        if text[at] == "[":
            section, at = _key(text, at + (2 if text.startswith("[[", at) else 1))
            found.setdefault(section, line)
            at = _end_of_line(text, at)
        else:
            key, at = _key(text, at)
            found.setdefault((*section, *key), line)
            at = _end_of_value(text, at + 1)  # past the =
        at = _skip_blank(text, at)
    return found


def line_of(lines: Mapping[Key, int], key: Sequence[str]) -> int:
    """Give the line of a key, or of the first thing below it, or of the table that it stands in."""
    inside = [line for known, line in lines.items() if known[: len(key)] == tuple(key)]
    if inside:
        return min(inside)
    for length in range(len(key), 0, -1):
        if (line := lines.get(tuple(key[:length]))) is not None:
            return line
    return 1


def _key(text: str, at: int) -> tuple[Key, int]:
    """Read a dotted key; gives its parts and the place behind it."""
    parts = []
    while match := _PART.match(text, at):
        quoted, literal, bare, dot = match.groups()
        parts.append(
            _ESCAPE.sub(_unescaped, quoted) if quoted is not None else literal if literal is not None else bare
        )
        at = match.end()
        if not dot:
            break
    return tuple(parts), at


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else _SINGLE.get(code, code)


def _end_of_value(text: str, at: int) -> int:
    """Find the end of the line that a value ends in."""
    depth = 0
    while at < len(text):
        sign = text[at]
        if sign in "\"'" and (match := _STRING.match(text, at)):
            at = match.end()
            continue
        if sign == "#":
            at = _end_of_line(text, at)
            continue
        if sign == "\n" and depth == 0:
            return at
        depth += (sign in "[{") - (sign in "]}")
        at += 1
    return at


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _skip_blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at
