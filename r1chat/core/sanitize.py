r"""Text from a model, a file name, metadata or a server -> text that can't drive a terminal. Knows no terminal.

Dangerous characters are neither dropped nor obeyed but shown: a C0 control and DEL as its picture (ESC is ␛), all
others, which have no picture, as an escape (\u202e). So `\x1b[2J` is seen as ␛[2J, and what follows ESC, OSC or DCS is
the plain text it consists of. Shown are

    U+0000-001F      C0 but tab and line feed. \r\n is a line feed; a \r alone is shown, it must not overwrite a line
    U+007F-009F      DEL and C1: 8-bit CSI, OSC, DCS, APC, PM, SOS, ST, and NEL
    U+061C, 200E-F   bidi marks, and with 202A-E and 2066-9 all of Unicode's Bidi_Control: text reads as it is stored
    U+2028-2029      line and paragraph separator
    U+206A-206F      deprecated format controls
    U+D800-DFFF      lone surrogates, which no encoding can write
    U+FFF9-FFFB      interlinear annotation
    U+E0000-E007F    tag characters, text that nobody sees; kept in the three flags that are made of them

All else is kept: joiners and non-joiners (emoji, Persian, Indic), variation selectors, combining marks, zero-width
spaces (Thai, Khmer), private use (icon fonts). Cleaning twice changes nothing.
"""

import json
import re

_UNSAFE_BUT_C0 = r"\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e007f"
_UNSAFE = re.compile(rf"[\x00-\x08\x0b-\x1f{_UNSAFE_BUT_C0}]")
_UNSAFE_IN_JSON = re.compile(rf"[{_UNSAFE_BUT_C0}]")  # json escapes C0 itself

# A waving black flag and the name of a region in tag characters (UTS #51, RGI_Emoji_Tag_Sequence: these three).
_BLACK_FLAG = "\U0001f3f4"
_REGIONS = ("gbeng", "gbsct", "gbwls")  # England, Scotland, Wales
_FLAGS = tuple(_BLACK_FLAG + "".join(chr(0xE0000 + ord(c)) for c in region) + "\U000e007f" for region in _REGIONS)
# Every beginning of a flag, too: then a flag needs no look ahead, and nothing is held back while text streams in.
_FLAG_BEGINNINGS = frozenset(flag[:end] for flag in _FLAGS for end in range(1, len(flag)))
_LONGEST_FIRST = sorted({*_FLAGS, *_FLAG_BEGINNINGS}, key=len, reverse=True)
_MATCH = re.compile(f"\r\n|{'|'.join(_LONGEST_FIRST)}|{_UNSAFE.pattern}")


def clean(text: str) -> str:
    """Make a text harmless for a terminal, a pipe or a log, and keep everything that can be seen in it."""
    if not _UNSAFE.search(text):
        return text
    return _MATCH.sub(_shown, text)


class Cleaner:
    """Cleans text that comes in pieces. The results joined are `clean` of the pieces joined, however these are cut."""

    def __init__(self) -> None:
        self._pending = ""  # a \r at the end, whose \n may still come
        self._flag = ""  # the beginning of a flag at the end, which is out already

    def feed(self, text: str) -> str:
        """Take the next piece. Return it clean; only a carriage return at its end waits for the next one."""
        n_out = len(self._flag)
        text = self._flag + self._pending + text
        self._pending = "\r" if text.endswith("\r") else ""
        text = text.removesuffix("\r")
        self._flag = "" if self._pending else _flag_beginning(text)
        return clean(text)[n_out:]

    def finish(self) -> str:
        """End the text. Return what was waiting."""
        text, self._pending, self._flag = self._pending, "", ""
        return clean(text)


def dumps(value: object, *, indent: int | None = None) -> str:
    r"""Write JSON that can be shown on a terminal: text as it is, but every character that `clean` shows as \uXXXX.

    `json.loads` gives the value back. The one exception is JSON's own: two surrogates that make a pair come back as one
    character. Raises ValueError for infinities and NaN, which JSON does not have, and TypeError as `json.dumps` does.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    return _UNSAFE_IN_JSON.sub(lambda found: json.dumps(found.group())[1:-1], text)


def _shown(found: re.Match[str]) -> str:
    text = found.group()
    if text == "\r\n":
        return "\n"
    if text[0] == _BLACK_FLAG:
        return text
    code = ord(text)
    if code < 0x20:
        return chr(0x2400 + code)  # Unicode block Control Pictures
    if code == 0x7F:
        return "\u2421"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _flag_beginning(text: str) -> str:
    """Return the end of a text that may grow into one of the flags, or nothing."""
    at = text.rfind(_BLACK_FLAG, -max(map(len, _FLAGS)))
    return text[at:] if text[at:] in _FLAG_BEGINNINGS else ""
