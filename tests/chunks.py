"""Every way that matters to cut a text: what comes in pieces must not depend on where it was cut."""

from collections.abc import Iterator
from typing import AnyStr


def every_split(text: AnyStr) -> Iterator[list[AnyStr]]:
    """Yield the text (or bytes) whole, one character (byte) at a time, and cut in two at every place."""
    yield [text]
    yield [text[at : at + 1] for at in range(len(text))]
    for at in range(1, len(text)):
        yield [text[:at], text[at:]]
