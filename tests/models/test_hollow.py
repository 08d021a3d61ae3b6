"""Headers in files of the true size: what the engine's library says of them is what it says of the whole file."""

import io
import sys
from pathlib import Path

import pytest

from r1chat.core.memory import Plan
from r1chat.engine.dryrun import dry_runs
from r1chat.models import hollow as module
from r1chat.models.gguf import read_header
from r1chat.models.hollow import Recorder, hollow
from r1chat.models.library import demo_path
from tests.shapes import SHAPES, write_shape

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a file with a hole takes all of its size there")


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A folder with nothing in it."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def recorded(file: Path) -> Recorder:
    """Read a header through a recorder."""
    recorder = Recorder(io.BytesIO(file.read_bytes()))
    read_header(recorder)  # type: ignore[arg-type]
    return recorder


def test_the_library_can_load_it_dry(tmp_path: Path, empty: Path) -> None:
    """The same sizes as of the file itself; at the end nothing is left."""
    original = tmp_path / "x.gguf"
    write_shape(original, SHAPES["deepseek-r1-distill-qwen-1.5b"], "Q8_0")
    with original.open("rb") as stream:
        recorder = Recorder(stream)
        read_header(recorder)  # type: ignore[arg-type]
    plans = [Plan(8192, 1)]
    with hollow([recorder], empty) as path:
        assert path is not None
        assert path.stat().st_size == original.stat().st_size
        assert path.stat().st_blocks * 512 < 16 << 20
        assert dry_runs(original, plans) == dry_runs(path, plans)
    assert [] == list(empty.iterdir())


def test_parts_have_the_names_of_parts(empty: Path) -> None:
    """llama.cpp finds the later parts by their names."""
    with hollow([recorded(demo_path())] * 2, empty) as path:
        assert path is not None
        assert ["model-00001-of-00002.gguf", "model-00002-of-00002.gguf"] == sorted(
            each.name for each in path.parent.iterdir()
        )
        assert "model-00001-of-00002.gguf" == path.name


def test_without_holes_there_is_no_file(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that fills every hole, and a folder that can't be written: None, and nothing is left."""
    with hollow([recorded(demo_path())], empty / "none") as path:
        assert path is None
    monkeypatch.setattr(module, "_PROBE_BYTES", 0)  # as large as what it takes
    with hollow([recorded(demo_path())], empty) as path:
        assert path is None
    assert [] == list(empty.iterdir())
