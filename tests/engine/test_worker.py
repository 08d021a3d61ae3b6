"""The engine in its child process: whole answers, cuts, controls, and every way to die."""

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from r1chat.core.events import Answer, Event, Finished, Notice, Progress, Reason, Reasoning, Started
from r1chat.core.memory import Plan
from r1chat.core.messages import Message, Partial, Role
from r1chat.core.prompt import Special, Text, render, starts_inside
from r1chat.core.sampling import Sampling
from r1chat.engine.base import AnswerNow, Cancel, Request, Spent, Steer, ThinkBudget
from r1chat.engine.selfcheck import SelfCheck, Verdict
from r1chat.engine.thinking import ENDING
from r1chat.engine.worker import WorkerEngine, WorkerTurn
from r1chat.errors import EngineError, UsageError
from r1chat.models.library import demo_path
from tests.law import check_law, texts
from tests.processes import wait_until_idle

DEADLINE = 60.0  # seconds after which a hang is called one


def request(text: str = "What is 17 + 25?", *, think: bool = True, **options: object) -> Request:
    """A request for one question."""
    segments = tuple(render([Message(Role.USER, text)], think=think))
    options.setdefault("sampling", Sampling(temperature=0.0))
    return Request(segments, starts_inside(segments), **options)  # type: ignore[arg-type]


def drained(turn: WorkerTurn, on_event: Callable[[Event], None] = lambda event: None) -> list[Event]:
    """All events of a turn; a watchdog ends a hang."""
    watchdog = threading.Timer(DEADLINE, lambda: (turn.control(Cancel()), turn.control(Cancel())))
    watchdog.start()
    events = []
    for event in turn:
        events.append(event)
        on_event(event)
    watchdog.cancel()
    check_law([Started(1, Message(Role.USER, "")), *events])  # the chat's part of the law
    return events


def finished(events: list[Event]) -> Finished:
    """The last event, which must be Finished."""
    assert isinstance(events[-1], Finished)
    return events[-1]


def child_of(engine: WorkerEngine) -> psutil.Process:
    """The engine's process. Waits until it is there."""
    assert engine._child is not None
    while engine._child._process is None:
        time.sleep(0.001)
    return psutil.Process(engine._child._process.pid)


def test_an_answer_obeys_the_law_and_counts_its_tokens(engine: WorkerEngine) -> None:
    """A whole answer: load progress, thinking, answer, and counts that agree with the events."""
    events = drained(engine.start(request()))
    end = finished(events)
    thinking, answer = texts(events)
    assert Reason.STOP == end.reason
    assert thinking
    assert answer
    assert {"load", "prefill"} == {event.stage for event in events if isinstance(event, Progress)}
    told = sum(event.n_tokens for event in events if isinstance(event, Reasoning | Answer))
    assert told == end.usage.reasoning_tokens + end.usage.answer_tokens
    assert end.usage.prompt_tokens == engine.count(request().segments)
    assert end.timings.load_s > 0


def test_the_same_question_again_uses_the_cache(engine: WorkerEngine) -> None:
    """The longest common prefix is not computed twice, and the answer is the same."""
    first = drained(engine.start(request()))
    second = drained(engine.start(request()))
    usage = finished(second).usage
    assert usage.prompt_tokens - 1 == usage.cached_tokens
    assert texts(first) == texts(second)


def test_an_answer_computed_from_a_shared_prefix_is_the_same(engine: WorkerEngine) -> None:
    """A prompt that shares only its beginning with the cache gives what it gives from an empty cache."""
    alone = texts(drained(engine.start(request("12 - 5"))))
    engine.load(Plan(n_ctx=1024, n_threads=1))
    drained(engine.start(request("12 + 9")))
    assert alone == texts(drained(engine.start(request("12 - 5"))))


def test_a_seed_makes_an_answer_repeatable(engine: WorkerEngine) -> None:
    """At R1's own sampling, the same seed gives the same text."""
    sampling = Sampling(seed=7)
    assert texts(drained(engine.start(request(sampling=sampling)))) == texts(
        drained(engine.start(request(sampling=sampling)))
    )


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=1.0, top_p=1.0, seed=1),
        Sampling(top_k=1, seed=1),
        Sampling(min_p=0.5, seed=1),
        Sampling(repeat_penalty=1.2, seed=1),
        Sampling(temperature=0.0, repeat_penalty=1.5),
    ],
)
def test_every_sampler_runs(engine: WorkerEngine, sampling: Sampling) -> None:
    """Each stage of the sampler chain gives an answer."""
    assert finished(drained(engine.start(request(sampling=sampling, max_tokens=30)))).reason in (
        Reason.STOP,
        Reason.LENGTH,
    )


