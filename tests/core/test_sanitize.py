"""No text drives a terminal: payloads, random bytes, and all that must be kept."""

import json
import random
import re
import sys
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from r1chat.core.sanitize import Cleaner, clean, dumps
from tests.chunks import every_split

# What may never come out: C0 but tab and line feed, DEL, C1, Unicode's Bidi_Control, separators, surrogates.
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

PAYLOADS = [
    # CSI, 7-bit: screen, cursor, colours, modes, reports, scrolling
    "\x1b[2J", "\x1b[H", "\x1b[3J", "\x1b[1A\x1b[2K", "\x1b[999D", "\x1b[31mred\x1b[0m", "\x1b[8mhidden\x1b[28m",
    "\x1b[?1049h", "\x1b[?25l", "\x1b[?1000h", "\x1b[?1003h\x1b[?1006h", "\x1b[?2004h", "\x1b[?2026h", "\x1b[6n",
    "\x1b[c", "\x1b[>c", "\x1b[21t", "\x1b[8;1;1t", "\x1b[5i", "\x1b[4h", "\x1b[20h", "\x1b[1;1r", "\x1b[100b",
    "\x1b[s\x1b[u", "\x1b[?5h", "\x1b[!p", "\x1b[38;2;0;0;0;48;2;0;0;0m", "\x1b[>4;1m", "\x1b[=1;1u",
    # CSI, 8-bit
    "\x9b2J", "\x9b31mred\x9b0m", "\x9b6n", "\x9b?1049h",
    # OSC: title, colours, hyperlink, clipboard, notification, folder, files, shell integration; each kind of end
    "\x1b]0;title\x07", "\x1b]2;title\x1b\\", "\x1b]0;title\x9c", "\x9d0;title\x9c", "\x1b]4;1;rgb:00/00/00\x07",
    "\x1b]10;?\x07", "\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]8;;file:///etc/passwd\x07x\x1b]8;;\x07", "\x1b]52;c;cm0gLXJmIC8=\x07", "\x1b]52;c;?\x1b\\",
    "\x9d52;p;cm0=\x9c", "\x1b]9;note\x07", "\x1b]777;notify;a;b\x07", "\x1b]7;file://host/\x07",
    "\x1b]1337;File=inline=1:AAAA\x07", "\x1b]133;A\x07", "\x1b]50;font\x07",
    # DCS, APC, PM, SOS, in both forms
    "\x1bP$q\"p\x1b\\", "\x1bPq#0;2;0;0;0~\x1b\\", "\x1bP+q544e\x1b\\", "\x90q~\x9c", "\x1b_Gf=24;AAAA\x1b\\",
    "\x9fGa=q\x9c", "\x1b^private\x1b\\", "\x9eprivate\x9c", "\x1bXstart\x1b\\", "\x98start\x9c",
    "\x1bPtmux;\x1b\x1b]0;t\x07\x1b\\",
    # escapes of two and three characters
    "\x1bc", "\x1b7\x1b8", "\x1bD\x1bM", "\x1b#8", "\x1b(0lqk\x1b(B", "\x1b=", "\x1b>", "\x1bN\x1bO", "\x1b%G",
    "\x1b",
    # single controls
    "\x07", "a\x08b", "a\rb", "100%\r  0%", "\x0e\x0f", "\x05", "\x00", "\x0b\x0c", "\x7f", "\x11\x13", "\x18\x1a",
    "\x84\x85\x8d\x8e\x8f", "\x1b\r\n[2J", "\r\r\n", "\n\r", "\x80\x81\x99\x9c",
    # bidirectional text, separators, annotation, tags, surrogates
    "access \u202e\u2066level\u2069 \u2066user\u2069", "\u202agnp.exe\u202c", "\u202b\u202d", "\u2067\u2068",
    "a\u200eb\u200fc", "\u061c1", "a\u2028b\u2029c", "\ufff9a\ufffab\ufffb", "\u206a\u206f",
    "\U000e0001\U000e0068\U000e0069", "🏴\U000e0068\U000e0069\U000e007f", "\U000e007f", "\ud800", "\udfff\ud83d",
    "\ud83d\ude00",
]  # fmt: skip

