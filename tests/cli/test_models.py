"""`r1chat models`: the catalogue as a table, as results, as JSON, with marks for what is on this machine."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from r1chat.cli import models as command
from r1chat.core.memory import Devices
from r1chat.engine import devices
from r1chat.errors import NotFoundError, UsageError
from r1chat.models import catalog
from r1chat.models.catalog import Download, Entry
from r1chat.terminal.wrap import width

ENTRIES = catalog.load(catalog.default_path()).entries
QWEN_7B = "bartowski/DeepSeek-R1-Distill-Qwen-7B-GGUF"


def nothing(download: Download) -> bool:
    """Holds nothing."""
    return False


def at_home(entry: Entry, download: Download) -> str:
    """Fits into memory, whatever it is."""
    return "RAM"


def q8_0(download: Download) -> bool:
    """Holds every Q8_0 there is."""
    return download.quantization == "Q8_0"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the Hub, and a home folder without Ollama and LM Studio."""
    folder = tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(folder))
    for name in ("HOME", "USERPROFILE", "OLLAMA_MODELS"):
        monkeypatch.setenv(name, str(tmp_path))
    return folder


def put(cache: Path, repository: str, name: str) -> None:
    """Write a file into the Hub's cache as a download leaves it."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / ("a" * 40)
    for each in (folder / "refs", folder / "blobs", snapshot):
        each.mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text("a" * 40)
    (folder / "blobs" / ("b" * 64)).write_bytes(b"GGUF")
    try:
        (snapshot / name).symlink_to(Path("../../blobs") / ("b" * 64))
    except OSError:  # Windows without the right to make links: there the Hub's tools copy
        (snapshot / name).write_bytes(b"GGUF")


@pytest.fixture(autouse=True)
def large_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No verdict depends on the machine of the tests."""
    everything = Devices(8, 1 << 42, 1 << 42)
    monkeypatch.setattr(devices, "survey", lambda: everything)


def shown(capsys: pytest.CaptureFixture[str], name: str | None = None, **options: bool) -> str:
    """What the command prints, on a machine that everything fits."""
    command.models(name, options.get("every", False), options.get("scores", False), options.get("json", False))
    out, err = capsys.readouterr()
    assert "" == err
    return out


def test_a_line_for_each_model() -> None:
    """Name, model, default quantization, size, licence and what is on disk, in 80 columns."""
    lines = command.overview(ENTRIES, q8_0, at_home, 80)
    assert ["NAME", "MODEL", "DEFAULT", "SIZE", "FITS", "LICENCE", "ON", "DISK"] == lines[0].split()
    assert "7b       Distill-Qwen-7B    Q4_K_M        4.7 GB  RAM   MIT, Apache-2.0  Q8_0" == lines[2]
    assert "70b      Distill-Llama-70B  Q4_K_M       42.5 GB  RAM   MIT, Llama 3.3   Q8_0" == lines[6]
    assert len(ENTRIES) + 1 == lines.index("")
    assert "r1chat pull 7b:Q8_0" in " ".join(lines)


def test_eighty_columns_hold_everything() -> None:
    """No line of the tables is wider than the usual terminal."""
    for line in (*command.overview(ENTRIES, q8_0, at_home, 80), *command.detailed(ENTRIES, q8_0, at_home, 80)):
        assert width(line) <= 80


def test_the_results_fit_and_say_what_they_are_of() -> None:
    """The published results are in 80 columns, each model's own, named as those of the unquantized weights."""
    lines = command.scored(ENTRIES, 80)
    assert all(width(line) <= 80 for line in lines)
    assert ["7b", "55.5", "83.3", "92.8", "49.1", "37.6", "1189"] == lines[2].split()
    assert ["671b", "79.8", "-", "97.3", "71.5", "65.9", "2029"] == lines[8].split()
    text = " ".join(lines)
    assert "published results of the unquantized weights" in text
    assert "671b also: MMLU 90.8" in text
    assert "README of deepseek-ai/DeepSeek-R1" in text


