"""From a word to a loading engine: what is found, remembered and refused; and where files live."""

import os
from pathlib import Path

import pytest

from r1chat import paths
from r1chat.core.memory import Devices, Wishes, plan
from r1chat.core.placement import Device
from r1chat.engine.dryrun import DryRuns
from r1chat.engine.host import IdleGpu
from r1chat.errors import FitError, GGUFError, NotFoundError, UsageError
from r1chat.files import read_text
from r1chat.launch import (
    DEMO,
    at_hand,
    check_wishes,
    idle_notice,
    last_used,
    launch,
    remember,
    settle,
    with_advice,
)
from r1chat.models import catalog
from r1chat.models.fitting import largest_fitting
from r1chat.models.library import demo_path
from r1chat.models.shape import shape_of
from r1chat.models.shards import read_model
from tests.gguf_writer import tiny


def test_demo_is_the_bundled_model(checked: Path) -> None:
    """`demo` launches from the package, with a plan within what it was trained for."""
    launched = launch(at_hand("demo", paths.find()), Wishes(n_ctx=256), paths.find())
    launched.engine.close()
    assert demo_path() == launched.target.path
    assert (256, "r1-distill") == (launched.plan.n_ctx, launched.shape.family)


def test_a_known_name_says_what_to_get(home: Path) -> None:
    """A model of the catalogue that is not here is named, with its size and the command that gets it."""
    with pytest.raises(NotFoundError) as error:
        at_hand("7B", paths.find())
    assert "DeepSeek-R1-Distill-Qwen-7B is not on this machine." == error.value.message
    assert "Get it (4.7 GB): r1chat pull 7b:Q4_K_M" == error.value.hint


def test_a_mistyped_name_gets_a_suggestion(home: Path) -> None:
    """Something like a known name is taken for a slip."""
    with pytest.raises(NotFoundError) as error:
        at_hand("distil-qwen-7b", paths.find())
    assert "distill-qwen-7b" in error.value.hint


def test_an_unknown_name_points_to_the_demo(home: Path) -> None:
    """Something like nothing points to what works."""
    with pytest.raises(NotFoundError) as error:
        at_hand("zzzzzz", paths.find())
    assert "r1chat run demo" in error.value.hint


def test_a_broken_file_starts_no_process(tmp_path: Path, checked: Path) -> None:
    """What the header tells is refused before an engine is made."""
    file = tmp_path / "x.gguf"
    file.write_bytes(tiny().build()[:-40])
    with pytest.raises(GGUFError):
        launch(at_hand(str(file), paths.find()), Wishes(), paths.find())


def test_a_wish_beyond_the_model_is_refused(checked: Path) -> None:
    """The demo can't be given more context than it was trained for."""
    with pytest.raises(UsageError):
        launch(at_hand("demo", paths.find()), Wishes(n_ctx=1 << 20), paths.find())


def test_the_last_model_is_remembered(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is kept whole, so that it holds in another folder, and forgotten when the file is gone."""
    assert None is last_used(paths.find())
    file = tmp_path / "x.gguf"
    file.write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    remember("./x.gguf", paths.find())
    monkeypatch.chdir("/")
    assert str(file) == last_used(paths.find())
    file.unlink()
    assert None is last_used(paths.find())
    remember(DEMO, paths.find())
    assert DEMO == last_used(paths.find())


def test_a_home_that_cannot_be_written_forgets_quietly(tmp_path: Path) -> None:
    """Where the state can't be kept, nothing fails."""
    (tmp_path / "file").write_text("")
    there = paths.find({"R1CHAT_HOME": str(tmp_path / "file")})
    remember(DEMO, there)
    assert None is last_used(there)


def test_everything_lives_in_the_home_that_is_named(tmp_path: Path) -> None:
    """R1CHAT_HOME holds all of our files; without it the platform's folders do."""
    named = paths.find({"R1CHAT_HOME": str(tmp_path)})
    assert {tmp_path} == {named.config, named.state, named.history.parent, named.self_check.parent}
    assert "r1chat" in str(paths.find({}).state)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain\r\n", "plain\r\n"),
        ("ü".encode("utf-8-sig"), "ü"),
        ("ü".encode("utf-16"), "ü"),
        ("ü".encode("utf-32"), "ü"),
        (b"\xff\xfe", ""),
        (b"caf\xe9", "caf\ufffd"),
        (b"", ""),
    ],
)
def test_a_text_file_is_read_whatever_its_encoding(tmp_path: Path, data: bytes, text: str) -> None:
    """Byte order marks decide, else UTF-8; what is neither shows as a replacement character."""
    (tmp_path / "a").write_bytes(data)
    assert ("a", text) == read_text(tmp_path / "a")


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    """A NUL byte near the beginning means that it is no text."""
    (tmp_path / "a").write_bytes(b"\x7fELF\0\0")
    with pytest.raises(UsageError):
        read_text(tmp_path / "a")


