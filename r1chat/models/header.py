"""What a GGUF header holds, as values: typed metadata that stays bytes until asked for, and the list of tensors.

Knows the container's types only: nothing about reading files, architectures or engines.
"""

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, overload


class ValueType(IntEnum):
    """The type of a metadata value, or of the items of an array (gguf.h)."""

    UINT8 = 0
    INT8 = 1
    UINT16 = 2
    INT16 = 3
    UINT32 = 4
    INT32 = 5
    FLOAT32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9
    UINT64 = 10
    INT64 = 11
    FLOAT64 = 12


FORMATS: Final[Mapping[ValueType, struct.Struct]] = {
    ValueType.UINT8: struct.Struct("<B"),
    ValueType.INT8: struct.Struct("<b"),
    ValueType.UINT16: struct.Struct("<H"),
    ValueType.INT16: struct.Struct("<h"),
    ValueType.UINT32: struct.Struct("<I"),
    ValueType.INT32: struct.Struct("<i"),
    ValueType.FLOAT32: struct.Struct("<f"),
    ValueType.BOOL: struct.Struct("<?"),
    ValueType.UINT64: struct.Struct("<Q"),
    ValueType.INT64: struct.Struct("<q"),
    ValueType.FLOAT64: struct.Struct("<d"),
}
_U64: Final = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class TensorType:
    """How the elements of a tensor are stored: `n_bytes` bytes for every block of `block` elements."""

    name: str
    block: int
    n_bytes: int


# ggml.h (numbers), ggml.c (blocks) and ggml-common.h (bytes) of llama.cpp; gaps are types that were removed.
TENSOR_TYPES: Final[Mapping[int, TensorType]] = {
    0: TensorType("F32", 1, 4),
    1: TensorType("F16", 1, 2),
    2: TensorType("Q4_0", 32, 18),
    3: TensorType("Q4_1", 32, 20),
    6: TensorType("Q5_0", 32, 22),
    7: TensorType("Q5_1", 32, 24),
    8: TensorType("Q8_0", 32, 34),
    9: TensorType("Q8_1", 32, 36),
    10: TensorType("Q2_K", 256, 84),
    11: TensorType("Q3_K", 256, 110),
    12: TensorType("Q4_K", 256, 144),
    13: TensorType("Q5_K", 256, 176),
    14: TensorType("Q6_K", 256, 210),
    15: TensorType("Q8_K", 256, 292),
    16: TensorType("IQ2_XXS", 256, 66),
    17: TensorType("IQ2_XS", 256, 74),
    18: TensorType("IQ3_XXS", 256, 98),
    19: TensorType("IQ1_S", 256, 50),
    20: TensorType("IQ4_NL", 32, 18),
    21: TensorType("IQ3_S", 256, 110),
    22: TensorType("IQ2_S", 256, 82),
    23: TensorType("IQ4_XS", 256, 136),
    24: TensorType("I8", 1, 1),
    25: TensorType("I16", 1, 2),
    26: TensorType("I32", 1, 4),
    27: TensorType("I64", 1, 8),
    28: TensorType("F64", 1, 8),
    29: TensorType("IQ1_M", 256, 56),
    30: TensorType("BF16", 1, 2),
    34: TensorType("TQ1_0", 256, 54),
    35: TensorType("TQ2_0", 256, 66),
    39: TensorType("MXFP4", 32, 17),
    40: TensorType("NVFP4", 64, 36),
    41: TensorType("Q1_0", 128, 18),
    42: TensorType("Q2_0", 64, 18),
}


