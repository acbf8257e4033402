"""How fast one asset may send, so that a device gone wild takes nothing from the others.

In:  times at which messages were received (ms).
Out: whether each is within the rate.
Promises: pure: the only clock is that of the messages.
"""

from schemas.times import MINUTE


class Device:
    """One asset as a sender, a token bucket: a message costs 1,000 tokens, a millisecond brings ``rate``.

    ``rate``: messages a second, sustained; ``burst``: messages that may come at once after it was quiet.
    """

    __slots__ = ("full", "held_back", "rate", "seen", "tokens", "told")
    cost = 1_000

    def __init__(self, rate: int, burst: int) -> None:
        self.rate = rate
        self.full = self.tokens = burst * self.cost
        self.seen = 0
        self.told: int | None = None
        self.held_back = 0

    def admits(self, received: int) -> bool:
        """Whether one more message is within the rate."""
        elapsed = received - self.seen
        self.seen = received
        if elapsed > 0:  # a wall clock that was set back brings no tokens and costs none
            self.tokens = min(self.full, self.tokens + elapsed * self.rate)
        if self.tokens < self.cost:
            self.held_back += 1
            return False
        self.tokens -= self.cost
        return True

    def is_sample(self, received: int) -> bool:
        """Whether this refused message is to be shown: the first of a flood, and one a minute."""
        if self.told is not None and 0 <= received - self.told < MINUTE:
            return False
        self.told = received
        return True
