"""The command line itself: help, version, wrong options, names of models; and model files that can't be run.

For every refusal: one sentence on stderr that says what is wrong, one line that says what to do, nothing on stdout.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import r1chat as package
from r1chat.cli.app import main
from tests.conftest import Command, Done
from tests.gguf_writer import Model, tiny, u16


def refused(done: Done, code: int) -> str:
    """Check the form of a refusal and give its text."""
    sentence, hint = done.err.decode().splitlines()
    assert (b"", code) == (done.out, done.code)
    assert sentence.startswith("r1chat: ")
    assert hint.startswith("  ")
    return f"{sentence}\n{hint}"


def test_bare_r1chat_prints_help(r1chat: Command) -> None:
    """`r1chat` alone is the same as `r1chat --help` and `-h`, and is no error."""
    done = r1chat()
    assert (b"", 0) == (done.err, done.code)
    assert b"run" in done.out
    assert done == r1chat("--help")
    assert done == r1chat("-h")


def test_the_version(r1chat: Command) -> None:
    """`--version` prints the package's version."""
    assert Done(f"r1chat {package.__version__}\n".encode(), b"", 0) == r1chat("--version")


def test_help_needs_no_engine(r1chat: Command) -> None:
    """`r1chat run --help` names every option of the contract, and imports nothing heavy."""
    done = r1chat("run", "--help")
    options = (
        "--file --system --math --raw --thinking --json --jsonl --verbose --max-tokens --think-budget "
        "--think-min --no-think --overflow "
        "--temp --top-p --top-k --min-p --repeat-penalty --seed --stop --ctx --threads "
        "--gpu-layers --kv --cpu-moe --vram --ram --margin --pace"
    )
    assert [] == [option for option in options.split() if option not in done.out.decode()]
    heavy = "import sys; from r1chat.cli.app import main; main(['run', '--help']); print(*sys.modules, file=sys.stderr)"
    argv = [sys.executable, "-c", heavy]
    loaded = subprocess.run(argv, capture_output=True, check=True).stderr.decode().split()
    assert [] == [name for name in ("llama_cpp", "numpy", "huggingface_hub", "prompt_toolkit") if name in loaded]


@pytest.mark.parametrize(
    "args",
    [
        ("frobnicate",),
        ("--bogus",),
        ("run", "demo", "q", "--bogus"),
        ("run", "demo", "q", "and", "more"),
        ("run", "demo", "q", "--max-tokens", "0"),
        ("run", "demo", "q", "--max-tokens", "many"),
        ("run", "demo", "q", "--thinking", "loud"),
        ("run", "demo", "q", "--gpu-layers", "-2"),
        ("run", "demo", "q", "--gpu-layers", "some"),
        ("run", "demo", "q", "--gpu-layers", "6"),
        ("run", "demo", "q", "--kv", "q9_9"),
        ("run", "demo", "q", "--cpu-moe", "1"),
        ("run", "demo", "q", "--ram", "much"),
        ("run", "demo", "q", "--vram", "1G,"),
        ("run", "demo", "q", "--threads", "0"),
        ("run", "demo", "q", "--temp", "-1"),
        ("run", "demo", "q", "--temp", "nan"),
        ("run", "demo", "q", "--top-p", "1.5"),
        ("run", "demo", "q", "--top-k", "-1"),
        ("run", "demo", "q", "--seed", "-1"),
        ("run", "demo", "q", "--seed", "4294967296"),
        ("run", "demo", "q", "--pace", "-1"),
        ("run", "demo", "q", "--think-budget", "soon"),
        ("run", "demo", "q", "--think-budget", "-3"),
        ("run", "demo", "q", "--think-budget", "5", "--no-think"),
        ("run", "demo", "q", "--think-min", "5", "--no-think"),
        ("run", "demo", "q", "--think-min", "6", "--think-budget", "5"),
        ("run", "demo", "q", "--think-min", "-1"),
        ("run", "demo", "q", "--overflow", "newest"),
        ("run", "demo", "q", "--raw", "--math"),
        ("run", "demo", "q", "--raw", "--system", "s"),
        ("run", "", "q"),
        ("run", "demo", ""),
    ],
)
def test_a_wrong_command_line(capsys: pytest.CaptureFixture[str], args: tuple[str, ...]) -> None:
    """What can't be asked for ends with 2 and one sentence that says what is wrong and what is right."""
    assert 2 == main(args)
    out, err = capsys.readouterr()
    assert "" == out
    assert err.startswith("r1chat: ")
    assert len(err.splitlines()) <= 2
    assert any(word in err for word in ("--help", "Use ", "Give ", "between", "Try", "Leave "))