def test_every_quantization_of_one_model(capsys: pytest.CaptureFixture[str], cache: Path) -> None:
    """A model by any of its names is shown with all of its quantizations, its repositories and its licences."""
    put(cache, QWEN_7B, "DeepSeek-R1-Distill-Qwen-7B-Q8_0.gguf")
    lines = shown(capsys, "deepseek-r1:7b").splitlines()
    assert "7b  DeepSeek-R1-Distill-Qwen-7B" == lines[0]
    assert f"  {QWEN_7B}" in lines
    assert ["7b:Q8_0", "8.1", "GB", "fits", "RAM", "on", "disk"] in [line.split() for line in lines]
    assert ["7b:Q4_K_M", "4.7", "GB", "fits", "RAM", "default"] in [line.split() for line in lines]
    assert "licence MIT; also Apache-2.0" in " ".join(" ".join(lines).split())


def test_what_is_on_disk_is_marked(capsys: pytest.CaptureFixture[str], cache: Path) -> None:
    """A file in the Hub's cache, whoever put it there, shows in the table."""
    put(cache, QWEN_7B, "DeepSeek-R1-Distill-Qwen-7B-Q8_0.gguf")
    lines = shown(capsys).splitlines()
    assert [line.split()[0] for line in lines if line.endswith("Q8_0") and "GB" in line] == ["7b"]


def test_all_is_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """--all has a line for each quantization of each model, with shards counted and unknown sizes left open."""
    lines = shown(capsys, every=True).splitlines()
    names = [line.split()[0] for line in lines if line.startswith("    ")]
    assert [f"{entry.short}:{each.quantization}" for entry in ENTRIES for each in entry.downloads] == names
    assert ["671b:Q4_K_M", "404.3", "GB", "9", "files", "fits", "RAM", "default"] in [line.split() for line in lines]
    assert ["0528:IQ4_NL", "-", "several", "files"] in [line.split() for line in lines]


def test_json_has_everything(capsys: pytest.CaptureFixture[str], cache: Path) -> None:
    """--json is a list of the models with all that the catalogue knows, and what is on disk."""
    put(cache, QWEN_7B, "DeepSeek-R1-Distill-Qwen-7B-Q8_0.gguf")
    models = json.loads(shown(capsys, json=True))
    (seven,) = (model for model in models if model["name"] == "7b")
    assert [entry.id for entry in ENTRIES] == [model["id"] for model in models]
    assert [True] == [each["on_disk"] for each in seven["downloads"] if each["quantization"] == "Q8_0"]
    assert 4_683_073_504 == next(d["n_bytes"] for d in seven["downloads"] if d["quantization"] == "Q4_K_M")
    assert {"temperature": 0.6, "top_p": 0.95} == {key: seven["sampling"][key] for key in ("temperature", "top_p")}
    assert "the unquantized weights" == seven["results"]["of"]


def test_results_of_one_model(capsys: pytest.CaptureFixture[str]) -> None:
    """--scores with a name shows this model's only."""
    text = shown(capsys, "zero", scores=True)
    assert "71.0" in text
    assert "7b" not in text


def test_an_unknown_name_is_refused(cache: Path) -> None:
    """A slip gets suggestions, and a path or a repository is no name of the catalogue."""
    with pytest.raises(NotFoundError, match="There is no model") as error:
        command.models("distil-qwen-7b")
    assert "distill-qwen-7b" in error.value.hint
    with pytest.raises(NotFoundError):
        command.models("user/repo")


def test_an_own_catalogue_adds_to_the_table(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """A models.toml in the folder of one's settings adds its models, shown clean; a broken one is told."""
    own = (
        '[[model]]\nid = "mine"\ntitle = "Mine \\u001b[2J"\n[[model.downloads]]\nrepository = "me/mine"\n'
        'file = "mine-{q}.gguf"\nquantizations = [{ name = "Q4_0", bytes = 5_000_000_000 }]\n'
    )
    (home / "models.toml").write_text(own, encoding="utf-8")
    text = shown(capsys)
    assert "\x1b" not in text
    assert ["mine", "Mine", "␛[2J", "Q4_0", "5.0", "GB", "not", "stated"] == text.splitlines()[11].split()
    assert "me/mine" in shown(capsys, "mine")
    (home / "models.toml").write_text("[[model]]", encoding="utf-8")
    with pytest.raises(UsageError, match="has no id"):
        command.models()


def test_no_models_make_an_empty_table() -> None:
    """Even a catalogue without a model has its heads."""
    none: Sequence[Entry] = ()
    assert command.overview(none, nothing, at_home, 80)[0].startswith("NAME")
    assert command.scored(none, 80)[0].startswith("NAME")
    assert [] == command.detailed(none, nothing, at_home, 80)