class Strings(Sequence[str]):
    """An array of strings that stays bytes: its length is known, its items are decoded on demand.

    Invalid UTF-8 is shown as U+FFFD; `raw` gives the bytes.
    """

    __slots__ = ("_count", "_data", "_offsets", "_start")

    def __init__(self, data: bytes, start: int, count: int) -> None:
        self._data = data
        self._start = start
        self._count = count
        self._offsets: list[int] | None = None

    def __len__(self) -> int:
        return self._count

    def raw(self) -> Iterator[bytes]:
        """Yield every item as the bytes in the file."""
        data, position, unpack = self._data, self._start, _U64.unpack_from
        for _ in range(self._count):
            (length,) = unpack(data, position)
            position += 8 + length
            yield data[position - length : position]

    def __iter__(self) -> Iterator[str]:
        return (item.decode("utf-8", "replace") for item in self.raw())

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        """Decode one item, or those of a slice. The first call notes where every item lies."""
        if self._offsets is None:
            self._offsets = list(self._walk())
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        start = self._offsets[index]
        (length,) = _U64.unpack_from(self._data, start)
        return self._data[start + 8 : start + 8 + length].decode("utf-8", "replace")

    def _walk(self) -> Iterator[int]:
        position = self._start
        for _ in range(self._count):
            yield position
            position += 8 + _U64.unpack_from(self._data, position)[0]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # equal to lists, hence not hashable

    def __repr__(self) -> str:
        return f"<{self._count} strings>"


Value = int | float | bool | str | tuple[int | float | bool, ...] | Strings


@dataclass(frozen=True, slots=True)
class Field:
    """One metadata value, still as bytes. `type` is that of the value or, in an array of `count`, of its items."""

    type: ValueType
    count: int | None
    data: bytes = field(repr=False)
    start: int

    @property
    def is_array(self) -> bool:
        """Whether the value is an array."""
        return self.count is not None

    @property
    def value(self) -> Value:
        """Decode the value. Arrays of numbers become tuples, arrays of strings stay lazy."""
        if self.count is None:
            if self.type is ValueType.STRING:
                return self._text()
            scalar: int | float | bool = FORMATS[self.type].unpack_from(self.data, self.start)[0]
            return scalar
        if self.type is ValueType.STRING:
            return Strings(self.data, self.start, self.count)
        code = FORMATS[self.type].format[1:]
        return struct.unpack_from(f"<{self.count}{code}", self.data, self.start)

    def _text(self) -> str:
        (length,) = _U64.unpack_from(self.data, self.start)
        return self.data[self.start + 8 : self.start + 8 + length].decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor's entry. `dims` has the fastest dimension first; `offset` counts from the start of the data."""

    name: str
    dims: tuple[int, ...]
    type: TensorType
    offset: int

    @property
    def n_elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.dims)

    @property
    def n_bytes(self) -> int:
        """Its size in the file, without padding."""
        return self.n_elements // self.type.block * self.type.n_bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF file says about itself before its weights.

    `source` names the file in messages. `data_offset` is where the weights begin and `file_size` the size of the whole
    file, both in bytes; `data_end` is where the last tensor ends, so a file shorter than that is incomplete.
    """

    source: str
    version: int
    metadata: Mapping[str, Field]
    tensors: tuple[Tensor, ...]
    alignment: int
    data_offset: int
    data_end: int
    file_size: int

    @property
    def architecture(self) -> str:
        """The `general.architecture`, or an empty text."""
        return self.text("general.architecture")

    @property
    def missing_bytes(self) -> int:
        """How many bytes of the weights the file lacks; 0 when it is complete."""
        return max(0, self.data_end - self.file_size)

    @property
    def weights_bytes(self) -> int:
        """The sum of all tensors, without padding."""
        return sum(tensor.n_bytes for tensor in self.tensors)

    def key(self, name: str) -> str:
        """Spell a key of the model's own architecture: `block_count` -> `qwen2.block_count`."""
        return f"{self.architecture}.{name}"

    def text(self, key: str) -> str:
        """Return a text, empty when there is none (or something that is no text)."""
        value = self._scalar(key)
        return value if isinstance(value, str) else ""

    def integer(self, key: str, default: int = 0) -> int:
        """Return a whole number, or the default when there is none."""
        value = self._scalar(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else default

    def strings(self, key: str) -> Strings | None:
        """Return an array of strings, or None when there is none."""
        field = self.metadata.get(key)
        if field is None or field.count is None or field.type is not ValueType.STRING:
            return None
        return Strings(field.data, field.start, field.count)

    def _scalar(self, key: str) -> Value | None:
        field = self.metadata.get(key)
        return None if field is None or field.is_array else field.value
