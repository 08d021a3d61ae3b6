"""`r1chat pull` as a whole process."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from r1chat.models.partial import SUFFIX
from tests.conftest import Command
from tests.hub import Fault, Hub
from tests.processes import wait_for

MIB = 2**20
REPOSITORY = "user/model-GGUF"
CANARY = "hf_canaryCanaryCanary"
DATA = {f"m-{name}.gguf": b"GGUF" + random.Random(n).randbytes(n * MIB) for n, name in ((6, "Q4_K_M"), (9, "Q8_0"))}


@pytest.fixture
def local() -> Iterator[Hub]:
    """A Hub with one model in two quantizations."""
    with Hub() as hub:
        hub.put(REPOSITORY, DATA)
        yield hub


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """An empty cache."""
    return tmp_path / "cache"


@pytest.fixture
def r1chat(home: Path, local: Hub, cache: Path) -> Command:
    """The command, with the local Hub as its Hub."""
    command = Command(home)
    command.environ |= {"HF_ENDPOINT": local.endpoint, "HF_HUB_CACHE": str(cache), "HF_HOME": str(home)}
    return command


def test_a_model_is_pulled_by_its_name(r1chat: Command, cache: Path) -> None:
    """The default quantization is fetched, its path printed on stdout; the second time nothing is fetched."""
    done = r1chat("pull", REPOSITORY)
    path = Path(done.out.decode().splitlines()[-1].strip())
    assert (0, DATA["m-Q4_K_M.gguf"]) == (done.code, path.read_bytes())
    assert cache in path.parents
    assert b"" == r1chat("pull", f"{REPOSITORY}:q4_k_m").err


def test_a_quantization_is_never_replaced(r1chat: Command, local: Hub) -> None:
    """One that is not there ends with exit code 3, what there is with sizes, and the nearest; nothing is fetched."""
    done = r1chat("pull", REPOSITORY, "--quant", "Q5_K_M")
    assert 3 == done.code
    assert b"Q4_K_M (6.3 MB), Q8_0 (9.4 MB)" in done.err
    assert 0 == local.n_asked()


def test_json_is_one_object(r1chat: Command) -> None:
    """`--json` prints what is here now, and what it cost; on failure the error too."""
    done = json.loads(r1chat("pull", f"{REPOSITORY}:Q8_0", "--json", "--quiet").out)
    (model,) = done["models"]
    assert ("Q8_0", 9 * MIB + 4, 9 * MIB + 4) == (model["quantization"], model["bytes"], model["fetched_bytes"])
    assert all(Path(path).is_file() for path in model["paths"])
    failed = r1chat("pull", "user/none", "--json")
    assert (3, 3) == (failed.code, json.loads(failed.out)["error"]["code"])


def test_a_dry_run_fetches_nothing(r1chat: Command, local: Hub, cache: Path) -> None:
    """`--dry-run` shows files, sizes, target and room; no byte is asked for and no file made."""
    done = r1chat("pull", REPOSITORY, "--dry-run")
    words = done.out.decode()
    assert (0, 0, False) == (done.code, local.n_asked(), cache.exists())
    assert all(word in words for word in ("m-Q4_K_M.gguf", "6.3 MB", "needed", "free", str(cache)))


def test_quiet_says_nothing(r1chat: Command) -> None:
    """`--quiet` writes nothing when all goes well."""
    done = r1chat("pull", REPOSITORY, "--quiet")
    assert (b"", b"", 0) == (done.out, done.err, done.code)


@pytest.mark.parametrize("way", ["--offline", "HF_HUB_OFFLINE"])
def test_offline_asks_the_disk_alone(r1chat: Command, local: Hub, way: str) -> None:
    """Without the network a model that is here is found, and one that isn't ends with exit code 3."""
    option, env = (["--offline"], {}) if way == "--offline" else ([], {way: "1"})
    assert 3 == r1chat("pull", REPOSITORY, *option, env=env).code
    assert [] == local.seen
    r1chat("pull", REPOSITORY)
    n_before = len(local.seen)
    done = r1chat("pull", REPOSITORY, *option, env=env)
    assert (0, n_before) == (done.code, len(local.seen))
    assert b"is here" in done.out


def test_a_revision_is_pulled(r1chat: Command, local: Hub, cache: Path) -> None:
    """`--revision` takes a branch, and the cache remembers it under that name."""
    commit = local.put(REPOSITORY, {"n-Q4_K_M.gguf": DATA["m-Q8_0.gguf"]}, revision="next")
    assert 0 == r1chat("pull", REPOSITORY, "--revision", "next").code
    assert commit == (cache / "models--user--model-GGUF" / "refs" / "next").read_text()


def test_a_damaged_download_ends_with_4(r1chat: Command, local: Hub, cache: Path) -> None:
    """One sentence and a way out on stderr, nothing on stdout, nothing in the cache."""
    local.faults.append(Fault("data", flip=5, times=-1))
    done = r1chat("pull", REPOSITORY)
    assert (4, b"") == (done.code, done.out)
    assert b"damaged twice" in done.err
    assert b"Traceback" not in done.err
    assert not [path for path in cache.rglob("*") if "blobs" in path.parts and path.is_file()]


