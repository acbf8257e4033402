"""How long to wait for an InfluxDB that is away: longer each time, up to a bound, or as long as it asks."""

import time

from runner.influx.writer import Away

FIRST_SECONDS = 0.5
SECONDS_MAX = 30.0


class Pause:
    """What a writer remembers while InfluxDB is away. Any thread may ask ``seconds``."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._last = 0.0
        self.count = 0
        """Failed writes since the start."""

    @property
    def on(self) -> bool:
        """Whether InfluxDB is away, as far as we know."""
        return self._since is not None

    @property
    def seconds(self) -> float:
        """How long it is away."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def next(self, away: Away) -> float:
        """It is away (still): seconds until the next try."""
        if self._since is None:
            self._since = time.monotonic()
        self.count += 1
        self._last = min(SECONDS_MAX, 2 * self._last or FIRST_SECONDS)
        return max(self._last, away.seconds)

    def over(self) -> None:
        """It is there."""
        self._since, self._last = None, 0.0
