"""Reading headers: honest files come back as they were written, every broken one is a GGUFError, within bounds."""

import io
import os
import random
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r1chat.errors import GGUFError, NotFoundError
from r1chat.models.gguf import MAX_HEADER_BYTES, MAX_KEYS, MAX_TENSORS, read_header
from r1chat.models.header import FORMATS, Strings, ValueType
from r1chat.models.judge import MAX_VOCABULARY, judge
from r1chat.models.library import demo_path
from tests.gguf_writer import TENSORS, Model, Typed, encode, string, tiny

MAX_MEMORY = 64 * 2**20


def read(data: bytes) -> Any:
    """Read a header from bytes."""
    return read_header(io.BytesIO(data))


def head(n_tensors: int, n_keys: int, rest: bytes = b"", *, version: int = 3) -> bytes:
    """Spell the fixed start of a file."""
    return b"GGUF" + struct.pack("<IQQ", version, n_tensors, n_keys) + rest


def pair(key: str, value: bytes) -> bytes:
    """Spell one metadata pair from the encoded value."""
    return string(key.encode()) + value


def tensor(name: str = "t", dims: tuple[int, ...] = (32,), kind: int = 0, offset: int = 0) -> bytes:
    """Spell one tensor's entry."""
    return string(name.encode()) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


class Counted(io.BytesIO):
    """A stream that counts its reads, as a source over a network would."""

    def __init__(self, data: bytes) -> None:
        """Start at zero."""
        super().__init__(data)
        self.reads: list[int] = []

    def read(self, size: int | None = -1) -> bytes:
        """Read and note how much."""
        data = super().read(size)
        self.reads.append(len(data))
        return data


def large_vocabulary(n_tokens: int = 152_064) -> bytes:
    """Make a vocabulary of a real size: as many tokens and merges as the distilled Qwen models have."""
    draw = random.Random(0)
    tokens = [f"{number:x}" + "ab" * draw.randrange(4) for number in range(n_tokens)]
    merges = [f"{token} {token}" for token in tokens[:151_387]]
    metadata = {"general.architecture": "qwen2", "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.merges": merges}
    return Model({**metadata, "tokenizer.ggml.token_type": [1] * n_tokens}, []).build()


numbers = st.sampled_from(sorted(set(ValueType) - {ValueType.STRING, ValueType.ARRAY})).flatmap(
    lambda kind: st.builds(Typed, st.just(int(kind)), _value_of(kind) | st.lists(_value_of(kind), max_size=5))
)
texts = st.builds(Typed, st.just(int(ValueType.STRING)), st.text(max_size=20) | st.lists(st.text(max_size=20)))


KEY_LETTERS = st.characters(exclude_characters="\0", codec="utf-8")


def _value_of(kind: ValueType) -> st.SearchStrategy[Any]:
    code = FORMATS[kind].format[1:]
    if code == "?":
        return st.booleans()
    if code in "fd":
        return st.floats(width=32 if code == "f" else 64, allow_nan=False)
    bits = 8 * FORMATS[kind].size
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if code.islower() else (0, 2**bits - 1)
    return st.integers(low, high)


