"""The hazardous module: the only importer of llama_cpp and the only ctypes. Token ids in, token ids out.

Knows nothing about prompts, events or processes. C return codes become exceptions here and nowhere else. A wrong
pointer or a broken file can still end the process from inside the library: that is why only the engine's child
process imports this module.
"""

import ctypes
import importlib
import importlib.util
import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from r1chat.core.memory import Plan
from r1chat.core.placement import Device
from r1chat.core.prompt import CORE_MARKERS, TOOL_MARKERS, cut_specials
from r1chat.core.sampling import Sampling
from r1chat.engine.buffers import Buffers, read_buffers
from r1chat.engine.build import Build
from r1chat.errors import EngineError, FitError

GGML_TYPES = {
    "f32": 0,
    "f16": 1,
    "q4_0": 2,
    "q4_1": 3,
    "q5_0": 6,
    "q5_1": 7,
    "q8_0": 8,
    "bf16": 30,
}  # ggml.h, ggml_type
FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}  # llama.h, llama_flash_attn_type
PENALTY_WINDOW = (
    64  # tokens the repeat penalty looks back at: llama.cpp's own default (common/common.h, penalty_last_n)
)
DEBUG, WARNING, ERROR, CONTINUATION = 1, 3, 4, 5  # ggml.h, ggml_log_level; a continuation belongs to the line before it
WINDOW, OVERLAP = 1 << 14, 1 << 8  # characters
# ggml/src/ggml-backend-reg.cpp, which Windows has in a library of its own
_OF_REGISTRY = {
    *("ggml_backend_dev_count", "ggml_backend_dev_get"),
    *("ggml_backend_reg_count", "ggml_backend_reg_get"),
}
DEVICE_KINDS = {1: "gpu", 2: "integrated"}  # ggml-backend.h, ggml_backend_dev_type; the others compute on the CPU
SPECIAL_ATTRIBUTES = 1 << 3 | 1 << 4  # llama.h, llama_token_attr: CONTROL and USER_DEFINED


def bindings() -> Any:
    """Import llama_cpp's ctypes layer and nothing else of it.

    The package's own `__init__` imports numpy, jinja2 and its high-level class (0.2 s and 30 MB, PITFALL of every
    start); a bare package module in its place lets the one submodule we use be imported alone.
    """
    if "llama_cpp" not in sys.modules:
        spec = importlib.util.find_spec("llama_cpp")
        if spec is None or spec.submodule_search_locations is None:
            raise EngineError(
                "llama-cpp-python is not installed, so no model can be run.",
                hint="Install it with: pip install llama-cpp-python",
            )
        package = ModuleType("llama_cpp")
        package.__path__ = list(spec.submodule_search_locations)
        package.__spec__ = spec
        sys.modules["llama_cpp"] = package
    try:
        return importlib.import_module("llama_cpp.llama_cpp")
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        raise EngineError(
            f"The native library of llama-cpp-python can't be loaded: {error}.",
            hint="Reinstall it for this Python: pip install --force-reinstall --no-cache-dir llama-cpp-python",
        ) from error


def silence_crashes() -> None:
    """Let this process die without a core file, a backtrace run or a dialog: its parent tells what happened."""
    os.environ["GGML_NO_BACKTRACE"] = "1"
    if sys.platform == "win32":
        # SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX, winbase.h
        ctypes.windll.kernel32.SetErrorMode(0x0001 | 0x0002)
    else:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def library_version() -> str:
    """Give the installed version of llama-cpp-python, without importing it (or importlib.metadata, 30 ms)."""
    folder = _package_folder()
    infos = folder.parent.glob("llama_cpp_python-*.dist-info") if folder else ()
    return next((info.name.removesuffix(".dist-info").rpartition("-")[2] for info in infos), "unknown")


def library_files() -> list[Path]:
    """List the native libraries that a load would map, without loading one."""
    folder = _package_folder()
    if folder is None:
        return []
    folder = Path(os.environ.get("LLAMA_CPP_LIB_PATH") or folder / "lib")  # as llama_cpp.py chooses
    return sorted(path for path in folder.glob("*") if path.is_file())


def _package_folder() -> Path | None:
    spec = importlib.util.find_spec("llama_cpp")
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


