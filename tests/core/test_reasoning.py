"""The splitter of thinking and answer: every case, cut in every way."""

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1chat.core.events import Answer, Event, Finished, Reason, Reasoning, Started, TextEvent
from r1chat.core.messages import Message, Role
from r1chat.core.reasoning import ReasoningSplitter
from tests.chunks import every_split
from tests.law import check_law, texts

# (what it shows, whether the template opened the thinking, the model's text, the thinking, the answer)
CASES = [
    ("opened by the template", True, "Hm.\n</think>\n\n42", "Hm.\n", "\n\n42"),
    ("opened by the model", False, "<think>\nHm.\n</think>\n\n42", "\nHm.\n", "\n\n42"),
    ("opened by the model after blanks", False, " \n\t<think>Hm.</think>42", " \n\tHm.", "42"),
    ("opened by the model after an ideographic space", False, "\u3000<think>Hm.</think>42", "\u3000Hm.", "42"),
    ("never opened", False, "Hello, world", "", "Hello, world"),
    ("never opened, blanks first", False, "\n\n  Hello ", "", "\n\n  Hello "),
    ("never opened, closing tag as text", False, "a</think>b", "", "a</think>b"),
    ("never opened, closing tag first", False, "</think>b", "", "</think>b"),
    ("never opened, opening tag as text", False, "a<think>b</think>c", "", "a<think>b</think>c"),
    ("never opened, half a tag", False, "\n<thi", "", "\n<thi"),
    ("never opened, nearly a tag", False, "<thin king>", "", "<thin king>"),
    ("never opened, tag in capitals", False, "<THINK>a</THINK>", "", "<THINK>a</THINK>"),
    ("never opened, blanks alone", False, " \n ", "", " \n "),
    ("nothing at all", False, "", "", ""),
    ("nothing at all after the template's tag", True, "", "", ""),
    ("never closed", True, "Hm. So", "Hm. So", ""),
    ("never closed, opened by the model", False, "<think>Hm.", "Hm.", ""),
    ("never closed, half a tag", True, "Hm.\n</thin", "Hm.\n</thin", ""),
    ("never closed, nothing but half a tag", True, "<th", "<th", ""),
    ("never closed, tag with a blank in it", True, "a</think >b", "a</think >b", ""),
    ("tag repeated by the model", True, "<think>\nHm.</think>42", "\nHm.", "42"),
    ("tag repeated after blanks", True, " \n<think>\nHm.</think>42", " \n\nHm.", "42"),
    ("tag repeated twice", True, "<think><think>Hm.</think>42", "<think>Hm.", "42"),
    ("tag repeated, nothing else", True, "<think>", "", ""),
    ("tag opened twice by the model", False, "<think><think>Hm.</think>42", "<think>Hm.", "42"),
    ("opening tag within the thinking", True, "a <think> b</think>c", "a <think> b", "c"),
    ("closed at once", True, "</think>\n\n42", "", "\n\n42"),
    ("closed at once after blanks", True, "\n\n</think>\n\n42", "\n\n", "\n\n42"),
    ("closed at once, opened by the model", False, "<think></think>42", "", "42"),
    ("empty thinking", False, "<think>\n\n</think>\n\n42", "\n\n", "\n\n42"),
    ("closed, and nothing follows", True, "Hm.</think>", "Hm.", ""),
    ("closing tag in the answer", True, "a</think>b</think>c", "a", "b</think>c"),
    ("both tags in the answer", True, "a</think><think>b</think>c", "a", "<think>b</think>c"),
    ("half a tag in the answer's end", True, "a</think>b</thin", "a", "b</thin"),
    ("beginnings of tags in the thinking", True, "1<2</t<</</thinx</</think>b", "1<2</t<</</thinx</", "b"),
    ("a tag that begins within half of one", True, "a</th</think>b", "a</th", "b"),
    ("CJK around the tags", False, "<think>嗯，很简单。</think>四十二。", "嗯，很简单。", "四十二。"),
    ("emoji around the tags", True, "🤔👨‍👩‍👧</think>🏴󠁧󠁢󠁥󠁮󠁧󠁿✅", "🤔👨‍👩‍👧", "🏴󠁧󠁢󠁥󠁮󠁧󠁿✅"),
    ("look-alike tags", True, "a＜/think＞b</thіnk>c", "a＜/think＞b</thіnk>c", ""),
]


def _split(pieces: list[str], starts_inside: bool) -> list[TextEvent]:
    splitter = ReasoningSplitter(starts_inside)
    return [event for piece in pieces for event in splitter.feed(piece)] + splitter.finish()


def _as_turn(events: list[TextEvent]) -> list[Event]:
    return [Started(1, Message(Role.USER, "?")), *events, Finished(Reason.STOP)]


