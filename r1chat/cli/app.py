"""`main(argv) -> int`: the commands put together, and the one place where an error becomes a sentence and a code."""

import errno
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from r1chat import __version__
from r1chat.cli.commands import COMMANDS
from r1chat.core.sanitize import clean
from r1chat.errors import ExitCode, R1ChatError, UsageError
from r1chat.settings import debug
from r1chat.terminal.screen import make_streams_safe

_CANT_WRITE = {errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC}  # nothing else that we write to lets them through


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"r1chat {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _application(word: str) -> typer.Typer:
    """Put the commands together: the one that `word` names as it is, the others only as a line of the help."""
    application = typer.Typer(
        name="r1chat",
        help="Chat with DeepSeek-R1 on this machine, without a server or an account.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    application.callback(invoke_without_command=True)(_root)
    for command in COMMANDS:
        function = command.load() if command.name == word else lambda: None
        if isinstance(function, typer.Typer):
            application.add_typer(function, name=command.name, short_help=command.help, epilog=command.epilog)
            continue
        application.command(name=command.name, short_help=command.help, epilog=command.epilog)(function)
    return application


def main(argv: Sequence[str]) -> int:
    """Run the command line; give the exit code. Never raises but under R1CHAT_DEBUG."""
    make_streams_safe(sys.stdout, sys.stderr)
    try:
        if argv[:1] == ["__complete"]:  # completion.NAME: what the shells' scripts call
            from r1chat.cli.completion import complete

            complete(argv[1:])
            return ExitCode.OK
        # Not standalone: typer would tell a wrong option in its own way.
        code = _application(_named(argv))(list(argv), prog_name="r1chat", standalone_mode=False)
        return code if isinstance(code, int) else ExitCode.OK
    except typer.TyperException as error:
        hint = f"What can be asked for: {_command(argv)} --help"
        if any(word.startswith("-") and " " in word and "=" not in word for word in argv):
            hint = "A question that begins with a dash goes behind two: r1chat run MODEL -- '-5 + 3'"
        wrong = UsageError(_sentence(error.format_message()), hint=hint)
        report(wrong)
        return wrong.exit_code
    except (BrokenPipeError, SystemExit):  # typer turns every broken pipe into SystemExit(1)
        _close_stdout()
        return 128 + 13  # what a shell shows for a program that SIGPIPE ended
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except R1ChatError as error:
        if debug():
            raise
        report(error)
        return error.exit_code
    except Exception as error:
        if debug():
            raise
        if isinstance(error, OSError) and error.errno in _CANT_WRITE:
            full = R1ChatError(f"The output can't be written: {error.strerror}.", hint="Make room, and run it again.")
            report(full)
            return full.exit_code
        name = type(error).__name__
        unexpected = R1ChatError(
            f"Something failed that should not: {name}: {error}",
            hint="This is a bug in r1chat. Run it again with R1CHAT_DEBUG=1 and report what it prints.",
        )
        report(unexpected)
        return unexpected.exit_code


def report(error: R1ChatError) -> None:
    """Write an error's sentence, and its way out on a line of its own, to stderr."""
    lines = [f"r1chat: {error.message}", *([f"  {error.hint}"] if error.hint else [])]
    try:
        print(clean("\n".join(lines)), file=sys.stderr, flush=True)  # noqa: T201 - the one place that reports errors
    except (OSError, ValueError, AttributeError):
        return  # nobody listens


def _sentence(text: str) -> str:
    """Make one sentence of what typer says: in one line, with a full stop."""
    text = " ".join(text.split())
    return text if text.endswith((".", "?", ")")) else f"{text}."


def _named(argv: Sequence[str]) -> str:
    """Give the command that is named: the first word that is no option of the program itself."""
    return next((word for word in argv if not word.startswith("-")), "")


def _command(argv: Sequence[str]) -> str:
    """Name the command whose help to read."""
    name = _named(argv)
    return f"r1chat {name}" if any(command.name == name for command in COMMANDS) else "r1chat"


def _close_stdout() -> None:
    """Point stdout at nothing, so that no later flush meets the broken pipe again."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        return