def test_a_wrong_option_in_a_process(r1chat: Command) -> None:
    """The exit code reaches the shell."""
    assert "--bogus" in refused(r1chat("run", "demo", "q", "--bogus"), 2)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("7b", "Get it (4.7 GB): r1chat pull 7b:Q4_K_M"),
        ("deepsek-r1:7b", "Did you mean deepseek-r1:7b"),
        ("What is 2+2?", "Name the model first"),
        ("zzzzzzzzzzz", "r1chat run demo"),
        ("hf.co/user/repository:Q4_K_M", "Get it: r1chat pull user/repository:Q4_K_M"),
        ("7b:Q9_9", "has no quantization"),
        ("ollama:nothing", "Ollama has no model nothing here."),
    ],
)
def test_a_model_that_is_not_here(r1chat: Command, name: str, words: str) -> None:
    """A name is answered with the command that gets the model, a typing error with what may be meant."""
    assert words in refused(r1chat("run", name, "q"), 3)


# Files that can't be run


def without(*keys: str) -> bytes:
    """A tiny model whose metadata lacks some keys."""
    model = tiny()
    model.metadata = {key: value for key, value in model.metadata.items() if key not in keys}
    return model.build()


def foreign() -> bytes:
    """A tiny model whose vocabulary is another family's."""
    model = tiny()
    tokens = model.metadata["tokenizer.ggml.tokens"]
    model.metadata["tokenizer.ggml.tokens"] = [f"<|{n}|>" if "<" in t else t for n, t in enumerate(tokens)]
    return model.build()


def other(architecture: str) -> bytes:
    """A tiny model that says it is of another architecture."""
    model = tiny()
    model.metadata["general.architecture"] = architecture
    return model.build()


def shard() -> bytes:
    """The first of three parts."""
    model = tiny()
    return Model({**model.metadata, "split.no": u16(0), "split.count": u16(3)}, model.tensors[:5]).build()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 4683073184\n"
UNUSABLE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "text": ("m.gguf", lambda: b"Hello, I am no model.", "not a GGUF file"),
    "Git LFS pointer": ("m.gguf", lambda: LFS, "Git LFS pointer"),
    "empty": ("m.gguf", lambda: b"", "is empty"),
    "cut in the header": ("m.gguf", lambda: tiny().build()[:3000], "incomplete"),
    "cut in the weights": ("m.gguf", lambda: tiny().build(cut=5000), "incomplete"),
    "old version": ("m.gguf", lambda: b"GGUF\x01\x00\x00\x00" + bytes(64), "version 1"),
    "old format": ("m.bin.gguf", lambda: b"tjgg\x03\x00\x00\x00" + bytes(64), "from before GGUF"),
    "architecture": ("m.gguf", lambda: other("phi3"), "phi3"),
    "no tokenizer": ("m.gguf", lambda: without("tokenizer.ggml.model", "tokenizer.ggml.tokens"), "no tokenizer"),
    "another family": ("m.gguf", foreign, "R1"),
    "one part of three": ("m-00001-of-00003.gguf", shard, "m-00002-of-00003.gguf"),
    "an odd name": ("\x1b[31mred\u202e.gguf", lambda: b"no", "not a GGUF file"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_file_that_cannot_be_run(r1chat: Command, tmp_path: Path, what: str) -> None:
    """A file whose header tells that it can't be run ends with 6, before anything native is started."""
    name, data, words = UNUSABLE[what]
    (tmp_path / name).write_bytes(data())
    (tmp_path / "fresh").mkdir()
    done = r1chat("run", str(tmp_path / name), "q", env={"R1CHAT_HOME": str(tmp_path / "fresh")})
    told = refused(done, 6)
    assert words in told
    assert "\x1b" not in told
    assert "\u202e" not in told
    # The first start of an engine would leave its self-check there.
    assert [] == list((tmp_path / "fresh").iterdir())


@pytest.mark.parametrize(("name", "words"), [("", "directory"), ("nothing.gguf", "no file"), ("loop.gguf", "be read")])
def test_a_path_that_cannot_be_opened(r1chat: Command, tmp_path: Path, name: str, words: str) -> None:
    """A folder, nothing, or what the system does not open ends with 3."""
    (tmp_path / "loop.gguf").symlink_to(tmp_path / "loop.gguf")
    assert words in refused(r1chat("run", str(tmp_path / name), "q"), 3)


def test_a_named_pipe_is_no_model(r1chat: Command, tmp_path: Path) -> None:
    """A pipe that nobody writes into is refused, not waited for."""
    os.mkfifo(tmp_path / "pipe.gguf")
    done = r1chat("run", str(tmp_path / "pipe.gguf"), "q")
    assert done.code in (3, 6)
    refused(done, done.code)


def test_no_traceback_but_for_developers(r1chat: Command) -> None:
    """R1CHAT_DEBUG=1 shows where an error comes from."""
    args = ("run", "demo", "q", "--seed", "-1")
    assert b"Traceback" not in r1chat(*args).err
    assert b"Traceback" in r1chat(*args, env={"R1CHAT_DEBUG": "1"}).err
