"""A session as one page of HTML that needs nothing else: no script, no font, no network.

Everything in it is dirty: questions, answers, thinking, names. Text is escaped; of what a model writes, only Markdown's
own elements become elements, only http, https and mailto become links, and pictures become links too. The page's own
policy (Content-Security-Policy) forbids scripts and every load, should something get through all the same.
"""

from collections.abc import Sequence
from html import escape
from typing import Final

from r1chat.core.sanitize import clean
from r1chat.core.transcript import Transcript, Turn
from r1chat.export.prose import plain, prose
from r1chat.export.style import style_sheet
from r1chat.export.words import dated, ending, models_of, took

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(transcript: Transcript) -> str:
    """Write the whole page."""
    session = transcript.session
    title = _text(session.title)
    about = " · ".join(map(_text, [*models_of(transcript.turns), dated(session.created)]))
    system = f'<details class="system"><summary>System prompt</summary>{plain(session.system)}</details>'
    turns = "\n".join(_turn(transcript, turn, number) for number, turn in enumerate(transcript.path, 1))
    return f"""<!DOCTYPE html>
<html lang="und">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="r1chat">
<title>{title}</title>
<style>
{style_sheet()}
</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="about">{about}</p>
{system if session.system else ""}
</header>
<main>
{turns}
</main>
<footer>Written by r1chat. A model can be wrong: check what matters.</footer>
</body>
</html>
"""


def _turn(transcript: Transcript, turn: Turn, number: int) -> str:
    others = [other for other in transcript.versions(turn) if other is not turn]
    return f"""<article id="turn-{number}">
<section class="question">
{"".join(map(_file, turn.files))}{plain(turn.asked)}
</section>
{_answer(turn)}
{_versions(turn, others)}
</article>"""


def _answer(turn: Turn) -> str:
    """Write the thinking, folded, the answer, and a line about how it was made."""
    thinking = turn.reasoning.strip()
    parts = []
    if thinking:
        parts.append(f'<details class="thinking"><summary>{_text(took(turn))}</summary>{plain(thinking)}</details>')
    parts.append(f'<section class="answer">\n{prose(turn.answer.strip())}\n</section>')
    notes = [turn.model, ending(turn), f"seed {turn.sampling.seed}" if turn.sampling.seed is not None else ""]
    parts.append(f'<p class="note">{" · ".join(_text(note) for note in notes if note)}</p>')
    return "\n".join(parts)


def _file(file: tuple[str, str]) -> str:
    name, content = file
    return f'<details class="file"><summary>{_text(name)}</summary><pre>{_text(content)}</pre></details>\n'


def _versions(turn: Turn, others: Sequence[Turn]) -> str:
    if not others:
        return ""
    written = "\n".join(_version(turn, other) for other in others)
    head = "Another version" if len(others) == 1 else f"{len(others)} other versions"
    return f'<details class="versions"><summary>{head}</summary>\n{written}\n</details>'


def _version(turn: Turn, other: Turn) -> str:
    asked = f'<section class="question">{plain(other.asked)}</section>\n' if other.question != turn.question else ""
    return f'<div class="version">\n{asked}{_answer(other)}\n</div>'


def _text(text: str) -> str:
    return escape(clean(text))
