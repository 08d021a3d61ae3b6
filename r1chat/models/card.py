"""What a model's header says about it, put together for a person to read: the data of `r1chat show`.

Reads headers, from paths or from streams; knows no catalogue, no folders and no terminal. Texts are as the file has
them: who shows them cleans them.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from r1chat.core.shape import FamilyName
from r1chat.errors import GGUFError
from r1chat.models.gguf import MAX_HEADER_BYTES, read_header
from r1chat.models.header import Field, Header, Strings
from r1chat.models.judge import judge
from r1chat.models.shape import family_of, quantization_of
from r1chat.models.shards import join_headers, read_model
from r1chat.models.templates import template_name, uses_markers

MAX_ITEMS: Final = 8  # of an array, in an overview
MAX_TEXT: Final = 4096  # characters of a value, in an overview

Json = int | float | bool | str | list["Json"] | dict[str, "Json"] | None


@dataclass(frozen=True, slots=True)
class TensorGroup:
    """All tensors of one type."""

    type: str
    count: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Card:
    """A model in facts. `problem` says why r1chat can't run it, and is empty if it can.

    `n_parts` headers of `of_parts` were read: less than all leaves out tensors. `template` is empty for none; `known`
    is the name of the one of R1's that it is.
    """

    title: str
    description: str
    architecture: str
    family: FamilyName
    parameters: int
    n_layers: int
    n_ctx_train: int
    n_vocab: int
    quantization: str
    licence: str
    template: str
    known: str
    problem: str
    tensors: tuple[TensorGroup, ...]
    n_parts: int
    of_parts: int
    header: Header

    @property
    def like_r1(self) -> bool:
        """Whether the template at least uses R1's markers."""
        return uses_markers(self.template)


def card_of(path: Path, family: FamilyName | None = None) -> Card:
    """Read a model on disk, whole or split. Raises NotFoundError and GGUFError."""
    model = read_model(path)
    return _card(model.header, family, len(model.paths), len(model.paths))


def card_of_streams(streams: Iterator[BinaryIO], count: int, family: FamilyName | None = None) -> Card:
    """Read a model from one stream for each of its `count` parts: at most MAX_HEADER_BYTES of all together.

    What is left out then is the tensors of the later parts. Raises GGUFError for a first part that is none.
    """
    headers: list[Header] = []
    budget = _Budget(MAX_HEADER_BYTES)
    for stream in islice(streams, count):
        try:
            headers.append(read_header(_Bounded(stream, budget)))  # type: ignore[arg-type]  # seek and read are enough
        except GGUFError:
            if not headers:
                raise
            break
    if len(headers) == count > 1:
        return _card(join_headers(tuple(headers)), family, count, count)
    tensors = tuple(tensor for header in headers for tensor in header.tensors)
    return _card(dataclasses.replace(headers[0], tensors=tensors), family, len(headers), count)


class _Budget:
    """How many bytes may still be read."""

    def __init__(self, n_bytes: int) -> None:
        self.left = n_bytes


class _Bounded:
    """A stream that ends the reading where the budget does."""

    def __init__(self, stream: BinaryIO, budget: _Budget) -> None:
        self.seek = stream.seek
        self._stream = stream
        self._budget = budget

    def read(self, n_bytes: int) -> bytes:
        if n_bytes > self._budget.left:
            raise GGUFError("The model's headers are too large to be read.")
        data = self._stream.read(n_bytes)
        self._budget.left -= len(data)
        return data


def _card(header: Header, family: FamilyName | None, n_parts: int, of_parts: int) -> Card:
    groups: dict[str, list[int]] = {}
    for tensor in header.tensors:
        group = groups.setdefault(tensor.type.name, [0, 0])
        group[0] += 1
        group[1] += tensor.n_bytes
    tokens = header.strings("tokenizer.ggml.tokens")
    template = header.text("tokenizer.chat_template")
    return Card(
        title=header.text("general.name"),
        description=header.text("general.description"),
        architecture=header.architecture,
        family=family_of(header, family),
        parameters=sum(tensor.n_elements for tensor in header.tensors),
        n_layers=header.integer(header.key("block_count")),
        n_ctx_train=header.integer(header.key("context_length")),
        n_vocab=len(tokens) if tokens is not None else 0,
        quantization=quantization_of(header),
        licence=header.text("general.license"),
        template=template,
        known=template_name(template),
        problem=_problem(header) if n_parts == of_parts else "",
        tensors=tuple(
            TensorGroup(name, count, n_bytes)
            for name, (count, n_bytes) in sorted(groups.items(), key=lambda item: -item[1][1])
        ),
        n_parts=n_parts,
        of_parts=of_parts,
        header=header,
    )


def _problem(header: Header) -> str:
    try:
        judge(header)
    except GGUFError as error:
        return error.message
    return ""


def summary(field: Field) -> str:
    """Write a metadata value for an overview: short, an array by its first items."""
    if field.count is None:
        return str(field.value).lower() if isinstance(field.value, bool) else str(field.value)[:MAX_TEXT]
    items = ", ".join(repr(item) if isinstance(item, str) else str(item) for item in _first(field, MAX_ITEMS))
    return f"{field.count:,}: {items}{', …' if field.count > MAX_ITEMS else ''}"[:MAX_TEXT]


def plain(field: Field, *, whole: bool = False) -> Json:
    """Give a metadata value as JSON can hold it; unless `whole`, a long array by its count and its first items."""
    if field.count is None:
        value = field.value
        text = value if whole or not isinstance(value, str) else value[:MAX_TEXT]
        return _finite(text) if isinstance(text, int | float | str) else str(text)
    if whole or field.count <= MAX_ITEMS:
        return [_finite(item) for item in _first(field, field.count)]
    return {"count": field.count, "first": [_finite(item) for item in _first(field, MAX_ITEMS)]}


def _first(field: Field, count: int) -> Sequence[int | float | str]:
    value = field.value
    if isinstance(value, Strings):
        return list(islice((item for item in value), count))
    return value[:count] if isinstance(value, tuple) else ()


def _finite(value: float | str) -> int | float | str:
    """JSON has no infinities."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