@given(st.dictionaries(st.text(KEY_LETTERS, min_size=1, max_size=20), numbers | texts, max_size=8))
def test_metadata_comes_back_as_written(metadata: dict[str, Typed]) -> None:
    """Every kind of value, alone and in arrays, is read as it was written."""
    metadata.pop("general.alignment", None)
    header = read(Model(dict(metadata), []).build())
    expected = {key: tuple(it.value) if isinstance(it.value, list) else it.value for key, it in metadata.items()}
    actual = {key: field.value for key, field in header.metadata.items()}
    actual = {key: tuple(value) if isinstance(value, Strings) else value for key, value in actual.items()}
    assert expected == actual


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("architecture", TENSORS)
def test_tensors_come_back_as_written(architecture: str, version: int) -> None:
    """Names, dimensions, types and places of all tensors are read, in both versions of the format."""
    model = tiny(architecture)
    model.version = version
    data = model.build()
    header = read(data)
    assert [(t.name, t.dims, t.type.name) for t in header.tensors] == [(n, d, "F32") for n, d, _ in model.tensors]
    assert header.weights_bytes == sum(t.n_elements * 4 for t in header.tensors)
    assert header.data_offset == len(data) - sum(-(-t.n_bytes // 32) * 32 for t in header.tensors)
    assert (header.version, header.architecture, header.missing_bytes) == (version, architecture, 0)


def test_alignment_is_honoured() -> None:
    """Another alignment moves the data and pads the tensors."""
    model = Model({"general.alignment": 128}, [("a", (1,), 0), ("b", (1,), 0)], alignment=128)
    header = read(model.build())
    assert (128, 0, [0, 128]) == (header.alignment, header.data_offset % 128, [t.offset for t in header.tensors])


def test_quantized_tensors_have_their_size() -> None:
    """A block of 32 elements takes 34 bytes in Q8_0 and 18 in Q4_0 (ggml-common.h)."""
    header = read(Model({}, [("a", (64, 2), 8), ("b", (64,), 2)]).build())
    assert [136, 36] == [t.n_bytes for t in header.tensors]


def test_strings_are_lazy_and_decode() -> None:
    """A list of strings knows its length, gives items and slices in any order, and compares with lists."""
    words = ["a", "", "é", "思考", "x" * 300]
    strings = read(Model({"words": words}, []).build()).strings("words")
    assert strings is not None
    assert len(strings) == 5
    assert strings == words
    assert ["思考", "x" * 300, ["", "é"], [b"a", b""]] == [
        strings[3],
        strings[-1],
        strings[1:3],
        list(strings.raw())[:2],
    ]
    with pytest.raises(IndexError):
        strings[5]


def test_invalid_utf8_in_a_value_is_shown_replaced() -> None:
    """A text or token that is not UTF-8 decodes with U+FFFD instead of failing."""
    header = read(Model({"name": b"a\xff", "words": [b"\xfe", b"b"]}, []).build())
    assert ("a�", ["�", "b"]) == (header.text("name"), list(header.strings("words")))


def test_getters_ignore_values_of_other_kinds() -> None:
    """Asking for a text where a number stands gives the default, never a wrong type."""
    header = read(Model({"n": 5, "t": "x", "flag": True, "list": [1, 2], "f": 1.5}, []).build())
    assert ("", "x", 5, 7, 7, 7) == (
        header.text("n"),
        header.text("t"),
        header.integer("n", 7),
        header.integer("t", 7),
        header.integer("flag", 7),
        header.integer("list", 7),
    )
    assert (None, None, None) == (header.strings("n"), header.strings("list"), header.strings("nothing"))


def test_a_real_vocabulary_takes_two_reads_and_little_memory() -> None:
    """152,064 tokens and their merges cost one look at the start, one read, and no string objects."""
    stream = Counted(large_vocabulary())
    tracemalloc.start()
    header = read_header(stream)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    tokens = header.strings("tokenizer.ggml.tokens")
    assert tokens is not None
    assert (152_064, "0", 2) == (len(tokens), tokens[0][:1], len(stream.reads))
    assert peak < 3 * header.file_size + 2**20


def test_only_the_header_is_read() -> None:
    """The weights are not touched: reading stops at the window that holds the header."""
    stream = Counted(tiny().build() + bytes(20 * 2**20))
    read_header(stream)
    assert sum(stream.reads) <= 64 * 2**10


# Each is one thing wrong and the words that must say so.
BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 4683073504\n",
        "Git LFS pointer, not the model itself",
    ),
    "web page": (b"\n<!DOCTYPE html><html>Not found</html>", "web page"),
    "json": (b'{"error": "not found"}', "a JSON file"),
    "safetensors": (struct.pack("<Q", 40) + b'{"__metadata__":' + bytes(40), "a safetensors file"),
    "pytorch": (b"PK\x03\x04" + b"archive/data.pkl" + bytes(40), "a PyTorch checkpoint"),
    "zip": (b"PK\x03\x04" + b"model.gguf" + bytes(40), "a ZIP archive"),
    "pickle": (b"\x80\x02}q\x00.", "Python pickle"),
    "ggml": (b"tjgg\x03\x00\x00\x00", "GGML model from before GGUF"),
    "gzip": (b"\x1f\x8b\x08\x00", "gzip archive"),
    "zeros": (bytes(4096), "begins with zeros"),
    "other": (b"\x7fELF", "The file is not a GGUF file."),
    "only the magic": (b"GGUF", "ends in the middle of its header"),
    "half the counts": (head(0, 0)[:20], "ends in the middle of its header"),
    "version 0": (head(0, 0, version=0), "version 0"),
    "version 1": (head(0, 0, version=1), "version 1, which llama.cpp no longer reads"),
    "version 4": (head(0, 0, version=4), "version 4, but r1chat reads versions 2 and 3"),
    "big endian": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
    "key count": (head(0, 2**60), "metadata keys, more than"),
    "tensor count": (head(2**60, 0), "tensors, more than"),
    "keys beyond the end": (head(0, 1), "ends in the middle"),
    "key length": (head(0, 1, struct.pack("<Q", 2**63) + b"a"), "a key is 9,223,372,036,854,775,808 bytes"),
    "empty key": (head(0, 1, pair("", encode(1))), "a metadata key is empty"),
    "key not utf-8": (head(0, 1, string(b"\xff") + encode(1)), "not valid UTF-8"),
    "key with a NUL": (head(0, 1, string(b"a\0b") + encode(1)), "contains a NUL"),
    "key twice": (head(0, 2, pair("k", encode(1)) * 2), "'k' stands there twice"),
    "value type": (head(0, 1, pair("k", struct.pack("<I", 13) + bytes(8))), "unknown type 13"),
    "item type": (head(0, 1, pair("k", struct.pack("<IIQ", 9, 99, 0))), "unknown type 99"),
    "nested array": (head(0, 1, pair("k", struct.pack("<IIQ", 9, 9, 1))), "array of arrays"),
    "array length": (head(0, 1, pair("k", struct.pack("<IIQ", 9, 4, 2**61))), "a value claims"),
    "string array length": (head(0, 1, pair("k", struct.pack("<IIQ", 9, 8, 2**60))), "an array claims"),
    "string length": (head(0, 1, pair("k", struct.pack("<IQ", 8, 2**62))), "a value claims"),
    "item length": (
        head(0, 1, pair("k", struct.pack("<IIQQ", 9, 8, 3, 2**64 - 1) + bytes(40))),
        "ends in the middle",
    ),
    "alignment 0": (head(0, 1, pair("general.alignment", encode(0))), "alignment is 0"),
    "alignment 48": (head(0, 1, pair("general.alignment", encode(48))), "alignment is 48, not a power of two"),
    "alignment text": (head(0, 1, pair("general.alignment", encode("32"))), "alignment is not a 32-bit number"),
    "alignment list": (head(0, 1, pair("general.alignment", encode([32]))), "alignment is not a 32-bit number"),
    "tensor name": (head(1, 0, tensor("x" * 64)), "a tensor name is 64 bytes long"),
    "tensor twice": (head(2, 0, tensor() + tensor(offset=128)), "'t' stands there twice"),
    "no dimensions": (head(1, 0, tensor(dims=())), "has 0 dimensions"),
    "five dimensions": (head(1, 0, tensor(dims=(1, 1, 1, 1, 1))), "has 5 dimensions"),
    "dimension of zero": (head(1, 0, tensor(dims=(32, 0))), "a dimension of zero"),
    "dimensions overflow": (head(1, 0, tensor(dims=(2**32, 2**32))), "impossibly large"),
    "bytes overflow": (head(1, 0, tensor(dims=(2**62,))), "impossibly large"),
    "tensor type": (head(1, 0, tensor(kind=77)), "unknown type 77"),
    "removed type": (head(1, 0, tensor(kind=4)), "unknown type 4"),
    "rows not whole blocks": (head(1, 0, tensor(dims=(31,), kind=8)), "no multiple of 32, as Q8_0 needs"),
    "offset": (head(1, 0, tensor(offset=32)), "at byte 32 of the data, not 0"),
    "unaligned": (head(2, 0, tensor("a", (3,)) + tensor("b", (3,), 0, 12)), "at byte 12 of the data, not 32"),
}


