"""Says what a file is that is not a GGUF. Knows the first bytes of common formats; opens and reads nothing."""

import re
from typing import Final

from r1chat.errors import GGUFError

# Enough for a Git LFS pointer (at most 1,024 bytes by its specification) and for any format's first bytes.
SNIFF_BYTES: Final = 64 * 2**10

_LFS_START: Final = b"version https://git-lfs.github.com/spec/"
_LFS_SIZE: Final = re.compile(rb"^size (\d{1,18})$", re.MULTILINE)
_LLAMA_FORMATS: Final = (b"lmgg", b"fmgg", b"tjgg", b"algg")  # ggml, ggmf, ggjt, ggla: llama.cpp before August 2023
_ARCHIVES: Final = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"Rar!", "a RAR archive"),
)

_WANT_GGUF: Final = "r1chat runs GGUF files: get the model's GGUF conversion."


def not_a_gguf(name: str, head: bytes, size: int) -> GGUFError:
    """Name what a file is by its first bytes. `name` begins the sentence; `size` is the whole file's, in bytes."""
    if size == 0:
        return GGUFError(f"{name} is empty.", hint="The download did not begin, or failed: get the file again.")
    if head.startswith(_LFS_START):
        return _lfs_pointer(name, head)
    if not any(head):
        return GGUFError(f"{name} is no GGUF file: it begins with zeros.", hint="The download broke: get it again.")
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return GGUFError(
            f"{name} is a web page, not a model.",
            hint="Download the file itself: on the Hub its address has /resolve/ where the page has /blob/.",
        )
    what, hint = _format(head, text, size)
    return GGUFError(f"{name} is {what + ', ' if what else ''}not a GGUF file.", hint=hint)


def _lfs_pointer(name: str, head: bytes) -> GGUFError:
    size = _LFS_SIZE.search(head)
    of = f" of {int(size[1]):,} bytes" if size else ""
    return GGUFError(
        f"{name} is a Git LFS pointer, not the model itself.",
        hint=f"Fetch the real file{of}: git lfs install && git lfs pull, or download it from the model's page.",
    )


def _format(head: bytes, text: bytes, size: int) -> tuple[str, str]:
    """Return what it is, if that can be told, and what to do."""
    if _is_safetensors(head, size):
        return "a safetensors file", _WANT_GGUF
    if head.startswith(b"PK\x03\x04"):
        pickled = b".pkl" in head[:4096]
        return ("a PyTorch checkpoint" if pickled else "a ZIP archive"), _WANT_GGUF if pickled else "Unpack it first."
    if head.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        return "a Python pickle (an old PyTorch checkpoint)", _WANT_GGUF
    if head.startswith(_LLAMA_FORMATS):
        return "a GGML model from before GGUF", "Get a newer conversion of the model: a .gguf file."
    for magic, what in _ARCHIVES:
        if head.startswith(magic):
            return what, "Unpack it first."
    if text.startswith((b"{", b"[")):
        return "a JSON file", _WANT_GGUF
    return "", _WANT_GGUF


def _is_safetensors(head: bytes, size: int) -> bool:
    """The format begins with the length of its JSON header, then the JSON."""
    return len(head) > 9 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") + 8 <= size
