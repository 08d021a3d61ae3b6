"""The checks of `r1chat doctor`, each on good and on bad surroundings; real ones wherever this machine can be them."""

import re
import socket
import ssl
import threading
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from r1chat import doctor, paths
from r1chat.core.placement import Device
from r1chat.doctor import disk, environment, hub, installation, machine
from r1chat.doctor.check import FAIL, OK, WARN, Check, Surroundings
from r1chat.engine import devices, host, process, selfcheck
from r1chat.engine.build import Build
from r1chat.engine.host import IdleGpu
from r1chat.errors import EngineError
from r1chat.models import catalog
from r1chat.settings import layers as settings
from r1chat.terminal.screen import Colors, Screen, Size
from tests.conftest import ROOT
from tests.hub import Fault
from tests.hub import Hub as LocalHub

GB = 10**9
FIRST = catalog.load(catalog.default_path()).entries[0].download.repository
CPU_ONLY = Build(("CPU",), "CPU : AVX2 = 1 | FMA = 1 | ", ())
RTX = Device("CUDA0", "NVIDIA GeForce RTX 4090", "gpu", "CUDA", 22 * GB, 24 * GB)


@pytest.fixture
def around(checked: Path, tmp_path: Path) -> Surroundings:
    """A home of its own, no terminal, no network, a build for the CPU and no GPU."""
    environ = {"R1CHAT_HOME": str(checked), "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    return Surroundings(environ, paths.find(environ), Screen(), inspect=lambda: CPU_ONLY, idle_gpus=lambda usable: ())


def having(around: Surroundings, **environ: str) -> Surroundings:
    """The same with other variables."""
    changed = {**around.environ, **environ}
    return replace(around, environ=changed, paths=paths.find(changed))


def broken() -> Build:
    """A library that can't be loaded."""
    raise EngineError("The native library can't be loaded: libx.so.")


# All of them


def test_all_is_well_on_a_good_machine(around: Surroundings) -> None:
    """Every check has a name and one sentence; none that is well has a remedy, and each other has one."""
    checks = list(doctor.examine(around))
    assert [name for name, _, _ in doctor.CHECKS] == [check.name for check in checks]
    assert all(check.message.endswith(".") for check in checks)
    assert all((check.verdict is OK) == (not check.remedy) for check in checks)
    assert FAIL not in {check.verdict for check in checks}


def test_one_that_fails_hides_no_other(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a check raises is its own failure, and what it says is redacted."""

    def bad(around: Surroundings) -> Check:
        raise ValueError("hf_abcdefgh12 has no token")

    def worse(around: Surroundings) -> Check:
        raise TimeoutError

    checks = (("bad", bad, 9.0), ("worse", worse, 9.0), ("cores", machine.cores, 9.0))
    monkeypatch.setattr(doctor, "CHECKS", checks)
    first, second, third = doctor.examine(around)
    assert (FAIL, OK) == (first.verdict, third.verdict)
    assert "ValueError: <secret> has no token" in first.message
    assert "TimeoutError" in second.message
    assert "bug" in second.remedy
    assert FAIL is doctor.worst((first, third))
    assert OK is doctor.worst(())


def test_they_run_at_once(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks that wait for each other all end."""
    barrier = threading.Barrier(3)

    def together(around: Surroundings) -> Check:
        barrier.wait(30)
        return Check(OK, "Met.")

    monkeypatch.setattr(doctor, "CHECKS", tuple((name, together, 60.0) for name in "abc"))
    assert [OK] * 3 == [check.verdict for check in doctor.examine(around)]


def test_one_that_never_ends_is_given_up(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stuck disk costs its own line only."""
    stuck = threading.Event()

    def waits(around: Surroundings) -> Check:
        stuck.wait()
        return Check(OK, "At last.")

    monkeypatch.setattr(doctor, "CHECKS", (("stuck", waits, 0.01), ("cores", machine.cores, 9.0)))
    assert [WARN, OK] == [check.verdict for check in doctor.examine(around)]
    stuck.set()


# The installation


def test_what_is_supported_is_what_pyproject_says() -> None:
    """The oldest Python, the range of the engine's library and the packages are those of the package's metadata."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    least, below = (".".join(map(str, version)) for version in installation.LIBRARY_VERSIONS)
    assert f">={'.'.join(map(str, installation.OLDEST_PYTHON))}" == project["requires-python"]
    assert f"llama-cpp-python>={least},<{below}" in project["dependencies"]
    assert set(installation.PACKAGES) <= {re.split("[><]", line)[0] for line in project["dependencies"]}


def test_python_made_for_intel_on_apples_processor() -> None:
    """A translated Python is told from an Intel Mac by the kernel's version."""
    kernel = "Darwin Kernel Version 24.1.0: root:xnu-11215.41.3~2/RELEASE_{}"
    assert installation.is_translated("Darwin", "x86_64", kernel.format("ARM64_T6000"))
    assert not installation.is_translated("Darwin", "x86_64", kernel.format("X86_64"))
    assert not installation.is_translated("Darwin", "arm64", kernel.format("ARM64_T6000"))


@pytest.mark.parametrize(
    ("message", "folder", "words"),
    [
        ("x: libgomp.so.1: cannot open shared object file: No such file", None, "apt-get install libgomp1"),
        ("x: libcudart.so.12: cannot open shared object file: No such file", None, "libcudart.so.12"),
        ("x: libggml-cpu.so.0: cannot open shared object file: No such file", None, "Install it again"),
        ("x: libllama.so: cannot open shared object file: No such file", "/there", "Unset LLAMA_CPP_LIB_PATH"),
        ("The engine died (SIGILL) before it could answer.", None, "--no-binary llama-cpp-python"),
        ("llama-cpp-python is not installed, so no model can be run.", None, "pip install llama-cpp-python"),
        ("The engine died (SIGSEGV) before it could answer.", None, "pip install --force-reinstall"),
    ],
)
def test_what_helps_when_the_engine_cannot_be_loaded(message: str, folder: str | None, words: str) -> None:
    """The remedy fits the cause."""
    assert words in " ".join(installation.engine_remedy(EngineError(message), folder))


def test_an_engine_that_cannot_be_loaded_fails(around: Surroundings) -> None:
    """The engine and the self-check fail; the machine is looked at all the same."""
    around = replace(around, inspect=broken)
    found = {check.name: check for check in doctor.examine(around)}
    assert {"engine", "self-check"} == {name for name, check in found.items() if check.verdict is FAIL}
    assert "libx.so" in found["engine"].message
    assert "can't be asked" in found["gpus"].message


def test_a_folder_that_the_user_named_is_not_listed(
    around: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the folder of the native libraries only these are told."""
    for name in ("libllama.so", "ggml-base.dll", "diary.txt"):
        (tmp_path / name).write_text("")
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    check = installation.engine(having(around, LLAMA_CPP_LIB_PATH=str(tmp_path)))
    assert ["ggml-base.dll", "libllama.so"] == check.data["files"]


def test_a_version_that_nobody_tested(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of the library is a warning with the range that is right."""
    monkeypatch.setattr(installation, "LIBRARY_VERSIONS", ((99, 0), (100, 0)))
    check = installation.engine(around)
    assert (WARN, 'pip install "llama-cpp-python>=99.0,<100.0"') == (check.verdict, check.command)


def test_a_build_for_a_lesser_cpu(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build without what this CPU can do is a warning, with the command that builds it here."""
    monkeypatch.setattr(selfcheck, "processor", lambda: "Some CPU 9000\nfpu avx avx2 fma f16c")
    check = installation.processor(around)
    assert (WARN, ["AVX", "F16C"]) == (check.verdict, check.data["unused"])
    assert "Some CPU 9000" in check.message
    assert "--no-binary" in check.command
    monkeypatch.setattr(selfcheck, "processor", lambda: "fpu avx2 fma")
    assert OK is installation.processor(around).verdict


def test_the_self_check_is_made_or_remembered(around: Surroundings, tmp_path: Path) -> None:
    """A verdict on record is given as it is; without one the proof is made, and then it is on record."""
    state = tmp_path / "state"
    fresh = having(around, R1CHAT_HOME=str(state))
    first, second = (installation.self_check(fresh) for _ in range(2))
    if selfcheck.decode_once(installation.demo_path()) == 0:  # else this CPU is one that can't do what it says
        assert [OK, OK] == [first.verdict, second.verdict]
    assert [False, True] == [first.data["recorded"], second.data["recorded"]]
    assert first.data["extra_buffers"] == second.data["extra_buffers"]


@pytest.mark.parametrize(
    ("code", "wanted", "words"),
    [
        (-11, WARN, "extra buffers"),
        (-4, WARN, "extra buffers"),
        (1, FAIL, "exit code 1"),
        (None, FAIL, "does not end"),
    ],
)
def test_a_self_check_that_dies(
    around: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None, wanted: str, words: str
) -> None:
    """A CPU that lies is a warning, because there is a way round it; any other death is a failure."""
    monkeypatch.setattr(selfcheck, "decode_once", lambda demo: code)
    monkeypatch.setattr(process, "death", lambda code: {-11: "SIGSEGV", -4: "SIGILL"}.get(code, f"exit code {code}"))
    fresh = having(around, R1CHAT_HOME=str(tmp_path / "state"))
    check = installation.self_check(fresh)
    assert wanted == check.verdict
    assert words in check.message
    if wanted is WARN:
        assert (WARN, True) == ((again := installation.self_check(fresh)).verdict, again.data["recorded"])


# The machine


def test_gpus_that_are_used(around: Surroundings) -> None:
    """Each usable GPU is told with its memory."""
    build = Build(("CUDA", "CPU"), "", (RTX,))
    check = machine.gpus(replace(around, inspect=lambda: build))
    assert OK is check.verdict
    assert "NVIDIA GeForce RTX 4090 (CUDA): 22.0 GB of 24.0 GB free." == check.message
    assert 22 * GB == check.data["usable"][0]["free_bytes"]


@pytest.mark.parametrize("maker", ["NVIDIA", "AMD", "Apple"])
def test_a_gpu_that_the_build_cannot_use(around: Surroundings, maker: str) -> None:
    """It is named with the exact command that installs a build for it."""
    gpu = IdleGpu(maker, "Fast One", None)
    check = machine.gpus(replace(around, idle_gpus=lambda usable: (gpu,)))
    assert (WARN, gpu.command) == (check.verdict, check.command)
    assert "Fast One: not used" in check.message


def test_a_gpu_whose_driver_does_not_work(around: Surroundings) -> None:
    """A build for it that sees no device is not mended by another build."""
    build = Build(("CUDA", "CPU"), "", (), ("ggml_cuda_init: no CUDA-capable device is detected",))
    gpu = IdleGpu("NVIDIA", "Fast One", None)
    check = machine.gpus(replace(around, inspect=lambda: build, idle_gpus=lambda usable: (gpu,)))
    assert (WARN, "") == (check.verdict, check.command)
    assert "no CUDA-capable device" in check.message
    assert "driver" in check.remedy


@pytest.mark.parametrize(
    ("memory", "limit", "wanted", "words"),
    [
        ((64 * GB, 64 * GB), None, OK, "64.0 GB of 64.0 GB free. The largest model that fits: 70b:Q4_K_M."),
        ((1 * GB, 2 * GB), None, WARN, "too little for every model"),
        ((1 * GB, 2 * GB), 2 * GB, WARN, "as the container allows: too little"),
        ((None, None), None, WARN, "Nobody tells"),
    ],
)
def test_the_memory(
    around: Surroundings,
    monkeypatch: pytest.MonkeyPatch,
    memory: tuple[int | None, int | None],
    limit: int | None,
    wanted: str,
    words: str,
) -> None:
    """It is told with what fits into it, and with the container's limit where that binds."""
    monkeypatch.setattr(host, "memory", lambda: memory)
    monkeypatch.setattr(host, "container_limit", lambda: limit)
    check = machine.memory(around)
    assert wanted == check.verdict
    assert words in check.message


def test_the_cores(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a quota allows is named only where it is less than what there is."""
    check = machine.cores(around)
    assert (OK, devices.usable_cores()) == (check.verdict, check.data["usable"])
    monkeypatch.setattr(devices, "physical_cores", lambda: 8)
    monkeypatch.setattr(devices, "quota_cores", lambda: 3)
    assert "3 cores to compute with: " in machine.cores(around).message
    assert "a quota of time allows 3" in machine.cores(around).message


# The disk


def test_a_cache_that_is_not_there_yet(around: Surroundings, tmp_path: Path) -> None:
    """It counts by the folder it would be made in, and nothing is made."""
    check = disk.cache(around)
    assert (OK, True, False) == (check.verdict, check.data["writable"], check.data["exists"])
    assert not (tmp_path / "hf").exists()
    assert "not there yet" in check.message


def test_a_cache_that_cannot_be_written(around: Surroundings, tmp_path: Path) -> None:
    """It is a warning, because models run from elsewhere."""
    (tmp_path / "file").write_text("")
    check = disk.cache(having(around, HF_HUB_CACHE=str(tmp_path / "file" / "hub")))
    assert WARN is check.verdict
    assert "can't be written: not a directory" in check.message


def test_a_full_disk(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """No room for the smallest model is a warning."""
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 1000})())
    assert "no room for another model" in disk.cache(around).message


def test_what_downloads_have_left(around: Surroundings, tmp_path: Path) -> None:
    """What huggingface_hub or we began and did not end is counted, with the way to be rid of it."""
    assert (OK, 0) == ((check := disk.models(around)).verdict, check.data["count"])
    blobs = tmp_path / "hf" / "hub" / "models--somebody--something" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{'a' * 64}.incomplete").write_bytes(b"x" * 9000)
    check = disk.models(around)
    assert (WARN, 1) == (check.verdict, check.data["unfinished_downloads"])
    assert "r1chat prune" in check.remedy


def test_our_folders(around: Surroundings, home: Path, tmp_path: Path) -> None:
    """One that others may write to, or that can't be used, is a warning; the same folder is told once."""
    home.chmod(0o700)
    assert (OK, f"{home} can be used.") == ((check := disk.folders(around)).verdict, check.message)
    home.chmod(0o777)
    if disk._mode(home) == 0o777:
        check = disk.folders(around)
        assert (WARN, f"Others may write to {home}.") == (check.verdict, check.message)
        assert f"chmod go-w {home}" in check.remedy
    (tmp_path / "file").write_text("")
    check = disk.folders(having(around, R1CHAT_HOME=str(tmp_path / "file")))
    assert (WARN, 1) == (check.verdict, check.message.count("can't be written"))


# The surroundings


@pytest.mark.parametrize(
    ("screen", "environ", "wanted", "words"),
    [
        (Screen(), {}, OK, "Not looked at"),
        (Screen(True, True, True, Colors.TRUE), {}, OK, "80 by 24, 16,777,216 colours, Unicode, editing keys"),
        (Screen(False, True, True, Colors.PALETTE), {}, OK, "stdin is not the terminal"),
        (Screen(True, True, True), {"NO_COLOR": "1"}, OK, "no colours (NO_COLOR)"),
        (Screen(True, True, True, dumb=True), {"TERM": "dumb"}, WARN, "TERM is 'dumb'"),
        (Screen(True, True, True, dumb=True), {}, WARN, "TERM is not set"),
        (Screen(True, True, True, unicode=False), {}, WARN, "no Unicode"),
        (Screen(True, True, True, size=lambda: Size(20, 5)), {}, WARN, "narrow"),
    ],
)
def test_terminals(around: Surroundings, screen: Screen, environ: Mapping[str, str], wanted: str, words: str) -> None:
    """What a terminal lacks is told, and no terminal is none of anybody's fault."""
    check = environment.terminal(replace(having(around, **environ), screen=screen))
    assert wanted == check.verdict
    assert words in check.message


def test_our_variables_are_known() -> None:
    """Every R1CHAT_ variable that the package reads is one that the check knows."""
    text = "".join(path.read_text("utf-8") for path in (ROOT / "r1chat").rglob("*.py"))
    assert set(settings.VARIABLES) >= set(re.findall(r"R1CHAT_[A-Z_]*[A-Z]", text))


def test_files_that_are_wrong(around: Surroundings, home: Path) -> None:
    """The settings file and the user's catalogue fail each by itself, with their own sentence and remedy."""
    before = {check.name: check for check in doctor.examine(around)}
    assert [OK, OK] == [before["settings"].verdict, before["catalogue"].verdict]
    (home / "config.toml").write_text("token_hosts = 3")
    (home / "models.toml").write_text("[[model]]\nid = 3")
    found = {check.name: check for check in doctor.examine(around)}
    assert [FAIL, FAIL] == [found["settings"].verdict, found["catalogue"].verdict]
    assert "token_hosts" in found["settings"].message
    assert "model 1 has no id" in found["catalogue"].message
    assert {name for name, check in found.items() if check.verdict is FAIL} == {"settings", "catalogue"}


def test_files_that_are_right(around: Surroundings, home: Path) -> None:
    """What is set is named, and models of the user's own are counted."""
    (home / "config.toml").write_text("token_hosts = []")
    quantizations = 'quantizations = [{name = "Q4_K_M", file = "a.gguf"}]'
    own = f'[[model]]\nid = "own"\n[[model.downloads]]\nrepository = "a/b"\n{quantizations}\n'
    (home / "models.toml").write_text(own)
    before = catalog.load(catalog.default_path()).entries
    assert f"Set by {home / 'config.toml'}, R1CHAT_HOME." == environment.variables(around).message
    check = environment.names(around)
    assert (OK, len(before) + 1) == (check.verdict, check.data["models"])


def test_settings_that_mean_nothing(around: Surroundings, home: Path) -> None:
    """A variable that nobody reads is a warning, such a key a failure, each with what may be meant and no value."""
    check = environment.variables(having(around, R1CHAT_MODLE="secret"))
    assert WARN is check.verdict
    assert "R1CHAT_MODLE (is R1CHAT_MODEL meant?)" in check.message
    assert "secret" not in check.message
    (home / "config.toml").write_text('token_host = ["secret.example"]')
    found = {check.name: check for check in doctor.examine(around)}["settings"]
    assert (FAIL, "Did you mean token_hosts?") == (found.verdict, found.remedy)
    assert found.message.endswith("config.toml:1: there is no setting 'token_host'.")


@pytest.mark.parametrize("model", ["demo", "7b", "deepseek-r1:14b", "hf.co/somebody/something:Q8_0", "ollama:x"])
def test_a_model_of_the_environment_may_be_anywhere(around: Surroundings, model: str) -> None:
    """R1CHAT_MODEL need not be on the disk."""
    assert OK is environment.names(having(around, R1CHAT_MODEL=model)).verdict


@pytest.mark.parametrize("model", ["./no.gguf", "no-such-model"])
def test_a_model_of_the_environment_that_is_none(around: Surroundings, model: str) -> None:
    """A name of nothing, and a file that isn't there, are a failure that says where the name is from."""
    check = environment.names(having(around, R1CHAT_MODEL=model))
    assert FAIL is check.verdict
    assert "R1CHAT_MODEL" in check.remedy


# The Hub


@pytest.fixture
def local() -> Iterator[LocalHub]:
    """A Hub on this machine that holds the repository that is asked for."""
    with LocalHub() as local:
        local.put(FIRST, {"a.gguf": b"x"})
        yield local


def asking(around: Surroundings, endpoint: str, **environ: str) -> Surroundings:
    """The same, allowed to ask a Hub."""
    return having(around, HF_ENDPOINT=endpoint, HF_HUB_OFFLINE="0", **environ)


def test_the_hub_answers(around: Surroundings, local: LocalHub) -> None:
    """One request, without a token for a host that may not see it, with it for one that may."""
    check = hub.hub(asking(around, local.endpoint, HF_TOKEN="hf_abcdefgh"))
    assert OK is check.verdict
    assert "answers in" in check.message
    trusted = asking(around, local.endpoint, HF_TOKEN="hf_abcdefgh", R1CHAT_TOKEN_HOSTS="127.0.0.1")
    assert OK is hub.hub(trusted).verdict
    assert [None, "Bearer hf_abcdefgh"] == [
        {name.lower(): value for name, value in seen.headers.items()}.get("authorization") for seen in local.seen
    ]


def test_a_hub_without_the_repository_is_there_too(around: Surroundings) -> None:
    """A mirror need not hold what is asked for: it answers."""
    with LocalHub() as empty:
        check = hub.hub(asking(around, empty.endpoint))
    assert OK is check.verdict
    assert "though it has no" in check.message


def test_nobody_is_asked_offline(around: Surroundings, local: LocalHub) -> None:
    """--offline and HF_HUB_OFFLINE forbid it, and the line says which."""
    assert "--offline" in hub.hub(replace(asking(around, local.endpoint), offline=True)).message
    assert "HF_HUB_OFFLINE" in hub.hub(having(around, HF_ENDPOINT=local.endpoint)).message
    assert [] == local.seen


def refused() -> str:
    """Give an address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_hub_that_does_not_answer(around: Surroundings, local: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, silent, unknown, without a lookup, not speaking TLS: each a warning with its own sentence."""

    def warning(endpoint: str) -> str:
        check = hub.hub(asking(around, endpoint))
        assert WARN is check.verdict
        assert "Models that are here run without it." in check.remedy
        return check.message

    assert "can't be reached" in warning(refused())
    assert "secure connection" in warning(local.endpoint.replace("http:", "https:"))
    local.faults.append(Fault("api", status=503, times=-1))
    assert "can't answer now (status 503)" in warning(local.endpoint)
    monkeypatch.setattr(hub, "HUB_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "has stopped sending" in warning(f"http://127.0.0.1:{silent.getsockname()[1]}")

    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "can't be found" in warning("http://hub.example")
    stuck = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: stuck.wait())
    assert "does not answer within" in warning("http://hub.example")
    stuck.set()


def test_a_hub_whose_certificate_nobody_knows(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that reads along is told from a network that is down."""

    def distrust(*_: Any, **__: Any) -> None:
        raise ssl.SSLCertVerificationError

    monkeypatch.setattr(socket, "create_connection", distrust)
    monkeypatch.setattr(socket, "getaddrinfo", distrust)
    check = hub.hub(asking(around, "https://hub.example"))
    assert "The certificate of hub.example can't be trusted." == check.message
    assert "SSL_CERT_FILE" in check.remedy


def test_a_proxy_is_named_without_its_password(
    around: Surroundings, local: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line says through which proxy the Hub was asked; nobody learns the password."""
    proxy = refused().replace("//", "//ford:pr3fect@")
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, proxy)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(doctor, "CHECKS", (("hub", hub.hub, 30.0),))
    through = replace(asking(around, "http://hub.example"), proxies={"http": proxy})
    (check,) = doctor.examine(through)
    assert WARN is check.verdict
    assert f"through the proxy http://<secret>@{proxy.rpartition('@')[2]}" in check.message
    assert "pr3fect" not in repr(check)
    assert "ford" not in repr(check)


def test_an_address_that_is_none(around: Surroundings) -> None:
    """HF_ENDPOINT with a wrong address is a failure, and the token's line does not stumble over it."""
    monster = asking(around, "http://[::1", HF_TOKEN="hf_abcdefgh")
    found = {check.name: check for check in doctor.examine(monster)}
    assert (FAIL, OK) == (found["hub"].verdict, found["token"].verdict)
    assert "no address of a Hub" in found["hub"].message


def test_the_token_is_told_by_its_source(around: Surroundings, tmp_path: Path) -> None:
    """None, a variable, a file; one that can't be one is a failure. Its value is never told."""
    assert "None." in hub.token(around).message
    assert "from HF_TOKEN." in hub.token(having(around, HF_TOKEN="hf_abcdefgh")).message
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text("hf_abcdefgh\n")
    assert f"from {tmp_path / 'hf' / 'token'}." in hub.token(around).message
    assert "None." in hub.token(having(around, HF_HUB_DISABLE_IMPLICIT_TOKEN="1")).message
    check = hub.token(having(around, HF_TOKEN="two words"))
    assert FAIL is check.verdict
    assert "two words" not in repr(check)
    away = hub.token(having(around, HF_TOKEN="hf_abcdefgh", HF_ENDPOINT="https://me:pw@hub.example"))
    assert "hub.example does not get to see it" in away.message
