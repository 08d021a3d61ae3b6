"""Prompts: the official templates' renderings, what stays out of them, and the cutting of spelled special tokens."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from r1chat.core.messages import Message, Partial, Role, ToolCall
from r1chat.core.prompt import (
    ASSISTANT,
    BOS,
    EOS,
    FAMILIES,
    THINK_CLOSE,
    THINK_OPEN,
    USER,
    Segment,
    Special,
    Text,
    attach,
    cut_specials,
    directive,
    lookalikes,
    parse_raw,
    render,
    starts_inside,
    system_text,
)
from r1chat.errors import UsageError

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "data" / "render_vectors.json").read_text(encoding="utf-8")
)
FAMILY_OF = {"r1_full": "r1", "r1_distill": "r1-distill", "r1_0528": "r1-0528"}

# Where the official templates are wrong and r1chat differs: (template's family, conversation) -> why.
TEMPLATE_BUGS = {
    ("r1", "tool_answered_thinking"): "the thinking of an answer to tool outputs is left in",
    ("r1", "calls_again"): "the outputs before new calls are not closed, the second calls and outputs not opened",
    ("r1", "calls_next_turn"): "the second calls are not opened",
    ("r1", "thinking_and_calls"): "the thinking before calls is left in",
    ("r1", "user_after_output"): "the outputs before a user's message are not closed",
    ("r1-distill", "tool"): "a single call is not closed",
    ("r1-distill", "three_calls"): "three calls are closed twice",
    ("r1-distill", "tool_answered_thinking"): "the thinking of an answer to tool outputs is left in",
    ("r1-distill", "calls_again"): "as for r1, and each call is closed on its own",
    ("r1-distill", "calls_next_turn"): "the second calls are not opened",
    ("r1-distill", "text_and_calls"): "calls next to text are lost",
    ("r1-distill", "thinking_and_calls"): "calls next to text are lost",
    ("r1-distill", "user_after_output"): "the outputs before a user's message are not closed",
    ("r1-0528", "assistant_first"): "an assistant's message without a user's before it has no marker",
    ("r1-0528", "two_assistants"): "an assistant's message without a user's before it has no marker",
    ("r1-0528", "user_after_output"): "the outputs before a user's message are not closed",
}
ROWS = [(template, name) for template, rows in VECTORS["rendered"].items() for name in rows]


def _joined(segments: list[Segment]) -> str:
    return "".join(segment.name if isinstance(segment, Special) else segment.text for segment in segments)


def _conversation(name: str) -> list[Message]:
    return [
        Message(
            Role(message["role"]),
            message["content"],
            reasoning="never rendered",
            tool_calls=tuple(ToolCall(**call) for call in message.get("tool_calls", ())),
        )
        for message in VECTORS["conversations"][name]
    ]


def _user(text: str) -> Message:
    return Message(Role.USER, text)


@pytest.mark.parametrize(("template", "name"), ROWS, ids=[f"{template}-{name}" for template, name in ROWS])
def test_prompts_are_the_official_templates_renderings(template: str, name: str) -> None:
    """Every conversation is rendered as the official template does, but for the templates' own bugs, and only there."""
    family = next(family for prefix, family in FAMILY_OF.items() if template.startswith(prefix))
    think = None if template.endswith("2025_01") else True
    actual = _joined(render(_conversation(name), family=family, think=think))
    expected = VECTORS["rendered"][template][name]
    assert ((family, name) in TEMPLATE_BUGS) == (expected != actual), TEMPLATE_BUGS.get((family, name), actual)


CALL = '<｜tool▁call▁begin｜>function<｜tool▁sep｜>{}\n```json\n{{"a":1}}\n```<｜tool▁call▁end｜>'
CALLS_FG = f"<｜tool▁calls▁begin｜>{CALL.format('f')}\n{CALL.format('g')}<｜tool▁calls▁end｜>{EOS}"


