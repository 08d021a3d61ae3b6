"""The words of the status lines: how far loading, reading and thinking are. Pure; knows no screen."""

import math

from r1chat.core.events import Finished, Progress, Reason

_CUTS = {
    Reason.LENGTH: "cut at --max-tokens",
    Reason.LIMIT: "cut at the default limit",
    Reason.CONTEXT: "cut: the context window is full",
    Reason.LOOP: "cut: it went in circles",
    Reason.CANCELLED: "interrupted",
    Reason.DIED: "the engine died",
    Reason.ERROR: "failed",
}


def seconds(value: float) -> str:
    """Write a duration as a person says it: 0.4 s, 41 s, 2 min 05 s."""
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60:02} s"


def speed(tokens_per_second: float) -> str:
    """Write a speed with as many digits as mean something: 3.65 tok/s, 20.1 tok/s, 1,510 tok/s."""
    digits = max(0, 2 - int(math.log10(tokens_per_second))) if tokens_per_second >= 1 else 2
    return f"{tokens_per_second:,.{digits}f} tok/s"


def tokens(count: int) -> str:
    """Write a count of tokens."""
    return f"{count:,} token{'' if count == 1 else 's'}"


def before_the_answer(progress: Progress) -> str:
    """Say how far the work before the first token is: `loading… 45 %`, `reading the prompt… 512/2048`."""
    if progress.stage == "load":
        return f"loading… {100 * progress.done // max(1, progress.total)} %"
    return f"reading the prompt… {progress.done}/{progress.total}"


def running(what: str, count: int, elapsed: float) -> str:
    """Say how a running part goes: `thinking… 812 tokens, 41 s, 20 tok/s`."""
    pace = f", {speed(count / elapsed)}" if elapsed >= 1 else ""
    return f"{what}… {tokens(count)}, {seconds(elapsed)}{pace}"


def thought(count: int, elapsed: float) -> str:
    """Say in one line what the thinking was: `thought for 41 s, 812 tokens`."""
    return f"thought for {seconds(elapsed)}, {tokens(count)}"


def ending(reason: Reason) -> str:
    """Say why a turn ended if it did not end by itself, else nothing."""
    return _CUTS.get(reason, "")


def summary(end: Finished) -> str:
    """Say in one line how a turn went, and why it ended if it did not end by itself."""
    parts = [tokens(end.usage.reasoning_tokens + end.usage.answer_tokens)]
    if end.timings.tokens_per_second:
        parts.append(speed(end.timings.tokens_per_second))
    if end.timings.first_token_s:
        parts.append(f"first after {seconds(end.timings.first_token_s)}")
    if cut := ending(end.reason):
        parts.append(cut)
    return " · ".join(parts)