KEPT = {
    "plain lines": "def f():\n\treturn '\\x1b[0m'  # 100 %\n",
    "printable ASCII": "".join(map(chr, range(0x20, 0x7F))),
    "Latin-1": "".join(map(chr, range(0xA0, 0x100))),
    "family of joined emoji": "👨‍👩‍👧‍👦",
    "skin tone and profession": "👩🏽‍🔬🏿",
    "text and emoji presentation": "❤️☎︎",
    "keycap": "1️⃣#️⃣",
    "flag of a country": "🇩🇪🇨🇳",
    "England, Scotland, Wales": "🏴󠁧󠁢󠁥󠁮󠁧󠁿🏴󠁧󠁢󠁳󠁣󠁴󠁿🏴󠁧󠁢󠁷󠁬󠁳󠁿",
    "pirate flag": "🏴‍☠️🏴",
    "beginning of a flag": "🏴\U000e0067\U000e0062\U000e0065",
    "combining marks": "e\u0301 a\u0308\u0323 Z\u0351\u036b",
    "Persian with a non-joiner": "می\u200cخواهم",
    "Arabic and Hebrew": "مرحبا שלום",
    "Hindi with joiners": "क्\u200dष क्\u200cष",
    "Thai with zero-width spaces": "ภาษา\u200bไทย",
    "Chinese, Japanese, Korean": "你好，世界。「こんにちは」안녕하세요\u3000",
    "ideographic variation": "葛\U000e0100",
    "box drawing and blocks": "┌─┐│░▁｜",
    "mathematics": "∀x∈ℝ: √x² = |x| \u2061\u2062",
    "icon font": "\ue0b0\uf115",
    "replacement and object characters": "\ufffd\ufffc",
    "soft hyphen, word joiner, BOM": "a\u00adb\u2060c\ufeffd",
}


def _in_pieces(pieces: list[str]) -> str:
    cleaner = Cleaner()
    return "".join([*map(cleaner.feed, pieces), cleaner.finish()])


def test_there_are_payloads_enough() -> None:
    """The table has at least 64 payloads, no two of them the same, and each has something to be cleaned."""
    assert len(PAYLOADS) >= 64
    assert len(PAYLOADS) == len(set(PAYLOADS))
    assert [] == [payload for payload in PAYLOADS if clean(payload) == payload]


@pytest.mark.parametrize("payload", PAYLOADS, ids=ascii)
def test_no_payload_survives(payload: str) -> None:
    """Split anywhere, and between ordinary text, a payload comes out without a control, the same each time."""
    text = f"Seen: {payload} and on."
    expected = clean(text)
    assert not FORBIDDEN.search(expected)
    for pieces in every_split(text):
        assert expected == _in_pieces(pieces)
    for pieces in every_split(payload):
        assert clean(payload) == _in_pieces(pieces)


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT.keys())
def test_what_can_be_seen_is_kept(text: str) -> None:
    """Printable text, joined emoji, combining marks and joiners of real scripts come out unchanged, cut anywhere."""
    assert text == clean(text)
    for pieces in every_split(text):
        assert text == _in_pieces(pieces)


