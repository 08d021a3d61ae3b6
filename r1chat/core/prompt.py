"""A conversation as prompt segments. Knows the templates of the R1 family; knows nothing about token ids or engines.

What the official templates do, common to all three families: exactly one BOS; system text raw behind it, without a
marker of its own; old answers without their thinking, otherwise to the blank as they were; after tool outputs no
`<｜Assistant｜>`, the model goes on at once. What differs between the families is data, in `FAMILIES`.

The official templates' own bugs are not repeated. `render` differs from them in these cases and no others:

- distill: a single tool call is never closed, three calls are closed twice; here every list of calls is closed once.
- distill: a message with both text and calls loses its calls; here it keeps both, as in the full model's template.
- r1, distill: from the second list of calls on, `<｜Assistant｜><｜tool▁calls▁begin｜>` is missing, and from the second
  batch of outputs on, `<｜tool▁outputs▁begin｜>`; here each has its own.
- r1, distill: calls that follow tool outputs do not close these; all families: neither does a user's message.
- r1, distill: thinking is left in the text of a message with calls and in an answer to tool outputs; here it never is.
- 0528: text None next to calls raises TypeError (a Message has text always); an assistant's message that follows no
  user's message has no `<｜Assistant｜>`.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from r1chat.core.messages import Message, Partial, Role, ToolCall
from r1chat.errors import UsageError

# Spelled with U+FF5C (full-width vertical line) and U+2581 (lower one eighth block), as in the models' vocabularies.
BOS = "<｜begin▁of▁sentence｜>"
EOS = "<｜end▁of▁sentence｜>"
USER = "<｜User｜>"
ASSISTANT = "<｜Assistant｜>"
THINK_OPEN = "<think>"
THINK_CLOSE = "</think>"
CALLS_BEGIN = "<｜tool▁calls▁begin｜>"
CALLS_END = "<｜tool▁calls▁end｜>"
CALL_BEGIN = "<｜tool▁call▁begin｜>"
CALL_END = "<｜tool▁call▁end｜>"
CALL_SEPARATOR = "<｜tool▁sep｜>"
OUTPUTS_BEGIN = "<｜tool▁outputs▁begin｜>"
OUTPUTS_END = "<｜tool▁outputs▁end｜>"
OUTPUT_BEGIN = "<｜tool▁output▁begin｜>"
OUTPUT_END = "<｜tool▁output▁end｜>"
# Every marker of the templates, and those that a model of the family can't be run without.
CORE_MARKERS = (BOS, EOS, USER, ASSISTANT, THINK_OPEN, THINK_CLOSE)
TOOL_MARKERS = (
    *(CALLS_BEGIN, CALLS_END, CALL_BEGIN, CALL_END, CALL_SEPARATOR),
    *(OUTPUTS_BEGIN, OUTPUTS_END, OUTPUT_BEGIN, OUTPUT_END),
)


@dataclass(frozen=True, slots=True)
class Special:
    """A special token, named by its spelling in the vocabulary. Only `render` and `--raw`'s parser make one."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text. Nothing in it is ever a special token, whatever it looks like."""

    text: str


Segment = Special | Text


@dataclass(frozen=True, slots=True)
class Family:
    """What one official template does differently from the others."""

    systems: Literal["joined", "last"]  # several system messages: joined by a blank line, or only the last one counts
    forces_thinking: bool  # the prompt ends in "<think>\n" (the templates of February 2025)
    user_opens_answer: bool  # <｜Assistant｜> belongs to the user's message and stands there even if no answer follows
    between_outputs: str  # stands between two tool outputs
    advises_system: bool = False  # whether DeepSeek supports a system prompt ("Usage Recommendations" of its README)


# Source: `chat_template` in tokenizer_config.json of the named repositories of deepseek-ai on the Hub.
FAMILIES: dict[str, Family] = {
    "r1": Family("joined", forces_thinking=True, user_opens_answer=False, between_outputs=""),  # DeepSeek-R1, R1-Zero
    "r1-distill": Family("last", forces_thinking=True, user_opens_answer=False, between_outputs="\n"),
    "r1-0528": Family(  # and R1-0528-Qwen3-8B
        "joined", forces_thinking=False, user_opens_answer=True, between_outputs="\n", advises_system=True
    ),
}


