"""The command `r1chat`. Sets up what must hold before anything is imported: Ctrl-C ends us without a traceback."""

import os
import signal
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # Until a turn takes Ctrl-C over, there is nothing to save and no half-written line: leave at once, and silently.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    from r1chat.cli.app import main

    code = main(sys.argv[1:])
    leave(code)


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
