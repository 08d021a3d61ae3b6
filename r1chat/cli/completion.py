"""`r1chat completion`: scripts that let bash, zsh and fish complete; and what these scripts call at each Tab.

Strategy: the scripts are a few lines that call `r1chat __complete` with what is typed. Where it has nothing to offer it
prints nothing, and the shell offers files. It imports no more than the word at the cursor needs, and never complains.
"""

import inspect
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, get_args

import typer

from r1chat import paths
from r1chat.cli.commands import COMMANDS, Command
from r1chat.errors import R1ChatError, UsageError
from r1chat.settings import debug

MOST_SESSIONS: Final = 200  # the ones used last
NAME: Final = "__complete"  # the hidden command that the scripts call
BASH: Final = r"""
_r1chat() {
    local candidate
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <("${1/#\~/$HOME}" __complete bash "$1" "${COMP_LINE:0:$COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
}
complete -o default -F _r1chat r1chat
"""
ZSH: Final = r"""#compdef r1chat
_r1chat() {
    local -a candidates
    candidates=("${(@f)$("${~words[1]}" __complete zsh "${(@Q)words[1,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${candidates[1]}" ]]; then
        _describe -V 'r1chat' candidates
    else
        _files
    fi
}
if [[ "${funcstack[1]}" == _r1chat ]]; then
    _r1chat "$@"
else
    compdef _r1chat r1chat
fi
"""
FISH: Final = r"""
function __r1chat_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found ($words[1] __complete fish $words "$current" 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path $current
    end
end
complete -c r1chat -f -k -a '(__r1chat_complete)'
"""
_QUOTES: Final = ("'", '"')
_IN_QUOTES: Final = re.compile(r'[$`"\\]')  # what means something to bash in double quotes, and what outside of any
_OUTSIDE: Final = re.compile(r"[^\w@%+=:,./~-]")
SCRIPTS: Final = {"bash": BASH, "zsh": ZSH, "fish": FISH}
INSTALL: Final = {
    "bash": "# For good: r1chat completion bash > ~/.local/share/bash-completion/completions/r1chat\n",
    "zsh": "# For good: r1chat completion zsh > FOLDER/_r1chat, where FOLDER is one of: echo $fpath\n",
    "fish": "# For good: r1chat completion fish > ~/.config/fish/completions/r1chat.fish\n",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A word that may stand at the cursor, and what it is in a few words."""

    word: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a command, with all its spellings."""

    names: tuple[str, ...]
    help: str
    takes_value: bool


def completion(
    shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish", help="Your shell.", show_default=False)],
) -> None:
    """Print a script that lets your shell complete commands, options, models and more.

    To try it, in bash or zsh: source <(r1chat completion bash), in fish: r1chat completion fish | source
    """
    script = SCRIPTS.get(shell)
    if script is None:
        raise UsageError(f"There is no completion for {shell!r}.", hint=f"Use one of {', '.join(SCRIPTS)}.")
    head, newline, rest = script.partition("\n")  # zsh wants #compdef on the first line
    typer.echo(head + newline + INSTALL[shell] + rest if head else INSTALL[shell] + rest, nl=False)


def complete(argv: Sequence[str]) -> None:
    """Print what may stand at the cursor, for the script of a shell. Whatever goes wrong, there is nothing to offer."""
    try:
        lines = list(_lines(argv[0], argv[1:]))
    except Exception:
        if debug():
            raise
        return
    for line in lines:
        typer.echo(line)


def _lines(shell: str, given: Sequence[str]) -> Iterator[str]:
    if shell == "bash":
        command, line, breaks = given
        words, quote = _words(command, line)
    else:
        words, breaks, quote = list(given[1:]), "", ""
    if quote:  # between quotes bash replaces the whole word
        breaks = ""
    cut = max((words[-1].rfind(sign) for sign in breaks if sign in ":="), default=-1) + 1  # bash replaces what follows
    for choice in choices(words):
        match shell:
            case "bash":
                yield _quoted(choice.word[cut:], quote)
            case "zsh":
                yield ":".join(filter(None, [choice.word.replace(":", "\\:"), choice.note]))
            case _:
                yield "\t".join(filter(None, [choice.word, choice.note]))


def _words(command: str, line: str) -> tuple[list[str], str]:
    """Cut bash's line into the words behind the command, the one at the cursor last, empty if it is not begun.

    Give the quote that is open at the cursor too, empty for none.
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    quote = ""
    try:
        words.extend(lexer)
    except ValueError:  # a quote is open: the word at the cursor is what follows it
        words.append(lexer.token)
        state = getattr(lexer, "state", "")  # the quote that it looks for the end of
        quote = state if state in _QUOTES else ""
    if line[-1:].isspace() and not quote:
        words.append("")
    while words and words.pop(0) != command:  # variables may stand before it
        continue
    return words or [""], quote


def _quoted(word: str, quote: str) -> str:
    """Write a word so that bash takes it for itself, behind the quote that is open."""
    if quote == "'":
        return word.replace("'", r"'\''")
    signs = _IN_QUOTES if quote else _OUTSIDE
    return signs.sub(r"\\\g<0>", word)


def choices(words: Sequence[str]) -> list[Choice]:
    """Give what may stand in the place of the last word: commands, options, their values, or what the command takes."""
    *before, current = words
    named = next((index for index, word in enumerate(before) if not word.startswith("-")), None)
    if named is None:
        options = [Choice("--help", "Show the commands."), Choice("--version", "Print the version.")]
        return _beginning(options if current.startswith("-") else map(_named, COMMANDS), current)
    command = next((each for each in COMMANDS if each.name == before[named]), None)
    if command is None or "--" in before:
        return []
    before = list(before[named + 1 :])
    what = command.name
    if what in GROUPS and before and not before[0].startswith("-"):
        what = f"{what} {before.pop(0)}"
    dashes = any(word.startswith("-") for word in words)
    known = _options(command, what) if dashes else {}  # else the command's module need not be imported
    option, equals, value = current.partition("=")
    if equals and current.startswith("--"):
        return [Choice(f"{option}={each.word}", each.note) for each in _values(option, value)]
    if before and (last := known.get(before[-1])) and last.takes_value:
        return _values(before[-1], current)
    if current.startswith("-"):
        offered = [Choice(name, each.help) for name, each in known.items() if name.startswith("--")]
        return _beginning(offered, current)
    return _beginning(_arguments(what, _n_arguments(before, known), current), current)


def _named(command: Command) -> Choice:
    return Choice(command.name, command.help)


def _n_arguments(words: Sequence[str], options: dict[str, Option]) -> int:
    """Count the words that are neither options nor their values."""
    number, skip = 0, False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-") and word != "-":
            skip = word in options and options[word].takes_value
        else:
            number += 1
    return number


def _options(command: Command, what: str) -> dict[str, Option]:
    """Read a command's options by their spellings, from where typer reads them. `what` also names one of a group."""
    found = {"--help": Option(("--help",), "Show a command's help.", takes_value=False)}
    function = command.load()
    if isinstance(function, typer.Typer):
        function = _members(function).get(what.partition(" ")[2], lambda: None)
    for parameter in inspect.signature(function).parameters.values():
        for info in get_args(parameter.annotation)[1:]:
            if isinstance(info, typer.models.OptionInfo):
                spelled = [each for each in (info.default, *(info.param_decls or ())) if isinstance(each, str)]
                names = tuple(name for each in spelled for name in each.split("/") if name.startswith("-"))
                option = Option(names, _first(info.help or ""), takes_value=info.metavar is not None)
                found |= dict.fromkeys(names, option)
    return found


def _members(group: typer.Typer) -> dict[str, Callable[..., Any]]:
    """Give the functions of a group of commands by their names; that of the group itself has none."""
    members = {
        each.name or each.callback.__name__: each.callback for each in group.registered_commands if each.callback
    }
    alone = group.registered_callback.callback if group.registered_callback else None
    return {**members, "": alone} if alone else members


def _first(help: str) -> str:
    """Give the first sentence."""
    return help.partition(". ")[0].removesuffix(".")


def _beginning(known: Iterable[Choice], begun: str) -> list[Choice]:
    return [choice for choice in known if choice.word.startswith(begun)]


# What the words can be


def _values(option: str, begun: str) -> list[Choice]:
    """Give the values of an option; none where it takes anything, or a file."""
    from r1chat.settings.table import find

    setting = find(option)
    known = [Choice(word) for word in setting.kind.words] if setting else []
    if option in VALUES:
        known = list(VALUES[option](begun))
    return _beginning(known, begun)


def _arguments(command: str, n_before: int, begun: str) -> Iterable[Choice]:
    """Give what a command takes behind so many words. A path is the shell's to complete."""
    if begun.startswith((".", "/", "~")):
        return ()
    takes = ARGUMENTS.get(command, ())
    if takes and n_before < len(takes):
        return takes[n_before](begun)
    return takes[-1](begun) if takes and command in REPEATS else ()


def _models(begun: str) -> Iterator[Choice]:
    """Give every model that has a name: what is here, then the catalogue; behind a colon the quantizations."""
    yield Choice("demo", "the bundled model")
    yield from _local(begun)
    yield from _catalogue(begun)


def _catalogue(begun: str) -> Iterator[Choice]:
    from r1chat.core.sizes import size_text
    from r1chat.models import catalog

    known = catalog.load(catalog.default_path(), paths.find().catalogue)
    name, colon, _ = begun.rpartition(":")
    if colon and (entry := known.find(name)):
        for download in entry.downloads:
            yield Choice(f"{name}:{download.quantization}", size_text(download.n_bytes) if download.n_bytes else "")
    for entry in known.entries:
        yield Choice(entry.short, entry.title)


def _local(begun: str) -> Iterator[Choice]:
    from r1chat.core.sizes import size_text
    from r1chat.models import catalog, library

    known = catalog.load(catalog.default_path(), paths.find().catalogue)
    for model in library.open_library(os.environ, catalog=known).models():
        yield Choice(model.name, f"{size_text(model.n_bytes)}, on this machine")


def _profiles(begun: str) -> Iterator[Choice]:
    from r1chat.settings.config import read

    try:
        yield from map(Choice, read(paths.find().settings).profiles)
    except R1ChatError:
        return


def _sessions(begun: str) -> Iterator[Choice]:
    from r1chat.store.store import open_store
    from r1chat.terminal.tables import one_line

    with open_store(paths.find().sessions) as store:
        for one in store.sessions(MOST_SESSIONS):
            yield Choice(one.key, one_line(one.title))


def _session_commands(begun: str) -> Iterator[Choice]:
    from r1chat.cli.sessions import group

    for name, function in _members(group).items():
        if name:
            yield Choice(name, _first((function.__doc__ or "").partition("\n")[0]))


def _shells(begun: str) -> Iterator[Choice]:
    yield from map(Choice, SCRIPTS)


Source = Callable[[str], Iterable[Choice]]
ARGUMENTS: Final[dict[str, tuple[Source, ...]]] = {
    "run": (_models,),
    "pull": (_catalogue,),
    "fit": (_models,),
    "show": (_models,),
    "config": (_models,),
    "rm": (_local,),
    "verify": (_local,),
    "completion": (_shells,),
    "sessions": (_session_commands,),
    **{f"sessions {name}": (_sessions,) for name in ("show", "rename", "export", "rm")},
}
GROUPS: Final = {"sessions"}
REPEATS: Final = {"pull", "rm", "verify", "sessions rm"}  # take any number of them
VALUES: Final[dict[str, Source]] = {"--profile": _profiles, "--resume": _sessions}