def _outputs(*texts: str, between: str = "\n") -> str:
    inner = between.join(f"<｜tool▁output▁begin｜>{text}<｜tool▁output▁end｜>" for text in texts)
    return f"<｜tool▁outputs▁begin｜>{inner}<｜tool▁outputs▁end｜>"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("name", "after_question"),
    [
        ("calls_again", CALLS_FG + _outputs("R1") + CALLS_FG + _outputs("R2")),
        ("calls_next_turn", f"{CALLS_FG}{_outputs('1')}A{EOS}{USER}v?{ASSISTANT}{CALLS_FG}{ASSISTANT}"),
        ("thinking_and_calls", f"Look.{CALLS_FG}{_outputs('R')}"),
        ("text_and_calls", f"Let me look.\n{CALLS_FG}{_outputs('R')}"),
        ("tool_answered_thinking", f"{CALLS_FG}{_outputs('R')}A{EOS}{USER}b{ASSISTANT}"),
        ("user_after_output", f"{CALLS_FG}{_outputs('R')}{USER}b{ASSISTANT}"),
    ],
)
def test_tools_are_rendered_alike_where_templates_have_bugs(name: str, after_question: str, family: str) -> None:
    """Each list of calls is opened and closed once, each batch of outputs too, and no thinking is left in."""
    expected = f"{BOS}{USER}w?{ASSISTANT}{after_question}"
    assert expected == _joined(render(_conversation(name), family=family, think=None))


@pytest.mark.parametrize(
    ("family", "between"), [("r1", ""), ("r1-distill", "\n"), ("r1-0528", "\n")], ids=["r1", "r1-distill", "r1-0528"]
)
def test_tool_outputs_are_separated_by_family(family: str, between: str) -> None:
    """A call is closed even if it is the only one, and outputs stand next to each other as the family has them."""
    call = f"<｜tool▁calls▁begin｜>{CALL.format('f')}<｜tool▁calls▁end｜>{EOS}"
    expected = f"{BOS}{USER}w?{ASSISTANT}{call}{_outputs('R1', 'R2', between=between)}"
    assert expected == _joined(render(_conversation("tool"), family=family))


def test_the_0528_family_marks_every_assistants_message() -> None:
    """An assistant's message has its marker, once, whether or not a user's message came before it."""
    messages = [Message(Role.ASSISTANT, "a"), _user("b"), Message(Role.ASSISTANT, "c"), Message(Role.ASSISTANT, "d")]
    expected = f"{BOS}{ASSISTANT}a{EOS}{USER}b{ASSISTANT}c{EOS}{ASSISTANT}d{EOS}{ASSISTANT}"
    assert expected == _joined(render(messages, family="r1-0528"))


def test_think_says_how_the_answer_begins() -> None:
    """True forces the thinking open where the family does, False puts in an empty one, None forces nothing."""
    start: list[Segment] = [Special(BOS), Special(USER), Text("Hi"), Special(ASSISTANT)]
    empty: list[Segment] = [Special(THINK_OPEN), Text("\n\n"), Special(THINK_CLOSE), Text("\n\n")]
    for family in ("r1", "r1-distill"):
        assert [*start, Special(THINK_OPEN), Text("\n")] == render([_user("Hi")], family=family)
    assert start == render([_user("Hi")], family="r1-0528", think=True)
    for family in FAMILIES:
        assert [*start, *empty] == render([_user("Hi")], family=family, think=False)
        assert start == render([_user("Hi")], family=family, think=None)


def test_after_tool_outputs_nothing_is_forced_but_no_thinking_can_be() -> None:
    """Behind tool outputs the model goes on by itself, unless it is told not to think."""
    messages = [_user("w?"), Message(Role.TOOL, "R")]
    outputs = BOS + USER + "w?" + _outputs("R")
    assert outputs == _joined(render(messages))
    assert outputs + "<think>\n\n</think>\n\n" == _joined(render(messages, think=False))
    assert outputs + "<think>t" == _joined(render(messages, partial=Partial("t")))


