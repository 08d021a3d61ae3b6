"""The README's pictures: how a screen becomes an SVG, and that each picture that the script knows is there."""

import runpy
from pathlib import Path
from xml.etree import ElementTree

import pyte
from screen_svg import CELL_WIDTH, FAINT, MARGIN, FaintScreen, picture

ROOT = Path(__file__).resolve().parents[1]
SVG = "{http://www.w3.org/2000/svg}"


def texts(written: str, columns: int = 20) -> list[ElementTree.Element]:
    """The texts that are drawn for what a program wrote, without the title."""
    screen = FaintScreen(columns, 4, history=10)
    pyte.ByteStream(screen).feed(written.encode())
    return ElementTree.fromstring(picture(screen, "a <title>")).findall(f"{SVG}text")[1:]


def test_runs_stand_at_their_cells() -> None:
    """Each run of one style begins at its column and is as wide as its cells; blanks stay; markup is text."""
    plain, first, second = texts("a  <b>\r\n\x1b[1m你好\x1b[0m")
    assert ("a\u00a0\u00a0<b>", f"{MARGIN:g}") == (plain.text, plain.get("x"))
    assert f"{6 * CELL_WIDTH:g}" == plain.get("textLength")
    assert [f"{2 * CELL_WIDTH:g}"] * 2 == [each.get("textLength") for each in (first, second)]
    assert f"{MARGIN + 2 * CELL_WIDTH:g}" == second.get("x")
    assert "bold" == first.get("font-weight")


def test_faint_text_is_grey_and_colours_keep_their_numbers() -> None:
    """Faint is told apart from the 2 inside of a colour."""
    faint, after, green = texts("\x1b[2mfaint\x1b[0m plain \x1b[38;5;2mgreen\x1b[0m")
    assert FAINT == faint.get("fill")
    assert FAINT not in (after.get("fill"), green.get("fill"))
    assert after.get("fill") != green.get("fill")


def test_every_picture_is_there() -> None:
    """docs/pictures has what scripts/pictures makes, well-formed and with a title for those who can't see it."""
    for name in runpy.run_path(str(ROOT / "scripts/pictures"))["SCENES"]:
        root = ElementTree.parse(ROOT / "docs/pictures" / f"{name}.svg").getroot()
        assert (root.findtext(f"{SVG}title") or "").startswith("r1chat ")