@pytest.mark.parametrize("name", ["none", ".", "file/below", "a\0b"])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    """Nothing there, a folder, a path through a file, no name at all: each is one sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(NotFoundError) as error:
        read_text(Path(os.path.join(tmp_path, name)))  # noqa: PTH118 - pathlib would tidy the path
    assert error.value.hint


SMALL = Device("GPU0", "GPU", "gpu", "CUDA", 1 << 30, 1 << 30)


def test_a_plan_is_measured_where_it_matters(tmp_path: Path) -> None:
    """With room for everything nothing is measured; else the dry run's figures take the estimate's place."""
    shape = shape_of(read_model(demo_path()).header)
    runs = DryRuns(tmp_path / "dryruns.json")
    roomy = settle(shape, Devices(1, 1 << 34), Wishes(), demo_path(), runs)
    assert roomy.estimated
    assert not (tmp_path / "dryruns.json").exists()
    tight = settle(shape, Devices(1, 12_600_000), Wishes(), demo_path(), runs)
    assert not tight.estimated
    assert tight.uses[-1].compute_bytes < roomy.uses[-1].compute_bytes
    assert "f16" == tight.type_k  # by the estimate only q8_0 would fit
    on_gpu = settle(shape, Devices(1, 1 << 34, gpus=(SMALL,)), Wishes(), demo_path(), runs)
    assert (5, False) == (on_gpu.n_gpu_layers, on_gpu.estimated)


def test_what_only_the_estimate_refuses_is_measured(tmp_path: Path) -> None:
    """The formula is an upper bound: a wish for which it finds no room is refused by the dry run or not at all."""
    shape, wishes = shape_of(read_model(demo_path()).header), Wishes(n_ctx=2048, kv="f16")
    tight = Devices(1, 12_600_000)
    with pytest.raises(FitError):
        plan(shape, tight, wishes)
    assert not settle(shape, tight, wishes, demo_path(), DryRuns(None)).estimated
    for devices, path in ((Devices(1, 8_000_000), demo_path()), (tight, tmp_path / "none")):
        with pytest.raises(FitError):
            settle(shape, devices, wishes, path, DryRuns(None))


def test_a_plan_stays_an_estimate_where_nothing_can_be_measured(tmp_path: Path) -> None:
    """A library that can't tell is no reason not to run."""
    shape = shape_of(read_model(demo_path()).header)
    there = Devices(1, 1 << 34, gpus=(SMALL,))
    assert settle(shape, there, Wishes(), tmp_path / "none", DryRuns(None)).estimated


def test_only_gpus_that_are_here_can_be_planned_with() -> None:
    """Layers for a GPU, or memory of one, are refused where there is none; no layers and no memory are not."""
    none, one = Devices(1), Devices(1, gpus=(SMALL,))
    for wishes in (Wishes(n_gpu_layers=-1), Wishes(n_gpu_layers=3), Wishes(vram=(1,)), Wishes(vram=(0, 0))):
        with pytest.raises(UsageError):
            check_wishes(wishes, none)
    check_wishes(Wishes(n_gpu_layers=0, vram=(0,)), none)
    check_wishes(Wishes(n_gpu_layers=-1, vram=(1,)), one)
    with pytest.raises(UsageError):
        check_wishes(Wishes(vram=(1, 1)), one)


def test_an_idle_gpu_is_told_once(home: Path) -> None:
    """A GPU that this build can't use is named with the command for it, the first time only; none is never told."""
    here = IdleGpu("NVIDIA", "RTX 4090", None)
    assert "" == idle_notice(Devices(1), paths.find(), lambda gpus: ())
    told = idle_notice(Devices(1), paths.find(), lambda gpus: (here,))
    assert told.startswith("RTX 4090: not used")
    assert here.command in told
    assert "" == idle_notice(Devices(1), paths.find(), lambda gpus: (here,))


def test_the_largest_quantization_that_fits_is_named() -> None:
    """Of those that are smaller than the one that was refused; none where nothing is small enough."""
    entry = catalog.load(catalog.default_path()).find("7b")
    assert entry is not None
    fits = largest_fitting(entry, 4_683_073_504, Devices(1, 5 * 10**9), Wishes())
    assert fits is not None
    assert "Q3_K_M" == fits[0].quantization
    assert None is largest_fitting(entry, None, Devices(1, 10**9), Wishes())
    error = with_advice(FitError("x", hint="y"), entry, 4_683_073_504, Devices(1, 5 * 10**9), Wishes())
    assert "7b:Q3_K_M would fit (3.8 GB): r1chat run 7b:Q3_K_M" == error.hint
    assert "y" == with_advice(FitError("x", hint="y"), None, 1, Devices(1), Wishes()).hint