def render(
    messages: Sequence[Message],
    *,
    family: str = "r1-distill",
    think: bool | None = True,
    partial: Partial | None = None,
) -> list[Segment]:
    """Render a conversation up to the place where the model goes on, as the family's official template does.

    `think` True forces the thinking open where the family's template does; False puts in an empty thinking; None
    forces nothing (the templates of January 2025). After tool outputs no template forces anything, so True does not.
    `partial` is the assistant's turn so far, to be continued. Its thinking is rendered, with the line break that the
    family forces before it. With False it is rendered too if there is any, because the turn has begun with it.

    Adjacent texts are one segment, none is empty. A tool marker may be missing from a distilled model's vocabulary; the
    engine then takes its spelling as text, which is what the official tokenizer does. Raises UsageError for an unknown
    family.
    """
    prompt = _Prompt(_family(family))
    prompt.special(BOS)
    prompt.text(system_text(messages, family))
    for message in messages:
        prompt.add(message)
    prompt.open_answer(think, partial or Partial(""))
    return prompt.segments


def prefix(messages: Sequence[Message], *, family: str = "r1-distill", draft: str = "") -> list[Segment]:
    """Render what is certain of the next prompt: the conversation, the user's marker, and a question's beginning."""
    segments = render([*messages, Message(Role.USER, draft)], family=family, think=None)
    last = len(segments) - 1 - segments[::-1].index(Special(USER))
    return segments[: last + 2] if draft else segments[: last + 1]


def system_text(messages: Sequence[Message], family: str = "r1-distill") -> str:
    """Combine the system messages, wherever they stand, as the family does. Raises UsageError for an unknown family."""
    texts = [message.content for message in messages if message.role is Role.SYSTEM]
    return "\n\n".join(texts if _family(family).systems == "joined" else texts[-1:])


def starts_inside(segments: Sequence[Segment]) -> bool:
    """Tell whether what the model writes next is thinking: the last think tag is open and no turn began behind it."""
    for segment in reversed(segments):
        if isinstance(segment, Special) and segment.name in (THINK_OPEN, THINK_CLOSE, USER, ASSISTANT, EOS):
            return segment.name == THINK_OPEN
    return False


def _family(name: str) -> Family:
    if name not in FAMILIES:
        raise UsageError(f"There is no prompt family {name!r}.", hint=f"The families are {', '.join(FAMILIES)}.")
    return FAMILIES[name]