@pytest.mark.parametrize(
    ("family", "think", "partial", "expected"),
    [
        ("r1", True, Partial("Hm"), "<think>\nHm"),
        ("r1", True, Partial(""), "<think>\n"),
        ("r1", True, Partial("Hm\n", ""), "<think>\nHm\n</think>"),
        ("r1", True, Partial("Hm\n", "\n\nSo"), "<think>\nHm\n</think>\n\nSo"),
        ("r1-distill", True, Partial("", "\n\nSo"), "<think>\n</think>\n\nSo"),
        ("r1-0528", True, Partial("\nHm\n", "\n\nSo"), "<think>\nHm\n</think>\n\nSo"),
        ("r1-0528", True, Partial("\nHm"), "<think>\nHm"),
        ("r1-0528", True, Partial("", " So"), " So"),
        ("r1-0528", True, Partial(""), ""),
        ("r1", None, Partial("\nHm"), "<think>\nHm"),
        ("r1", None, Partial("", "So"), "So"),
        ("r1", False, Partial("", "So "), "<think>\n\n</think>\n\nSo "),
        ("r1", False, Partial("", None), "<think>\n\n</think>\n\n"),
        ("r1", False, Partial("Hm\n", "\n\nSo"), "<think>\nHm\n</think>\n\nSo"),
        ("r1", True, Partial("a</think>b", "c</think>d"), "<think>\na</think>b</think>c</think>d"),
    ],
)
def test_a_partial_turn_is_continued_where_it_was(
    family: str, think: bool | None, partial: Partial, expected: str
) -> None:
    """The assistant's turn so far ends the prompt, with every blank, as the model had it before itself."""
    segments = render([_user("Hi")], family=family, think=think, partial=partial)
    assert f"{BOS}{USER}Hi{ASSISTANT}{expected}" == _joined(segments)
    specials = [segment.name for segment in segments if isinstance(segment, Special)]
    assert specials.count(THINK_OPEN) <= 1
    assert specials.count(THINK_CLOSE) <= 1


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        (render([_user("Hi")]), True),
        (render([_user("Hi")], think=None), False),
        (render([_user("Hi")], think=False), False),
        (render([_user("<think>")], think=None), False),
        (render([_user("Hi")], family="r1-0528"), False),
        (render([_user("Hi")], partial=Partial("a </think>")), True),
        (render([_user("Hi")], partial=Partial("a", "")), False),
        (render([_user("Hi")], partial=Partial("a", "<think>")), False),
        (parse_raw("<think>a<｜User｜>b", [THINK_OPEN, USER]), False),
        (parse_raw("a<think>b<｜tool▁sep｜>", [THINK_OPEN, "<｜tool▁sep｜>"]), True),
        ([], False),
    ],
)
def test_where_the_answer_begins_is_read_from_the_prompts_end(segments: list[Segment], expected: bool) -> None:
    """Only a think tag that is a special token counts, and only if no turn began behind it."""
    assert expected == starts_inside(segments)


_ANY_TEXT = st.text(max_size=5) | st.sampled_from([BOS, EOS, USER, "<think>", "</think>", "<|User|>", "\n", ""])
_MESSAGES = st.lists(
    st.builds(
        Message,
        st.sampled_from(Role),
        _ANY_TEXT,
        _ANY_TEXT,
        st.lists(st.builds(ToolCall, _ANY_TEXT, _ANY_TEXT), max_size=2).map(tuple),
    ),
    max_size=5,
)


@settings(deadline=None, max_examples=200)
@given(
    _MESSAGES,
    st.sampled_from(sorted(FAMILIES)),
    st.sampled_from([True, False, None]),
    st.none() | st.builds(Partial, _ANY_TEXT, st.none() | _ANY_TEXT),
)
def test_every_prompt_is_well_formed(
    messages: list[Message], family: str, think: bool | None, partial: Partial | None
) -> None:
    """One BOS, in front; no empty text; no text next to a text; as many user markers as user's messages."""
    segments = render(messages, family=family, think=think, partial=partial)
    assert Special(BOS) == segments[0]
    assert 1 == segments.count(Special(BOS))
    assert Text("") not in segments
    assert not any(isinstance(a, Text) and isinstance(b, Text) for a, b in itertools.pairwise(segments))
    assert sum(message.role is Role.USER for message in messages) == segments.count(Special(USER))


def test_system_texts_are_combined_by_family() -> None:
    """r1 and r1-0528 join several system messages by a blank line, the distilled models take the last one."""
    messages = [Message(Role.SYSTEM, "A"), _user("Hi"), Message(Role.SYSTEM, "B")]
    assert ["A\n\nB", "B", "A\n\nB"] == [system_text(messages, family) for family in ("r1", "r1-distill", "r1-0528")]
    assert "" == system_text([_user("Hi")])


def test_an_unknown_family_is_refused() -> None:
    """A family that does not exist is an error of use, which names those that do."""
    for call in (lambda: render([], family="v3"), lambda: system_text([], "v3")):
        with pytest.raises(UsageError, match="no prompt family 'v3'") as caught:
            call()
        assert "The families are r1, r1-distill, r1-0528." == caught.value.hint