@pytest.mark.parametrize(
    ("starts_inside", "text", "thinking", "answer"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_thinking_and_answer_do_not_depend_on_the_cut(
    starts_inside: bool, text: str, thinking: str, answer: str
) -> None:
    """Whole, one character at a time and cut at every place, a text gives the same thinking and answer, lawfully."""
    for pieces in every_split(text):
        events = _split(pieces, starts_inside)
        check_law(_as_turn(events))
        assert (thinking, answer) == texts(events)
        assert all(event.text for event in events)


@pytest.mark.parametrize(
    ("starts_inside", "text", "thinking", "answer"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_tags_may_be_split_at_any_byte(starts_inside: bool, text: str, thinking: str, answer: str) -> None:
    """Cut between any two bytes and decoded as it comes, a text gives the same thinking and answer."""
    for pieces in every_split(text.encode()):
        decoder = codecs.getincrementaldecoder("utf-8")()
        assert (thinking, answer) == texts(_split([decoder.decode(piece) for piece in pieces], starts_inside))


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from(["<", "</", "<think>", "</think>", "think>", "/", " ", "\n", "a", "字", "<th"])),
    st.booleans(),
    st.integers(1, 7),
)
def test_nothing_but_tags_is_lost(fragments: list[str], starts_inside: bool, size: int) -> None:
    """Thinking, answer and at most one tag of each kind make up the text, whatever it is and however it is cut."""
    text = "".join(fragments)
    events = _split([text[at : at + size] for at in range(0, len(text), size)], starts_inside)
    check_law(_as_turn(events))
    thinking, answer = texts(events)
    assert texts(_split([text], starts_inside)) == (thinking, answer)
    blanks = thinking[: len(thinking) - len(thinking.lstrip())]
    openings = {thinking} | {blanks[:at] + "<think>" + thinking[at:] for at in range(len(blanks) + 1)}
    assert text in {opening + tag + answer for opening in openings for tag in ("", "</think>")}


def test_text_comes_as_early_as_it_can() -> None:
    """Only what may be the beginning of a tag is held back, and not one character more."""
    splitter = ReasoningSplitter(starts_inside=True)
    assert [Reasoning("\n")] == splitter.feed("\n")
    assert [Reasoning("1 ")] == splitter.feed("1 <")
    assert [Reasoning("<2 ")] == splitter.feed("2 </")
    assert [] == splitter.feed("thi")
    assert [Reasoning("</this ")] == splitter.feed("s </think")
    assert [Answer("\n")] == splitter.feed(">\n")
    assert [Answer("<th")] == splitter.feed("<th")
    assert [] == splitter.finish()


def test_blanks_wait_until_it_is_decided_whose_they_are() -> None:
    """Without a thinking opened by the template, leading blanks come with the first thing behind them."""
    splitter = ReasoningSplitter(starts_inside=False)
    assert [] == splitter.feed(" ") + splitter.feed("\n") + splitter.feed("<thi")
    assert [Answer(" \n<this")] == splitter.feed("s")
    splitter = ReasoningSplitter(starts_inside=False)
    assert [] == splitter.feed(" ") + splitter.feed("\n<think")
    assert [Reasoning(" \nHm")] == splitter.feed(">Hm")


def test_one_piece_can_hold_thinking_and_answer() -> None:
    """A piece with both gives one event of each, the thinking first."""
    assert [Reasoning("a"), Answer("b")] == ReasoningSplitter(starts_inside=False).feed("<think>a</think>b")


def test_inside_and_opened_say_where_the_text_is() -> None:
    """`inside` is true between the tags, `opened` from the opening tag on."""
    splitter = ReasoningSplitter(starts_inside=False)
    seen = []
    for piece in ("", " ", "<think", ">", "a", "</think", ">", "b"):
        splitter.feed(piece)
        seen.append((splitter.inside, splitter.opened))
    assert [(False, False)] * 3 + [(True, True)] * 3 + [(False, True)] * 2 == seen
    splitter = ReasoningSplitter(starts_inside=True)
    assert (True, True) == (splitter.inside, splitter.opened)
    splitter = ReasoningSplitter(starts_inside=False)
    splitter.feed("a")
    assert (False, False) == (splitter.inside, splitter.opened)


def test_a_closing_that_the_engine_forces_ends_the_thinking() -> None:
    """Forced text goes the model's way: half a tag in front of it is thinking, and the answer begins behind it."""
    splitter = ReasoningSplitter(starts_inside=True)
    events = splitter.feed("Hm</thi") + splitter.feed("\n</think>\n\n") + splitter.feed("42") + splitter.finish()
    assert ("Hm</thi\n", "\n\n42") == texts(events)
    assert not splitter.inside


def test_finish_gives_what_is_held_back_once() -> None:
    """A second finish has nothing more to give."""
    splitter = ReasoningSplitter(starts_inside=False)
    splitter.feed("\n<th")
    assert [Answer("\n<th")] == splitter.finish()
    assert [] == splitter.finish()


def test_other_tags_can_be_asked_for() -> None:
    """The two tags are arguments."""
    assert [Reasoning("a"), Answer("]<think>")] == ReasoningSplitter(False, "[[", "]]").feed("[[a]]]<think>")


@pytest.mark.parametrize(("open_tag", "close_tag"), [("", "</a>"), ("<a>", ""), (" <a>", "</a>"), (" ", "</a>")])
def test_tags_without_a_first_character_are_refused(open_tag: str, close_tag: str) -> None:
    """A tag that is empty, or an opening tag that begins with a blank, is a mistake of the caller."""
    with pytest.raises(ValueError, match="tag"):
        ReasoningSplitter(False, open_tag, close_tag)
