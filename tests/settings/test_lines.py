"""The lines of a TOML text: every key and header is found where it stands."""

import tomllib

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from r1chat.settings.lines import line_of, lines_of

TEXT = r'''# a comment with [brackets] and key = 1
model = "7b"   # and [one] behind

stop = [
  "a = b",   # key = 1
  "# no comment",
]
[models.7b]
temperature = 0.5
"top_k" = 1
system = """
[not.a.header]
key = "1" \"""
"""
[ models . "7b:Q8_0" ]
a.b.c = """ a "quoted" \""" key
d = 1 """
profile = { math = true, deep = { x = 1 } }
[[array]]
last = 1979-05-27'''


def test_keys_and_headers_stand_where_they_stand() -> None:
    """Strings of many lines, arrays, comments, dotted and quoted keys are taken for what they are."""
    tomllib.loads(TEXT)
    expected = {
        ("model",): 2,
        ("stop",): 4,
        ("models", "7b"): 8,
        ("models", "7b", "temperature"): 9,
        ("models", "7b", "top_k"): 10,
        ("models", "7b", "system"): 11,
        ("models", "7b:Q8_0"): 15,
        ("models", "7b:Q8_0", "a", "b", "c"): 16,
        ("models", "7b:Q8_0", "profile"): 18,
        ("array",): 19,
        ("array", "last"): 20,
    }
    assert expected == dict(lines_of(TEXT))


def test_single_quotes_of_many_lines() -> None:
    """A literal string of many lines ends at its third quote, whatever stands in it."""
    assert {("a",): 1, ("b",): 4} == dict(lines_of("a = '''\n[x]\n\"\"\" it's ''''\nb = 'c = \"'"))


@pytest.mark.parametrize(
    ("key", "line"),
    [(("models", "7b:Q8_0", "profile", "deep", "x"), 18), (("models", "7b", "none"), 8), (("none",), 1)],
)
def test_a_key_inside_of_a_value_has_the_line_of_the_value(key: tuple[str, ...], line: int) -> None:
    """What has no line of its own has that of the nearest thing around it."""
    assert line == line_of(lines_of(TEXT), key)


def test_escapes_in_keys_are_read() -> None:
    """A key in quotes is known by what it says."""
    assert {('a\tb\u00fcc"',): 1} == dict(lines_of(r'"a\tb\u00FCc\"" = 1'))


_VALUES = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), _VALUES, max_size=6), st.booleans())
def test_every_key_of_any_file_is_found(tables: dict[str, object], multiline: bool) -> None:
    """For whatever tomli_w writes, cut above a key's line the text lacks the key, cut below it the text has it."""
    text = tomli_w.dumps(tables, multiline_strings=multiline).replace("\r\n", "\n")
    lines, rows = lines_of(text), text.split("\n")
    for key in tomllib.loads(text):
        line = min(line for known, line in lines.items() if known[0] == key)
        above = "\n".join(rows[: line - 1])
        assert key not in tomllib.loads(above)
        row = rows[line - 1]
        below = row if row.startswith("[") else f"{row[: _end_of_key(row)]}= 1"
        assert {key} == set(tomllib.loads(below))


def _end_of_key(row: str) -> int:
    """Where the = of a key stands, which no quoted part holds."""
    quote, at = "", 0
    while quote or row[at] != "=":
        if quote and row[at] == "\\":
            at += 1
        elif row[at] == '"':
            quote = "" if quote else '"'
        at += 1
    return at