def test_top_k_of_one_is_greedy(engine: WorkerEngine) -> None:
    """The sampler's parameters reach the library: only the best token left means the greedy answer, at any heat."""
    hot = Sampling(temperature=2.0, top_k=1, seed=5)
    assert texts(drained(engine.start(request()))) == texts(drained(engine.start(request(sampling=hot))))


def test_max_tokens_cuts(engine: WorkerEngine) -> None:
    """The user's own bound ends the answer with `length`, after exactly so many tokens."""
    end = finished(drained(engine.start(request(max_tokens=5))))
    assert Reason.LENGTH == end.reason
    assert 5 == end.usage.reasoning_tokens + end.usage.answer_tokens


def test_a_stop_string_ends_the_answer_and_is_not_part_of_it(engine: WorkerEngine) -> None:
    """The answer ends before the stop string; the thinking is not searched."""
    _, whole = texts(drained(engine.start(request())))
    stop = whole.strip()[2:6]
    events = drained(engine.start(request(stop=(stop,))))
    assert Reason.STOP == finished(events).reason
    assert whole[: whole.index(stop)] == texts(events)[1]


@pytest.mark.parametrize("n_tokens", [0, 1, 7])
def test_a_budget_of_tokens_ends_the_thinking_and_an_answer_comes(engine: WorkerEngine, n_tokens: int) -> None:
    """At the budget the closing tag is put in, a notice says so, and the model answers."""
    events = drained(engine.start(request(think_budget=ThinkBudget(n_tokens=n_tokens))))
    assert ["think-budget"] == [event.code for event in events if isinstance(event, Notice)]
    thinking, answer = texts(events)
    assert answer.startswith("\n\n")
    assert n_tokens == sum(e.n_tokens for e in events if isinstance(e, Reasoning) and not e.forced)
    assert any(isinstance(event, Answer) and not event.forced for event in events)
    assert thinking.endswith("\n")


def test_a_budget_of_no_seconds_ends_the_thinking_at_once(engine: WorkerEngine) -> None:
    """A budget in seconds is looked at before every token."""
    events = drained(engine.start(request(think_budget=ThinkBudget(seconds=0.0))))
    assert ["think-budget"] == [event.code for event in events if isinstance(event, Notice)]
    assert "\n" == texts(events)[0]


def test_no_thinking_means_none(engine: WorkerEngine) -> None:
    """With an empty thinking in the prompt everything the model says is answer."""
    events = drained(engine.start(request(think=False)))
    assert "" == texts(events)[0]
    assert 0 == finished(events).usage.reasoning_tokens


def test_answer_now_closes_the_thinking(engine: WorkerEngine) -> None:
    """The control closes the thinking where it is, and the answer comes."""
    turn = engine.start(request(pace=50.0))
    events = drained(turn, lambda event: turn.control(AnswerNow()) if isinstance(event, Reasoning) else None)
    assert any(event.forced for event in events if isinstance(event, Reasoning))
    assert finished(events).usage.reasoning_tokens < 20
    assert "" != texts(events)[1].strip()


def test_a_hint_is_put_into_the_thinking(engine: WorkerEngine) -> None:
    """Steer's text stands in the thinking as the user's, a paragraph of its own, and the thinking goes on."""
    turn = engine.start(request(pace=50.0))
    sent = []

    def steer(event: Event) -> None:
        if isinstance(event, Reasoning) and not sent:
            sent.append(1)
            turn.control(Steer("\nCheck it: 5 + 5.\n"))

    events = drained(turn, steer)
    forced = [event for event in events if isinstance(event, Reasoning) and event.forced]
    put_in = "".join(event.text for event in forced)
    assert "Wait, the user gives me a hint: Check it: 5 + 5.\n\n" == put_in.lstrip("\n")
    assert f"\n\n{put_in.lstrip()}" in texts(events)[0]
    assert any(isinstance(event, Reasoning) for event in events[events.index(forced[-1]) + 1 :])


