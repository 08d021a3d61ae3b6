"""What a user may write where a model is expected. Parses words; whether the model exists is decided elsewhere.

    demo                                        the bundled model
    7b  r1:7b  deepseek-r1:7b-q8_0  7b:Q8_0     a name of the catalogue, and maybe a quantization
    user/repository:Q4_K_M                      a repository of the Hub; hf.co/…, huggingface.co/… and hf://… as well
    hf://user/repository@revision/file.gguf     a file of it
    https://huggingface.co/user/repository/…    a page of it: of the repository, a folder or a file
    ollama:deepseek-r1:7b                       a model that Ollama holds
    ./x  ../x  ~/x  C:\\x  x.gguf               a path

Case and - or _ make no difference in names and quantizations; a repository and its files are named as they are. Between
`user/repository` and a path: what exists on this machine is meant, else what ends in .gguf is a path, else it is a
repository. Only for that the disk is asked, and for a bare word that is a file of the current folder.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from r1chat.core.sanitize import clean
from r1chat.errors import UsageError
from r1chat.models.variants import canonical, looks_like_one, quantization_of

MAX_LENGTH: Final = 4096  # what Linux takes for a path; no name is longer
_HUB_HOSTS: Final = ("huggingface.co", "www.huggingface.co", "hf.co", "www.hf.co")
_SCHEME: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")
# A quantization at the end of a name. Its parts are those that the types of llama.cpp and their mixtures have.
_ENDING: Final = re.compile(
    r"(?P<name>.+?)[-_:](?P<quantization>(?:ud[-_])?(?:(?:i?q|tq)[1-8](?:[-_](?:[0-9]|k|xxs|xs|s|m|l|xl|nl))+"
    r"|bf16|fp?16|fp?32|mxfp4(?:[-_]moe)?|nvfp4))",
    re.IGNORECASE,
)
# The Hub's own rule (huggingface_hub, utils/_validators.py): no -- and no .., no .git at the end, 96 characters.
_PART: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_REVISION: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")
_LONG_REVISION: Final = re.compile(r"(?P<revision>refs/(?:pr|convert)/[^/:]+)(?:/|:|$)")
_OLLAMA: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]*")


@dataclass(frozen=True, slots=True)
class Demo:
    """The bundled demo model."""


@dataclass(frozen=True, slots=True)
class File:
    """A file on this machine, which may or may not be there."""

    path: Path


@dataclass(frozen=True, slots=True)
class Name:
    """A name, of the catalogue if it is known there, and the quantization if one is named."""

    name: str
    quantization: str | None = None


@dataclass(frozen=True, slots=True)
class Hub:
    """A repository of the Hub and what of it: a quantization or a file (or the default), at a revision (or main)."""

    repository: str
    quantization: str | None = None
    file: str | None = None
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class Ollama:
    """A model in Ollama's own store: NAME, or NAME:TAG."""

    name: str


Reference = Demo | File | Name | Hub | Ollama


def parse(text: str) -> Reference:
    """Tell what a word for a model means. Raises UsageError for what can mean nothing."""
    text = text.strip()
    if not text:
        raise UsageError("The name of the model is empty.", hint="Try the bundled one: r1chat run demo")
    if len(text) > MAX_LENGTH:
        raise UsageError(f"The name of the model has {len(text):,} characters.", hint="Use its name, path or address.")
    if text.casefold() == "demo":
        return Demo()
    if "\0" in text or (_CONTROL.search(text) and not _exists(Path(text))):
        raise UsageError(f"{_shown(text)} holds control characters.", hint="Use a name of: r1chat models")
    if (lower := text.casefold()).startswith("ollama:"):
        return _ollama(text)
    if match := _SCHEME.match(text):
        if match["scheme"].lower() == "hf":
            return _repository(text, unquote(text[match.end() :]))
        return _page(text)
    if lower.startswith(tuple(f"{host}/" for host in _HUB_HOSTS)):
        return _page(f"https://{text}")
    if _is_path(text):
        return File(_expanded(text))
    if "/" in text:
        return _hub_or_path(text)
    return named(text)


def named(text: str) -> Name:
    """Take a name apart: what stands before a quantization, and the quantization."""
    if match := _ENDING.fullmatch(text):
        return Name(match["name"], canonical(match["quantization"]))
    return Name(text)


def is_repository(text: str) -> bool:
    """Whether a text can be the name of a repository on the Hub: user/repository."""
    parts = text.split("/")
    return len(parts) == 2 and all(
        _PART.fullmatch(part) and len(part) <= 96 and "--" not in part and ".." not in part and part[-4:] != ".git"
        for part in parts
    )


def is_inside(path: str) -> bool:
    """Whether a text can be the path of a file in a repository: relative, with /, and never leading out of it."""
    return (
        0 < len(path) <= 1024
        and not _CONTROL.search(path)
        and "\\" not in path
        and all(part not in ("", ".", "..") for part in path.split("/"))
    )


def _is_path(text: str) -> bool:
    if "\\" in text or text in (".", "..") or text.startswith(("./", "../", "/", "~")) or _DRIVE.match(text):
        return True
    if text.lower().endswith(".gguf"):
        return True
    # A folder of the name of a model does not hide the model: only with a / a folder is meant.
    return _exists(Path(text)) if "/" in text else _is_file(Path(text))


def _hub_or_path(text: str) -> Reference:
    head, colon, tail = text.partition(":")
    name, at, revision = head.partition("@")
    if not is_repository(name) or (colon and not tail) or (at and not _REVISION.fullmatch(revision)):
        return File(_expanded(text))  # nothing of that name is here: who opens it will say so
    return _repository(text, text)


