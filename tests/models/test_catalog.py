"""The catalogue as shipped, what a user's own file makes of it, and what happens when one of them is broken."""

import itertools
import tomllib
from pathlib import Path

import pytest
import tomli_w

from r1chat.core.sampling import Sampling
from r1chat.errors import R1ChatError, UsageError
from r1chat.models import catalog
from r1chat.models.catalog import Download, Entry
from r1chat.models.library import demo_path
from r1chat.models.reference import Name, is_repository, parse
from r1chat.models.variants import canonical, quantization_of

PATH = catalog.default_path()
CATALOG = catalog.load(PATH)
DOWNLOADS = [(entry, download) for entry in CATALOG.entries for download in entry.downloads]


def entry_of(name: str, known: catalog.Catalog = CATALOG) -> Entry:
    """The entry of a name that there is."""
    entry = known.find(name)
    assert entry is not None
    return entry


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
        ("deepseek-r1:7b-qwen-distill", "DeepSeek-R1-Distill-Qwen-7B"),
        ("DeepSeek_R1_Distill_Qwen_7B", "DeepSeek-R1-Distill-Qwen-7B"),
        ("8b", "DeepSeek-R1-Distill-Llama-8B"),
        ("deepseek-r1:1.5b", "DeepSeek-R1-Distill-Qwen-1.5B"),
        ("distill-llama-70b", "DeepSeek-R1-Distill-Llama-70B"),
        ("distill-llama:70b", "DeepSeek-R1-Distill-Llama-70B"),
        ("0528-qwen3-8b", "DeepSeek-R1-0528-Qwen3-8B"),
        (" r1 ", "DeepSeek-R1"),
        ("671b", "DeepSeek-R1"),
        ("deepseek-r1", "DeepSeek-R1"),
        ("zero", "DeepSeek-R1-Zero"),
        ("0528", "DeepSeek-R1-0528"),
    ],
)
def test_names_and_aliases(name: str, title: str) -> None:
    """Ids, titles and aliases are found in any case, with -, _ and : alike, and behind r1: and deepseek-r1:."""
    assert title == entry_of(name).title


@pytest.mark.parametrize(("entry", "download"), DOWNLOADS, ids=lambda each: getattr(each, "quantization", None))
def test_every_name_with_every_quantization_is_understood(entry: Entry, download: Download) -> None:
    """Each name of each model, joined with each of its quantizations, means just these two, however it is written."""
    for name, joint, fold in itertools.product(entry.names, ":-_", (str.upper, str.lower, str)):
        reference = parse(fold(f"{name}{joint}{download.quantization}".replace("_", joint if joint != ":" else "_")))
        assert isinstance(reference, Name)
        assert entry is CATALOG.find(reference.name)
        assert reference.quantization is not None
        assert download is entry.quantized(reference.quantization)


def test_unknown_names_are_not_found() -> None:
    """No guess is made."""
    assert [None, None, None] == [CATALOG.find(name) for name in ("9b", "", "r1:")]


def test_no_two_models_share_a_name() -> None:
    """Every name of the catalogue leads to one entry."""
    owners = {(catalog._folded(name), entry.id) for entry in CATALOG.entries for name in entry.names}
    assert len(owners) == len({name for name, _ in owners})


def test_typos_get_suggestions() -> None:
    """A mistyped name suggests the nearest, one per model; nonsense suggests nothing."""
    assert "distill-qwen-7b" == CATALOG.nearest("distil-qwen-7b")[0]
    assert "deepseek-r1:14b" == CATALOG.nearest("deepseek-r1:14")[0]
    assert () == CATALOG.nearest("§§§§§§§")
    assert () == catalog.Catalog(()).nearest("7b")
    assert len(CATALOG.nearest("deepseek-r1")) == 3


