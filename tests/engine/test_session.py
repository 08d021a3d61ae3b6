"""The token loop in this process, on the real library: text comes out whole, whatever the tokens cut."""

from collections.abc import Iterator
from typing import Any

import pytest

from r1chat.core.events import Answer, Event, Finished, Notice, Reason, Reasoning, Usage
from r1chat.core.messages import Message, Partial, Role
from r1chat.core.prompt import CALLS_BEGIN, USER, Special, Text, prefix, render, starts_inside
from r1chat.core.sampling import Sampling
from r1chat.engine.base import AnswerNow, Request
from r1chat.engine.generation import ANSWER_CIRCLE, Clock, Generation, Inbox
from r1chat.engine.llama import AbortFlag, Context, Model, Sampler
from r1chat.engine.session import Session
from r1chat.engine.thinking import CIRCLE
from r1chat.errors import EngineError
from r1chat.models.library import demo_path
from tests.law import texts

GREEDY = Sampling(temperature=0.0)
TOLERANCE = 1e-3  # of the largest logit
UNICODE = "Grüße, 你好, 👩‍👩‍👧‍👦, e\u0301, \u200d, 🇩🇪 — " + "=" * 70 + "\n" + " " * 40 + "x"


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """A session with the demo model and a small window."""
    model = Model(str(demo_path()), n_gpu_layers=0, extra_buffers=False)
    context = Context(
        model,
        n_ctx=512,
        n_batch=64,
        n_ubatch=64,
        n_threads=1,
        type_k="f16",
        type_v="f16",
        flash_attention="auto",
        abort=AbortFlag(model.lib),
    )
    yield Session(model, context, n_ctx=512, reserve=128, n_batch=64)
    context.close()
    model.close()


class Drawing:
    """A sampler that draws what it was given, and the last of it for ever."""

    def __init__(self, ids: list[int]) -> None:
        self._ids = list(ids)

    def sample(self, context: Context) -> int:
        """Draw the next one."""
        return self._ids.pop(0) if len(self._ids) > 1 else self._ids[0]

    def accept(self, token: int) -> None:
        """Remember nothing."""


def finished(events: list[Event]) -> Finished:
    """The last event, which must be Finished."""
    assert isinstance(events[-1], Finished)
    return events[-1]


def generation(
    session: Session,
    *,
    starts_inside: bool = True,
    stop: tuple[str, ...] = (),
    drawing: list[int] | None = None,
    max_tokens: int | None = None,
) -> Generation:
    """One answer's state, to be fed with ids by hand, or run with what is drawn given."""
    segments = tuple(render([Message(Role.USER, "hi")]))
    request = Request(segments, starts_inside, GREEDY, stop=stop, max_tokens=max_tokens)
    sampler: Any = Drawing(drawing) if drawing else Sampler(session._model, request.sampling)
    return Generation(session.machine, request, Inbox(), sampler, Clock(), Usage())


@pytest.mark.parametrize("text", [UNICODE, "<think>", "a</think>\n\nb 👍", "</think>" + UNICODE + "</think>"])
def test_text_comes_out_whole_token_by_token(session: Session, text: str) -> None:
    """However the vocabulary cuts characters and tags, no character is split, dropped or replaced."""
    state = generation(session)
    events = [e for id in session._model.vocabulary.tokenize(text) for e in state.take([id], forced=False)]
    assert all("\ufffd" not in event.text for event in events)
    thinking, answer = texts([*events, *state.rest()])
    before, _, after = text.removeprefix("<think>").partition("</think>")
    assert (before, after) == (thinking, answer)


def test_half_a_character_is_left_to_who_goes_on(session: Session) -> None:
    """A cut in the middle of a character leaves nothing of it, neither in the text, nor in the counts and the cache."""
    ids = session._model.vocabulary.tokenize("😀")
    assert len(ids) > 1
    state, context = generation(session, drawing=ids, max_tokens=len(ids) - 1), session._context
    context.trim(0)
    context.decode(session.ids([Special("<think>"), Text("\n")]))
    events = list(state.run())
    assert Reason.LENGTH is finished(events).reason
    assert ("", "") == texts(events)
    assert 0 == finished(events).usage.reasoning_tokens
    assert session.ids([Special("<think>"), Text("\n")]) == context.tokens


