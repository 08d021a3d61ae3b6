"""Checks of what is installed: Python, r1chat, the engine's library, and whether its instructions run on this CPU."""

import contextlib
import importlib.metadata
import platform
import re
import sys
from pathlib import Path
from typing import Final

from r1chat import __version__
from r1chat.doctor.check import FAIL, OK, WARN, Check, Surroundings
from r1chat.engine import llama, process, selfcheck
from r1chat.errors import EngineError
from r1chat.models.library import demo_path

OLDEST_PYTHON: Final = (3, 11)  # pyproject.toml, requires-python
LIBRARY_VERSIONS: Final = ((0, 3, 36), (0, 4))  # pyproject.toml, dependencies: from, and below
REINSTALL: Final = "pip install --force-reinstall --no-cache-dir"
PACKAGES: Final = ("huggingface-hub", "httpx2", "typer", "rich", "prompt-toolkit", "psutil")
_NATIVE: Final = re.compile(r"(lib)?(llama|ggml)")  # nobody need know what else is in a folder that the user named
_NO_INSTRUCTIONS: Final = {"LLAMAFILE", "OPENMP", "REPACK", "ACCELERATE", "KLEIDIAI"}  # features of other kinds


def python(around: Surroundings) -> Check:
    """Python itself: old ones are not supported, and 32 bits can't hold a model."""
    version, kind = platform.python_version(), platform.python_implementation()
    bits = 64 if sys.maxsize > 2**32 else 32
    system = f"{platform.system()} {platform.release()}"
    data = {"version": version, "implementation": kind, "bits": bits, "system": system, "machine": platform.machine()}
    message = f"{kind} {version}, {bits} bit, on {system}, {platform.machine()}."
    remedy = f"Install CPython {'.'.join(map(str, OLDEST_PYTHON))} or newer, 64 bit, and r1chat with it."
    if sys.version_info < OLDEST_PYTHON or bits != 64:
        return Check(FAIL, f"{message} It is not supported.", remedy, data=data)
    if kind != "CPython":
        return Check(WARN, f"{message} r1chat is only tested with CPython.", remedy, data=data)
    if is_translated(platform.system(), platform.machine(), platform.version()):
        remedy = "Install a Python for Apple's processors (arm64), and r1chat with it."
        return Check(
            WARN, f"{message} It is made for Intel, so this Mac translates it: slow, no GPU.", remedy, data=data
        )
    return Check(OK, message, data=data)


def is_translated(system: str, machine: str, kernel: str) -> bool:
    """Tell whether an Intel program runs on Apple's own processor: the kernel's version names it (RELEASE_ARM64)."""
    return system == "Darwin" and machine == "x86_64" and "ARM64" in kernel


def installation(around: Surroundings) -> Check:
    """r1chat: its version, and whether what belongs to it is there."""
    packages = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            packages[name] = importlib.metadata.version(name)
    folder = str(process.PACKAGE)
    data = {"version": __version__, "folder": folder, "packages": packages}
    lacking = [name for name in PACKAGES if name not in packages]
    if not demo_path().is_file():
        lacking.append("the bundled model")
    if lacking:
        text = f"r1chat {__version__} lacks {', '.join(lacking)}."
        return Check(FAIL, text, "Install it again:", f"{REINSTALL} r1chat", data)
    return Check(OK, f"r1chat {__version__}, in {folder}.", data=data)


def engine(around: Surroundings) -> Check:
    """The engine's library: whether it can be loaded at all, and its build."""
    version, folder = llama.library_version(), around.environ.get("LLAMA_CPP_LIB_PATH")
    files = [path.name for path in llama.library_files() if _NATIVE.match(path.name)]
    data = {"version": version, "folder": folder, "files": files}
    from_folder = f" It is the one in {folder} (LLAMA_CPP_LIB_PATH)." if folder else ""
    try:
        build = around.inspect()
    except EngineError as error:
        remedy, command = engine_remedy(error, folder)
        return Check(FAIL, f"{error.message}{from_folder}", remedy, command, data)
    data |= {"backends": list(build.backends), "features": build.features, "warnings": list(build.warnings)}
    message = f"llama-cpp-python {version}, built for {', '.join(build.backends)}.{from_folder}"
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    least, below = LIBRARY_VERSIONS
    if not least <= numbers < below:
        wanted = f"llama-cpp-python>={'.'.join(map(str, least))},<{'.'.join(map(str, below))}"
        return Check(WARN, f"{message} r1chat is not tested with it.", "Install:", f'pip install "{wanted}"', data)
    return Check(OK, message, data=data)


