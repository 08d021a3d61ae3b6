"""The colours can be read: on a dark background and on a light one, in the palettes that terminals come with."""

import re

import pytest

from r1chat.core.events import Answer, Failure, Finished, Notice, Reason, Reasoning
from r1chat.terminal.live import Live
from r1chat.terminal.screen import Colors, Screen, Theme
from tests.answers import ALL, CODE

# The 16 colours of xterm (XTerm-col.ad), of VGA's text mode, and of Windows' console since 2017 ("Campbell").
PALETTES = {
    "xterm": "000000 cd0000 00cd00 cdcd00 0000ee cd00cd 00cdcd e5e5e5 "
    "7f7f7f ff0000 00ff00 ffff00 5c5cff ff00ff 00ffff ffffff",
    "vga": "000000 aa0000 00aa00 aa5500 0000aa aa00aa 00aaaa aaaaaa "
    "555555 ff5555 55ff55 ffff55 5555ff ff55ff 55ffff ffffff",
    "windows": "0c0c0c c50f1f 13a10e c19c00 0037da 881798 3a96dd cccccc "
    "767676 e74856 16c60c f9f1a5 3b78ff b4009e 61d6d6 f2f2f2",
}
LEAST = 3.0  # WCAG 2.2, 1.4.11


def luminance(color: str) -> float:
    """The relative luminance of WCAG 2.2."""
    channels = (int(color[at : at + 2], 16) / 255 for at in (0, 2, 4))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """How much two colours differ in lightness."""
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def used(screen: Screen) -> set[int]:
    """The foreground colours, 0 to 15, of all that a screen shows of the answers, a notice and a failure."""
    codes: set[int] = set()
    for spoken in ALL:
        live = Live(screen, session=True)
        live.handle(Reasoning(spoken.thinking))
        live.handle(Notice("x", "note"))
        live.handle(Answer(spoken.answer))
        live.handle(Finished(Reason.ERROR, failure=Failure(6, "It failed.", "Try again.")))
        for escape in re.findall(r"\x1b\[([0-9;]*)m", "".join(live.frame().finished)):
            for code in map(int, filter(None, escape.split(";"))):
                assert code < 38 or code in (39, 49) or 90 <= code <= 97, (
                    "a background, or a colour that no theme of the terminal defines"
                )
                codes |= {code - 30} if 30 <= code < 38 else {code - 82} if code >= 90 else set()
    return codes


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("colors", [Colors.BASIC, Colors.PALETTE, Colors.TRUE])
@pytest.mark.parametrize(("light", "background"), [(False, "000000"), (True, "ffffff")])
def test_every_colour_can_be_read(palette: str, colors: Colors, light: bool, background: str) -> None:
    """Each colour in use keeps a contrast of 3:1 to the background, and code has at least three."""
    found = used(Screen(colors=colors, light=light))
    assert len(found) >= 3
    table = PALETTES[palette].split()
    poor = {color: contrast(table[color], background) for color in found}
    assert {} == {color: ratio for color, ratio in poor.items() if ratio < LEAST}


def test_no_color_means_none() -> None:
    """With NO_COLOR only attributes are left, and code is shown as it is."""
    assert set() == used(Screen(colors=Colors.NONE))
    live = Live(Screen(colors=Colors.NONE))
    live.handle(Answer(CODE.answer))
    live.close()
    assert "    pivot = items[len(items) // 2]" in live.frame().finished


@pytest.mark.parametrize(
    ("environ", "theme", "light"),
    [
        ({}, Theme.AUTO, False),
        ({"COLORFGBG": "0;15"}, Theme.AUTO, True),
        ({"COLORFGBG": "0;default;7"}, Theme.AUTO, True),
        ({"COLORFGBG": "15;0"}, Theme.AUTO, False),
        ({"COLORFGBG": "nonsense"}, Theme.AUTO, False),
        ({"COLORFGBG": "0;15"}, Theme.DARK, False),
        ({}, Theme.LIGHT, True),
    ],
)
def test_the_background_is_what_the_user_or_the_terminal_says(
    environ: dict[str, str], theme: Theme, light: bool
) -> None:
    """COLORFGBG tells it, the user's word goes above it, and dark is taken where nobody tells."""
    assert light == Screen.detect({"TERM": "xterm", **environ}, None, None, None, theme).light
