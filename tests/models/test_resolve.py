"""What a name means on the Hub."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r1chat.errors import NotFoundError, R1ChatError, UsageError
from r1chat.models import catalog
from r1chat.models.reference import Name, parse
from r1chat.models.resolve import Wish, unknown, wish

CATALOG = catalog.load(catalog.default_path())
QWEN_7B = "bartowski/DeepSeek-R1-Distill-Qwen-7B-GGUF"


def of(text: str, quantization: str | None = None, revision: str | None = None) -> Wish:
    """What a word means."""
    return wish(parse(text), CATALOG, quantization=quantization, revision=revision)


def test_a_name_means_its_default_and_says_so() -> None:
    """Without a quantization the default is wished for, and a notice names it with its size."""
    found = of("7b")
    assert (QWEN_7B, "main", "Q4_K_M", None) == (found.repository, found.revision, found.quantization, found.file)
    assert "7b without a quantization is 7b:Q4_K_M (4.7 GB)." == found.notice
    assert found.download is not None
    assert 4_683_073_504 == found.download.n_bytes
    assert "DeepSeek-R1-Distill-Qwen-7B" == found.title


@pytest.mark.parametrize(
    "text", ["7b:Q8_0", "7b-q8_0", "r1:7b:q8-0", "deepseek-r1:7b-q8_0", "DeepSeek-R1-Distill-Qwen-7B:Q8_0"]
)
def test_a_named_quantization_is_wished_for_without_a_word(text: str) -> None:
    """However the quantization is written, it is the one, and there is nothing to remark."""
    found = of(text)
    assert (QWEN_7B, "Q8_0", "") == (found.repository, found.quantization, found.notice)
    assert found == of("7b", "q8_0")
    assert "r1chat pull 7b:Q8_0" == found.command


def test_a_quantization_may_come_from_another_repository() -> None:
    """Each quantization has the repository that the catalogue names for it."""
    assert "unsloth/DeepSeek-R1-GGUF" == of("671b:UD-IQ1_S").repository
    assert "bartowski/DeepSeek-R1-GGUF" == of("671b:IQ4_XS").repository


def test_a_quantization_that_the_catalogue_does_not_know_is_left_to_the_hub() -> None:
    """The catalogue is not complete: what looks like a quantization is looked for in the model's repository."""
    found = of("7b:iq3_m")
    assert (QWEN_7B, "IQ3_M", None) == (found.repository, found.quantization, found.download)
    assert found.entry is CATALOG.find("7b")
    assert "r1chat pull 7b:IQ3_M" == found.command


@pytest.mark.parametrize(("text", "quantization"), [("7b:Q4KM", None), ("7b:latest", None), ("7b", "Q4KM")])
def test_what_is_no_quantization_lists_what_there_is(text: str, quantization: str | None) -> None:
    """A word that can't be a quantization is refused with all there are, their sizes and the nearest."""
    with pytest.raises(NotFoundError, match="has no quantization") as error:
        of(text, quantization)
    assert "IQ2_M (2.8 GB), " in error.value.hint
    assert "F16 (15.2 GB)." in error.value.hint
    assert ("The nearest is Q4_K_M." in error.value.hint) == ("Q4KM" in f"{text}{quantization}")


@pytest.mark.parametrize(
    ("text", "repository", "revision", "quantization", "file", "command"),
    [
        ("hf.co/u/r:Q4_0", "u/r", "main", "Q4_0", None, "r1chat pull u/r:Q4_0"),
        ("u/r", "u/r", "main", None, None, "r1chat pull u/r"),
        ("hf://u/r@v1/x.gguf", "u/r", "v1", None, "x.gguf", "r1chat pull hf://u/r@v1/x.gguf"),
        ("hf://u/r@v1:Q4_0", "u/r", "v1", "Q4_0", None, "r1chat pull u/r@v1:Q4_0"),
    ],
)
def test_a_repository_of_the_hub(
    text: str, repository: str, revision: str, quantization: str | None, file: str | None, command: str
) -> None:
    """What the user names is what is wished for, and the command says the same again."""
    found = of(text)
    assert (repository, revision, quantization, file, None) == (
        found.repository,
        found.revision,
        found.quantization,
        found.file,
        found.entry,
    )
    assert command == found.command
    assert found == of(found.command.removeprefix("r1chat pull "))


