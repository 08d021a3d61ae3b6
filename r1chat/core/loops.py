"""Notices when a text runs in circles, token by token. Knows tokens only as bytes that are equal or not.

Strategy. A circle is a stretch of text that copies what stood one period before it. So the detector follows one
alignment at a time: a lag, and how many tokens have agreed with those one lag before. An alignment is found by the
place where the last few tokens stood before. It survives breaks, one in TOLERANCE tokens: places where other tokens
stand, or where the period grows or shrinks by a few, because models vary their circles a little. Lists, tables and
enumerations break more often. Where a break goes on and the text is known from elsewhere, that alignment is followed.

It is a circle when one and a quarter periods have been copied, two and a quarter having been said by then. Short
periods need `least` tokens all the same (and twice as many if there were breaks), since "ha ha ha" is no circle; and
one with few words in it (a ruled line, an empty board, a matrix of zeros) needs LONGER times as many.

The cost of a token is one look into a dictionary and one comparison, whatever the text's length.
"""

LEAST = 64  # tokens; the shortest stretch that is a circle
LONGER = 4  # by so much is it to be longer where there are few words in it
N_GRAM = 6  # tokens by which an earlier place is found again
TOLERANCE = 24  # tokens of a stretch per break that it may have, beside a first one
SPARE = 1  # breaks beside these, so that a short stretch may have one
LONG_BREAK = N_GRAM + 2  # tokens after which a break that goes on counts once more
WINDOW = 8192  # tokens that are remembered; the longest period is less


class LoopDetector:
    """Takes tokens one by one and says when they run in circles. `least` is the shortest stretch to complain of."""

    def __init__(self, least: int = LEAST) -> None:
        self._least = least
        self._tokens: list[bytes] = []
        self._places: dict[tuple[bytes, ...], int] = {}  # where an n-gram ended last
        self._lag = 0  # of the alignment that is followed, 0 for none
        self._period = 0  # the lag with which the stretch began
        self._copied = 0  # tokens that agreed
        self._breaks = 0
        self._n_off = 0  # tokens of the break that is going on

    def feed(self, token: bytes) -> bool:
        """Take the next token. True when a circle is complete; the text before then counts for the next one too."""
        tokens, places = self._tokens, self._places
        at = len(tokens)
        tokens.append(token)
        n_gram = tuple(tokens[-N_GRAM:])
        place = places.get(n_gram, at)
        places[n_gram] = at
        if self._lag:
            self._follow(at, place)
        if not self._lag and place != at:
            self._lag = self._period = at - place
            self._copied, self._breaks, self._n_off = N_GRAM, 0, 0
        if len(tokens) >= 2 * WINDOW:
            self._forget()
        if self._is_circle():
            self._lag = 0
            return True
        return False

    def _follow(self, at: int, place: int) -> None:
        """Compare the token with the one a lag before; let go of an alignment that no longer holds."""
        if self._tokens[at - self._lag] == self._tokens[at]:
            self._copied += 1
            self._n_off = 0
            return
        self._n_off += 1
        self._breaks += self._n_off % LONG_BREAK == 1
        if place != at and self._is_same_circle(at - place):
            self._lag = at - place
            self._n_off = 0
        elif (place != at and self._n_off >= N_GRAM) or self._breaks > SPARE + self._copied // TOLERANCE:
            self._lag = 0

    def _is_same_circle(self, lag: int) -> bool:
        """Whether another lag is the period, or twice that where the last one was spoilt, but for a few tokens."""
        slack = max(2, self._period // 8)
        return abs(lag - self._period) <= slack or abs(lag - 2 * self._period) <= slack

    def _is_circle(self) -> bool:
        least = self._least * (2 if self._breaks else 1)
        if not self._lag or self._n_off or self._copied < least or 4 * self._copied < 5 * self._period:
            return False
        if self._copied >= LONGER * self._least:
            return True
        period = self._tokens[-min(self._period, self._least) :]
        return 6 * sum(map(_is_word, period)) >= len(period)

    def _forget(self) -> None:
        """Drop the older half of what is remembered; happens once in WINDOW tokens."""
        n_gone = len(self._tokens) - WINDOW
        del self._tokens[:n_gone]
        self._places = {n_gram: place - n_gone for n_gram, place in self._places.items() if place >= n_gone}
        if self._lag >= WINDOW:
            self._lag = 0


def _is_word(token: bytes) -> bool:
    """Whether a token has a letter in it, of any script."""
    return any(byte > 0x7F or chr(byte).isalpha() for byte in token)
