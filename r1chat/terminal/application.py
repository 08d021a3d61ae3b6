"""prompt_toolkit's application and output, as the REPL needs them. Knows nothing of what is drawn.

It never asks for the cursor's position: an answer to such a question can end up in what the user types. Where the rows
stand after the window has changed its size is counted, as soon as the new size can be believed (calm.py).
"""

import asyncio
import sys
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Size
from prompt_toolkit.output import ColorDepth, Output, create_output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import Style

from r1chat.terminal.calm import Calm
from r1chat.terminal.paint import ERASE_DOWN
from r1chat.terminal.screen import Colors, Screen

DEPTHS = {
    Colors.NONE: ColorDepth.DEPTH_1_BIT,
    Colors.BASIC: ColorDepth.DEPTH_4_BIT,
    Colors.PALETTE: ColorDepth.DEPTH_8_BIT,
    Colors.TRUE: ColorDepth.DEPTH_24_BIT,
}
# No colours but the terminal's own, so that every theme can be read.
STYLE = Style.from_dict(
    {
        "completion-menu": "bg:default",
        "completion-menu.completion": "bg:default fg:default",
        "completion-menu.completion.current": "bg:default fg:default reverse",
        "completion-menu.meta.completion": "bg:default fg:default",
        "completion-menu.meta.completion.current": "bg:default fg:default",
        "search": "bg:default fg:default reverse",
        "search.current": "bg:default fg:default reverse",
        "incsearch": "bg:default fg:default reverse",
        "incsearch.current": "bg:default fg:default reverse",
    }
)


class ReplApplication(Application[None]):
    """Redraws at once when told, and survives a window that changes its size: then it waits until the window rests."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._calm = Calm(self.output.get_size)
        self._waiting: asyncio.TimerHandle | None = None

    @property
    def paused(self) -> bool:
        """Whether something else has the terminal for the moment."""
        return self._running_in_terminal

    def unrest(self) -> float:
        """Say how many seconds nothing may be drawn yet, because the window has just changed its size."""
        return self._calm.left()

    async def rest(self) -> None:
        """Wait until something may be drawn, then stand as the rows do."""
        while left := self._calm.left():
            await asyncio.sleep(left)
        self.follow_resize()

    def follow_resize(self) -> None:
        """Notice another size of the window before anything is erased by the old one."""
        if self.renderer._last_size not in (None, self.output.get_size()):
            self._start_anew()

    def redraw(self) -> None:
        """Draw now, not at some later turn of the loop: the rows just written must not stand without their prompt."""
        self._redraw()

    def _redraw(self, render_as_done: bool = False) -> None:
        """Draw, but not before the window rests. The last time, when what is drawn goes away, can't be put off."""
        if render_as_done:
            self._calm.wait()
            self._go_up()
        elif self._calm.left():
            self._redraw_later()
            return
        super()._redraw(render_as_done)

    def _on_resize(self) -> None:
        self._calm.disturb()
        self._redraw_later()

    def _redraw_later(self) -> None:
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().call_later(self._calm.left(), self._on_rest)

    def _on_rest(self) -> None:
        self._waiting = None
        if self._calm.left():
            self._redraw_later()
        elif self._is_running and not self.is_done and not self.paused:  # else its end redraws
            self._start_anew()

    def _start_anew(self) -> None:
        self._go_up()
        super()._on_resize()

    def _go_up(self) -> None:
        """Account for the rows that the terminal has wrapped anew before prompt_toolkit goes up to erase its own."""
        screen = self.renderer.last_rendered_screen
        columns = self.output.get_size().columns
        if screen is not None and columns:
            cursor = self.renderer._cursor_pos
            extra = cursor.x // columns
            for y in range(cursor.y):
                row = screen.data_buffer[y]
                used = max((x + 1 for x, cell in row.items() if cell.char.strip()), default=0)
                extra += max(0, -(-used // columns) - 1)
            if extra:
                self.output.cursor_up(extra)


class ReplOutput(Vt100_Output):
    """Erases as paint.py does."""

    def erase_down(self) -> None:
        """Erase from the cursor, which stands in the first column, to the end of the screen."""
        self.write_raw(ERASE_DOWN)


def make_output(screen: Screen) -> Output:
    """Make what draws on this screen."""
    if sys.platform == "win32":
        return create_output()
    return ReplOutput(
        sys.stdout,
        lambda: Size(rows=screen.rows, columns=screen.columns),
        default_color_depth=DEPTHS[screen.colors],
        enable_cpr=False,
    )
