"""Bytes that people hand over, as text. Knows nothing about where they come from."""

import codecs

# Longest first: UTF-32's little-endian mark begins with UTF-16's.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
PROBE = 8192  # bytes looked through for a NUL, which no text has: git's own test (xdiff-interface.c, FIRST_FEW_BYTES)


def decode(data: bytes) -> str:
    """Turn bytes into text: by their byte order mark, else as UTF-8; what isn't either becomes U+FFFD."""
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), "utf-8")
    return data.decode(encoding, "replace")


def is_binary(data: bytes) -> bool:
    """Tell whether bytes are no text in any encoding we read."""
    return not any(data.startswith(mark) for mark, _ in MARKS) and b"\0" in data[:PROBE]