def test_a_long_budget_lands_softly(engine: WorkerEngine) -> None:
    """The thinking and the sentence that closes it stay within the budget, and the answer follows."""
    budget = ThinkBudget(n_tokens=300, least=250)  # the demo alone would not think that long
    events = drained(engine.start(request(think_budget=budget)))
    forced = "".join(event.text for event in events if isinstance(event, Reasoning) and event.forced)
    assert ENDING[0] in forced
    assert "think-budget" in [event.code for event in events if isinstance(event, Notice)]
    n_closing = engine.count([Text("\n"), Special("</think>"), Text("\n\n")])
    assert 250 < finished(events).usage.reasoning_tokens <= 300 + n_closing
    assert texts(events)[1].strip()


@pytest.mark.parametrize("least", [1, 40, 100, 400])
def test_the_least_thinking_is_thought(engine: WorkerEngine, least: int) -> None:
    """However soon the model wants to end, so many tokens are thought, in one thinking, and then it answers."""
    events = drained(engine.start(request(think_budget=ThinkBudget(least=least))))
    assert finished(events).usage.reasoning_tokens >= least
    assert texts(events)[1].strip()
    alone = texts(drained(engine.start(request())))[0]
    assert texts(events)[0].startswith(alone.rstrip("\n"))  # up to its end nothing is changed
    nudges = [event for event in events if isinstance(event, Reasoning) and event.forced]
    assert bool(nudges) == (least > 62)  # the demo's own thinking has so many tokens


def test_a_hint_to_an_answer_is_told_to_be_late(engine: WorkerEngine) -> None:
    """What can't be put in any more is not dropped in silence."""
    turn = engine.start(request(pace=200.0))
    sent = []

    def steer(event: Event) -> None:
        if isinstance(event, Answer) and event.text.strip() and not sent:
            sent.append(1)
            turn.control(Steer("too late"))
            turn.control(AnswerNow())

    assert ["steer-late"] == [event.code for event in drained(turn, steer) if isinstance(event, Notice)]


def partial_of(events: list[Event]) -> Partial:
    """What a cut turn has said."""
    thinking, answer = texts(events)
    return Partial(thinking, answer or None)


def gone_on(partial: Partial, question: str, spent: Spent, **options: object) -> Request:
    """The request that goes on with a cut turn."""
    segments = tuple(render([Message(Role.USER, question)], partial=partial))
    options.setdefault("sampling", Sampling(temperature=0.0))
    return Request(segments, starts_inside(segments), spent=spent, **options)  # type: ignore[arg-type]


def test_a_cut_turn_goes_on_as_if_it_had_not_been_cut(engine: WorkerEngine) -> None:
    """Cut after any number of tokens, in the thinking or in the answer, both parts are the whole, at temperature 0.

    Nothing is computed twice.
    """
    question = "What is 987 + 789?"
    whole = drained(engine.start(request(question)))
    n_whole = finished(whole).usage.reasoning_tokens + finished(whole).usage.answer_tokens
    kinds = set()
    for n_tokens in range(1, n_whole, 7):
        first = drained(engine.start(request(question, max_tokens=n_tokens)))
        assert Reason.LENGTH is finished(first).reason
        spent = Spent(finished(first).usage.reasoning_tokens)
        rest = drained(engine.start(gone_on(partial_of(first), question, spent)))
        thinking, answer = (a + b for a, b in zip(texts(first), texts(rest), strict=True))
        assert texts(whole) == (thinking, answer)
        usage = finished(rest).usage
        kinds.add(bool(texts(first)[1]))
        assert usage.prompt_tokens - usage.cached_tokens <= 2  # the last token's logits, and a tag drawn anew
        assert usage.prompt_tokens + usage.reasoning_tokens + usage.answer_tokens <= n_whole + 20
    assert {False, True} == kinds