def test_every_printable_character_is_kept() -> None:
    """Whatever Python calls printable is unchanged, and so is every mark, space and symbol of Unicode."""
    characters = [chr(code) for code in range(sys.maxunicode + 1)]
    kept = [
        c for c in characters if c.isprintable() or unicodedata.category(c)[0] in "LMNPS" or c in "\t\n\u3000\u00a0"
    ]
    assert [] == [c for c in kept if clean(c) != c]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[2J", "␛[2J"),
        ("\x00\x07\x7f", "␀␇␡"),
        ("\x9b31m", "\\u009b31m"),
        ("\x85", "\\u0085"),
        ("a\r\nb", "a\nb"),
        ("a\rb", "a␍b"),
        ("a\r\r\nb\r", "a␍\nb␍"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\ud83d", "\\ud83d"),
        ("\U000e0041", "\\U000e0041"),
        ("🏴\U000e0067\U000e0041", "🏴\U000e0067\\U000e0041"),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿\U000e0067", "🏴󠁧󠁢󠁥󠁮󠁧󠁿\\U000e0067"),
    ],
    ids=ascii,
)
def test_what_is_dangerous_is_shown(text: str, expected: str) -> None:
    """A control comes out as its picture, another dangerous character as its escape, \\r\\n as a line feed."""
    assert expected == clean(text)


def test_ten_thousand_random_byte_strings() -> None:
    """Random bytes, read as UTF-8 or Latin-1, never give a control, and cleaning them twice changes nothing."""
    generator = random.Random(20250120)
    for _ in range(10_000):
        data = generator.randbytes(generator.randint(0, 40))
        for text in (data.decode("utf-8", errors="replace"), data.decode("latin-1")):
            cleaned = clean(text)
            assert not FORBIDDEN.search(cleaned)
            assert cleaned == clean(cleaned)
            at = generator.randint(0, len(text))
            assert cleaned == _in_pieces([text[:at], text[at:]])


_PIECES = st.text(
    st.sampled_from("\r\n\t\x1b\x9b[a🏴\U000e0067\U000e0062\U000e0065\U000e0073\U000e007f\u202e\u200d\ud83d\ude00")
)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.one_of(_PIECES, st.text(max_size=3)), max_size=6))
@example(["🏴", "\U000e0067", "", "\U000e0062", "\U000e0065\U000e006e\U000e0067", "\U000e007f", "\U000e007f"])
@example(["\r", "", "\n", "\r", "\r", "\n", "\r"])
def test_pieces_give_what_the_whole_gives(pieces: list[str]) -> None:
    """Whatever the pieces are, cleaned they make up the whole text cleaned, and cleaning again changes nothing."""
    whole = clean("".join(pieces))
    assert whole == _in_pieces(pieces)
    assert whole == clean(whole)
    assert not FORBIDDEN.search(whole)


def test_only_a_carriage_return_waits() -> None:
    """All of a piece comes out at once, but for a carriage return at its end, which may belong to a line end."""
    cleaner = Cleaner()
    assert ["🏴", "a␛", "", "\nb", "", "␍"] == [cleaner.feed(p) for p in ("🏴", "a\x1b", "\r", "\nb", "\r", "\r")]
    assert "␍" == cleaner.finish()
    assert "" == cleaner.finish()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | _PIECES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=300)
@given(_JSON)
def test_json_gives_the_value_back_and_drives_nothing(value: object) -> None:
    """JSON holds no dangerous character, on one line, can be written as UTF-8, and gives the value back."""
    text = dumps(value)
    assert not FORBIDDEN.search(text)
    assert "\n" not in text
    assert text.encode().decode() == text
    assert json.loads(json.dumps(value)) == json.loads(text)


@pytest.mark.parametrize("text", [*PAYLOADS[:-1], *KEPT.values()], ids=ascii)
def test_json_keeps_every_payload_as_data(text: str) -> None:
    """A text comes back from JSON exactly as it was, lone surrogates too; what is harmless stands there unescaped."""
    written = dumps({"answer": text, text: [text]})
    assert {"answer": text, text: [text]} == json.loads(written)
    assert not FORBIDDEN.search(written)


def test_json_escapes_what_must_not_be_seen_raw_and_nothing_else() -> None:
    """Controls, C1, bidi controls and tags are escapes; other scripts and emoji stand as they are."""
    assert r'"\u001b\u007f\u009b\u202e\u2066\u200f\ud83d\udb40\udc41 é你👨‍👩‍👧"' == dumps(
        "\x1b\x7f\x9b\u202e\u2066\u200f\ud83d\U000e0041 é你👨‍👩‍👧"
    )
    assert '{\n "a": 1\n}' == dumps({"a": 1}, indent=1)


def test_json_refuses_what_json_does_not_have() -> None:
    """Infinity and NaN raise, rather than giving text that is no JSON."""
    for number in (float("inf"), float("nan")):
        with pytest.raises(ValueError, match="Out of range"):
            dumps(number)
