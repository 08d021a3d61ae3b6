"""What a user may write for a model."""

from pathlib import Path

import pytest

from r1chat.errors import UsageError
from r1chat.models.reference import Demo, File, Name, Reference, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("demo", Demo()),
        (" Demo ", Demo()),
        ("./demo", File(Path("demo"))),
        ("model.gguf", File(Path("model.gguf"))),
        ("MODEL.GGUF", File(Path("MODEL.GGUF"))),
        ("models/r1", File(Path("models/r1"))),
        ("C:\\models\\r1.gguf", File(Path("C:\\models\\r1.gguf"))),
        ("7b", Name("7b")),
        ("deepseek-r1:14b-q8_0", Name("deepseek-r1:14b-q8_0")),
        ("hf.co/bartowski/DeepSeek-R1-Distill-Qwen-7B-GGUF:Q4_K_M", None),
        ("https://huggingface.co/a/b/blob/main/c.gguf", None),
        ("x" * 5000, None),
        ("a\0b", None),
    ],
)
def test_paths_and_names(text: str, expected: Reference | None) -> None:
    """A separator or .gguf makes a path, except in addresses of the Hub; all else is a name (None: the text itself)."""
    assert (expected if expected is not None else Name(text)) == parse(text)


def test_the_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quoted ~ means the home folder."""
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("USERPROFILE", "/home/ada")
    assert File(Path("/home/ada/r1.gguf")) == parse("~/r1.gguf")


def test_a_file_of_the_current_folder_needs_no_ending(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A bare word that names a file is that file; a folder of the name of a model does not hide the model."""
    (tmp_path / "weights").touch()
    (tmp_path / "7b").mkdir()
    monkeypatch.chdir(tmp_path)
    assert [File(Path("weights")), Name("7b")] == [parse("weights"), parse("7b")]


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_name_is_a_usage_error(text: str) -> None:
    """Nothing is not a model."""
    with pytest.raises(UsageError, match="empty"):
        parse(text)