class Model:
    """A loaded model and its vocabulary."""

    def __init__(
        self,
        path: str | bytes,
        *,
        n_gpu_layers: int,
        extra_buffers: bool,
        tensor_split: Sequence[int] = (),
        n_cpu_moe: int = 0,
        vocabulary_only: bool = False,
        dry: bool = False,
        progress: Callable[[float], bool] | None = None,
    ) -> None:
        """Load the file. `progress` gets a fraction from 0 to 1 and stops the load by returning False.

        `tensor_split` is how many of the offloaded layers each GPU gets; without it the library decides. The experts
        of the first `n_cpu_moe` layers stay in the host's memory. A `dry` load reads the header and no weights.

        `extra_buffers=False` keeps the library from repacking weights for AMX and the like, which dies on machines
        that advertise such instructions without having them. Raises EngineError when the library refuses the file.
        """
        self.lib = bindings()
        self.lib.llama_backend_init()
        params = self.lib.llama_model_default_params()
        params.n_gpu_layers = n_gpu_layers
        params.use_extra_bufts = extra_buffers
        params.vocab_only = vocabulary_only
        if n_gpu_layers == 0:  # else a GPU without layers still takes memory, and computes long prompts
            self._devices = (ctypes.c_void_p * 1)(None)
            params.devices = ctypes.cast(self._devices, ctypes.c_void_p)
        if tensor_split:
            shares = [*tensor_split, *[0] * self.lib.llama_max_devices()][: self.lib.llama_max_devices()]
            self._split = params.tensor_split = (ctypes.c_float * len(shares))(*shares)
        if n_cpu_moe:
            self._overrides = _experts_in_memory(self.lib, n_cpu_moe)
            params.tensor_buft_overrides = ctypes.cast(self._overrides, ctypes.c_void_p)
        if dry:
            params.no_alloc = True
            params.load_mode = self.lib.LLAMA_LOAD_MODE_NONE  # the default maps the file, and can hang on a sparse one
        # The callback object must outlive the load: ctypes keeps no reference of its own.
        callback = self.lib.llama_progress_callback(lambda fraction, _: progress is None or progress(fraction))
        params.progress_callback = callback
        self.pointer = self.lib.llama_model_load_from_file(os.fsencode(path), params)
        if not self.pointer:
            raise EngineError("The engine could not load the model.", hint="--verbose shows why.")
        self.vocabulary = Vocabulary(self.lib, self.lib.llama_model_get_vocab(self.pointer))

    def describe(self) -> str:
        """Say what the library makes of the model, such as "qwen2 1.5B Q4_K - Medium"."""
        buffer = ctypes.create_string_buffer(256)
        self.lib.llama_model_desc(self.pointer, buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace").replace(" ?B", "")  # its word for a size it does not know

    def n_bytes(self) -> int:
        """Give the size of all weights."""
        return int(self.lib.llama_model_size(self.pointer))

    def close(self) -> None:
        """Give the memory back. Every context must be closed first."""
        if self.pointer:
            self.lib.llama_model_free(self.pointer)
            self.pointer = None


class _Override(ctypes.Structure):
    """llama.h, llama_model_tensor_buft_override: the bindings have no type for it."""

    _fields_ = [("pattern", ctypes.c_char_p), ("buffer_type", ctypes.c_void_p)]


def _experts_in_memory(lib: Any, n_layers: int) -> Any:
    """Say that the experts of the first layers belong into the CPU's buffers; the list ends in a null."""
    layers = "|".join(map(str, range(n_layers)))
    pattern = rf"^blk\.({layers})\.ffn_(gate|up|down|gate_up)_exps\."
    cpu = _ggml(lib, "ggml_backend_cpu_buffer_type", ctypes.c_void_p)()
    return (_Override * 2)(_Override(pattern.encode(), cpu), _Override(None, None))


def _ggml(lib: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Find a function of ggml, in the very copy that libllama uses.

    The package holds each library under several names, and a second copy would have a registry of its own, which is
    empty. So it is looked up through libllama; Windows doesn't do that, and has each library once.
    """
    if sys.platform == "win32":
        folder = next(path.parent for path in library_files())
        home = "ggml.dll" if name in _OF_REGISTRY else "ggml-base.dll"
        function = getattr(ctypes.CDLL(str(folder / home)), name)
    else:
        function = getattr(lib._lib, name)
    function.restype, function.argtypes = result, list(arguments)
    return function


class _Properties(ctypes.Structure):
    """ggml-backend.h, ggml_backend_dev_props; at its end are flags, of which newer versions have more."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("description", ctypes.c_char_p),
        ("memory_free", ctypes.c_size_t),
        ("memory_total", ctypes.c_size_t),
        ("type", ctypes.c_int),
        ("id", ctypes.c_char_p),
        ("capabilities", ctypes.c_bool * 64),
    ]


def gpus() -> tuple[Device, ...]:
    """List the devices that layers can be offloaded to, in the library's order, as its own registry knows them."""
    lib = bindings()
    lib.llama_backend_init()
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    get = _ggml(lib, "ggml_backend_dev_get", pointer, size)
    ask = _ggml(lib, "ggml_backend_dev_get_props", None, pointer, ctypes.POINTER(_Properties))
    registry_of = _ggml(lib, "ggml_backend_dev_backend_reg", pointer, pointer)
    registry_name = _ggml(lib, "ggml_backend_reg_name", ctypes.c_char_p, pointer)
    found = []
    for index in range(_ggml(lib, "ggml_backend_dev_count", size)()):
        device, known = get(index), _Properties()
        ask(device, ctypes.byref(known))
        if known.type not in DEVICE_KINDS:
            continue
        name, description, backend = (
            (text or b"").decode("utf-8", "replace")
            for text in (known.name, known.description, registry_name(registry_of(device)))
        )
        kind = "remote" if backend == "RPC" else DEVICE_KINDS[known.type]
        found.append((Device(name, description, kind, backend, known.memory_free, known.memory_total), known.id or b""))
    return offloadable(found)


def offloadable(found: Sequence[tuple[Device, bytes]]) -> tuple[Device, ...]:
    """Choose among devices with their ids (empty: unknown) those that the library takes, as it does for a model.

    As `llama_prepare_model_devices` (src/llama.cpp): those of other machines first, then GPUs, each once though several
    back ends may know it, and integrated ones of one back end only where there is no other GPU.
    """
    of_kind: dict[str, list[Device]] = {"remote": [], "gpu": [], "integrated": []}
    seen = set()
    for device, id in found:
        alike = of_kind[device.kind]
        if device.kind == "gpu" and id:
            if id in seen:
                continue
            seen.add(id)
        if device.kind == "integrated" and alike and device.backend != alike[0].backend:
            continue
        alike.append(device)
    return (*of_kind["remote"], *of_kind["gpu"], *([] if of_kind["gpu"] else of_kind["integrated"]))


def inspect() -> Build:
    """Say what this build is: the back ends it has, whether or not there are devices for them, and its features."""
    lib = bindings()
    warnings: list[str] = []

    def listen(level: int, text: bytes, _: Any) -> None:
        if level in (WARNING, ERROR):
            warnings.append(text.decode("utf-8", "replace").strip())

    callback = lib.llama_log_callback(listen)
    lib.llama_log_set(callback, None)
    lib.llama_backend_init()
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    get = _ggml(lib, "ggml_backend_reg_get", pointer, size)
    name_of = _ggml(lib, "ggml_backend_reg_name", ctypes.c_char_p, pointer)
    count = _ggml(lib, "ggml_backend_reg_count", size)()
    backends = tuple(name_of(get(index)).decode("utf-8", "replace") for index in range(count))
    features = lib.llama_print_system_info().decode("utf-8", "replace")
    devices = gpus()
    lib.llama_log_set(lib.llama_log_callback(0), None)  # ours ends with this function
    return Build(backends, features, devices, tuple(warnings))


def dry_run(path: str | bytes, plans: Sequence[Plan]) -> list[Buffers]:
    """Let the library load the model with each plan without its weights, and read from its log what it would reserve.

    The log is all there is: it gives hundredths of a MiB. Raises EngineError as a real load would.
    """
    lib = bindings()
    lines: list[str] = []
    callback = lib.llama_log_callback(lambda level, text, _: lines.append(text.decode("utf-8", "replace")))
    lib.llama_log_set(callback, None)
    found, models = [], dict[Any, Model]()
    for plan in plans:
        key = (plan.n_gpu_layers, plan.tensor_split, plan.n_cpu_moe)
        if key not in models:
            n_gpu, split, n_experts = key
            models[key] = Model(
                path, n_gpu_layers=n_gpu, tensor_split=split, n_cpu_moe=n_experts, extra_buffers=False, dry=True
            )
        lines.clear()
        context = Context(models[key], **_context_options(plan), abort=AbortFlag(lib))
        log = "".join(lines)
        context.close()
        found.append(replace(read_buffers(log.splitlines()), weights_bytes=models[key].n_bytes()))
    return found


def _context_options(plan: Plan) -> dict[str, Any]:
    return {
        name: getattr(plan, name)
        for name in ("n_ctx", "n_batch", "n_ubatch", "n_threads", "type_k", "type_v", "flash_attention")
    }


class Vocabulary:
    """Tokens of one model: bytes to ids and ids to bytes. Never makes a special token out of text."""

    def __init__(self, lib: Any, pointer: Any, *, buffer_bytes: int = 512) -> None:
        self._lib = lib
        self._pointer = pointer
        self.n_tokens: int = lib.llama_vocab_n_tokens(pointer)
        self.bos: int = lib.llama_vocab_bos(pointer)
        self._buffer = ctypes.create_string_buffer(buffer_bytes)
        self._pieces: dict[int, bytes] = {}
        self._is_special: dict[int, bool] = {}
        self._is_end: dict[int, bool] = {}
        self._special_ids: dict[str, int | None] = {}
        self._longest = 0
        self._spellings = [*CORE_MARKERS, *TOOL_MARKERS]  # and what else turns out to be special in this vocabulary

    def special(self, name: str) -> int | None:
        """Give the id of the special token spelled `name`, or None if the vocabulary has none."""
        if name not in self._special_ids:
            ids = self._raw(name.encode(), parse_special=True)
            self._special_ids[name] = ids[0] if len(ids) == 1 and self.is_special(ids[0]) else None
        return self._special_ids[name]

    def tokenize(self, text: str) -> list[int]:
        """Turn text into ids, none of which is a CONTROL or USER_DEFINED token, whatever the text spells.

        llama.cpp matches USER_DEFINED tokens (R1's `<think>` is one) even when told not to parse specials. So every
        result is looked through, and a text that gave such a token is cut inside its spelling and tokenised again,
        piece by piece, so that the halves can't meet. Lone surrogates become U+FFFD. Raises EngineError for a special
        token of one character, which can't be cut; no vocabulary of the family has one.
        """
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        # The library's own search for such tokens takes the square of their number in one text: so a long text's are
        # looked for in windows first, which overlap by more than any spelling is long.
        for start in range(0, len(text) if len(text) > WINDOW else 0, WINDOW - OVERLAP):
            self._learn(self._pieces_of(text[start : start + WINDOW]))
        while self._learn(ids := self._pieces_of(text)):
            pass
        return ids

    def _pieces_of(self, text: str) -> list[int]:
        return [id for piece in cut_specials(text, self._spellings) for id in self._raw(piece.encode())]

    def _learn(self, ids: Iterable[int]) -> bool:
        """Add the spellings of special tokens among `ids` to those that are cut; tells whether there were any."""
        spellings = [self.piece(id).decode("utf-8", "replace") for id in set(ids) if self.is_special(id)]
        if any(len(spelling) < 2 or spelling in self._spellings for spelling in spellings):
            raise EngineError("The model's vocabulary has a special token that can't be kept out of text.")
        self._spellings += spellings
        return bool(spellings)

    def longest(self) -> int:
        """Give the length in bytes of the longest token; looks at all of them, the first time."""
        if not self._longest:
            self._longest = max(len(self.piece(id)) for id in range(self.n_tokens))
        return self._longest

    def _raw(self, text: bytes, *, parse_special: bool = False) -> list[int]:
        room = len(text) + 2
        ids = (ctypes.c_int32 * room)()
        n = self._lib.llama_tokenize(self._pointer, text, len(text), ids, room, False, parse_special)
        if n < 0:
            raise EngineError(f"The engine could not tokenise a text of {len(text)} bytes.")
        return ids[:n]

    def piece(self, token: int) -> bytes:
        """Give the bytes a token stands for; a special token gives its spelling.

        The library returns minus the needed size when its buffer is too small: the buffer then grows, so that a
        token of any length comes out whole.
        """
        known = self._pieces.get(token)
        if known is not None:
            return known
        n = self._lib.llama_token_to_piece(self._pointer, token, self._buffer, len(self._buffer), 0, True)
        if n < 0:
            self._buffer = ctypes.create_string_buffer(-n)
            n = self._lib.llama_token_to_piece(self._pointer, token, self._buffer, len(self._buffer), 0, True)
        if n < 0:
            raise EngineError(f"The engine could not spell the token {token}.")
        piece = self._buffer.raw[:n]
        self._pieces[token] = piece
        return piece

    def is_special(self, token: int) -> bool:
        """Tell whether a token is CONTROL or USER_DEFINED."""
        known = self._is_special.get(token)
        if known is None:
            known = bool(self._lib.llama_vocab_get_attr(self._pointer, token) & SPECIAL_ATTRIBUTES)
            self._is_special[token] = known
        return known

    def is_end(self, token: int) -> bool:
        """Tell whether a token ends the generation."""
        known = self._is_end.get(token)
        if known is None:
            known = bool(self._lib.llama_vocab_is_eog(self._pointer, token))
            self._is_end[token] = known
        return known


class Log:
    """Passes the library's log on to standard error, without its debug lines and what it says of wanted aborts.

    Keep the object as long as the library runs: it owns the callback.
    """

    def __init__(self, lib: Any, abort: "AbortFlag") -> None:
        self._abort = abort
        self._shown = False
        self._callback = lib.llama_log_callback(self._take)
        lib.llama_log_set(self._callback, None)

    def _take(self, level: int, text: bytes, _: Any) -> None:
        if level != CONTINUATION:
            self._shown = level > DEBUG and not self._abort
        if self._shown:
            os.write(2, text)


class AbortFlag:
    """A switch that stops a running decode between two graph nodes, from any thread, without the interpreter lock.

    llama.cpp asks a C callback `bool (void *)` at every graph node. A Python callback there costs a lock round trip
    per node, some hundred a token. C's own strlen has the right shape: over a buffer that holds "" it says 0, over
    one that holds "\\1" it says 1, and no Python runs at all. CPU back ends only ask it; a GPU stops between batches.
    """

    def __init__(self, lib: Any) -> None:
        self._memory = ctypes.create_string_buffer(2)
        library = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)
        self.callback = ctypes.cast(library.strlen, lib.ggml_abort_callback)
        self.data = ctypes.cast(self._memory, ctypes.c_void_p)

    def set(self) -> None:
        """Stop what runs now, or else the next decode."""
        self._memory[0] = b"\1"

    def clear(self) -> None:
        """Let decodes run."""
        self._memory[0] = b"\0"

    def __bool__(self) -> bool:
        return bool(self._memory[0] != b"\0")