def _repository(text: str, rest: str) -> Hub:
    """Read user/repository[@revision][/file | :quantization]."""
    user, _, rest = rest.strip("/").partition("/")
    at = rest.find("@")
    revision = None
    if at >= 0 and not set("/:") & set(rest[:at]):
        name, rest = rest[:at], rest[at + 1 :]
        match = _LONG_REVISION.match(rest) or re.match(r"(?P<revision>[^/:]*)", rest)
        assert match is not None  # the second pattern takes anything
        revision, rest = match["revision"], rest[match.end("revision") :]
    else:
        match = re.match(r"[^/:]*", rest)
        assert match is not None
        name, rest = match[0], rest[match.end() :]
    if rest.startswith(":"):
        return _hub(text, f"{user}/{name}", tag=rest[1:], revision=revision)
    return _hub(text, f"{user}/{name}", file=rest.strip("/") or None, revision=revision)


def _page(text: str) -> Hub:
    """Read the address of a page of the Hub."""
    try:
        address = urlsplit(text)
        host, parts = address.netloc.lower(), [unquote(part) for part in address.path.split("/") if part]
        query = parse_qs(address.query)
    except ValueError as error:
        raise UsageError(f"{_shown(text)} is not an address.", hint="Use one of huggingface.co.") from error
    if address.scheme.lower() not in ("http", "https") or host not in _HUB_HOSTS:
        hint = "Use one of huggingface.co; for a mirror set HF_ENDPOINT and name user/repository."
        raise UsageError(f"{_shown(text)} is no address of the Hub.", hint=hint)
    if parts[:1] == ["models"]:
        parts = parts[1:]
    if parts and parts[0] in ("datasets", "spaces", "collections", "papers", "docs", "api"):
        raise UsageError(f"{_shown(text)} is no page of a model.", hint="Use the page of a repository with GGUF files.")
    repository, rest = "/".join(parts[:2]), parts[2:]
    if len(parts) == 2 and ":" in parts[1]:  # hf.co/user/repository:Q4_K_M
        repository, _, tag = repository.partition(":")
        return _revised(text, repository, tag=tag)
    if not rest or rest == ["tree"]:
        return _revised(text, repository, file=query.get("show_file_info", [None])[0])
    if rest[0] in ("blob", "resolve", "raw", "tree") and len(rest) > 1:
        n_revision = 3 if rest[1] == "refs" and len(rest) > 3 else 1
        revision, path = "/".join(rest[1 : 1 + n_revision]), "/".join(rest[1 + n_revision :])
        if rest[0] == "tree":
            return _folder(text, repository, path, revision)
        return _hub(text, repository, file=path, revision=revision)
    if rest[-1].lower().endswith(".gguf"):  # hf.co/user/repository/file.gguf
        return _revised(text, repository, file="/".join(rest))
    raise UsageError(f"{_shown(text)} is no page of a model's files.", hint="Use the page of the repository or a file.")


def _revised(text: str, repository: str, *, tag: str | None = None, file: str | None = None) -> Hub:
    """Split a revision off a repository's name: hf.co/user/repository@revision."""
    repository, at, revision = repository.partition("@")
    return _hub(text, repository, tag=tag, file=file, revision=revision if at else None)


def _folder(text: str, repository: str, path: str, revision: str) -> Hub:
    """Read the page of a folder: a split model's folder is named after its quantization."""
    if not path:
        return _hub(text, repository, revision=revision)
    quantization = quantization_of(f"{path}/folder")
    if not quantization:
        hint = "Name the file, or the repository and a quantization: user/repository:Q4_K_M"
        raise UsageError(f"{_shown(text)} is a folder whose name tells no quantization.", hint=hint)
    return _hub(text, repository, tag=quantization, revision=revision)


def _hub(
    text: str,
    repository: str,
    *,
    tag: str | None = None,
    file: str | None = None,
    revision: str | None = None,
) -> Hub:
    """Check the parts and put them together. `tag` is what stands behind a colon: a quantization, or a file's name."""
    if not is_repository(repository):
        hint = "On the Hub a model is user/repository, like bartowski/DeepSeek-R1-Distill-Qwen-7B-GGUF"
        raise UsageError(f"{_shown(text)} names no repository.", hint=hint)
    if revision is not None and (not _REVISION.fullmatch(revision) or ".." in revision or len(revision) > 255):
        hint = "Use a branch, a tag or a commit: hf://user/repository@main/file.gguf"
        raise UsageError(f"{_shown(text)} names no revision.", hint=hint)
    if tag is not None and tag.lower().endswith(".gguf"):
        tag, file = None, tag
    if tag is not None and not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", tag):
        raise UsageError(f"{_shown(text)} names no quantization.", hint=f"Use one like {repository}:Q4_K_M")
    if file is not None and not is_inside(file):
        raise UsageError(f"{_shown(text)} names no file of a repository.", hint=f"Try hf://{repository}/file.gguf")
    if file is not None and not file.lower().endswith(".gguf"):
        raise UsageError(f"{_shown(text)} is not a GGUF file.", hint="r1chat runs models in GGUF files only.")
    return Hub(repository, canonical(tag) if tag and looks_like_one(tag) else tag, file, revision)


def _ollama(text: str) -> Ollama:
    name = text.partition(":")[2].removeprefix("//")
    if not _OLLAMA.fullmatch(name) or ".." in name or len(name) > 255:
        raise UsageError(f"{_shown(text)} names no model of Ollama.", hint="Use one like ollama:deepseek-r1:7b")
    return Ollama(name)


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # ~nobody: there is no such home
        return Path(text)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that can't be a file's: too long, or with a NUL
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _shown(text: str) -> str:
    """Make a word fit for a sentence: harmless, in one line and not too long."""
    text = clean(text).replace("\n", "\u240a").replace("\t", "\u2409")
    return text if len(text) <= 80 else f"{text[:60]}…"
