"""The token loop in this process, on the real library: text comes out whole, whatever the tokens cut."""

from collections.abc import Iterator

import pytest

from r1chat.core.events import Answer, Notice, Reasoning, Usage
from r1chat.core.messages import Message, Role
from r1chat.core.prompt import CALLS_BEGIN, USER, Special, Text, render, starts_inside
from r1chat.core.sampling import Sampling
from r1chat.engine.base import AnswerNow, Request
from r1chat.engine.generation import Clock, Generation, Inbox
from r1chat.engine.llama import AbortFlag, Context, Model, Sampler
from r1chat.engine.session import Session
from r1chat.errors import EngineError
from r1chat.models.library import demo_path
from tests.law import texts

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


def generation(session: Session, *, starts_inside: bool = True, stop: tuple[str, ...] = ()) -> Generation:
    """One answer's state, to be fed with ids by hand."""
    segments = tuple(render([Message(Role.USER, "hi")]))
    request = Request(segments, starts_inside, Sampling(temperature=0.0), stop=stop)
    sampler = Sampler(session._model, request.sampling)
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