def test_what_a_message_about_a_missing_model_needs() -> None:
    """The entry gives the repository, the file, its address and its size."""
    download = entry_of("7b").download
    assert (4_683_073_504, 1, "Q4_K_M", True) == (
        download.n_bytes,
        download.n_files,
        download.quantization,
        download.exact,
    )
    assert (
        "https://huggingface.co/bartowski/DeepSeek-R1-Distill-Qwen-7B-GGUF/resolve/main/"
        "DeepSeek-R1-Distill-Qwen-7B-Q4_K_M.gguf" == download.url
    )
    assert ("731ece8d06dc7eda6f6572997feb9ee1258db0784827e642909d9b565641937b",) == download.sha256


def test_every_entry_is_filled_in() -> None:
    """The shipped models lack nothing that a user's own may leave out, and say where their figures come from."""
    for entry in CATALOG.entries:
        assert entry.family
        assert all((entry.base, entry.licence != "not stated", entry.parameters, entry.context, entry.sampling_source))
        assert Sampling(temperature=0.6, top_p=0.95) == entry.sampling
        assert bool(entry.results) == bool(entry.results_source)
        assert (entry.family == "r1-0528") == entry.system_text == (not entry.forced_thinking)
    assert "Llama 3.3 Community License" in entry_of("70b").licences
    assert "Llama 3.1 Community License" in entry_of("8b").licences


def test_every_download_is_told_by_its_name() -> None:
    """A file's name tells its quantization, and shards are counted in the first one's name."""
    for entry, download in DOWNLOADS:
        assert is_repository(download.repository)
        assert canonical(download.quantization) == download.quantization
        assert quantization_of(download.file) == download.quantization, entry.id
        expected = int(download.file[-10:-5]) if "-of-" in download.file else 1 if ".gguf" in download.file else 0
        assert expected == download.n_files
        assert len(download.sha256) in (0, download.n_files)


def test_shards_sum_up() -> None:
    """Where the shards' sizes are published, there are as many as files, and the size is their sum."""
    split = [download for _, download in DOWNLOADS if download.shards_gb]
    assert len(split) >= 8
    for download in split:
        assert len(download.shards_gb) == download.n_files
        assert round(sum(download.shards_gb) * 1e9) == download.n_bytes
    assert 404_300_000_000 == entry_of("671b").download.n_bytes


def test_sizes_fit_the_parameters() -> None:
    """No size is out by a digit: a weight has about the bits that the quantization tells; dynamic ones have more."""
    for entry, download in DOWNLOADS:
        if download.n_bytes:
            bits = 8 * download.n_bytes / entry.parameters
            named = int("".join(filter(str.isdigit, download.quantization.removeprefix("UD-").partition("_")[0])))
            assert named - 0.6 < bits < 1.35 * named + 1.2, (entry.id, download.quantization)


def test_hashes_belong_to_one_file() -> None:
    """No hash stands in two places."""
    hashes = [each for _, download in DOWNLOADS for each in download.sha256 if each]
    assert len(hashes) == len(set(hashes))
    assert len(hashes) > 40


def test_results_are_each_models_own() -> None:
    """The figures are those that DeepSeek published for the model itself, not for the one it was made from."""
    assert [79.8, 55.5, 50.4] == [entry_of(name).results["AIME 2024 pass@1"] for name in ("671b", "7b", "8b")]
    assert 2029 == entry_of("671b").results["Codeforces rating"]
    assert {} == dict(entry_of("0528-8b").results)
    assert 87.5 == entry_of("0528").results["AIME 2025 pass@1"]


def test_parameters_count_all_and_the_active_ones() -> None:
    """A dense model uses all of its parameters for a token, the full R1 37 billion of 671."""
    dense, full = entry_of("7b"), entry_of("r1")
    assert dense.parameters == dense.active_parameters
    assert (671_026_419_200, 37_000_000_000) == (full.parameters, full.active_parameters)


def test_the_default_where_there_is_no_q4_k_m() -> None:
    """R1-0528 is there in dynamic mixtures: the next above Q4_K_M is the default."""
    download = entry_of("0528").download
    assert ("UD-Q4_K_XL", 0) == (download.quantization, download.n_files)
    assert "https://huggingface.co/unsloth/DeepSeek-R1-0528-GGUF" == download.url