def test_a_cancelled_turn_goes_on_too(engine: WorkerEngine) -> None:
    """A cancel leaves the cache where the text is."""
    whole = texts(drained(engine.start(request())))
    turn = engine.start(request(pace=300.0))
    first = drained(turn, lambda event: turn.control(Cancel()) if isinstance(event, Reasoning) else None)
    assert Reason.CANCELLED is finished(first).reason
    rest = drained(engine.start(gone_on(partial_of(first), "What is 17 + 25?", Spent())))
    assert whole == tuple(a + b for a, b in zip(texts(first), texts(rest), strict=True))
    assert finished(rest).usage.prompt_tokens - finished(rest).usage.cached_tokens <= 2


def test_a_turn_goes_on_in_a_new_child(engine: WorkerEngine) -> None:
    """Without the cache it is computed again from the text, and goes on the same way."""
    whole = texts(drained(engine.start(request())))
    first = drained(engine.start(request(max_tokens=30)))
    engine.load(Plan(n_ctx=1024, n_threads=1))
    rest = drained(engine.start(gone_on(partial_of(first), "What is 17 + 25?", Spent())))
    assert 0 == finished(rest).usage.cached_tokens
    assert whole == tuple(a + b for a, b in zip(texts(first), texts(rest), strict=True))


def test_a_prompt_that_leaves_too_little_free_is_refused(engine: WorkerEngine) -> None:
    """Who wants a share of the context free gets an error and not a cut answer."""
    text = "1 + " * 200
    assert Reason.ERROR is finished(drained(engine.start(request(text, free=0.5, max_tokens=1)))).reason
    assert Reason.LENGTH is finished(drained(engine.start(request(text, free=0.1, max_tokens=1)))).reason


def test_the_thinking_leaves_room_for_the_answer(check: SelfCheck) -> None:
    """Before thinking fills the window it is closed: a quarter of it remains for the answer, and a notice says so."""
    engine = WorkerEngine(str(demo_path()), check)
    engine.load(Plan(n_ctx=64, n_threads=1))
    events = drained(engine.start(request("What is 987 + 789?")))
    engine.close()
    usage = finished(events).usage
    assert ["context-reserve"] == [event.code for event in events if isinstance(event, Notice)]
    assert usage.prompt_tokens + usage.reasoning_tokens <= 64 - 16
    assert usage.answer_tokens > 0


def test_a_full_context_says_so(check: SelfCheck) -> None:
    """An answer that meets the end of the window ends with `context`."""
    engine = WorkerEngine(str(demo_path()), check)
    engine.load(Plan(n_ctx=32, n_threads=1))
    events = drained(engine.start(request("1+1 " * 4)))
    engine.close()
    end = finished(events)
    assert Reason.CONTEXT == end.reason
    assert 32 == end.usage.prompt_tokens + end.usage.reasoning_tokens + end.usage.answer_tokens


def test_a_prompt_that_does_not_fit_is_an_error_with_both_numbers(engine: WorkerEngine) -> None:
    """Nothing is cut silently: the prompt's tokens and the context's are in the sentence."""
    end = finished(drained(engine.start(request("1 " * 2000))))
    assert Reason.ERROR == end.reason
    assert end.failure is not None
    assert 7 == end.failure.code
    assert f"{end.usage.prompt_tokens:,}" in end.failure.message
    assert "1,024" in end.failure.message
    assert Reason.STOP == finished(drained(engine.start(request()))).reason


@pytest.mark.parametrize("kind", [Reasoning, Answer])
def test_a_cancel_keeps_what_was_said_and_the_cache(engine: WorkerEngine, kind: type[Event]) -> None:
    """Cancelled in thinking or in the answer: the partial text stays, and the next request uses the cache."""
    turn = engine.start(request(pace=200.0))
    sent: list[Event] = []

    def cancel(event: Event) -> None:
        if isinstance(event, kind) and not sent:
            sent.append(event)
            turn.control(Cancel())

    events = drained(turn, cancel)
    assert Reason.CANCELLED == finished(events).reason
    assert any(isinstance(event, kind) for event in events)
    assert finished(drained(engine.start(request()))).usage.cached_tokens > 0


