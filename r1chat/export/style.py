"""The style sheet of a page: light and dark, narrow and wide, and on paper, where everything is unfolded."""

from typing import Final

from r1chat.export.prose import formatter

_LIGHT, _DARK = "default", "github-dark"  # pygments' styles
_SHEET: Final = """
:root { --ink: #1d2127; --faint: #626a75; --paper: #fff; --card: #f3f5f8; --line: #d8dde4; --accent: #2f5fd0; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 48rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", "Noto Sans", "PingFang SC", "Microsoft YaHei", sans-serif;
  overflow-wrap: break-word; }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0 0 .25rem; }
h2, h3, h4 { line-height: 1.3; margin: 1.4em 0 .5em; }
article { margin-top: 2.5rem; }
.about, .note, footer { color: var(--faint); font-size: .85rem; }
.about { margin: 0; }
footer { margin-top: 4rem; border-top: 1px solid var(--line); padding-top: .75rem; }
.question { background: var(--card); border-radius: .75rem; padding: .75rem 1rem; }
.plain { white-space: pre-wrap; }
.plain math[display="block"] { white-space: normal; }
details { margin: .75rem 0; }
summary { cursor: pointer; color: var(--faint); font-size: .9rem; }
.thinking > .plain, .system > .plain { border-left: 3px solid var(--line); padding-left: 1rem; margin-top: .5rem;
  color: var(--faint); font-size: .93rem; }
.file { margin: 0 0 .5rem; }
.version { border-left: 3px solid var(--line); padding-left: 1rem; margin: 1rem 0; }
a { color: var(--accent); }
pre { background: var(--card); border-radius: .5rem; padding: .75rem 1rem; overflow-x: auto; font-size: .875rem;
  line-height: 1.45; }
code, pre { font-family: ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
:not(pre) > code { background: var(--card); border-radius: .25rem; padding: .1em .3em; font-size: .9em; }
blockquote { border-left: 3px solid var(--line); margin: 1em 0; padding: 0 1rem; color: var(--faint); }
table { border-collapse: collapse; display: block; max-width: 100%; overflow-x: auto; }
th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; }
hr { border: 0; border-top: 1px solid var(--line); }
math { font-family: "Latin Modern Math", "STIX Two Math", "Cambria Math", "DejaVu Math TeX Gyre",
  "Libertinus Math", "Noto Sans Math", math; }
math[display="block"] { margin: .75em 0; overflow-x: auto; overflow-y: hidden; max-width: 100%; padding: .15em 0; }
math .box { border: 1px solid currentColor; padding: .25em .4em; }
math .over { border-top: 1px solid currentColor; padding-top: .1em; }
math .under { border-bottom: 1px solid currentColor; padding-bottom: .1em; }
math .source { font-family: ui-monospace, monospace; }
mtd.l { text-align: left; text-align: -webkit-left; }
mtd.c { text-align: center; text-align: -webkit-center; }
mtd.r { text-align: right; text-align: -webkit-right; }
mtd.above { border-top: 1px solid currentColor; } mtd.bar { border-left: 1px solid currentColor; }
mtable.steps > mtr > mtd { padding-left: 0; padding-right: 0; }
mtable.steps > mtr > mtd.r:not(:first-child) { padding-left: 2em; }
math .struck { background: linear-gradient(to bottom right, transparent calc(50% - .04em),
  currentColor calc(50% - .04em),
  currentColor calc(50% + .04em), transparent calc(50% + .04em)); }
math .struck.down { background: linear-gradient(to top right, transparent calc(50% - .04em),
  currentColor calc(50% - .04em), currentColor calc(50% + .04em), transparent calc(50% + .04em)); }
math .struck.through { background: linear-gradient(transparent calc(50% - .04em), currentColor calc(50% - .04em),
  currentColor calc(50% + .04em), transparent calc(50% + .04em)); }
"""
_DARK_COLOURS: Final = """:root { --ink: #e4e7ec; --faint: #9aa3b0; --paper: #14171c; --card: #1e232b; --line: #343b46;
  --accent: #8ab0ff; }"""
# Chromium hides what is folded with content-visibility on a part of its own; Firefox and Safari by its display.
_PRINT: Final = """
@page { margin: 18mm 16mm; }
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  details > * { display: block; }
  details::details-content { content-visibility: visible; display: block; height: auto; }
  summary { list-style: none; }
  pre { white-space: pre-wrap; overflow: visible; }
  table { display: table; }
  .question, pre { border: 1px solid #d8dde4; }
  h1, h2, h3, summary { break-after: avoid; }
  pre, table, math[display="block"] { break-inside: avoid; }
  footer { margin-top: 1rem; }
}"""


def style_sheet() -> str:
    """Put the sheet together, with the colours of code."""
    light, dark = (formatter(name).get_style_defs("pre.code") for name in (_LIGHT, _DARK))
    night = f"@media screen and (prefers-color-scheme: dark) {{\n{_DARK_COLOURS}\n{dark}\n}}"
    background = "pre.code { background: var(--card); color: inherit; }"
    return "\n".join([_SHEET.strip(), light, night, background, _PRINT.strip()])
