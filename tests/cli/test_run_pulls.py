"""Names behind `run`: what is here starts without the network, what is not is offered or refused with the command."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from r1chat.models.library import demo_path
from tests.conftest import ROOT, Command
from tests.console import Console
from tests.hub import Fault, Hub
from tests.hub_cache import HubCache

REPOSITORY = "bartowski/DeepSeek-R1-Distill-Qwen-7B-GGUF"
STEM = "DeepSeek-R1-Distill-Qwen-7B"
QUESTION = ("What is 1 + 1?", "--temp", "0", "--max-tokens", "8", "--no-think")


@pytest.fixture
def local() -> Iterator[Hub]:
    """A Hub that has the demo model under the name of the 7B."""
    with Hub() as hub:
        hub.put(REPOSITORY, {f"{STEM}-Q4_K_M.gguf": demo_path().read_bytes()})
        yield hub


@pytest.fixture
def cache(tmp_path: Path) -> HubCache:
    """An empty cache."""
    return HubCache(tmp_path / "cache")


@pytest.fixture
def command(r1chat: Command, local: Hub, cache: HubCache, tmp_path: Path) -> Command:
    """The command, with the local Hub and the empty cache as its own."""
    r1chat.environ |= {"HF_ENDPOINT": local.endpoint, "HF_HUB_CACHE": str(cache.folder), "HF_HOME": str(tmp_path)}
    return r1chat


def test_a_model_on_disk_starts_without_a_socket(command: Command, local: Hub, cache: HubCache, tmp_path: Path) -> None:
    """A whole run by name, engine included, makes no socket of the network, and the Hub sees nothing."""
    if shutil.which("strace") is None:
        pytest.skip("strace, which sees every system call, is not installed")
    cache.add(REPOSITORY, f"{STEM}-Q4_K_M.gguf", demo_path().read_bytes())
    log = tmp_path / "trace"
    argv = ["strace", "-f", "-qq", "-e", "trace=socket,connect", "-e", "signal=none", "-o", str(log)]
    done = subprocess.run(
        [*argv, *command.argv, "run", "7b", *QUESTION],
        env=command.environ,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (0, b"") == (done.returncode, done.stderr)
    assert done.stdout
    assert [] == [line for line in log.read_text().splitlines() if "AF_INET" in line]
    assert [] == local.seen


def test_in_a_pipe_nothing_is_pulled(command: Command, local: Hub) -> None:
    """Where nobody can be asked, the answer is the command to type, and the Hub is not asked either."""
    done = command("run", "7b", *QUESTION)
    assert (3, b"") == (done.code, done.out)
    assert b"r1chat pull 7b:Q4_K_M" in done.err
    assert [] == local.seen
    done = command("run", "7b", "--json", *QUESTION)
    assert 3 == json.loads(done.out)["error"]["code"]


def test_yes_pulls_and_answers(command: Command) -> None:
    """With `--yes` a script gets its answer alone on stdout; the second time nothing is fetched."""
    first = command("run", "7b", "--yes", *QUESTION)
    assert 0 == first.code
    second = command("run", "7b", *QUESTION)
    assert (0, first.out, b"") == (second.code, second.out, second.err)


def test_on_a_terminal_it_asks(command: Command) -> None:
    """On a terminal the size and the room are told, and Enter pulls and goes on to the answer."""
    argv = [*command.argv, "run", "7b", *QUESTION]
    with Console(argv, env=command.environ, cwd=ROOT) as console:
        console.wait("Pull it now? [Y/n]")
        assert "DeepSeek-R1-Distill-Qwen-7B, Q4_K_M, is not on this machine." in console.text
        assert "to fetch" in console.text
        console.type("\r")
        assert 0 == console.end()
        assert "7b without a quantization is 7b:Q4_K_M" in console.text
        assert "tok/s" in console.text


@pytest.mark.parametrize("typed", ["n\r", "\x04"])
def test_a_no_fetches_nothing(command: Command, local: Hub, typed: str) -> None:
    """Anything but yes, Ctrl-D too, ends with exit code 3 and the command for later."""
    with Console([*command.argv, "run", "7b"], env=command.environ, cwd=ROOT) as console:
        console.wait("[Y/n]")
        console.type(typed)
        assert 3 == console.end()
        assert "r1chat pull 7b:Q4_K_M" in console.text
    assert 0 == local.n_asked()


def test_ctrl_c_at_the_question_and_in_the_download(command: Command, local: Hub) -> None:
    """Ctrl-C leaves with 130 and no traceback; a download that has begun says that it goes on from there."""
    with Console([*command.argv, "run", "7b"], env=command.environ, cwd=ROOT) as console:
        console.wait("[Y/n]")
        console.type("\x03")
        assert 130 == console.end()
        assert "Traceback" not in console.text
    local.faults.append(Fault("data", times=-1, stall=100_000))
    with Console([*command.argv, "run", "7b"], env=command.environ, cwd=ROOT) as console:
        console.wait("[Y/n]")
        console.type("y\r")
        console.wait("of 1.9 MB")
        console.type("\x03")
        assert 130 == console.end()
        assert "Stopped. The same command goes on from here." in console.text
        assert "Traceback" not in console.text


def test_offline_says_the_command(command: Command) -> None:
    """With HF_HUB_OFFLINE nothing is offered, not even on a terminal."""
    env = {**command.environ, "HF_HUB_OFFLINE": "1"}
    with Console([*command.argv, "run", "7b"], env=env, cwd=ROOT) as console:
        assert 3 == console.end()
        assert "r1chat pull 7b:Q4_K_M" in console.text


def test_another_quantization_that_is_here_is_taken_and_told(command: Command, cache: HubCache) -> None:
    """A name without a quantization takes what is here, and says which; one with a quantization takes no other."""
    cache.add(REPOSITORY, f"{STEM}-Q8_0.gguf", demo_path().read_bytes())
    done = command("run", "7b", "--json", *QUESTION)
    told = json.loads(done.out)
    assert "7b:Q8_0" == told["model"]
    assert "7b without a quantization is taken as 7b:Q8_0, which is here." == told["notices"][0]["text"]
    assert 3 == command("run", "7b:Q4_K_M", *QUESTION).code


def test_the_header_of_a_remote_model_is_shown(command: Command, local: Hub) -> None:
    """`show` reads a header on the Hub by ranges, and fetches nothing else."""
    done = command("show", "7b")
    assert 0 == done.code, done.err
    assert b"qwen2" in done.out
    assert b"not on this machine" in done.out
    assert local.n_asked() <= 16 * 2**20
    assert not Path(command.environ["HF_HUB_CACHE"]).exists()


def test_a_bad_file_is_repaired_from_the_hub(command: Command, cache: HubCache) -> None:
    """`verify --repair` removes what is bad and pulls just that again."""
    assert 0 == command("pull", "7b", "--quiet").code
    (blob,) = (path for path in cache.repository(REPOSITORY).glob("blobs/*") if path.is_file())
    data = bytearray(blob.read_bytes())
    data[1000] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(data)
    assert 4 == command("verify", "7b").code
    done = command("verify", "7b", "--repair")
    assert 0 == done.code, done.err
    assert demo_path().read_bytes() == blob.read_bytes()
    assert 0 == command("verify").code
