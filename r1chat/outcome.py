"""What came of a turn, as a whole: a reply, or what was wrong and what can be done. Knows no conversation."""

from dataclasses import dataclass, replace

from r1chat.core.conversation import Exchange
from r1chat.core.events import Failure, Finished, Reason, Timings, Usage
from r1chat.engine.base import DEFAULT_LIMIT
from r1chat.errors import ContextError, EngineError, ExitCode, FitError, R1ChatError

# What can be done when the context is full.
WAYS = "/clear begins a new conversation; /overflow oldest goes on without the oldest exchanges."


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as a whole, blank ends stripped. `finish_reason` is one of the words of core.events.Reason."""

    reasoning: str
    answer: str
    finish_reason: str
    usage: Usage
    timings: Timings


def failure_of(exchange: Exchange) -> Failure | None:
    """Say what was wrong with a turn as a whole, with its exit code (docs/design.md, section 5); None for nothing.

    A cut at the user's own --max-tokens is no failure, even if it left no answer.
    """
    finished = exchange.finished
    if finished.failure:
        return finished.failure
    match finished.reason:
        case Reason.CANCELLED:
            return Failure(ExitCode.INTERRUPTED, "Interrupted.")
        case Reason.CONTEXT:
            hint = "Give the model a larger context with --ctx, or less to think about with --think-budget."
            return Failure(ExitCode.NO_ANSWER, "The answer was cut: the context window is full.", hint)
        case Reason.LIMIT:
            hint = "Allow more with --max-tokens."
            return Failure(ExitCode.NO_ANSWER, f"The answer was cut at the limit of {DEFAULT_LIMIT:,} tokens.", hint)
        case Reason.LOOP:
            hint = "Ask again: every try is drawn anew."
            return Failure(ExitCode.NO_ANSWER, "The answer was cut: it went in circles.", hint)
        case Reason.STOP if not exchange.answered:
            return Failure(ExitCode.NO_ANSWER, "The model gave no answer.", "Ask again: every try is drawn anew.")
    return None


def error_of(failure: Failure) -> R1ChatError:
    """Turn a failure into the exception it stands for."""
    kinds: dict[int, type[R1ChatError]] = {ExitCode.NO_ANSWER: ContextError, ExitCode.NO_FIT: FitError}
    return kinds.get(failure.code, EngineError)(failure.message, hint=failure.hint)


def is_too_long(end: Finished) -> bool:
    """Whether the engine refused a prompt because it does not fit: its only refusal that has this code."""
    return end.failure is not None and end.failure.code == ExitCode.NO_ANSWER


def explained(refusal: Finished) -> Finished:
    """Add to a refusal what can be done in a conversation."""
    return replace(refusal, failure=replace(refusal.failure, hint=WAYS)) if refusal.failure else refusal
