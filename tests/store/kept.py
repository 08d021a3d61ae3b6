"""Transcripts for tests of what is kept."""

from r1chat.core.events import Timings, Usage
from r1chat.core.sampling import Sampling
from r1chat.core.transcript import Session, Transcript, Turn, title_of


def transcript(*said: tuple[str, str, str], key: str = "", when: float = 1_700_000_000.0) -> Transcript:
    """Make a session of questions, thinking and answers, one behind the other."""
    turns = tuple(
        Turn(
            number,
            number - 1 if number else None,
            question,
            thinking,
            answer,
            model="demo",
            digest="ab" * 32,
            sampling=Sampling(seed=1000 + number),
            plan={"n_ctx": 2048},
            reason="stop",
            usage=Usage(5, 0, 7, 3),
            timings=Timings(reasoning_s=1.5, answer_s=0.5),
            created=when + number,
            updated=when + number + 0.5,
        )
        for number, (question, thinking, answer) in enumerate(said)
    )
    title = title_of(turns[0].question) if turns else "empty"
    leaf = len(turns) - 1 if turns else None
    return Transcript(Session(key, title, "demo", "", when, when + len(turns), len(turns), leaf), turns)