def test_a_model_that_stops_within_its_thinking_is_made_to_answer(session: Session) -> None:
    """The end token inside the thinking closes it, with a notice; the one in the answer ends the turn."""
    eos = session.ids([Special("<｜end▁of▁sentence｜>")])[0]
    said = session._model.vocabulary.tokenize("So it is 4.")
    state = generation(session, drawing=[*said, eos, *said, eos])
    events = list(state.run())
    assert ("So it is 4.\n", "\n\nSo it is 4.") == texts(events)
    assert ["think-unclosed"] == [event.code for event in events if isinstance(event, Notice)]
    assert Reason.STOP is finished(events).reason


def test_circles_are_broken_and_ended(session: Session) -> None:
    """A thinking in circles is nudged, then ended; an answer in circles ends the turn with a reason of its own."""
    session._context.trim(0)
    session._context.decode(session.ids([Special("<think>"), Text("\n")]))
    circle = session._model.vocabulary.tokenize("Wait, that is 12. So one more time. ")
    state = generation(session, drawing=circle * 100)
    events = list(state.run())
    thinking, answer = texts(events)
    assert thinking.count(CIRCLE[0]) == 1
    assert ["loop", "loop", "loop"] == [event.code for event in events if isinstance(event, Notice)]
    assert Reason.LOOP is finished(events).reason
    assert ANSWER_CIRCLE < finished(events).usage.answer_tokens < ANSWER_CIRCLE + 2 * len(circle)
    assert answer.count("one more time") > 2


def test_what_the_model_drew_stays_as_it_drew_it(session: Session) -> None:
    """A turn that is gone on with keeps the drawn ids, also where the tokenizer would cut the text otherwise."""
    context, vocabulary = session._context, session._model.vocabulary
    head = session.ids(render([Message(Role.USER, "hi")]))
    letters = [vocabulary.tokenize(letter)[0] for letter in "column"]
    assert letters != vocabulary.tokenize("column")
    context.trim(0)
    context.decode([*head, *letters])
    segments = render([Message(Role.USER, "hi")], partial=Partial("column by column"))
    ids = session.ids_as_drawn(segments)
    assert [*head, *letters] == ids[: len(head) + 6]
    assert b"column by column" == b"".join(map(vocabulary.piece, ids[len(head) :]))
    closed = render([Message(Role.USER, "hi")], partial=Partial("column", "yes"))
    assert [*head, *letters, *session.ids([Special("</think>"), Text("yes")])] == session.ids_as_drawn(closed)
    other = render([Message(Role.USER, "ho")], partial=Partial("column"))
    assert session.ids(other) == session.ids_as_drawn(other)
    shorter = render([Message(Role.USER, "hi")], partial=Partial("col"))
    assert [*head, *letters[:3]] == session.ids_as_drawn(shorter)


def logits(session: Session) -> list[float]:
    """The logits of the last decode."""
    pointer = session._context._lib.llama_get_logits_ith(session._context.pointer, -1)
    return list(pointer[: session._model.vocabulary.n_tokens])


def test_a_turn_after_the_cache_was_brought_up_is_the_turn_computed_from_nothing(session: Session) -> None:
    """The answer computed into the next prompt, without its thinking, gives what the whole prompt gives in one go.

    The same ids; logits up to what other batch sizes change in them.
    """
    question = Message(Role.USER, "What is 17 + 25?")
    segments = tuple(render([question]))
    events = list(session.answer(Request(segments, starts_inside(segments), GREEDY), Inbox()))
    history = [question, Message(Role.ASSISTANT, texts(events)[1])]
    assert session.warm(prefix(history))
    ids = session.ids(render([*history, Message(Role.USER, "And 9 - 3?")]))
    assert session._shared_prefix(ids) == len(session.ids(prefix(history)))
    list(session._prefill(ids))
    assert ids == session._context.tokens
    brought_up = logits(session)
    session._context.trim(0)
    list(session._prefill(ids))
    alone = logits(session)
    assert max(alone) == alone[brought_up.index(max(brought_up))]
    assert max(abs(a - b) for a, b in zip(brought_up, alone, strict=True)) < TOLERANCE * max(map(abs, alone))


