"""The header of a GGUF file: metadata and tensor list, read strictly, lazily and within fixed bounds.

Knows the container only: nothing about architectures, engines or what r1chat can run (see judge.py for that).

Strategy. A source (a path or a seekable stream, later HTTP ranges) is read from its start in at most three growing
pieces, never more than MAX_HEADER_BYTES. One pass walks over the pieces and notes where each value lies; numbers,
texts and the 150,000 tokens of a vocabulary are decoded only when somebody asks. Every count and length is checked
against a bound before it is used, so a hostile file costs no more time or memory than a large honest one.

The rules are those of ggml/src/gguf.cpp (llama.cpp in llama-cpp-python 0.3.36), and stricter where that allocates
what a file claims.
"""

import io
import math
import os
import stat
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

from r1chat.errors import GGUFError, NotFoundError
from r1chat.models.foreign import SNIFF_BYTES, not_a_gguf
from r1chat.models.header import FORMATS, TENSOR_TYPES, Field, Header, Tensor, ValueType

MAGIC: Final = b"GGUF"
VERSIONS: Final = (2, 3)

# The largest header of the R1 family is Distill-Llama-70B's, 7,863,000 bytes.
MAX_HEADER_BYTES: Final = 16 * 2**20
# One read suffices for any R1 model after the first look at the magic.
_WINDOWS: Final = (SNIFF_BYTES, 8 * 2**20, MAX_HEADER_BYTES)
# R1 has some 60 keys and 1,086 tensors; llama.cpp takes at most 512 layers. The bounds keep the Python objects small.
MAX_KEYS: Final = 4096
MAX_KEY_BYTES: Final = 1024
MAX_TENSORS: Final = 32768
MAX_NAME_BYTES: Final = 63  # GGML_MAX_NAME - 1, ggml.h
MAX_DIMS: Final = 4  # GGML_MAX_DIMS, ggml.h
DEFAULT_ALIGNMENT: Final = 32  # GGUF_DEFAULT_ALIGNMENT, gguf.h

BROKEN_HINT: Final = "The file is damaged: get it again."

_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")


def read_header(source: Path | str | BinaryIO) -> Header:
    """Read the header of a GGUF file from a path or a seekable binary stream.

    Costs at most 1 s and 64 MB for any file, and 100 ms for a vocabulary of 152,000 tokens. Raises GGUFError for a file
    that is not a GGUF or breaks its rules, and NotFoundError for a path that can't be opened.
    """
    if not isinstance(source, str | Path):
        return _parse(_Window(source, "The file"))
    path = Path(source)
    _expect_regular(path)
    try:
        with path.open("rb", buffering=0) as stream:
            return _parse(_Window(stream, display_name(path)))
    except OSError as error:
        raise _unreadable(path, error) from error


def _expect_regular(path: Path) -> None:
    """Refuse what can't be read like a file: a directory, or a pipe or terminal, which would wait for ever."""
    try:
        mode = path.stat().st_mode
    except ValueError as error:  # a NUL in the name
        raise NotFoundError(f"There is no file {quote(str(path))}.", hint="Check the path.") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if stat.S_ISDIR(mode):
        raise NotFoundError(f"{display_name(path)} is a directory, not a model file.", hint="Name a .gguf file in it.")
    if not stat.S_ISREG(mode):
        raise NotFoundError(f"{display_name(path)} is not a regular file.", hint="Name a .gguf file.")


def display_name(path: Path) -> str:
    """Spell a file's name for a message; odd characters are escaped."""
    return path.name if path.name.isprintable() and path.name else repr(str(path))


def quote(text: str) -> str:
    """Quote a text from a file for a message: short, and with every control character escaped."""
    return repr(text if len(text) <= 60 else text[:59] + "…")


def _unreadable(path: Path, error: OSError) -> NotFoundError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return NotFoundError(f"There is no file {quote(str(path))}.", hint="Check the path.")
    if isinstance(error, PermissionError):
        hint = f"Give yourself the right to read it: chmod u+r {path}" if os.name == "posix" else ""
        return NotFoundError(f"{display_name(path)} can't be opened: permission denied.", hint=hint)
    return NotFoundError(f"{display_name(path)} can't be read: {error.strerror or error}.", hint="Check the disk.")