def engine_remedy(error: EngineError, folder: str | None) -> tuple[str, str]:
    """Say what helps when the library, of the package or of a `folder`, can't be loaded: words, and a command."""
    if lacking := re.search(r"(\S+): cannot open shared object file", error.message):
        name = lacking[1]
        if name.startswith("libgomp"):
            return "Install the library. On Debian and Ubuntu:", "sudo apt-get install libgomp1"
        if not name.startswith(("libllama", "libggml", "/")):
            return f"Install what brings {name}: your system's packages, or the driver that it belongs to.", ""
    if folder is not None:  # the bindings take even an empty name for one
        return "Unset LLAMA_CPP_LIB_PATH, or let it name the folder of a whole build.", ""
    if "SIGILL" in error.message or "illegal instruction" in error.message:
        return "It was built for another CPU. Build it on this machine:", _built_here()
    if "not installed" in error.message:
        return "Install it:", "pip install llama-cpp-python"
    return "Install it again:", f"{REINSTALL} llama-cpp-python"


def _built_here() -> str:
    return f"{REINSTALL} --no-binary llama-cpp-python llama-cpp-python"


def processor(around: Surroundings) -> Check:
    """The CPU, and whether the library was compiled for what it can do."""
    known = selfcheck.processor()
    name = _processor_name(known)
    try:
        build = around.inspect()
    except EngineError:
        return Check(OK, f"{name}. What the library makes of it is unknown: it can't be loaded.", data={"name": name})
    features = build.features_of("CPU")
    unused = build.unused(known)
    data = {"name": name, "features": dict(features), "unused": list(unused)}
    if unused:
        text = f"{name}. The library was built without its {', '.join(unused)}: it computes much slower than it could."
        return Check(WARN, text, "Build it on this machine:", _built_here(), data)
    used = ", ".join(feature for feature in features if feature not in _NO_INSTRUCTIONS)
    return Check(OK, f"{name}. The library uses {used or 'nothing special'}.", data=data)


def _processor_name(known: str) -> str:
    """Give the first line of what the self-check knows of the CPU if that is a name: flags have no capital letters."""
    first = known.partition("\n")[0]
    return first if first != first.lower() else platform.machine()


def self_check(around: Surroundings) -> Check:
    """The proof that the library's instructions run on this CPU: the recorded verdict, or one made now."""
    try:
        around.inspect()
    except EngineError:
        return Check(FAIL, "Nothing can be proven: the library can't be loaded.", "Mend that first; see engine.")
    codes: list[int | None] = []

    def prove(demo: Path) -> int | None:
        codes.append(selfcheck.decode_once(demo))
        return codes[-1]

    verdict = selfcheck.SelfCheck(around.paths.self_check, demo_path(), prove).verdict()
    code = codes[0] if codes else 0
    death = process.death(code) if code else ""
    when = "made just now" if codes else "as recorded"
    data = {"extra_buffers": verdict.extra_buffers, "recorded": not codes, "death": death}
    if verdict.extra_buffers:
        text = f"The bundled model was decoded with all instructions that the library uses ({when})."
        return Check(OK, text, data=data)
    if code is None or (code and not process.is_hardware_fault(code)):
        text = f"The bundled model can't be decoded: {death or 'the engine does not end'}."
        return Check(FAIL, text, "See why:", "r1chat run demo --verbose 'What is 1 + 1?'", data)
    text = (
        f"This CPU can't run all the instructions it advertises ({when}), so models work without extra buffers, which"
        " are weights repacked for these: the same answers, but prompts are read slower."
    )
    remedy = f"Nothing needs to be done. After an update of the machine, delete {around.paths.self_check} to try again."
    return Check(WARN, text, remedy, data=data)
