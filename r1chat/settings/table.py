"""The table of settings: the one place that names each, says what it is, and how it is read, checked and shown.

The options of `r1chat run`, the environment, config.toml, /set, /show, `r1chat config` and the completion come from it.
"""

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from r1chat.core.memory import SMALLEST_CTX
from r1chat.core.sampling import Sampling
from r1chat.errors import UsageError
from r1chat.settings import words
from r1chat.settings.words import Kind


class When(StrEnum):
    """When a change in the middle of a session holds."""

    NOW = "now"  # from the next question on, or at once
    LOAD = "load"  # from the next load of a model on
    START = "start"  # only when r1chat starts


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `flag` is its option of the command line, empty for none; `metavar` what follows it.

    `shown` says in words what the default None comes to. `check` raises UsageError for a value that can't be used.
    `top`: it may stand only at the top of config.toml. `adds`: what different places say is put together.
    """

    name: str
    help: str
    kind: Kind
    default: Any = None
    flag: str = ""
    metavar: str = ""
    shown: str = ""
    when: When = When.NOW
    check: Callable[[Any], object] = lambda value: None
    top: bool = False
    adds: bool = False

    @property
    def word(self) -> str:
        """Its short name: the option's, where there is one."""
        return self.flag.removeprefix("--").replace("-", "_") or self.name

    @property
    def environment(self) -> str:
        """The environment variable that sets it."""
        return f"R1CHAT_{self.word.upper()}"

    @property
    def default_text(self) -> str:
        """The default as a person reads it."""
        return self.shown or self.kind.text(self.default)

    def text(self, value: Any) -> str:
        """Write a value for a person."""
        return self.default_text if value == self.default else self.kind.text(value)

    def read(self, raw: object, where: str) -> Any:
        """Read a value of TOML, or a word from anywhere. Raises UsageError that begins with `where`, a place."""
        place = f"{where}: " if where else ""
        try:
            if isinstance(raw, list | tuple):
                if self.kind.split is None:
                    raise ValueError(raw)
                value: Any = self.kind.values([_word(each, self.kind) for each in raw])
            else:
                value = self.kind.value(_word(raw, self.kind))
        except (ValueError, OverflowError, UsageError) as error:
            hint = f"Use {self.kind.what}; the default is {self.default_text}."
            raise UsageError(f"{place}{self.name} can't be {_told(raw)}.", hint=hint) from error
        try:
            self.check(value)
        except UsageError as error:
            told = error.message if not place else f"{place}{error.message[0].lower()}{error.message[1:]}"
            raise UsageError(told, hint=error.hint) from error
        return value


def _word(raw: object, kind: Kind) -> str:
    """Write a value of TOML as the word that it would be elsewhere. Raises ValueError for what can't be one."""
    if isinstance(raw, str):
        return raw if kind.read is str else raw.strip()
    if kind.read is str or not isinstance(raw, int | float):
        raise ValueError(raw)  # only a text is a text, and a table or a date is nothing
    return ("on" if raw else "off") if isinstance(raw, bool) else repr(raw)


def _told(raw: object) -> str:
    match raw:
        case dict():
            return "a table"
        case bool():
            return str(raw).lower()
        case list():
            return "a list"
    text = repr(raw) if isinstance(raw, str | int | float) else str(raw)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _context(n_ctx: int | None) -> None:
    if n_ctx is not None and n_ctx < SMALLEST_CTX:
        raise UsageError(f"A context of {n_ctx} tokens is too small.", hint=f"Use at least {SMALLEST_CTX}.")


def _pace(value: float) -> None:
    if not 0 <= value < math.inf:
        raise UsageError(f"pace is {value:g}, but can't be negative or without end.", hint="Use 0 for no bound.")


