"""The command `r1chat`. Sets up what must hold before anything is imported: Ctrl-C ends us without a traceback."""

import os
import sys
from types import TracebackType

INTERRUPTED = 130  # errors.ExitCode's, which is not imported yet
GARBAGE = 100_000


def quietly(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Leave without a word at a Ctrl-C that comes before `main` has taken it over; report anything else as ever."""
    if issubclass(kind, KeyboardInterrupt):
        os._exit(INTERRUPTED)
    sys.__excepthook__(kind, error, trace)


sys.excepthook = quietly  # takes no import, where `signal` takes a few milliseconds
import gc  # noqa: E402 - see above
import signal  # noqa: E402 - see above


def main() -> None:
    """Run the command line and exit with its code."""
    # Until a turn takes Ctrl-C over, there is nothing to save and no half-written line: leave at once, and silently.
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    # All imports together make 90,000 objects, nearly all of them to stay: looking through these again and again for
    # garbage takes a sixth of the time to the prompt.
    gc.set_threshold(GARBAGE)
    open_missing_streams()
    from r1chat.cli.app import main

    code = main(sys.argv[1:])
    leave(code)


def open_missing_streams() -> None:
    """Point the streams that the caller closed (`<&-`) at nothing; else the next file we open takes their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - open to the end


def leave(code: int) -> None:
    """Exit without Python's own flush at the end, which would complain about a pipe that nobody reads any more."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            continue
    os._exit(code)


if __name__ == "__main__":
    main()
