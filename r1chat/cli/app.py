"""`main(argv) -> int`: the commands put together, and the one place where an error becomes a sentence and a code."""

import errno
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from r1chat import __version__, settings
from r1chat.cli import fit, library, models, pull, removal, run, show
from r1chat.core.sanitize import clean
from r1chat.errors import ExitCode, R1ChatError, UsageError
from r1chat.terminal.screen import make_streams_safe

_CANT_WRITE = {errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC}  # nothing else that we write to lets them through

app = typer.Typer(
    name="r1chat",
    help="Chat with DeepSeek-R1 on this machine, without a server or an account.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(
    name="run",
    epilog="Begin with the bundled model: r1chat run demo 'What is 17 + 25?'",
)(run.run)
app.command(name="pull", short_help="Get models from the Hub.", epilog="For example: r1chat pull 7b")(pull.pull)
app.command(name="models", short_help="List the models that have a name here.")(models.models)
app.command(
    name="fit", short_help="Show how models fit this machine.", epilog="For example: r1chat fit 32b --vram 24G"
)(fit.fit_command(pull.open_remote))
app.command(name="list", short_help="List the models on this machine.")(library.list_models)
app.command(name="show", short_help="Show what a model's header says.")(show.show_command(pull.open_remote))
app.command(name="rm", short_help="Remove models.")(removal.rm)
app.command(name="verify", short_help="Check the files of models.")(library.verify_command(pull.pull_again))
app.command(name="prune", short_help="Remove what unfinished downloads left.")(removal.prune)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"r1chat {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(argv: Sequence[str]) -> int:
    """Run the command line; give the exit code. Never raises but under R1CHAT_DEBUG."""
    make_streams_safe(sys.stdout, sys.stderr)
    try:
        # Not standalone: typer would tell a wrong option in its own way.
        code = app(list(argv), prog_name="r1chat", standalone_mode=False)
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
        if settings.load().debug:
            raise
        report(error)
        return error.exit_code
    except Exception as error:
        if settings.load().debug:
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


def _command(argv: Sequence[str]) -> str:
    """Name the command whose help to read."""
    names = {command.name for command in app.registered_commands}
    return f"r1chat {argv[0]}" if argv and argv[0] in names else "r1chat"


def _close_stdout() -> None:
    """Point stdout at nothing, so that no later flush meets the broken pipe again."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        return