class Context:
    """One KV cache of `n_ctx` positions, filled with the ids in `tokens`, and the logits of the last decode."""

    def __init__(
        self,
        model: Model,
        *,
        n_ctx: int,
        n_batch: int,
        n_ubatch: int,
        n_threads: int,
        type_k: str,
        type_v: str,
        flash_attention: str,
        abort: AbortFlag,
    ) -> None:
        """Reserve the cache and the compute buffers. Raises EngineError when the library can't."""
        self._lib = lib = model.lib
        self._abort = abort
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = n_ctx, n_batch, n_ubatch
        # One row of logits is all we read; the default reserves one per batch position: 300 MB on a 152k vocabulary.
        params.n_outputs_max = 1
        params.n_threads = params.n_threads_batch = n_threads
        params.type_k, params.type_v = GGML_TYPES[type_k], GGML_TYPES[type_v]
        params.flash_attn_type = FLASH_ATTENTION[flash_attention]
        params.abort_callback, params.abort_callback_data = abort.callback, abort.data
        params.no_perf = True
        self.pointer = lib.llama_init_from_model(model.pointer, params)
        if not self.pointer:
            raise EngineError(
                f"The engine could not make a context of {n_ctx:,} tokens.",
                hint="Ask for a smaller one with --ctx; --verbose shows what the engine says.",
            )
        self._memory = lib.llama_get_memory(self.pointer)
        self._batch = (ctypes.c_int32 * n_batch)()
        self._n_batch = n_batch
        self.tokens: list[int] = []

    def decode(self, ids: Sequence[int]) -> bool:
        """Append ids (at most `n_batch`) to the cache. False when the abort flag stopped it: `tokens` says what stayed.

        Raises EngineError for every other failure.
        """
        if self._abort:  # a GPU does not look at the flag while it computes
            return False
        n = len(ids)
        self._batch[:n] = list(ids)
        status = self._lib.llama_decode(self.pointer, self._lib.llama_batch_get_one(self._batch, n))
        if status == 0:
            self.tokens += ids
            return True
        self._resync(ids)
        if status == 2:
            return False
        meaning = {1: "no room left in the KV cache", -2: "memory for computing ran out"}.get(status, f"code {status}")
        kind = FitError if status == -2 else EngineError
        raise kind(f"The engine failed while computing: {meaning}.", hint="Try again, or with a smaller --ctx.")

    def _resync(self, ids: Sequence[int]) -> None:
        """After a stopped decode: keep in `tokens` what the cache holds (whole micro-batches that were finished)."""
        n_kept = self._lib.llama_memory_seq_pos_max(self._memory, 0) + 1
        self.tokens = [*self.tokens, *ids][:n_kept]

    def trim(self, n_keep: int) -> None:
        """Forget every position from `n_keep` on."""
        if n_keep < len(self.tokens):
            if not self._lib.llama_memory_seq_rm(self._memory, 0, n_keep, -1):
                self._lib.llama_memory_clear(self._memory, True)  # a memory that can't be cut: begin anew
                n_keep = 0
            del self.tokens[n_keep:]

    def forbid(self, token: int) -> None:
        """Let the last decode's logits give no chance to an id."""
        self._lib.llama_get_logits_ith(self.pointer, -1)[token] = -math.inf

    def close(self) -> None:
        """Give the memory back."""
        if self.pointer:
            self._lib.llama_free(self.pointer)
            self.pointer = None


