"""What a user may write for a model."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r1chat.core.sanitize import clean
from r1chat.errors import R1ChatError, UsageError
from r1chat.models.reference import Demo, File, Hub, Name, Ollama, Reference, parse

REPOSITORY = "bartowski/DeepSeek-R1-Distill-Qwen-7B-GGUF"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("demo", Demo()),
        (" Demo ", Demo()),
        ("./demo", File(Path("demo"))),
        ("../x", File(Path("../x"))),
        ("/models/x", File(Path("/models/x"))),
        ("model.gguf", File(Path("model.gguf"))),
        ("MODEL.GGUF", File(Path("MODEL.GGUF"))),
        ("models/r1.gguf", File(Path("models/r1.gguf"))),
        ("a/b/c", File(Path("a/b/c"))),
        ("C:\\models\\r1.gguf", File(Path("C:\\models\\r1.gguf"))),
        ("C:/models/r1", File(Path("C:/models/r1"))),
        ("\\\\server\\r1", File(Path("\\\\server\\r1"))),
        ("~nobody-of-that-name/x", File(Path("~nobody-of-that-name/x"))),
        ("What is 1/2?", File(Path("What is 1/2?"))),
    ],
)
def test_paths(text: str, expected: Reference) -> None:
    """What begins like a path, ends in .gguf or has a backslash is one, wherever it leads."""
    assert expected == parse(text)


@pytest.mark.parametrize(
    ("text", "name", "quantization"),
    [
        ("7b", "7b", None),
        ("r1:7b", "r1:7b", None),
        ("deepseek-r1:7b", "deepseek-r1:7b", None),
        ("distill-llama:70b", "distill-llama:70b", None),
        ("0528", "0528", None),
        ("7b-q8_0", "7b", "Q8_0"),
        ("7b_Q8-0", "7b", "Q8_0"),
        ("7b:Q8_0", "7b", "Q8_0"),
        ("deepseek-r1:14b-q8_0", "deepseek-r1:14b", "Q8_0"),
        ("deepseek-r1:14b:q8_0", "deepseek-r1:14b", "Q8_0"),
        ("DeepSeek-R1-Distill-Qwen-7B-Q4_K_M", "DeepSeek-R1-Distill-Qwen-7B", "Q4_K_M"),
        ("671b:UD-IQ1_S", "671b", "UD-IQ1_S"),
        ("671b-ud_iq1_s", "671b", "UD-IQ1_S"),
        ("7b:f16", "7b", "F16"),
        ("7b:latest", "7b:latest", None),
        ("What is 2+2?", "What is 2+2?", None),
    ],
)
def test_names(text: str, name: str, quantization: str | None) -> None:
    """A quantization may stand behind a name, after a colon, a - or a _, in any case."""
    assert Name(name, quantization) == parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (REPOSITORY, Hub(REPOSITORY)),
        (f"{REPOSITORY}:Q4_K_M", Hub(REPOSITORY, "Q4_K_M")),
        (f"hf.co/{REPOSITORY}:q4-k-m", Hub(REPOSITORY, "Q4_K_M")),
        (f"HF.co/{REPOSITORY}", Hub(REPOSITORY)),
        (f"huggingface.co/{REPOSITORY}:UD-IQ1_S", Hub(REPOSITORY, "UD-IQ1_S")),
        ("user/repo@v1:Q4_0", Hub("user/repo", "Q4_0", None, "v1")),
        ("user/repo:mystery", Hub("user/repo", "mystery")),
        ("user/repo:x.gguf", File(Path("user/repo:x.gguf"))),
        ("hf.co/user/repo:x.gguf", Hub("user/repo", file="x.gguf")),
        ("hf://user/repo", Hub("user/repo")),
        ("hf://user/repo:Q4_0", Hub("user/repo", "Q4_0")),
        ("hf://user/repo/file.gguf", Hub("user/repo", file="file.gguf")),
        ("hf://user/repo/a/b.gguf", Hub("user/repo", file="a/b.gguf")),
        ("hf://user/repo@abc/file.gguf", Hub("user/repo", file="file.gguf", revision="abc")),
        ("hf://user/repo@abc", Hub("user/repo", revision="abc")),
        ("hf://user/repo@refs/pr/1/a.gguf", Hub("user/repo", file="a.gguf", revision="refs/pr/1")),
        ("hf://user/repo@refs%2Fpr%2F1/a.gguf", Hub("user/repo", file="a.gguf", revision="refs/pr/1")),
        ("https://huggingface.co/user/repo", Hub("user/repo")),
        ("https://huggingface.co/user/repo/", Hub("user/repo")),
        ("http://www.huggingface.co/user/repo?x=1#y", Hub("user/repo")),
        ("https://hf.co/user/repo:Q4_0", Hub("user/repo", "Q4_0")),
        ("https://huggingface.co/user/repo/tree/main", Hub("user/repo", revision="main")),
        ("https://huggingface.co/user/repo/tree/main/UD-IQ1_S", Hub("user/repo", "UD-IQ1_S", None, "main")),
        ("https://huggingface.co/u/r/tree/main/DeepSeek-R1-Q4_K_M", Hub("u/r", "Q4_K_M", None, "main")),
        ("https://huggingface.co/user/repo/blob/abc/p/x.gguf", Hub("user/repo", None, "p/x.gguf", "abc")),
        ("https://huggingface.co/u/r/resolve/main/x.gguf?download=true", Hub("u/r", None, "x.gguf", "main")),
        ("https://huggingface.co/u/r/resolve/refs%2Fpr%2F2/x%20y.gguf", Hub("u/r", None, "x y.gguf", "refs/pr/2")),
        ("https://huggingface.co/u/r/blob/refs/pr/2/x.gguf", Hub("u/r", None, "x.gguf", "refs/pr/2")),
        ("https://huggingface.co/u/r?show_file_info=x.gguf", Hub("u/r", file="x.gguf")),
        ("huggingface.co/u/r/x.gguf", Hub("u/r", file="x.gguf")),
    ],
)
def test_the_hub(text: str, expected: Reference) -> None:
    """Every way to name a repository, a quantization, a file or a page of it; the repository keeps its case."""
    assert expected == parse(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ollama:deepseek-r1", "deepseek-r1"),
        ("Ollama:deepseek-r1:7b", "deepseek-r1:7b"),
        ("ollama://library/deepseek-r1:7b", "library/deepseek-r1:7b"),
        ("ollama:hf.co/user/repo:Q4_K_M", "hf.co/user/repo:Q4_K_M"),
    ],
)
def test_ollama(text: str, name: str) -> None:
    """A model of Ollama keeps its name and tag."""
    assert Ollama(name) == parse(text)


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


def test_what_is_here_is_no_repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """user/repository means a file or a folder of that path if there is one, even if its name is strange."""
    (tmp_path / "models" / "r1").mkdir(parents=True)
    (tmp_path / "models" / "r2").touch()
    monkeypatch.chdir(tmp_path)
    assert [File(Path("models/r1")), File(Path("models/r2"))] == [parse("models/r1"), parse("models/r2")]
    assert Hub("models/r3") == parse("models/r3")


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_name_is_a_usage_error(text: str) -> None:
    """Nothing is not a model."""
    with pytest.raises(UsageError, match="empty"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *("a\0b", "a\x1b[2Jb", "./a\nb", "hf://u/r/\x9b.gguf", "x" * 10_000, "hf.co/" + "x/" * 5_000),
        *("hf.co/../x", "hf://../../etc", "hf://u/..", "hf.co/u/a..b", "hf.co/u/a--b", "hf.co/u/a.git", "hf.co/-u/r"),
        *("hf://u", "hf://", "hf.co/", "https://huggingface.co", f"hf.co/{'u' * 97}/r", "hf.co/ü/r", "hf.co/u/r:"),
        *("hf://u/r/../x.gguf", "hf://u/r/a//b.gguf", "hf://u/r/a%5Cb.gguf", "hf://u/r/%2e%2e/x.gguf"),
        *("hf://u/r@/x.gguf", "hf://u/r@../x.gguf", "hf://u/r@a b/x.gguf", "hf.co/u/r:a b", "hf://u/r/README.md"),
        *("https://example.org/u/r", "https://huggingface.co.evil.org/u/r", "https://me:pw@huggingface.co/u/r"),
        *("https://huggingface.co:8443/u/r", "https://[::1/u/r", "ftp://huggingface.co/u/r", "file:///etc/passwd"),
        *("https://huggingface.co/datasets/u/r", "https://huggingface.co/spaces/u/r", "ollama:", "ollama:../x"),
        *("https://huggingface.co/u/r/discussions/1", "https://huggingface.co/u/r/blob/main/config.json"),
        *("https://huggingface.co/u/r/tree/main/docs", "https://huggingface.co/u/r/blob/main"),
    ],
)
def test_what_means_nothing_is_refused(text: str) -> None:
    """Hostile and hopeless words are told in one short, clean sentence, with a way out."""
    with pytest.raises(UsageError) as error:
        parse(text)
    assert error.value.hint
    for sentence in (error.value.message, error.value.hint):
        assert sentence.isprintable()
        assert len(sentence) < 300


ANY = st.one_of(
    st.text(),
    st.text("abQq4_-:@/.%\\~0\x00\x1b \n", max_size=60),
    st.builds(
        "".join,
        st.lists(
            st.sampled_from(
                [
                    *("hf://", "hf.co/", "https://huggingface.co/", "ollama:", "user", "/", "repo", "@", "..", ":"),
                    *("Q4_K_M", "tree", "blob", "main", "refs/pr/1", ".gguf", "?", "#", "%2F", "%", "[", "\ud800"),
                ]
            ),
            max_size=12,
        ),
    ),
)


@given(ANY)
def test_whatever_is_written_is_understood_or_refused(text: str) -> None:
    """No text makes the parser fail, and a repository or a file in one never leads anywhere else."""
    refusal: R1ChatError | None = None
    found: Reference | None = None
    try:
        found = parse(text)
    except R1ChatError as error:
        refusal = error
    words = refusal.message + refusal.hint if refusal else ""
    assert clean(words) == words
    assert "\n" not in words
    if isinstance(found, Hub):
        assert ".." not in found.repository.split("/")
        assert found.repository.count("/") == 1
        assert ".." not in (found.file or "").split("/")
        assert not (found.file or "").startswith("/")
