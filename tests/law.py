"""The law of events (r1chat/core/events.py) as assertions, for every engine and every way to cut a text."""

from collections.abc import Sequence

from r1chat.core.events import Answer, Event, Finished, Notice, Progress, Reason, Reasoning, Started

_ORDER = {Progress: 0, Reasoning: 1, Answer: 2, Finished: 3}


def check_law(events: Sequence[Event], samples: int = 1) -> None:
    """Assert that these are the events of one whole turn with this many samples, in an allowed order."""
    assert events, "a turn has events"
    assert isinstance(events[0], Started), f"a turn begins with Started, not {events[0]}"
    assert events[0].turn >= 1, "turns count from 1"
    of_sample: dict[int, list[Progress | Reasoning | Answer | Notice | Finished]] = {}
    for event in events[1:]:
        assert not isinstance(event, Started), "a turn starts once"
        of_sample.setdefault(event.sample, []).append(event)
    assert list(range(samples)) == sorted(of_sample), "every sample has events, and there are no others"
    for own in of_sample.values():
        _check_sample(own)


def texts(events: Sequence[Event], sample: int = 0) -> tuple[str, str]:
    """Return a sample's thinking and answer, each joined."""
    own = [event for event in events if isinstance(event, Reasoning | Answer) and event.sample == sample]
    thinking = "".join(event.text for event in own if isinstance(event, Reasoning))
    return thinking, "".join(event.text for event in own if isinstance(event, Answer))


def _check_sample(events: Sequence[Progress | Reasoning | Answer | Notice | Finished]) -> None:
    *before, last = events
    assert isinstance(last, Finished), f"a sample ends with Finished, not {last}"
    assert not any(isinstance(event, Finished) for event in before), "a sample is finished once"
    places = [_ORDER[type(event)] for event in events if not isinstance(event, Notice)]
    assert sorted(places) == places, "Progress* Reasoning* Answer* Finished"
    for event in before:
        if isinstance(event, Reasoning | Answer):
            assert event.n_tokens >= 0, "tokens are counted upwards"
        elif isinstance(event, Progress):
            assert 0 <= event.done <= event.total, "progress stays within its total"
    assert (last.reason in (Reason.DIED, Reason.ERROR)) == (last.failure is not None), "only a failure says why"