class _Prompt:
    """A prompt that grows message by message. `_floor` is whose turn it is where the prompt ends now."""

    def __init__(self, family: Family) -> None:
        self.segments: list[Segment] = []
        self._family = family
        self._floor: Literal["nobody", "assistant", "outputs"] = "nobody"

    def special(self, name: str) -> None:
        self.segments.append(Special(name))

    def text(self, text: str) -> None:
        if text:  # two texts never meet: a special stands before each
            self.segments.append(Text(text))

    def add(self, message: Message) -> None:
        """Add a finished message. System messages stand before all others and are not added again."""
        if message.role is Role.USER:
            self._user(message)
        elif message.role is Role.ASSISTANT:
            self._assistant(message)
        elif message.role is Role.TOOL:
            self._output(message)

    def open_answer(self, think: bool | None, partial: Partial) -> None:
        """End the prompt where the model goes on."""
        is_forced = think is not None and self._family.forces_thinking and self._floor != "outputs"
        self._hand_over()
        if think is False and not partial.reasoning:
            self._thinking("\n\n")
            self.special(THINK_CLOSE)
            self.text("\n\n" + (partial.answer or ""))
        elif is_forced or partial.reasoning:
            self._thinking("\n" * is_forced + partial.reasoning)
            if partial.answer is not None:
                self.special(THINK_CLOSE)
                self.text(partial.answer)
        else:  # nothing forced and no thinking so far: either there is no answer yet, or the model wrote it at once
            self.text(partial.answer or "")

    def _thinking(self, text: str) -> None:
        self.special(THINK_OPEN)
        self.text(text)

    def _user(self, message: Message) -> None:
        self._close_outputs()
        self.special(USER)
        self.text(message.content)
        if self._family.user_opens_answer:
            self.special(ASSISTANT)
            self._floor = "assistant"

    def _assistant(self, message: Message) -> None:
        self._hand_over()
        self.text(message.content.split(THINK_CLOSE)[-1])  # no strip: the templates keep the blanks of an old answer
        if message.tool_calls:
            self._calls(message.tool_calls)
        self.special(EOS)
        self._floor = "nobody"

    def _calls(self, calls: Sequence[ToolCall]) -> None:
        self.special(CALLS_BEGIN)
        for index, call in enumerate(calls):
            self.text("\n" if index else "")
            self.special(CALL_BEGIN)
            self.text(call.type)
            self.special(CALL_SEPARATOR)
            self.text(f"{call.name}\n```json\n{call.arguments}\n```")
            self.special(CALL_END)
        self.special(CALLS_END)

    def _output(self, message: Message) -> None:
        if self._floor == "outputs":
            self.text(self._family.between_outputs)
        else:
            self.special(OUTPUTS_BEGIN)
        self.special(OUTPUT_BEGIN)
        self.text(message.content)
        self.special(OUTPUT_END)
        self._floor = "outputs"

    def _hand_over(self) -> None:
        """Give the floor to the assistant: by its marker, or by the end of tool outputs, behind which it goes on."""
        if self._floor == "nobody":
            self.special(ASSISTANT)
        self._close_outputs()
        self._floor = "assistant"

    def _close_outputs(self) -> None:
        if self._floor == "outputs":
            self.special(OUTPUTS_END)
            self._floor = "nobody"


# --- What goes into a user's message ----------------------------------------------------------------------------------

# README of deepseek-ai/DeepSeek-R1, "Usage Recommendations".
_DIRECTIVE = r"Please reason step by step, and put your final answer within \boxed{}."
_DIRECTIVE_CHINESE = r"请逐步推理，并将最终答案放在 \boxed{} 内。"
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003134f]")
_KANA_OR_HANGUL = re.compile(r"[\u3040-\u30ff\u1100-\u11ff\uac00-\ud7af]")
_LATIN_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")  # not x and y, not \frac: these are in Chinese questions too


def directive(prompt: str) -> str:
    """Return DeepSeek's directive for questions of mathematics, in Chinese for a Chinese prompt, else in English."""
    return _DIRECTIVE_CHINESE if is_chinese(prompt) else _DIRECTIVE


def is_chinese(text: str) -> bool:
    """Tell whether a text is Chinese: more Han characters than Latin words, no kana (Japanese), no hangul (Korean)."""
    return len(_HAN.findall(text)) > len(_LATIN_WORD.findall(text)) and not _KANA_OR_HANGUL.search(text)


def attach(files: Sequence[tuple[str, str]], question: str) -> str:
    """Put files, as (name, content), before a question, each in DeepSeek's own form (README, "Official Prompts")."""
    blocks = (f"[file name]: {name}\n[file content begin]\n{content}\n[file content end]\n" for name, content in files)
    return "".join(blocks) + question


_ATTACHED = re.compile(r"\[file name\]: ([^\n]*)\n\[file content begin\]\n(.*?)\n\[file content end\]\n", re.DOTALL)