@pytest.mark.parametrize(("data", "words"), BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_is_said_in_one_sentence_with_a_way_out(data: bytes, words: str) -> None:
    """Every broken file is a GGUFError whose sentence names the fault and whose hint says what to do."""
    with pytest.raises(GGUFError) as caught:
        read(data)
    assert words in caught.value.message
    assert caught.value.message.endswith(".")
    assert "\n" not in caught.value.message
    assert caught.value.hint


def strings_of(count: int) -> bytes:
    """Claim an array of so many strings."""
    return pair("k", struct.pack("<IIQ", 9, 8, count))


def keys_of(letter: str, value: Any) -> bytes:
    """Make as many and as long keys as are allowed."""
    return head(0, MAX_KEYS, b"".join(pair(f"{letter}{n:0900}", encode(value)) for n in range(MAX_KEYS)))


def tensors_of(count: int) -> bytes:
    """Make many tiny tensors with long names."""
    return head(count, 0, b"".join(tensor(f"{n:063}", (1,) * 4, 0, 32 * n) for n in range(count)))


def long_tokens() -> bytes:
    """Fill a header with as many and as long tokens as the judge looks at."""
    model = tiny()
    model.metadata["tokenizer.ggml.tokens"] = [f"{n:070}" for n in range(MAX_VOCABULARY)]
    return model.build()


HOSTILE: dict[str, Callable[[], bytes]] = {
    "many empty strings": lambda: head(0, 1, strings_of(2**18)) + bytes(17 * 2**20),
    "many keys": lambda: keys_of("k", True),
    "wide keys": lambda: keys_of("😀", "x" * 100),
    "many tensors": lambda: tensors_of(MAX_TENSORS),
    "endless header": lambda: head(
        0, 2, pair("k", struct.pack("<IIQ", 9, 4, 2**22) + bytes(2**24)) + pair("l", encode(1))
    ),
    "long tokens": lambda: long_tokens(),
    "claimed counts": lambda: head(2**60, 2**60) + bytes(2**20),
    "claimed array": lambda: head(0, 1, pair("k", struct.pack("<IIQ", 9, 0, 2**60))) + bytes(2**20),
    "claimed strings": lambda: head(0, 1, strings_of(2**60)) + bytes(2**20),
    "claimed text": lambda: head(0, 1, pair("k", struct.pack("<IQ", 8, 2**60))) + bytes(2**20),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_are_read_within_64_mb(make: Callable[[], bytes]) -> None:
    """However large a file is or claims to be, reading and judging it stays within memory and reads 16 MB at most."""
    stream = Counted(make())
    tracemalloc.start()
    try:
        judge(read_header(stream))
    except GGUFError as error:
        refused = error.message
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert refused.startswith("The file ")
    assert peak < MAX_MEMORY
    assert sum(stream.reads) <= MAX_HEADER_BYTES


def test_every_truncation_is_an_error_or_says_what_is_missing() -> None:
    """A file cut anywhere in its header is refused; cut in its weights, it knows how many bytes it lacks."""
    data = tiny().build()
    header = read(data)
    for end in range(0, header.data_offset, 7):
        with pytest.raises(GGUFError):
            judge(read(data[:end]))
    assert [1, 1000] == [read(data[: header.data_end - missing]).missing_bytes for missing in (1, 1000)]


def test_mutations_end_in_a_header_or_a_gguf_error() -> None:
    """2,000 seeded mutations, of tiny models and of the demo: never another exception."""
    originals = [tiny(architecture).build() for architecture in TENSORS]
    originals.append(demo_path().read_bytes()[: 256 * 2**10])
    draw = random.Random(2)
    outcomes = {"header": 0, "error": 0}
    for number in range(2000):
        data = bytearray(originals[number % len(originals)])
        for _ in range(draw.choice((1, 1, 2, 5, 20))):
            data[draw.randrange(min(len(data), 12_000))] = draw.choice((0, 1, 255, draw.randrange(256)))
        if draw.random() < 0.2:
            del data[draw.randrange(len(data)) :]
        try:
            header = read(bytes(data))
            judge(header)
            outcomes["header"] += 1
        except GGUFError:
            outcomes["error"] += 1
    assert outcomes["header"] > 100
    assert outcomes["error"] > 1000


def test_paths_that_cannot_be_opened(tmp_path: Path) -> None:
    """Nothing there, a directory, a device and an impossible name are NotFoundErrors in plain words."""
    (tmp_path / "file").touch()
    for path, words in (
        (tmp_path / "nothing.gguf", "There is no file"),
        (tmp_path, "is a directory"),
        (Path(os.devnull), "is not a regular file"),
        (tmp_path / "a\0b", "There is no file"),
        (tmp_path / "file" / "below.gguf", "There is no file"),
        (tmp_path / ("x" * 300), "can't be read"),
    ):
        with pytest.raises(NotFoundError) as caught:
            read_header(path)
        assert words in caught.value.message
        assert caught.value.hint


def test_no_permission(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file one may not read says so; the hint gives the command."""
    path = tmp_path / "secret.gguf"
    path.write_bytes(tiny().build())

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # the tests may run as root, whom no mode stops
    with pytest.raises(NotFoundError) as caught:
        read_header(path)
    assert "secret.gguf can't be opened: permission denied." == caught.value.message
    assert "chmod" in caught.value.hint


def test_messages_name_the_file_and_escape_odd_names(tmp_path: Path) -> None:
    """The sentence begins with the file's name, and no control character of it gets out."""
    for name, shown in (("model.gguf", "model.gguf is empty."), ("a\x1b[2Jb.gguf", "\\x1b[2Jb.gguf' is empty.")):
        (tmp_path / name).touch()
        with pytest.raises(GGUFError) as caught:
            read_header(tmp_path / name)
        assert caught.value.message.endswith(shown)
        assert "\x1b" not in caught.value.message


def test_a_file_is_read_from_a_path_too(tmp_path: Path) -> None:
    """A path and a stream give the same header, but for the name."""
    path = tmp_path / "model.gguf"
    path.write_bytes(tiny().build())
    header = read_header(path)
    assert ("model.gguf", read(path.read_bytes()).tensors) == (header.source, header.tensors)
    assert header == read_header(str(path))


def test_a_source_that_shrinks_while_it_is_read() -> None:
    """A stream that ends before the size it gave is a truncated file, not an endless loop."""

    class Shrinking(io.BytesIO):
        def seek(self, offset: int, whence: int = 0) -> int:
            return super().seek(offset, whence) + (1000 if whence else 0)

    with pytest.raises(GGUFError, match="ends in the middle"):
        read_header(Shrinking(tiny().build()[:2000]))