ENGLISH = "Please reason step by step, and put your final answer within \\boxed{}."
CHINESE = "请逐步推理，并将最终答案放在 \\boxed{} 内。"


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("What is 1+1?", ENGLISH),
        ("", ENGLISH),
        ("x^2 = 4", ENGLISH),
        ("1+1等于几？", CHINESE),
        ("设 $\\frac{a}{b}=\\sqrt{x}$，求 x 的值。", CHINESE),
        ("求解 x^2+2x+1=0", CHINESE),
        ("What does 你好 mean?", ENGLISH),
        ("用 Python 写一个计算素数的函数", CHINESE),
        ("方程式を解いてください", ENGLISH),
        ("方程式を解く: x+1=2", ENGLISH),
        ("方程을 푸세요", ENGLISH),
        ("Решите уравнение", ENGLISH),
    ],
)
def test_the_maths_directive_speaks_the_prompts_language(prompt: str, expected: str) -> None:
    """A Chinese prompt gets the Chinese directive, any other the English one, both as DeepSeek wrote them."""
    assert expected == directive(prompt)


def test_files_stand_before_the_question() -> None:
    """Each file has DeepSeek's own form, the question follows, and nothing is added or stripped."""
    assert (
        "[file name]: a.txt\n[file content begin]\nA\n\n[file content end]\n"
        "[file name]: b c.md\n[file content begin]\n\n[file content end]\n"
        "Sum up."
    ) == attach([("a.txt", "A\n"), ("b c.md", "")], "Sum up.")
    assert "Hi" == attach([], "Hi")


VOCABULARY = [BOS, EOS, USER, ASSISTANT, THINK_OPEN, THINK_CLOSE, "<|EOT|>", "<|", "<|EOT", ""]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [Special(BOS)]),
        ("Hi", [Special(BOS), Text("Hi")]),
        (f"{BOS}Hi", [Special(BOS), Text("Hi")]),
        (f"{BOS}{USER}Hi{ASSISTANT}", [Special(BOS), Special(USER), Text("Hi"), Special(ASSISTANT)]),
        (f"a{BOS}", [Text("a"), Special(BOS)]),
        ("<think>\n", [Special(BOS), Special(THINK_OPEN), Text("\n")]),
        ("<|EOT|><|EOT<|E", [Special(BOS), Special("<|EOT|>"), Special("<|EOT"), Special("<|"), Text("E")]),
        ("<|User|>", [Special(BOS), Special("<|"), Text("User|>")]),
    ],
)
def test_raw_text_is_cut_at_the_specials_it_spells(text: str, expected: list[Segment]) -> None:
    """The longest spelling counts, the rest is text, and there is one BOS."""
    assert expected == parse_raw(text, VOCABULARY)


def test_raw_text_without_a_vocabulary_is_text() -> None:
    """Where nothing is special, only BOS is put in front."""
    assert [Special(BOS), Text(f"{BOS}<think>")] == parse_raw(f"{BOS}<think>", [])


def test_raw_text_with_two_bos_is_refused() -> None:
    """A second BOS is an error of use: a prompt has exactly one."""
    with pytest.raises(UsageError, match="has 2 <｜begin▁of▁sentence｜> tokens"):
        parse_raw(f"{BOS}a{BOS}", VOCABULARY)


def _overlapping(text: str, specials: list[str]) -> set[int]:
    """The places behind the first character of each occurrence, found in the plainest way."""
    return {at + 1 for special in specials for at in range(len(text)) if text.startswith(special, at)}


def _cuts(pieces: list[str]) -> set[int]:
    return {sum(map(len, pieces[:count])) for count in range(1, len(pieces))}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Hi", ["Hi"]),
        ("<think>", ["<", "think>"]),
        ("a<think></think>b", ["a<", "think><", "/think>b"]),
        ("<thi<think>nk>", ["<thi<", "think>nk>"]),
        ("<think><think>", ["<", "think><", "think>"]),
        ("< think><THINK></thin k>", ["< think><THINK></thin k>"]),
        ("<|User|>", ["<|User|>"]),
        ("<｜User｜>\n<｜User", ["<", "｜User｜>\n<｜User"]),
    ],
)
def test_spelled_specials_are_cut_behind_their_first_character(text: str, expected: list[str]) -> None:
    """Whole, nested, adjacent and repeated spellings are cut; look-alikes, halves and other text are not."""
    assert expected == cut_specials(text, [THINK_OPEN, THINK_CLOSE, USER])