class Sampler:
    """A native chain of samplers. Remembers the last tokens when a repeat penalty is asked for."""

    def __init__(self, model: Model, sampling: Sampling, recent: Iterable[int] = ()) -> None:
        """Build the chain: repeat penalty, temperature, top-k, top-p, min-p, draw.

        Temperature comes before top-p, as in the implementations R1's published results were made with; stages that
        change nothing are left out. `recent` ids count for the repeat penalty.
        """
        self._lib = lib = model.lib
        self.pointer = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        for stage in _stages(lib, model.vocabulary.n_tokens, sampling):
            lib.llama_sampler_chain_add(self.pointer, stage)
        for token in recent:
            self.accept(token)

    def sample(self, context: Context) -> int:
        """Draw the next id from the last decode's logits and remember it."""
        return int(self._lib.llama_sampler_sample(self.pointer, context.pointer, -1))

    def accept(self, token: int) -> None:
        """Remember an id that was not drawn but put in."""
        self._lib.llama_sampler_accept(self.pointer, token)

    def close(self) -> None:
        """Give the memory back."""
        if self.pointer:
            self._lib.llama_sampler_free(self.pointer)
            self.pointer = None


def _stages(lib: Any, n_vocab: int, sampling: Sampling) -> Iterable[Any]:
    if sampling.repeat_penalty != 1.0:
        yield lib.llama_sampler_init_penalties(n_vocab, PENALTY_WINDOW, sampling.repeat_penalty, 0.0, 0.0)
    if sampling.greedy:
        yield lib.llama_sampler_init_greedy()
        return
    if sampling.temperature != 1.0:
        yield lib.llama_sampler_init_temp(sampling.temperature)
    if sampling.top_k > 0:
        yield lib.llama_sampler_init_top_k(sampling.top_k)
    if sampling.top_p < 1.0:
        yield lib.llama_sampler_init_top_p(sampling.top_p, 1)
    if sampling.min_p > 0.0:
        yield lib.llama_sampler_init_min_p(sampling.min_p, 1)
    yield lib.llama_sampler_init_dist(sampling.seed if sampling.seed is not None else 0xFFFFFFFF)
