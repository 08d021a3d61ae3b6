"""The catalogue as shipped, and what happens when it is broken."""

from pathlib import Path

import pytest

from r1chat.errors import R1ChatError
from r1chat.models import catalog
from r1chat.models.library import demo_path

CATALOG = catalog.load(catalog.default_path())


def test_the_ten_models_are_there() -> None:
    """DeepSeek's own four releases of the full size and of 0528, and the six distilled models."""
    assert [
        "DeepSeek-R1-Distill-Qwen-1.5B",
        "DeepSeek-R1-Distill-Qwen-7B",
        "DeepSeek-R1-Distill-Llama-8B",
        "DeepSeek-R1-Distill-Qwen-14B",
        "DeepSeek-R1-Distill-Qwen-32B",
        "DeepSeek-R1-Distill-Llama-70B",
        "DeepSeek-R1-0528-Qwen3-8B",
        "DeepSeek-R1",
        "DeepSeek-R1-Zero",
        "DeepSeek-R1-0528",
    ] == [entry.title for entry in CATALOG.entries]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("7b", "DeepSeek-R1-Distill-Qwen-7B"),
        ("7B", "DeepSeek-R1-Distill-Qwen-7B"),
        ("r1:7b", "DeepSeek-R1-Distill-Qwen-7B"),
        ("deepseek-r1:7b", "DeepSeek-R1-Distill-Qwen-7B"),
        ("DeepSeek_R1_Distill_Qwen_7B", "DeepSeek-R1-Distill-Qwen-7B"),
        ("8b", "DeepSeek-R1-Distill-Llama-8B"),
        ("deepseek-r1:1.5b", "DeepSeek-R1-Distill-Qwen-1.5B"),
        ("distill-llama-70b", "DeepSeek-R1-Distill-Llama-70B"),
        ("0528-qwen3-8b", "DeepSeek-R1-0528-Qwen3-8B"),
        (" r1 ", "DeepSeek-R1"),
        ("671b", "DeepSeek-R1"),
        ("zero", "DeepSeek-R1-Zero"),
        ("0528", "DeepSeek-R1-0528"),
    ],
)
def test_names_and_aliases(name: str, title: str) -> None:
    """Ids, titles and aliases are found in any case, with - and _ alike, and behind r1: and deepseek-r1:."""
    entry = CATALOG.find(name)
    assert entry is not None
    assert title == entry.title


def test_unknown_names_are_not_found() -> None:
    """No guess is made."""
    assert [None, None, None] == [CATALOG.find(name) for name in ("9b", "", "r1:")]


def test_no_two_models_share_a_name() -> None:
    """Every name of the catalogue leads to one entry."""
    owners = {(name.casefold().replace("_", "-"), entry.id) for entry in CATALOG.entries for name in entry.names}
    assert len(owners) == len({name for name, _ in owners})


def test_typos_get_suggestions() -> None:
    """A mistyped name suggests the nearest, one per model; nonsense suggests nothing."""
    assert "distill-qwen-7b" == CATALOG.nearest("distil-qwen-7b")[0]
    assert "deepseek-r1:14b" == CATALOG.nearest("deepseek-r1:14")[0]
    assert () == CATALOG.nearest("§§§§§§§")
    assert len(CATALOG.nearest("deepseek-r1")) == 3


def test_what_a_message_about_a_missing_model_needs() -> None:
    """The entry gives the repository, the file, its address and its size."""
    entry = CATALOG.find("7b")
    assert entry is not None
    assert (4_683_073_504, 1, "Q4_K_M") == (entry.download.n_bytes, entry.download.n_files, entry.download.quantization)
    assert (
        "https://huggingface.co/bartowski/DeepSeek-R1-Distill-Qwen-7B-GGUF/resolve/main/"
        "DeepSeek-R1-Distill-Qwen-7B-Q4_K_M.gguf" == entry.download.url
    )


def test_split_models_name_their_first_part() -> None:
    """The number of files is that of the first part's name."""
    for entry in CATALOG.entries:
        expected = int(entry.download.file[-10:-5]) if "-of-" in entry.download.file else 1
        assert expected == entry.download.n_files


def test_parameters_count_all_and_the_active_ones() -> None:
    """A dense model uses all of its parameters for a token, the full R1 37 billion of 671."""
    dense, full = CATALOG.find("7b"), CATALOG.find("r1")
    assert dense is not None
    assert full is not None
    assert dense.parameters == dense.active_parameters
    assert (671_026_419_200, 37_000_000_000) == (full.parameters, full.active_parameters)


BROKEN = {
    "missing": None,
    "no TOML": "[[model",
    "no models": "x = 1",
    "no id": '[[model]]\nfamily = "r1"\n[model.download]\n',
    "unknown family": '[[model]]\nfamily = "r2"\n',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_catalogue_is_one_error(text: str | None, tmp_path: Path) -> None:
    """Whatever is wrong with the file, the error says that the catalogue can't be read."""
    path = tmp_path / "models.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(R1ChatError, match="catalogue"):
        catalog.load(path)


def test_the_demo_is_inside_the_package() -> None:
    """The bundled model lies with the package's data."""
    assert ("demo.gguf", "data", "r1chat") == (demo_path().name, *(parent.name for parent in demo_path().parents[:2]))
