"""How far many days have got, on stderr: a line that is written over on a terminal, else a line a day."""

import sys
import time


class Progress:
    """Told of each day that ended; ``total`` is how many there are."""

    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0
        self._began = time.monotonic()
        self._live = sys.stderr.isatty()

    def day(self, title: str) -> None:
        """One more day has ended."""
        self._done += 1
        if not self._live:
            self._write(f"{self._said()}: {title}\n")

    def beat(self) -> None:
        """Time goes by."""
        if self._live:
            self._write(f"\r{self._said()}\033[K\r")

    def tell(self, what: str) -> None:
        """Something that must not be written over."""
        self._write(f"{what}\033[K\n" if self._live else f"{what}\n")

    def end(self) -> None:
        """Nothing more comes."""
        if self._live:
            self._write(f"{self._said()}\033[K\n")

    def _said(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return f"{self._done} of {self._total} days after {minutes}:{seconds:02}"

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