def test_a_cancel_in_a_long_prefill_keeps_what_was_computed(check: SelfCheck) -> None:
    """A prompt of many batches can be interrupted; the batches that were done are cached for the next time."""
    engine = WorkerEngine(str(demo_path()), check)
    engine.load(Plan(n_ctx=1024, n_threads=1, n_batch=32, n_ubatch=32))
    turn = engine.start(request("12 + " * 200))
    seen: list[int] = []

    def cancel(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "prefill":
            seen.append(event.done)
            if event.done >= 64:
                turn.control(Cancel())

    end = finished(drained(turn, cancel))
    again = finished(drained(engine.start(request("12 + " * 200, max_tokens=1))))
    engine.close()
    assert end.reason in (Reason.CANCELLED, Reason.STOP)  # a quick machine may be done before the cancel arrives
    assert again.usage.cached_tokens >= 64


def test_a_dropped_iterator_cancels(engine: WorkerEngine) -> None:
    """Whoever stops listening stops the turn: the next request does not wait for it."""
    iterator = iter(engine.start(request(pace=0.5)))
    next(iterator)
    iterator.close()  # type: ignore[attr-defined]
    assert Reason.STOP == finished(drained(engine.start(request()))).reason


def test_a_second_cancel_ends_the_child(engine: WorkerEngine) -> None:
    """When the first cancel is not heeded the second one kills; the next request gets a new child."""
    drained(engine.start(request()))
    process = child_of(engine)
    process.suspend()
    turn = engine.start(request())
    turn.control(Cancel())
    turn.control(Cancel())
    assert Reason.CANCELLED == finished(drained(turn)).reason
    assert Reason.STOP == finished(drained(engine.start(request()))).reason
    assert not process.is_running()


def test_warming_computes_the_prompt_ahead(engine: WorkerEngine) -> None:
    """What was warmed is in the cache when the request comes."""
    drained(engine.start(request()))
    engine.warm(request("What is 888 - 777?"))
    wait_until_idle(child_of(engine))
    usage = finished(drained(engine.start(request("What is 888 - 777?")))).usage
    assert usage.prompt_tokens - 1 == usage.cached_tokens


def test_what_is_computed_ahead_keeps_nobody_waiting(check: SelfCheck) -> None:
    """A count comes at once and the work goes on behind it; a newer wish replaces an older one."""
    engine = WorkerEngine(str(demo_path()), check)
    engine.load(Plan(n_ctx=1024, n_threads=1, n_batch=16, n_ubatch=16))
    drained(engine.start(request(max_tokens=1)))
    engine.warm(request("9 - 8 " * 150))
    engine.warm(request("12 + " * 150))
    assert engine.count([Text("12")]) > 0
    wait_until_idle(child_of(engine))
    usage = finished(drained(engine.start(request("12 + " * 150, max_tokens=1)))).usage
    engine.close()
    assert usage.prompt_tokens - 1 == usage.cached_tokens


def wait_for_death(engine: WorkerEngine) -> None:
    """Wait until the engine has noticed that its child is gone. (Waiting for the process would take its exit code.)"""
    child = engine._child
    assert child is not None
    child._reader.join(DEADLINE)
    assert child.over


SIGNALS = [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT]


@pytest.mark.parametrize("number", range(20))
def test_a_death_at_a_random_moment_loses_nothing(engine: WorkerEngine, number: int) -> None:
    """The turn ends, in `died` with the signal's name unless it was over before; the next request is answered."""
    chance = random.Random(number)
    kill = SIGNALS[number % 3]
    moment = ("load", "prefill", "generation", "idle")[number // 3 % 4]
    if moment == "idle":
        drained(engine.start(request(max_tokens=3)))
    process = child_of(engine)
    turn = engine.start(request(pace=100.0)) if moment != "idle" else None
    timer = threading.Timer(chance.uniform(0, 0.05 if moment == "load" else 0.5), process.send_signal, [kill])
    timer.start()
    if turn:
        events = drained(turn)
        end = finished(events)
        assert end.reason in (Reason.DIED, Reason.STOP)
        if end.reason is Reason.DIED:
            assert end.failure is not None
            assert kill.name in end.failure.message
    timer.join()
    wait_for_death(engine)
    after = drained(engine.start(request()))
    assert Reason.STOP == finished(after).reason
    assert not process.is_running()


def test_the_death_of_an_idle_engine_is_told_at_the_next_question(engine: WorkerEngine) -> None:
    """A child that died unasked is replaced, and a notice names the signal."""
    drained(engine.start(request(max_tokens=1)))
    process = child_of(engine)
    process.kill()
    wait_for_death(engine)
    assert engine.info is None
    events = drained(engine.start(request()))
    assert ["engine-restarted"] == [event.code for event in events if isinstance(event, Notice)]
    assert "SIGKILL" in next(event.text for event in events if isinstance(event, Notice))


class Trust:
    """A check that trusts the CPU, and counts how often that is taken back."""

    def __init__(self) -> None:
        self.n_revoked = 0

    def verdict(self) -> Verdict:
        """Trust, with a word about it."""
        return Verdict(True, "trusted")

    def revoke(self) -> None:
        """Count."""
        self.n_revoked += 1


@pytest.mark.parametrize(("answered", "kill", "wanted"), [
    (False, signal.SIGSEGV, 1),
    (False, signal.SIGILL, 1),
    (False, signal.SIGKILL, 0),
    (True, signal.SIGSEGV, 0),
])  # fmt: skip
def test_a_fault_in_the_first_decode_revokes_the_verdict(answered: bool, kill: int, wanted: int) -> None:
    """Only a hardware fault, and only before anything was decoded, speaks against the verdict."""
    check = Trust()
    engine = WorkerEngine(str(demo_path()), check)
    engine.load(Plan(n_ctx=256, n_threads=1))
    if answered:
        drained(engine.start(request(max_tokens=1)))
    process = child_of(engine)
    process.send_signal(kill)
    wait_for_death(engine)
    engine.close()
    assert wanted == check.n_revoked


def test_the_verdict_is_told_as_a_notice() -> None:
    """What the self-check has to say reaches the turn that waits for the engine."""
    engine = WorkerEngine(str(demo_path()), Slow())
    engine.load(Plan(n_ctx=256, n_threads=1))
    events = drained(engine.start(request(max_tokens=1)))
    engine.close()
    assert ["self-check"] == [event.code for event in events if isinstance(event, Notice)]


class Slow(Trust):
    """A check that takes its time, as the first one on a machine does."""

    def verdict(self) -> Verdict:
        """Be slow, and safe."""
        time.sleep(0.2)
        return Verdict(False, "found something")


def test_a_file_that_the_library_refuses_is_an_error_with_its_last_words(check: SelfCheck, tmp_path: Path) -> None:
    """A load that fails ends every waiting turn and every count with the reason, and does not hang."""
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(demo_path().read_bytes()[:20_000])
    engine = WorkerEngine(str(bad), check)
    engine.load(Plan(n_ctx=256, n_threads=1))
    end = finished(drained(engine.start(request())))
    assert Reason.ERROR == end.reason
    assert end.failure is not None
    assert 6 == end.failure.code
    assert end.failure.log
    with pytest.raises(EngineError):
        engine.count(request().segments)
    engine.close()


def test_a_closed_engine_leaves_no_process(engine: WorkerEngine) -> None:
    """Closing ends the child, also in the middle of an answer, and may be done twice."""
    process = child_of(engine)
    iterator: Iterator[Event] = iter(engine.start(request(pace=1.0)))
    next(iterator)
    engine.close()
    engine.close()
    assert not process.is_running()


def test_several_samples_are_refused_in_words(engine: WorkerEngine) -> None:
    """More than one sample is not built yet, and says so."""
    with pytest.raises(UsageError):
        engine.start(request(samples=2))


def test_an_engine_without_a_plan_says_so(check: SelfCheck) -> None:
    """Asking before `load` is an error, not a hang."""
    with pytest.raises(EngineError):
        WorkerEngine(str(demo_path()), check).start(request())


def test_a_child_that_does_not_read_blocks_nobody(engine: WorkerEngine) -> None:
    """A prompt larger than the pipe to a stopped child delays neither the caller nor the close."""
    drained(engine.start(request(max_tokens=1)))
    process = child_of(engine)
    process.suspend()
    turn = engine.start(request("word " * 400_000))
    turn.control(Cancel())
    turn.control(Cancel())
    assert Reason.CANCELLED is finished(drained(turn)).reason
    engine.close()
    assert not process.is_running()


def test_a_new_request_ends_one_that_nobody_listens_to(engine: WorkerEngine) -> None:
    """A turn that was started and dropped without being iterated does not hold the next one up."""
    engine.start(request(pace=0.2))
    assert Reason.STOP is finished(drained(engine.start(request()))).reason


def test_threads_that_find_the_child_dead_start_one_new_one(engine: WorkerEngine) -> None:
    """Callers in parallel share the new child, and nothing is left after the close."""
    drained(engine.start(request(max_tokens=1)))
    child_of(engine).kill()
    wait_for_death(engine)
    threads = [threading.Thread(target=engine.count, args=((),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    mine = [p for p in psutil.Process().children() if "engine.child" in " ".join(p.cmdline())]
    assert [child_of(engine).pid] == [process.pid for process in mine]


def test_a_death_tells_the_tokens_that_were_seen(engine: WorkerEngine) -> None:
    """What the child can no longer count, the parent has counted."""
    turn = engine.start(request(pace=50.0))
    seen: list[Event] = []

    def kill(event: Event) -> None:
        seen.append(event)
        if isinstance(event, Reasoning) and sum(isinstance(e, Reasoning) for e in seen) == 5:
            child_of(engine).kill()

    end = finished(drained(turn, kill))
    assert Reason.DIED is end.reason
    assert end.usage.reasoning_tokens == sum(e.n_tokens for e in seen if isinstance(e, Reasoning))
    assert end.usage.prompt_tokens == engine.count(request().segments)


class Broken(Trust):
    """A check that fails itself."""

    def verdict(self) -> Verdict:
        """Fail."""
        raise ValueError("broken")


def test_a_broken_check_is_an_error_and_not_a_hang() -> None:
    """Whatever fails before the child is there, the turn ends and says so."""
    engine = WorkerEngine(str(demo_path()), Broken())
    engine.load(Plan(n_ctx=256, n_threads=1))
    end = finished(drained(engine.start(request())))
    engine.close()
    assert Reason.ERROR is end.reason
    assert end.failure is not None
    assert "broken" in end.failure.message


def test_a_notice_waits_for_the_first_turn() -> None:
    """What the self-check has to say is not lost when the engine was there before the first question."""
    engine = WorkerEngine(str(demo_path()), Trust())
    engine.load(Plan(n_ctx=256, n_threads=1))
    engine.count(())
    codes = [
        [event.code for event in drained(engine.start(request(max_tokens=1))) if isinstance(event, Notice)]
        for _ in range(2)
    ]
    engine.close()
    assert [["self-check"], []] == codes


@pytest.mark.parametrize("options", [{"max_tokens": 2, "think_budget": ThinkBudget(n_tokens=0)}, {"pace": 1e-12}])
def test_odd_options_cost_nobody_the_engine(engine: WorkerEngine, options: dict[str, object]) -> None:
    """Forced tokens count against the bound on tokens; a pace of years is a pace, and can be cancelled."""
    turn = engine.start(request(**options))
    events = drained(turn, lambda event: turn.control(Cancel()) if isinstance(event, Reasoning) else None)
    usage = finished(events).usage
    assert finished(events).reason in (Reason.LENGTH, Reason.CANCELLED)
    assert usage.reasoning_tokens + usage.answer_tokens <= 2


def test_a_long_hint_leaves_room_for_the_answer(engine: WorkerEngine) -> None:
    """A hint of any length is put in as far as the answer's reserve allows."""
    turn = engine.start(request(pace=200.0))
    sent = []

    def steer(event: Event) -> None:
        if isinstance(event, Reasoning) and not sent:
            sent.append(1)
            turn.control(Steer("1 + 1 = 2. " * 500))

    events = drained(turn, steer)
    usage = finished(events).usage
    assert usage.prompt_tokens + usage.reasoning_tokens <= 1024 - 256
    assert usage.answer_tokens > 0


def test_a_text_of_megabytes_is_refused_at_once(engine: WorkerEngine) -> None:
    """What can't fit at all is refused before it is tokenised, with a bound on its tokens."""
    end = finished(drained(engine.start(request("<think></think>" * 60_000))))
    assert end.failure is not None
    assert "at least" in end.failure.message


def test_a_text_full_of_special_spellings_is_tokenised(engine: WorkerEngine) -> None:
    """Thousands of spelled special tokens are ordinary text, each of them."""
    assert engine.count([Text("<think></think>" * 2000)]) > 4000