def test_a_repository_leads_to_its_model() -> None:
    """Whose repository it is, is known, in any case."""
    entry = CATALOG.of_repository("Bartowski/deepseek-r1-distill-qwen-7b-gguf")
    assert entry is entry_of("7b")
    assert CATALOG.of_repository("user/repo") is None


BROKEN = {
    "missing": None,
    "no TOML": "[[model",
    "no models": "x = 1",
    "no table": "model = 1",
    "no id": '[[model]]\nfamily = "r1"\n[model.download]\n',
    "unknown family": '[[model]]\nid = "x"\nfamily = "r2"\n',
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


# A user's own catalogue

MINE = """
[[model]]
id = "mine"
aliases = ["7b", "my-own"]
[[model.downloads]]
repository = "me/Mine-GGUF"
file = "mine-{q}.gguf"
split = "{q}/mine-{q}.gguf"
quantizations = [{ name = "q4_0", bytes = 100 }, { name = "Q8_0", files = 2 }, { name = "F16", file = "other.gguf" }]
"""


def load(text: str, tmp_path: Path) -> catalog.Catalog:
    """The shipped catalogue with a user's own file over it."""
    path = tmp_path / "models.toml"
    path.write_text(text, encoding="utf-8")
    return catalog.load(PATH, path)


def test_no_own_file_is_no_error(tmp_path: Path) -> None:
    """Without a file of one's own, the catalogue is the shipped one."""
    assert CATALOG == catalog.load(PATH, tmp_path / "models.toml")


def test_an_own_model_is_added(tmp_path: Path) -> None:
    """A model needs an id and downloads, no more, and takes an alias from a shipped one that has it."""
    known = load(MINE, tmp_path)
    mine = entry_of("MINE", known)
    assert ("mine", "Q8_0", None, "not stated", 11) == (
        mine.title,
        mine.default,
        mine.family,
        mine.licence,
        len(known.entries),
    )
    assert ["mine-q4_0.gguf", "Q8_0/mine-Q8_0-00001-of-00002.gguf", "other.gguf"] == [d.file for d in mine.downloads]
    assert mine is entry_of("deepseek-r1:7b", known)
    assert "7b" not in entry_of("qwen-7b", known).aliases
    assert mine is entry_of("my_own", known)


def test_a_shipped_model_is_overridden(tmp_path: Path) -> None:
    """What a user writes for a model's id replaces what is shipped, key by key, and leaves the model in its place."""
    known = load('[[model]]\nid = "DeepSeek_R1-distill-qwen-7b"\ndefault = "q8-0"\nlicence = "other"', tmp_path)
    ours, theirs = entry_of("7b"), entry_of("7b", known)
    assert ("Q8_0", "other", ours.downloads) == (theirs.default, theirs.licence, theirs.downloads)
    assert [entry.id for entry in CATALOG.entries] == [entry.id for entry in known.entries]


def test_own_downloads_replace_the_shipped_ones(tmp_path: Path) -> None:
    """New downloads bring a default of their own."""
    known = load(MINE.replace('"mine"\n', '"deepseek-r1"\n'), tmp_path)
    assert ("me/Mine-GGUF", "Q8_0") == (
        entry_of("deepseek-r1", known).download.repository,
        entry_of("deepseek-r1", known).default,
    )


WRONG = {
    "[[model": "Expected",
    "x = 1": "no 'x'",
    "model = [1]": "no [[model]] table",
    "[[model]]": "model 1 has no id",
    '[[model]]\nid = "a"': "'a' has no downloads",
    '[[model]]\nid = "a"\naliasses = []': "no 'aliasses', only 'aliases'",
    '[[model]]\nid = "a"\naliases = "b"': "'aliases' must be a list of texts",
    '[[model]]\nid = "a"\nparameters = "many"': "'parameters' must be a whole number",
    '[[model]]\nid = "a"\nsystem_text = 1': "'system_text' must be true or false",
    '[[model]]\nid = "a"\nfamily = "qwen"': "unknown family 'qwen'",
    '[[model]]\nid = "a b"': "'a b' can't be a name",
    '[[model]]\nid = "demo"': "'demo' can't be a name",
    '[[model]]\nid = "a-Q4_0"': "'a-Q4_0' can't be a name",
    '[[model]]\nid = "a"\n[[model]]\nid = "A"': "the id 'a' is there twice",
    MINE.replace('"my-own"', '"DeepSeek-R1"'): "names both deepseek-r1 and mine",
    MINE + MINE.replace('"mine"', '"other"'): "'7b' names both mine and other",
    MINE.replace("aliases", 'default = "Q2_K"\naliases'): "its default Q2_K is not among",
    MINE.replace("aliases", "sampling = { temperature = 9 }\naliases"): "temperature is 9",
    MINE.replace("aliases", "sampling = { temp = 1 }\naliases"): "no 'temp'",
    MINE.replace("aliases", "sampling = { top_k = 1.5 }\naliases"): "top_k must be a whole number",
    MINE.replace("aliases", 'sampling = { top_p = "x" }\naliases'): "must be numbers",
    MINE.replace("aliases", 'results = { a = "x" }\naliases'): "results must be numbers",
    MINE.replace("me/Mine-GGUF", "../Mine"): "'../Mine' is no repository",
    MINE.replace('repository = "me/Mine-GGUF"\n', ""): "has no 'repository'",
    MINE.replace('"other.gguf"', '"../../other.gguf"'): "'../../other.gguf' is no GGUF file",
    MINE.replace('"other.gguf"', '"other.bin"'): "'other.bin' is no GGUF file",
    MINE.replace('"Q8_0"', '"Q4-0"'): "the quantization Q4_0 is there twice",
    MINE.replace("bytes = 100", 'sha256 = "abc"'): "64 hexadecimal digits",
    MINE.replace("bytes = 100", f'sha256 = ["{"a" * 64}", ""]'): "2 hashes, but 1 files",
    MINE.replace("files = 2", "files = 2, shards_gb = [1.0]"): "1 sizes of shards, but 2 files",
    MINE.replace("files = 2", "bytes = 9_000_000_000, shards_gb = [1.0, 2.0]"): "don't sum up",
    MINE.replace("files = 2", "files = -2"): "'files' must be a whole number",
    MINE.replace("\nfile =", '\ncommit = "main"\nfile ='): "the commit must have 40",
    "a = " + "[" * 20_000: "nested too deeply",
}


@pytest.mark.parametrize(("text", "words"), WRONG.items(), ids=map(str, range(len(WRONG))))
def test_what_is_wrong_in_an_own_file_is_named(text: str, words: str, tmp_path: Path) -> None:
    """A mistake is a usage error that names the file, the model and what is wrong with it."""
    with pytest.raises(UsageError) as error:
        load(text, tmp_path)
    assert str(tmp_path / "models.toml") in error.value.message
    assert words in error.value.message
    assert error.value.hint


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"\0"])
def test_an_own_file_that_is_no_text(data: bytes, tmp_path: Path) -> None:
    """Bytes that are no text are the same kind of error."""
    (tmp_path / "models.toml").write_bytes(data)
    with pytest.raises(UsageError):
        catalog.load(PATH, tmp_path / "models.toml")


def test_an_own_file_that_is_a_folder(tmp_path: Path) -> None:
    """What can't be opened is told, too."""
    with pytest.raises(UsageError, match="can't be used"):
        catalog.load(PATH, tmp_path)


def test_the_catalogue_may_be_copied_and_changed(tmp_path: Path) -> None:
    """The shipped file itself, written anew by a program, is a user's own that changes nothing."""
    tables = tomllib.loads(PATH.read_text("utf-8"))
    assert CATALOG == load(tomli_w.dumps(tables), tmp_path)