def detach(content: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """Take the files apart again that `attach` put before a question: (name, content) of each, and the question.

    For readers, not for models: a file that contains the form's own end mark is cut there.
    """
    files = []
    at = 0
    while found := _ATTACHED.match(content, at):
        files.append((found[1], found[2]))
        at = found.end()
    return tuple(files), content[at:]


# --- Specials spelled in text -----------------------------------------------------------------------------------------


def parse_raw(text: str, specials: Collection[str]) -> list[Segment]:
    """Read `--raw`'s token text: every spelling of one of `specials` becomes that token, the longest one first.

    This is the one function that finds special tokens in a string, and only for text that its author gave as such.
    A prompt has exactly one BOS: it is put first if the text has none. Raises UsageError if the text has several.
    """
    segments: list[Segment] = []
    spellings = sorted(filter(None, specials), key=len, reverse=True)
    cuts = re.split(f"({'|'.join(map(re.escape, spellings)) or '(?!)'})", text)
    for index, cut in enumerate(cuts):  # the odd ones are the spellings
        if cut:
            segments.append(Special(cut) if index % 2 else Text(cut))
    n_bos = segments.count(Special(BOS))
    if n_bos > 1:
        raise UsageError(f"The raw prompt has {n_bos} {BOS} tokens.", hint="Leave one, or none: it is added by itself.")
    return segments if n_bos else [Special(BOS), *segments]


def cut_specials(text: str, specials: Collection[str]) -> list[str]:
    """Cut a text into pieces, none of which contains the spelling of a special token. Joined they are the text again.

    The engine tokenises each piece on its own, so that no special token can come from it: llama.cpp matches
    user-defined tokens, R1's think tags among them, even where it is told to parse no special ones. Every occurrence is
    cut behind its first character, also where occurrences overlap or stand in each other. A spelling of one character
    can't be cut and is let through: such a token stands for nothing but its character. Time is linear in the text.
    """
    known = frozenset(specials)
    starts, lengths = _occurrence_starts(known)
    pieces: list[str] = []
    begin = 0
    for found in starts.finditer(text):
        at = found.start()
        if any(text[at : at + length] in known for length in lengths[text[at : at + 2]]):
            pieces.append(text[begin : at + 1])
            begin = at + 1
    return [*pieces, text[begin:]] if text else []


@lru_cache(maxsize=8)
def _occurrence_starts(specials: frozenset[str]) -> tuple[re.Pattern[str], dict[str, tuple[int, ...]]]:
    """Return a pattern for where a spelling may begin, and the lengths to try there by its first two characters.

    A set per pair of characters rather than one large alternation: a vocabulary can have a thousand spellings with a
    common beginning, and a text made of that beginning would try all of them at every place.
    """
    lengths: dict[str, set[int]] = {}
    for spelling in specials:
        if len(spelling) > 1:
            lengths.setdefault(spelling[:2], set()).add(len(spelling))
    pairs = "|".join(f"{re.escape(pair[0])}(?={re.escape(pair[1])})" for pair in sorted(lengths))
    return re.compile(pairs or "(?!)"), {pair: tuple(sorted(found)) for pair, found in lengths.items()}


# U+FF5C and U+2581 in UTF-8, read as Mac Roman, Latin-1 and Windows-1252 (which has no 0x81: kept or lost).
_BAR = r"(?:｜|\||ÔΩú|ï½\x9c|ï½œ)"
_GAP = r"(?:▁|_|-| |‚ñÅ|â\x96\x81|â–\x81?)"
_NAMES = (
    "User",
    "Assistant",
    "EOT",
    f"(?:begin|end){_GAP}of{_GAP}sentence",
    f"tool{_GAP}(?:calls?|outputs?){_GAP}(?:begin|end)",
    f"tool{_GAP}sep",
    f"fim{_GAP}(?:begin|hole|end)",
)
_LOOKALIKE = re.compile(f"<{_BAR} ?(?:{'|'.join(_NAMES)}) ?{_BAR}>", re.IGNORECASE)


def lookalikes(text: str) -> str | None:
    """Return the first spelling in a text that looks like one of R1's markers, for a hint; None if there is none.

    That is a marker itself, one with ASCII bars and underscores, or one whose UTF-8 was read as Mac Roman, Latin-1 or
    Windows-1252. All of them are sent as the text they are. What is returned may hold C1 controls: sanitize it.
    """
    found = _LOOKALIKE.search(text)
    return found.group() if found else None