def test_half_a_character_at_the_end_is_shown_as_one(session: Session) -> None:
    """A cut in the middle of a character leaves one replacement character, not nothing."""
    state = generation(session, starts_inside=False)
    first, *_ = session._model.vocabulary.tokenize("😀")
    events = [*state.take([first], forced=False), *state.rest()]
    assert ("", "\ufffd") == texts(events)


def test_thinking_is_not_closed_inside_a_character(session: Session) -> None:
    """The closing tag waits for the end of a character that is only half written."""
    state = generation(session)
    state.guide.hear(AnswerNow())
    state._out_of_room()
    first, *rest = session._model.vocabulary.tokenize("😀")
    list(state.take([first], forced=False))
    assert state.put_in() is None
    list(state.take(rest, forced=False))
    step = state.put_in()
    assert step is not None
    assert session.ids([Text("\n"), Special("</think>"), Text("\n\n")]) == step.ids


def test_a_stop_string_over_several_tokens_is_found(session: Session) -> None:
    """A stop string is found wherever the tokens cut it, and nothing of it is shown."""
    state = generation(session, starts_inside=False, stop=("STOP here",))
    ids = session._model.vocabulary.tokenize("before STOP here after")
    events = []
    for id in ids:
        events += state.take([id], forced=False)
        if state.stops.found:
            break
    assert ("", "before ") == texts(events)
    assert state.stops.found


def test_a_marker_of_tools_that_the_vocabulary_lacks_is_text(session: Session) -> None:
    """The distilled models have no tool markers: their spelling is tokenised as text, as their tokenizers do."""
    vocabulary = session._model.vocabulary
    ids = session.ids([Special(CALLS_BEGIN)])
    assert CALLS_BEGIN == b"".join(map(vocabulary.piece, ids)).decode()
    assert not any(map(vocabulary.is_special, ids))


def test_a_prompt_has_one_bos(session: Session) -> None:
    """A rendered conversation has exactly one BOS, first, whatever the user wrote."""
    text = "<｜begin▁of▁sentence｜>" * 3
    ids = session.ids(render([Message(Role.SYSTEM, text), Message(Role.USER, text)]))
    bos = session._model.vocabulary.bos
    assert [0] == [at for at, id in enumerate(ids) if id == bos]


def test_a_core_marker_that_is_missing_is_an_error(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vocabulary without the user's marker can't hold a conversation, and says so."""
    monkeypatch.setitem(session._model.vocabulary._special_ids, USER, None)
    with pytest.raises(EngineError):
        session.ids([Special(USER)])


def test_the_answer_is_the_same_from_an_empty_and_from_a_shared_cache(session: Session) -> None:
    """What the cache holds of the prompt changes no token of the answer."""

    def ask(question: str) -> tuple[str, str]:
        segments = tuple(render([Message(Role.USER, question)]))
        request = Request(segments, starts_inside(segments), Sampling(temperature=0.0), max_tokens=60)
        return texts(list(session.answer(request, Inbox())))

    session._context.trim(0)
    alone = ask("17 + 25")
    ask("17 + 26")
    assert alone == ask("17 + 25")


def test_a_cancel_before_the_first_batch_computes_nothing(session: Session) -> None:
    """With the abort flag up, a decode stops at its first node and the cache says what it holds."""
    session._context.trim(0)
    session._context._abort.set()
    assert not session._context.decode(session._model.vocabulary.tokenize("17 + 25 " * 5))
    assert [] == session._context.tokens
    session._context._abort.clear()
    assert session._context.decode(session._model.vocabulary.tokenize("17 + 25"))


def test_notices_come_before_the_text_they_explain(session: Session) -> None:
    """When the window is nearly full, the notice stands before the forced closing tag."""
    question = "1"
    while len(session.ids(segments := tuple(render([Message(Role.USER, question)])))) < 400:
        question += " + 1"
    request = Request(segments, starts_inside(segments), Sampling(temperature=0.0), max_tokens=8)
    events = [e for e in session.answer(request, Inbox()) if isinstance(e, Notice | Reasoning | Answer)]
    assert isinstance(events[0], Notice)
    assert isinstance(events[1], Reasoning)
    assert events[1].forced