@settings(deadline=None, max_examples=500)
@given(
    st.lists(
        st.sampled_from(["<", ">", "/", "think", "<think>", "</think>", "<t", "k>", "｜", "<｜User｜>", "字", " "])
    ),
)
@example(["<", "think", ">", "<", "/", "think", ">"])
def test_no_piece_spells_a_special_of_r1(fragments: list[str]) -> None:
    """Whatever is put together from pieces of R1's specials, each is cut once, and joined the text is as it was."""
    text = "".join(fragments)
    specials = [THINK_OPEN, THINK_CLOSE, USER, EOS]
    pieces = cut_specials(text, specials)
    assert text == "".join(pieces)
    assert not any(special in piece for special in specials for piece in pieces)
    assert _overlapping(text, specials) == _cuts(pieces)


@settings(deadline=None, max_examples=500)
@given(
    st.text("ab[", max_size=30),
    st.lists(st.text("ab[", min_size=2, max_size=5), max_size=5),
)
@example("aaaa", ["aa", "aaa"])
@example("ababab", ["aba", "bab"])
@example("a[[b", ["[[", "[["])
def test_no_piece_spells_any_special(text: str, specials: list[str]) -> None:
    """Specials that overlap, hold and begin one another, and themselves, are all cut, each at its own place."""
    pieces = cut_specials(text, specials)
    assert text == "".join(pieces)
    assert "" not in pieces
    assert not any(special in piece for special in specials for piece in pieces)
    assert _overlapping(text, specials) == _cuts(pieces)


def test_a_special_of_one_character_is_let_through() -> None:
    """It can't be cut, and it stands for nothing but its character; an empty spelling is no spelling."""
    assert ["öab"] == cut_specials("öab", ["ö", ""])
    assert ["öa", "b"] == cut_specials("öab", ["ö", "ab"])


def _misread(text: str, encoding: str, errors: str = "strict") -> str:
    return text.encode().decode(encoding, errors)


MARKERS = [*VOCABULARY[:4], "<｜tool▁calls▁begin｜>", "<｜tool▁output▁end｜>", "<｜tool▁sep｜>", "<｜fim▁hole｜>"]


@pytest.mark.parametrize("marker", MARKERS)
def test_markers_are_found_in_every_disguise(marker: str) -> None:
    """Spelled right, in ASCII, with blanks, or in UTF-8 read with a wrong encoding, a marker is found as it stands."""
    disguises = [
        marker,
        marker.replace("｜", "|"),
        marker.replace("｜", "|").replace("▁", "_"),
        marker.replace("▁", "_"),
        marker.replace("▁", " "),
        marker.replace("<｜", "<| ").replace("｜>", " |>"),
        marker.replace("｜", "|").lower(),
        _misread(marker, "mac_roman"),
        _misread(marker, "latin-1"),
        _misread(marker, "cp1252", "ignore"),
    ]
    assert disguises == [lookalikes(f"a < b {disguise} c <|User|>") for disguise in disguises]


@pytest.mark.parametrize(
    "text", ["", "Hi", "a < b | c > d", "<User>", "<think>", "</think>", "|User|", "<|User", "<｜place▁holder▁no▁1｜>"]
)
def test_other_text_is_no_marker(text: str) -> None:
    """Text that only resembles a marker gives no hint, nor do the think tags, of which people write."""
    assert lookalikes(text) is None


def test_mojibake_that_was_seen_in_the_wild_is_found() -> None:
    """The marker as it stands in a published model card, UTF-8 read as Mac Roman."""
    assert "<ÔΩúUserÔΩú>" == lookalikes("don't forget the <ÔΩúUserÔΩú> and <ÔΩúAssistantÔΩú> tokens")


def test_the_sources_spell_the_official_markers() -> None:
    """Every marker is made of U+FF5C, U+2581 and ASCII letters, or is one of the two think tags."""
    pattern = re.compile(r"<\uff5c[A-Za-z]+(?:\u2581[a-z]+)*\uff5c>|</?think>")
    assert all(pattern.fullmatch(marker) for marker in [*VOCABULARY[:6], *MARKERS])