_R1 = Sampling()
_ALL = (
    Setting(
        "model",
        "The model to run when none is named.",
        words.TEXT,
        shown="the one used last",
        when=When.START,
    ),
    Setting(
        "profile",
        "A profile of config.toml: a set of settings with a name.",
        words.TEXT,
        flag="--profile",
        metavar="NAME",
        shown="none",
        top=True,
    ),
    Setting(
        "temperature",
        "Temperature; 0 always takes the likeliest token.",
        words.NUMBER,
        _R1.temperature,
        "--temp",
        "X",
        check=lambda value: Sampling(temperature=value),
    ),
    Setting(
        "top_p",
        "Nucleus sampling; 1 is off.",
        words.NUMBER,
        _R1.top_p,
        "--top-p",
        "X",
        check=lambda value: Sampling(top_p=value),
    ),
    Setting(
        "top_k",
        "Only the K most likely tokens; 0 is off.",
        words.whole(),
        _R1.top_k,
        "--top-k",
        "K",
        check=lambda value: Sampling(top_k=value),
    ),
    Setting(
        "min_p",
        "Only tokens at least X times as likely as the likeliest; 0 is off.",
        words.NUMBER,
        _R1.min_p,
        "--min-p",
        "X",
        check=lambda value: Sampling(min_p=value),
    ),
    Setting(
        "repeat_penalty",
        "Make repetition less likely; 1 is off.",
        words.NUMBER,
        _R1.repeat_penalty,
        "--repeat-penalty",
        "X",
        check=lambda value: Sampling(repeat_penalty=value),
    ),
    Setting(
        "seed",
        "Make the answer repeatable.",
        words.whole(nothing="none"),
        flag="--seed",
        metavar="N",
        shown="none, each answer is drawn anew",
        check=lambda value: Sampling(seed=value),
    ),
    Setting(
        "stop",
        "End the answer before this text. Repeatable.",
        words.optional(words.TEXTS, "none"),
        (),
        "--stop",
        "TEXT",
    ),
    Setting(
        "max_tokens",
        "Generate at most so many tokens, thinking included.",
        words.whole(1, nothing="none"),
        flag="--max-tokens",
        metavar="N",
        shown="none but the context",
    ),
    Setting(
        "think_budget",
        "End the thinking after N tokens, or after N seconds (30s).",
        words.BUDGET,
        flag="--think-budget",
        metavar="N|Ns",
        shown="none",
    ),
    Setting("think_min", "Think for at least N tokens.", words.whole(0), 0, "--think-min", "N"),
    Setting("think", "Think before the answer.", words.YES, True, "--think"),
    Setting("system", "A system prompt. DeepSeek recommends none for R1.", words.TEXT, "", "--system", "TEXT", "none"),
    Setting("math", "Add DeepSeek's directive for mathematics.", words.YES, False, "--math"),
    Setting(
        "overflow",
        "What a chat does when the context is full: stop, or leave out the oldest.",
        words.choice("stop", "oldest"),
        "stop",
        "--overflow",
        "stop|oldest",
    ),
    Setting("pace", "At most N tokens a second; 0 is no bound.", words.NUMBER, 0.0, "--pace", "N", check=_pace),
    Setting(
        "thinking",
        "What becomes of the thinking on the screen.",
        words.choice("show", "fold", "hide", nothing="auto"),
        flag="--thinking",
        metavar="show|fold|hide",
        shown="show on a terminal, else hide",
    ),
    Setting("latex", "Draw mathematics; off shows its LaTeX source.", words.YES, True, "--latex"),
    Setting(
        "theme",
        "Colours for a dark or a light background; auto goes by COLORFGBG.",
        words.choice("auto", "dark", "light"),
        "auto",
        "--theme",
        "auto|dark|light",
        when=When.START,
    ),
    Setting(
        "history",
        "Keep chats, and what was typed; off writes nothing.",
        words.YES,
        True,
        "--history",
        when=When.START,
    ),
    Setting("keys", "How the line is edited.", words.choice("emacs", "vi"), "emacs", when=When.START),
    Setting(
        "ctx",
        "Context in tokens.",
        words.whole(nothing="auto"),
        flag="--ctx",
        metavar="N",
        shown="what fits, up to 32768",
        when=When.LOAD,
        check=_context,
    ),
    Setting(
        "threads",
        "CPU threads.",
        words.whole(1, nothing="auto"),
        flag="--threads",
        metavar="N",
        shown="the physical cores",
        when=When.LOAD,
    ),
    Setting(
        "gpu_layers",
        "Layers on the GPUs, the output counted.",
        words.LAYERS,
        flag="--gpu-layers",
        metavar="auto|all|N",
        when=When.LOAD,
    ),
    Setting(
        "kv",
        "Type of the KV cache. Auto: f16, or else q8_0.",
        words.CACHE,
        flag="--kv",
        metavar="auto|f16|q8_0|q4_0",
        when=When.LOAD,
    ),
    Setting(
        "cpu_moe",
        "Keep the experts of the first N layers off the GPUs.",
        words.whole(0, nothing="auto"),
        flag="--cpu-moe",
        metavar="auto|N",
        when=When.LOAD,
    ),
    Setting(
        "vram",
        "Free memory of each GPU to plan with, as 24G (GiB).",
        words.SIZES,
        (),
        "--vram",
        "SIZE[,…]",
        "what is free",
        when=When.LOAD,
    ),
    Setting(
        "ram",
        "Free memory of the host to plan with, as 64G.",
        words.SIZE,
        flag="--ram",
        metavar="SIZE",
        shown="what is free",
        when=When.LOAD,
    ),
    Setting(
        "margin",
        "Leave so much free everywhere.",
        words.SIZE,
        flag="--margin",
        metavar="SIZE",
        shown="1G, 512M of RAM",
        when=When.LOAD,
    ),
    Setting(
        "token_hosts",
        "Hosts that may see the Hub's token, beside huggingface.co.",
        words.HOSTS,
        (),
        when=When.START,
        top=True,
        adds=True,
    ),
)
SETTINGS: Final[Mapping[str, Setting]] = {setting.name: setting for setting in _ALL}
_BY_WORD: Final[Mapping[str, Setting]] = {**{setting.word: setting for setting in _ALL}, **SETTINGS}


def find(name: str) -> Setting | None:
    """Find a setting by its name or its option's, however it is spelled."""
    return _BY_WORD.get(name.strip().lstrip("-").casefold().replace("-", "_"))


def nearest(name: str, known: Mapping[str, object] = _BY_WORD) -> str:
    """Give the known name that looks most like this one; empty if none does."""
    return next(iter(difflib.get_close_matches(name.casefold().replace("-", "_"), known, n=1)), "")
