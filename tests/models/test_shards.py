"""Models in several files: all parts must be there, whole, and belong together; the first is loaded."""

from pathlib import Path
from typing import Any

import pytest

from r1chat.errors import GGUFError
from r1chat.models.gguf import read_header
from r1chat.models.judge import judge
from r1chat.models.shards import check_shards, read_model
from tests.gguf_writer import Model, Typed, tiny, u16


def write_shards(folder: Path, count: int = 3, **first_changes: Any) -> list[Path]:
    """Write a tiny model split into `count` files, as llama-gguf-split does."""
    whole = tiny()
    share = -(-len(whole.tensors) // count)
    paths = []
    for number in range(count):
        split = {
            "split.no": u16(number),
            "split.count": u16(count),
            "split.tensors.count": Typed(5, len(whole.tensors)),
        }
        metadata = {**(whole.metadata if number == 0 else {}), **split, **(first_changes if number == 0 else {})}
        tensors = whole.tensors[number * share : (number + 1) * share]
        paths.append(folder / f"tiny-{number + 1:05d}-of-{count:05d}.gguf")
        paths[-1].write_bytes(Model(metadata, tensors).build())
    return paths


def test_any_shard_leads_to_the_first_and_to_all_tensors(tmp_path: Path) -> None:
    """Whichever part is named, the first is the one to load and the joined header passes the judge."""
    paths = write_shards(tmp_path)
    for path in paths:
        model = read_model(path)
        judge(model.header)
        assert (paths[0], tuple(paths), len(tiny().tensors)) == (model.path, model.paths, len(model.header.tensors))


def test_a_model_in_one_file_is_itself(tmp_path: Path) -> None:
    """A file that says nothing of parts is the whole model."""
    path = tmp_path / "m.gguf"
    path.write_bytes(tiny().build())
    model = read_model(path)
    assert (path, (path,), read_header(path)) == (model.path, model.paths, model.header)


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ([2], "tiny-00002-of-00005.gguf is not beside it"),
        ([1, 4], "tiny-00001-of-00005.gguf and tiny-00004-of-00005.gguf are not beside it"),
        ([1, 2, 4, 5], "tiny-00001-of-00005.gguf, tiny-00002-of-00005.gguf, tiny-00004-of-00005.gguf and 1 more are"),
    ],
)
def test_missing_parts_are_named(tmp_path: Path, missing: list[int], words: str) -> None:
    """The sentence names the missing parts, three at most, and the hint says to get all."""
    paths = write_shards(tmp_path, 5)
    for number in missing:
        paths[number - 1].unlink()
    with pytest.raises(GGUFError) as caught:
        read_model(paths[2])
    assert words in caught.value.message
    assert "Get all 5 parts" in caught.value.hint


def test_a_renamed_part_cannot_find_the_others(tmp_path: Path) -> None:
    """A part under another name says which it is."""
    path = write_shards(tmp_path)[1].rename(tmp_path / "model.gguf")
    with pytest.raises(GGUFError, match=r"model\.gguf is part 2 of 3 of a model, but not named so"):
        check_shards(path, read_header(path))


def test_a_truncated_part_is_named(tmp_path: Path) -> None:
    """Which part is incomplete, and by how much."""
    paths = write_shards(tmp_path)
    paths[1].write_bytes(paths[1].read_bytes()[:-100])
    with pytest.raises(GGUFError, match=r"tiny-00002-of-00003.gguf is incomplete: 100 of [\d,]+ bytes are missing"):
        read_model(paths[0])


def test_parts_that_do_not_belong_together(tmp_path: Path) -> None:
    """Swapped parts, a part given twice and a wrong total are refused."""
    paths = write_shards(tmp_path)
    second, third = paths[1].read_bytes(), paths[2].read_bytes()
    paths[1].write_bytes(third)
    with pytest.raises(GGUFError, match=r"tiny-00002-of-00003\.gguf is not the part that its name says"):
        read_model(paths[0])
    paths[1].write_bytes(second)
    twin = Model({"split.no": u16(2), "split.count": u16(3)}, [tiny().tensors[0]])
    paths[2].write_bytes(twin.build())
    with pytest.raises(GGUFError, match=r"tiny-00003-of-00003\.gguf repeats a tensor of another part"):
        read_model(paths[0])
    write_shards(tmp_path, **{"split.tensors.count": Typed(5, 99)})
    with pytest.raises(GGUFError, match="don't belong together"):
        read_model(paths[0])
