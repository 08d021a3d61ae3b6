"""Every error r1chat raises on purpose, each with a sentence for a person, a way out and an exit code.

    R1ChatError                 1  something failed
    ├── UsageError              2  the command line or a setting asks for something that can't be done
    ├── NotFoundError           3  no such model, no such file, or one that can't be opened
    ├── DownloadError           4  a download or a verification failed
    ├── FitError                5  does not fit, into memory or onto the disk
    ├── UnusableError           6  the file is there, but it can't be run
    │   └── GGUFError           6  not a GGUF file, or a broken or unsupported one
    ├── EngineError             6  the engine refused, failed or died
    ├── ContextError            7  the prompt does not fit into the context window
    └── StoreError              1  the sessions can't be read or written

The exit codes are the contract of `r1chat run` (docs/design.md, section 5). An interrupt is no error: it ends with 130.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a shell script sees."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_FOUND = 3
    DOWNLOAD = 4
    NO_FIT = 5
    UNUSABLE = 6
    NO_ANSWER = 7
    INTERRUPTED = 130


class R1ChatError(Exception):
    """The base of the tree. `message` is one plain sentence, `hint` (may be empty) says what to do next."""

    exit_code: ExitCode = ExitCode.FAILURE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(R1ChatError):
    """The command line or a setting asks for something that can't be done."""

    exit_code = ExitCode.USAGE


class NotFoundError(R1ChatError):
    """There is no such model or file, or it can't be opened."""

    exit_code = ExitCode.NOT_FOUND


class DownloadError(R1ChatError):
    """A file could not be fetched, or what came is not what the Hub says it should be."""

    exit_code = ExitCode.DOWNLOAD


class FitError(R1ChatError):
    """The model does not fit into this machine's memory, or onto its disk."""

    exit_code = ExitCode.NO_FIT


class UnusableError(R1ChatError):
    """The file is there, but it can't be run."""

    exit_code = ExitCode.UNUSABLE


class GGUFError(UnusableError):
    """Not a GGUF file, or one that is broken, incomplete or unsupported."""


class EngineError(R1ChatError):
    """The engine refused, failed or died."""

    exit_code = ExitCode.UNUSABLE


class ContextError(R1ChatError):
    """The prompt does not fit into the context window."""

    exit_code = ExitCode.NO_ANSWER


class StoreError(R1ChatError):
    """The sessions can't be read or written."""