def test_the_interrupt_saves_and_says_so(r1chat: Command, local: Hub, cache: Path) -> None:
    """Ctrl-C ends with 130 and one line; the same command then asks for the rest alone."""
    local.rate = 4e6
    with r1chat.start("pull", REPOSITORY) as process:
        wait_for(lambda: any(seen.n_sent > MIB for seen in local.seen), "the first bytes")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (130, 1) == (process.returncode, err.count(b"The same command goes on from here."))
    assert b"Traceback" not in err
    local.rate = 0
    n_before = len(local.seen)
    assert 0 == r1chat("pull", REPOSITORY).code
    assert local.n_asked(n_before) < len(DATA["m-Q4_K_M.gguf"])
    assert not [path for path in cache.rglob("*") if SUFFIX in path.name]


@pytest.mark.parametrize("words", [("--dry-run",), ("--json",)])
def test_a_cache_that_cannot_be_is_told(r1chat: Command, tmp_path: Path, words: tuple[str, ...]) -> None:
    """A name that no folder can have ends with exit code 4 and a sentence."""
    done = r1chat("pull", REPOSITORY, *words, env={"HF_HUB_CACHE": str(tmp_path / ("x" * 300))})
    assert (4, True, False) == (done.code, b"can't be stored" in done.err, b"bug" in done.err)


def test_a_pull_goes_on_when_nobody_reads_its_progress(r1chat: Command, local: Hub) -> None:
    """A reader of stderr that goes away ends no download, and the disk is not blamed."""
    local.rate = 1e6  # six seconds: enough for a line of progress, which comes after five
    with r1chat.start("pull", REPOSITORY, "--jobs", "1") as process:
        assert process.stderr is not None
        assert process.stdout is not None
        process.stderr.readline()
        process.stderr.close()
        assert b"is here" in process.stdout.read()
    assert 0 == process.returncode


@pytest.mark.parametrize("way", ["--token", "HF_TOKEN", "file"])
def test_the_token_goes_to_nobody_unnamed(r1chat: Command, local: Hub, cache: Path, home: Path, way: str) -> None:
    """However it is given, no host but a named one sees the token, and it is in no output and no file of the cache."""
    option, env = ["--token", CANARY] if way == "--token" else [], {"HF_TOKEN": CANARY} if way == "HF_TOKEN" else {}
    if way == "file":
        (home / "token").write_text(f"{CANARY}\n")
    local.faults += [Fault("data", status=403), Fault("api", status=503)]
    outputs = [r1chat("pull", REPOSITORY, *option, env=env)]
    assert not [seen for seen in local.seen if CANARY in str(seen.headers) + seen.path]
    host = local.endpoint.removeprefix("http://")
    outputs.append(r1chat("pull", f"{REPOSITORY}:Q8_0", *option, "--token-host", host, env=env))
    assert {"hub"} == {seen.server for seen in local.seen if CANARY in str(seen.headers) + seen.path}
    assert [0, 0] == [done.code for done in outputs]
    assert CANARY.encode() not in b"".join(done.out + done.err for done in outputs)
    assert not [path for path in cache.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]


def test_a_gated_model_says_where_to_ask(r1chat: Command, local: Hub) -> None:
    """A gated repository names the page, with exit code 4."""
    local.gated = True
    done = r1chat("pull", REPOSITORY)
    assert (4, True) == (done.code, f"https://huggingface.co/{REPOSITORY}".encode() in done.err)


def test_hostile_names_are_shown_harmlessly(r1chat: Command, local: Hub, tmp_path: Path) -> None:
    """A repository full of hostile names writes nothing outside the cache and no control byte to the terminal."""
    names = (
        "../../../evil-Q4_K_M.gguf",
        "\x1b[2Jx-Q8_0.gguf",
        "a\\..\\x-Q2_K.gguf",
        "/abs-Q3_K_M.gguf",
        "nul/m-Q6_K.gguf",
    )
    local.put(REPOSITORY, {name: DATA["m-Q4_K_M.gguf"] for name in names})
    for quantization in ("Q4_K_M", "Q8_0", "Q2_K", "Q3_K_M", "Q6_K"):
        done = r1chat("pull", f"{REPOSITORY}:{quantization}")
        assert done.code in (3, 4), done
        assert not {"\x1b", "\x9b"} & {*done.out.decode(), *done.err.decode()}
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".gguf"]
    assert 0 == local.n_asked()


def test_two_processes_at_once(r1chat: Command, local: Hub) -> None:
    """Of two pulls of the same model one waits, says so on stderr, and finds it done."""
    local.rate = 2e5
    first = r1chat.start("pull", REPOSITORY, "--jobs", "1")
    wait_for(lambda: any(seen.n_sent for seen in local.seen if seen.range), "the first bytes")
    second = r1chat.start("pull", REPOSITORY)
    assert second.stderr is not None
    while b"waiting for it" not in second.stderr.readline():
        assert second.poll() is None
    local.rate = 0
    ends = [process.communicate(timeout=60) for process in (first, second)]
    assert [0, 0] == [process.returncode for process in (first, second)]
    assert all(b"is here" in out for out, _ in ends)
    assert len(DATA["m-Q4_K_M.gguf"]) == local.n_asked()


def test_the_pull_needs_little_to_start() -> None:
    """The command's module imports neither huggingface_hub nor the HTTP client."""
    code = "import sys, r1chat.cli.pull; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert {"huggingface_hub", "httpx2", "llama_cpp", "prompt_toolkit", "filelock"} & set(done.stdout.split()) == set()