def test_a_repository_of_the_catalogue_is_recognized() -> None:
    """The model's family, size and hashes are known when its repository or file is named instead of its name."""
    entry = CATALOG.find("7b")
    assert entry is not None
    by_file = of(f"hf://{QWEN_7B}/DeepSeek-R1-Distill-Qwen-7B-Q8_0.gguf")
    by_tag = of(f"{QWEN_7B}:q8_0")
    assert (entry, entry) == (by_file.entry, by_tag.entry)
    assert entry.quantized("Q8_0") == by_file.download == by_tag.download
    assert of(f"hf://{QWEN_7B}/another-Q8_0.gguf").download is None
    assert of(f"{QWEN_7B}:F16").download is None  # the catalogue's comes from another repository


def test_options_add_to_a_name() -> None:
    """A revision and a quantization may be given beside the name."""
    assert "abc" == of("7b", revision="abc").revision
    assert ("Q4_0", "v1") == (of("u/r@v1", "q4_0").quantization, of("u/r@v1", "q4_0", "v1").revision)
    assert "Q4_0" == of("u/r:Q4_0", "q4-0").quantization


@pytest.mark.parametrize(
    ("text", "quantization", "revision", "words"),
    [
        ("7b:Q4_0", "Q8_0", None, "Two quantizations"),
        ("u/r:Q4_0", "Q8_0", None, "Two quantizations"),
        ("u/r@a", None, "b", "Two revisions"),
        ("hf://u/r/x.gguf", "Q8_0", None, "one file"),
        ("demo", None, None, "part of r1chat"),
        ("./x.gguf", None, None, "path on this machine"),
        ("ollama:x", None, None, "Ollama's"),
    ],
)
def test_what_can_not_be_wished_for(text: str, quantization: str | None, revision: str | None, words: str) -> None:
    """Two different wishes in one, and what is not on the Hub at all, are usage errors with a way out."""
    with pytest.raises(UsageError, match=words) as error:
        of(text, quantization, revision)
    assert error.value.hint


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("deepsek-r1:7b", "Did you mean deepseek-r1:7b"),
        ("deepsek-r1:7b-q8_0", "Did you mean deepseek-r1:7b"),
        ("What is 2+2?", "Name the model first"),
        ("zzzzzz", "r1chat run demo"),
    ],
)
def test_an_unknown_name(name: str, words: str) -> None:
    """A slip gets suggestions, a question where the model should stand is told so, and the rest a way out."""
    with pytest.raises(NotFoundError, match="There is no model") as error:
        of(name)
    assert words in error.value.hint


def test_an_unknown_name_is_shown_clean_and_short() -> None:
    """Whatever was typed, the sentence can be printed."""
    error = unknown("\x1b[2J" * 500, CATALOG)
    assert "\x1b" not in error.message
    assert len(error.message) < 150


def test_a_file_without_its_quantization_in_its_name(tmp_path: Path) -> None:
    """In a user's own catalogue a file may have any name: then the file itself is wished for, at its revision."""
    (tmp_path / "models.toml").write_text(
        '[[model]]\nid = "mine"\n[[model.downloads]]\nrepository = "me/mine"\nrevision = "v2"\nfile = "weights.gguf"\n'
        'quantizations = [{ name = "Q4_0" }]\n',
        encoding="utf-8",
    )
    known = catalog.load(catalog.default_path(), tmp_path / "models.toml")
    found = wish(parse("mine"), known)
    assert ("weights.gguf", "v2", "Q4_0") == (found.file, found.revision, found.quantization)
    assert "r1chat pull hf://me/mine@v2/weights.gguf" == found.command
    assert "mine without a quantization is mine:Q4_0." == found.notice


@given(st.text(max_size=40), st.none() | st.text(max_size=10))
def test_no_name_fails_in_another_way(name: str, quantization: str | None) -> None:
    """Whatever is typed is found, or refused with one of our errors."""
    with contextlib.suppress(R1ChatError):
        assert wish(Name(name), CATALOG, quantization=quantization).repository
