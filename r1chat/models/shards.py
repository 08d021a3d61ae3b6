"""A model in one file or in several: finds the shards, checks them, and joins their headers into one.

Knows llama.cpp's naming (`llama_split_path`, src/llama.cpp): NAME-00001-of-00009.gguf, counted from 1, while the
metadata key `split.no` counts from 0. Only the first shard has the model's metadata, and it is the one to load.
"""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from r1chat.errors import GGUFError
from r1chat.models.gguf import BROKEN_HINT, display_name, read_header
from r1chat.models.header import Header, Tensor

_SHARD_NAME: Final = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A whole model on disk. `path` is the file to load, `paths` are all of it, `header` has all tensors."""

    path: Path
    paths: tuple[Path, ...]
    header: Header


def read_model(path: Path) -> ModelFile:
    """Read the header of a model, whole or split, from the path of the file or of any of its shards.

    Raises what read_header and check_shards raise, and GGUFError for shards that do not belong together.
    """
    header = read_header(path)
    paths = check_shards(path, header)
    if len(paths) == 1:
        return ModelFile(path, paths, header)
    headers = tuple(header if shard == path else read_header(shard) for shard in paths)
    return ModelFile(paths[0], paths, join_headers(headers))


def check_shards(path: Path, header: Header) -> tuple[Path, ...]:
    """Return the paths of all shards in order: one for a model in one file. Raises GGUFError if any is missing."""
    count = header.integer("split.count", 1)
    if count <= 1:
        return (path,)
    match = _SHARD_NAME.fullmatch(path.name)
    if match is None or int(match["count"]) != count:
        raise GGUFError(
            f"{display_name(path)} is part {header.integer('split.no') + 1} of {count} of a model, but not named so.",
            hint=f"Give every part its name again, like model-00001-of-{count:05d}.gguf.",
        )
    shards = tuple(
        path.with_name(f"{match['stem']}-{number:05d}-of-{count:05d}.gguf") for number in range(1, count + 1)
    )
    missing = [display_name(shard) for shard in shards if not shard.is_file()]
    if missing:
        raise GGUFError(
            f"{display_name(path)} is one of {count} parts of a model, and {_listed(missing)} not beside it.",
            hint=f"Get all {count} parts and put them into the same folder.",
        )
    return shards


def _listed(names: list[str]) -> str:
    """Name the missing parts, at most three of them."""
    if len(names) == 1:
        return f"{names[0]} is"
    if len(names) <= 3:
        return f"{', '.join(names[:-1])} and {names[-1]} are"
    return f"{', '.join(names[:3])} and {len(names) - 3} more are"


def join_headers(headers: tuple[Header, ...]) -> Header:
    """Check that the shards make one model, whole, and join their tensors under the first one's metadata."""
    first = headers[0]
    tensors: dict[str, Tensor] = {}
    for number, header in enumerate(headers):
        if header.integer("split.no", -1) != number or header.integer("split.count") != len(headers):
            raise GGUFError(f"{header.source} is not the part that its name says.", hint=BROKEN_HINT)
        if header.missing_bytes:
            raise GGUFError(
                f"{header.source} is incomplete: {header.missing_bytes:,} of {header.data_end:,} bytes are missing.",
                hint="The download was cut off: get this part again.",
            )
        for tensor in header.tensors:
            if tensor.name in tensors:
                raise GGUFError(f"{header.source} repeats a tensor of another part.", hint=BROKEN_HINT)
            tensors[tensor.name] = tensor
    if first.integer("split.tensors.count", -1) != len(tensors):
        raise GGUFError(f"The {len(headers)} parts of {first.source} don't belong together.", hint=BROKEN_HINT)
    return dataclasses.replace(first, tensors=tuple(tensors.values()))
