"""The house holds together: who may import whom, and what a start may cost in imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "r1chat"
PURE = ("commonmark", "formula", "formula_parser", "latex", "progress", "symbols")  # of the terminal
# docs/design.md, section 2. A room is a folder, or a module at the top by its own name. "*" is everything.
MAY_IMPORT: dict[str, set[str]] = {
    "core": {"core", "errors"},
    "models": {"models", "core", "errors"},
    "engine": {"engine", "core", "errors"},
    "terminal": {"terminal", "core", "errors"},
    "errors": set(),
    "paths": set(),
    "settings": {"settings", "core", "errors", "options", "engine.base"},
    "files": {"core", "errors"},
    "options": {"core", "errors", "engine.base"},
    "outcome": {"core", "errors", "engine.base"},
    "chat": {"core", "errors", "files", "options", "outcome", "engine.base"},
    "store": {"store", "core", "errors"},
    "export": {"export", "core", "errors", *(f"terminal.{name}" for name in PURE)},
    "sessions": {"chat", "store", "core", "errors"},
    "interrupts": {"chat", "engine.base", "errors"},
    "launch": {"core", "errors", "models", "engine", "paths", "settings"},
    "api": {"core", "errors", "chat", "launch", "paths", "settings", "engine.base"},
    "repl": {
        "repl",
        "core",
        "errors",
        "chat",
        "files",
        "launch",
        "paths",
        "settings",
        "engine",
        "export",
        "models",
        "sessions",
        "store",
        "terminal",
        "__init__",
    },
    "doctor": {"core", "errors", "models", "engine", "terminal", "paths", "settings", "doctor", "__init__"},
    "cli": {"*"},
    "__main__": {"cli"},
    "__init__": {"api", "chat", "core", "errors"},
}
AT_HOME = {
    "llama_cpp": {"engine/llama.py"},
    "ctypes": {"engine/llama.py"},
    "huggingface_hub": {"models/hub.py", "models/pull.py"},
    "httpx2": {"models/hub.py", "models/pull.py", "models/gguf.py"},
    "rich": {"terminal"},
    "prompt_toolkit": {"terminal"},
    "typer": {"cli"},
    "sqlite3": {"store"},
    "pygments": {"export", "terminal/colors.py"},
    "click": set(),
}
IMPURE = {"os", "sys", "time", "socket", "subprocess", "threading", "random", "secrets", "pathlib", "io", "logging"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every module a file imports anywhere in it, `from a import b` as a.b too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def name_of(path: Path) -> str:
    """A module's path in the package, such as engine/llama.py."""
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_room_imports_only_what_it_may_know(path: Path) -> None:
    """Each module imports only from the rooms that the design allows to it."""
    room = name_of(path).partition("/")[0].removesuffix(".py")
    allowed = MAY_IMPORT[room]
    ours = {name.removeprefix("r1chat.") for name in imports(path) if name.startswith("r1chat.")}
    tops = {name.partition(".")[0] for name in ours}
    modules = {p.stem for p in PACKAGE.iterdir()}
    strangers = {
        name
        for name in ours
        if name.partition(".")[0] in tops & modules
        and not any(name == may or name.startswith(f"{may}.") or may.startswith(f"{name}.") for may in allowed)
    }
    assert "*" in allowed or strangers == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_third_party_is_imported_only_at_its_home(path: Path) -> None:
    """Each library that a room hides is imported nowhere else, and click nowhere at all."""
    for library in {name.partition(".")[0] for name in imports(path)} & set(AT_HOME):
        homes = AT_HOME[library]
        assert any(name_of(path) == home or name_of(path).startswith(f"{home}/") for home in homes), library


@pytest.mark.parametrize("path", [p for p in MODULES if name_of(p).startswith("core/")], ids=name_of)
def test_the_core_is_pure(path: Path) -> None:
    """A module of the core imports the standard library's pure part only: no clock, environment, file or socket."""
    tops = {name.partition(".")[0] for name in imports(path)}
    assert tops <= sys.stdlib_module_names | {"r1chat"}
    assert tops & IMPURE == set()


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_asking_for_help_imports_no_engine(argument: str) -> None:
    """`r1chat --help` and `--version` import none of the heavy libraries."""
    code = (
        "import sys; from r1chat.cli.app import main; main(sys.argv[1:]); "
        "print(*sorted({m.partition('.')[0] for m in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, argument], capture_output=True, text=True, check=True)
    assert {"llama_cpp", "numpy", "huggingface_hub", "prompt_toolkit", "pygments", "sqlite3"} & set(
        done.stderr.split()
    ) == set()