class _Window:
    """The first bytes of a source, fetched in few big pieces, and a position in them."""

    def __init__(self, stream: BinaryIO | io.FileIO, name: str) -> None:
        self.name = name
        self.size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        self.data = b""
        self.position = 0
        self._stream = stream

    def reach(self, end: int) -> None:
        """Make the bytes before `end` available. Raises GGUFError when the file or the bound is shorter."""
        if end <= len(self.data):
            return
        if end > self.size:
            raise GGUFError(
                f"{self.name} is incomplete: it ends in the middle of its header.",
                hint="The download was cut off: get the file again.",
            )
        if end > MAX_HEADER_BYTES:
            raise self.broken(f"its header is larger than {MAX_HEADER_BYTES // 2**20} MB")
        wanted = min(next(window for window in _WINDOWS if window >= end), self.size)
        pieces = [self.data]
        have = len(self.data)
        while have < wanted:
            piece = self._stream.read(wanted - have)
            if not piece:  # shorter than it said: it shrinks while we read
                self.size = have
                break
            pieces.append(piece)
            have += len(piece)
        self.data = b"".join(pieces)
        self.reach(end)

    def take(self, n_bytes: int) -> int:
        """Step over `n_bytes` and return where they begin."""
        start = self.position
        if n_bytes > MAX_HEADER_BYTES:
            raise self.broken(f"a value claims {n_bytes:,} bytes, but only {self.size - start:,} are left")
        self.reach(start + n_bytes)
        self.position = start + n_bytes
        return start

    def u32(self) -> int:
        start = self.take(4)
        value: int = _U32.unpack_from(self.data, start)[0]
        return value

    def u64(self) -> int:
        start = self.take(8)
        value: int = _U64.unpack_from(self.data, start)[0]
        return value

    def name_text(self, what: str, limit: int) -> str:
        """Read a key or a tensor's name: short, valid UTF-8, and without a NUL, where llama.cpp would end it."""
        length = self.u64()
        if length > limit:
            raise self.broken(f"a {what} is {length:,} bytes long, more than {limit:,}")
        start = self.take(length)
        try:
            text = self.data[start : start + length].decode("utf-8")
        except UnicodeDecodeError:
            raise self.broken(f"a {what} is not valid UTF-8") from None
        if "\0" in text:
            raise self.broken(f"a {what} contains a NUL")
        return text

    def skip_strings(self, count: int) -> None:
        """Step over `count` strings. The one loop that runs 300,000 times for a real vocabulary, hence its form."""
        if count * 8 > MAX_HEADER_BYTES:
            raise self.broken(f"an array claims {count:,} strings, more than the file can hold")
        data, position, unpack = self.data, self.position, _U64.unpack_from
        for _ in range(count):
            try:
                (length,) = unpack(data, position)
            except (struct.error, OverflowError):  # beyond the window, or beyond any file
                self.reach(position + 8)
                data = self.data
                (length,) = unpack(data, position)
            position += length + 8
        self.reach(position)
        self.position = position

    def broken(self, what: str) -> GGUFError:
        return GGUFError(f"{self.name} is a broken GGUF file: {what}.", hint=BROKEN_HINT)


def _parse(window: _Window) -> Header:
    # 1. Is it one, and of a kind that can be read?
    head_bytes = min(window.size, SNIFF_BYTES)
    window.reach(head_bytes)
    if window.data[:4] != MAGIC:
        raise not_a_gguf(window.name, window.data[:SNIFF_BYTES], window.size)
    window.take(4)
    version = _version(window)

    # 2. The counts.
    n_tensors, n_keys = window.u64(), window.u64()
    if n_keys > MAX_KEYS:
        raise window.broken(f"it claims {n_keys:,} metadata keys, more than {MAX_KEYS:,}")
    if n_tensors > MAX_TENSORS:
        raise window.broken(f"it claims {n_tensors:,} tensors, more than {MAX_TENSORS:,}")

    # 3. The metadata. Fields get their bytes at the end, when the window has stopped growing.
    spans: dict[str, tuple[ValueType, int | None, int]] = {}
    for _ in range(n_keys):
        key = window.name_text("key", MAX_KEY_BYTES)
        if not key:
            raise window.broken("a metadata key is empty")
        if key in spans:
            raise window.broken(f"the key {quote(key)} stands there twice")
        spans[key] = _span(window, key)
    alignment = _alignment(window, spans)

    # 4. The tensors.
    tensors = _tensors(window, n_tensors, alignment)
    data_offset = _padded(window.position, alignment)
    last = tensors[-1] if tensors else None
    return Header(
        source=window.name,
        version=version,
        metadata={key: Field(kind, count, window.data, start) for key, (kind, count, start) in spans.items()},
        tensors=tensors,
        alignment=alignment,
        data_offset=data_offset,
        data_end=data_offset + last.offset + last.n_bytes if last else window.position,
        file_size=window.size,
    )


