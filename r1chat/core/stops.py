"""Finds stop strings in text that arrives in pieces. Knows nothing about tokens or events."""


class StopFinder:
    """Passes text on until one of the stop strings is met, holding back only what may be the beginning of one.

    `feed` gives the text that is safe to show; once `found` is true it gives nothing more. `finish` gives what was
    held back and turned out to be text.
    """

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.found = False

    def feed(self, text: str) -> str:
        """Take a piece, give what can't be part of a stop string any more."""
        if self.found:
            return ""
        if not self._stops:
            return text
        text = self._held + text
        hits = [at for at in (text.find(stop) for stop in self._stops) if at >= 0]
        if hits:
            self.found = True
            self._held = ""
            return text[: min(hits)]
        n_held = max(self._overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - n_held :]
        return text[: len(text) - n_held]

    def finish(self) -> str:
        """Give what was held back: the text ended, so it begins no stop string."""
        held, self._held = self._held, ""
        return held

    @staticmethod
    def _overlap(text: str, stop: str) -> int:
        """Length of the longest end of `text` that begins `stop`."""
        for n in range(min(len(stop) - 1, len(text)), 0, -1):
            if text.endswith(stop[:n]):
                return n
        return 0