def _version(window: _Window) -> int:
    version = window.u32()
    if version in VERSIONS:
        return version
    if version == 1:
        raise GGUFError(
            f"{window.name} is a GGUF file of version 1, which llama.cpp no longer reads.",
            hint="Get a newer conversion of the model (GGUF version 3).",
        )
    if version & 0xFFFF == 0 and version:  # the bytes of a small number, the other way round
        raise GGUFError(
            f"{window.name} is a big-endian GGUF file, made for another kind of machine.",
            hint="Get the little-endian file: the one without 'be' in its name.",
        )
    raise GGUFError(
        f"{window.name} is a GGUF file of version {version}, but r1chat reads versions 2 and 3.",
        hint="Update r1chat, or get another conversion of the model.",
    )


def _span(window: _Window, key: str) -> tuple[ValueType, int | None, int]:
    """Step over one value; return its type, its count (None for a single value) and where it begins."""
    kind = _value_type(window, key)
    if kind is not ValueType.ARRAY:
        if kind is ValueType.STRING:
            start = window.position
            window.take(window.u64())
            return kind, None, start
        return kind, None, window.take(FORMATS[kind].size)
    item = _value_type(window, key)
    if item is ValueType.ARRAY:
        raise window.broken(f"the value of {quote(key)} is an array of arrays")
    count = window.u64()
    start = window.position
    if item is ValueType.STRING:
        window.skip_strings(count)
    else:
        window.take(count * FORMATS[item].size)
    return item, count, start


def _value_type(window: _Window, key: str) -> ValueType:
    number = window.u32()
    try:
        return ValueType(number)
    except ValueError:
        raise window.broken(f"the value of {quote(key)} has the unknown type {number}") from None


def _alignment(window: _Window, spans: Mapping[str, tuple[ValueType, int | None, int]]) -> int:
    if "general.alignment" not in spans:
        return DEFAULT_ALIGNMENT
    kind, count, start = spans["general.alignment"]
    if kind is not ValueType.UINT32 or count is not None:
        raise window.broken("its alignment is not a 32-bit number")
    alignment: int = _U32.unpack_from(window.data, start)[0]
    if alignment == 0 or alignment & (alignment - 1):
        raise window.broken(f"its alignment is {alignment}, not a power of two")
    return alignment


def _tensors(window: _Window, count: int, alignment: int) -> tuple[Tensor, ...]:
    tensors: dict[str, Tensor] = {}
    expected = 0
    for _ in range(count):
        name = window.name_text("tensor name", MAX_NAME_BYTES)
        if name in tensors:
            raise window.broken(f"the tensor {quote(name)} stands there twice")
        dims = _dims(window, name)
        number = window.u32()
        kind = TENSOR_TYPES.get(number)
        if kind is None:
            raise GGUFError(
                f"{window.name} can't be read: its tensor {quote(name)} has the unknown type {number}.",
                hint="Update r1chat, or get another quantization of the model.",
            )
        if dims[0] % kind.block:
            raise window.broken(f"the rows of {quote(name)} are no multiple of {kind.block}, as {kind.name} needs")
        tensor = Tensor(name, dims, kind, window.u64())
        # llama.cpp wants the tensors one after the other, each padded to the alignment.
        if tensor.offset != expected:
            raise window.broken(f"the tensor {quote(name)} is at byte {tensor.offset:,} of the data, not {expected:,}")
        expected = _padded(expected + tensor.n_bytes, alignment)
        if expected >= 2**63:
            raise window.broken(f"the tensor {quote(name)} is impossibly large")
        tensors[name] = tensor
    return tuple(tensors.values())


def _dims(window: _Window, name: str) -> tuple[int, ...]:
    n_dims = window.u32()
    if not 1 <= n_dims <= MAX_DIMS:
        raise window.broken(f"the tensor {quote(name)} has {n_dims} dimensions")
    dims = tuple(window.u64() for _ in range(n_dims))
    if 0 in dims:
        raise window.broken(f"the tensor {quote(name)} has a dimension of zero")
    if math.prod(dims) >= 2**63:
        raise window.broken(f"the dimensions of {quote(name)} are impossibly large")
    return dims


def _padded(position: int, alignment: int) -> int:
    return -(-position // alignment) * alignment
