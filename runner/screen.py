"""A day on the terminal: a live table where there is a terminal, plain lines where there is none.

In:  the status and the incidents, several times a second.
Out: text.
"""

from types import TracebackType
from typing import NamedTuple, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from runner.embedded import Status
from schemas.alarms import Severity
from schemas.city import City
from schemas.incidents import IncidentRevision
from streams.wording import clock

INCIDENTS_SHOWN = 8
TOLD = frozenset({"opened", "new root", "merged", "split", "reopened", "closed"})
"""Changes of an incident that get a line; more of the same does not."""
STYLES = {Severity.INFO: "", Severity.WARNING: "yellow", Severity.CRITICAL: "bold red"}


class Moment(NamedTuple):
    """How it stands now."""

    city: City
    share: float
    """Of the day, 0 to 1."""
    status: Status
    incidents: list[IncidentRevision]
    """Newest opened first."""


class Screen(Protocol):
    """Shows moments while it is entered."""

    def show(self, moment: Moment) -> None:
        """Show how it stands."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def screen(console: Console) -> Screen:
    """The right one for where the output goes."""
    return LiveScreen(console) if console.is_terminal else PlainScreen(console)


class LiveScreen:
    """One picture that is drawn over itself."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, moment: Moment) -> None:
        """Draw."""
        table = Table(expand=True, box=None)
        table.add_column("since")
        table.add_column("alarms", justify="right")
        table.add_column("what happened, and why", ratio=1)
        for incident in moment.incidents[:INCIDENTS_SHOWN]:
            style = "dim" if incident.closed else STYLES[incident.severity]
            since, alarms = clock(incident.opened, moment.city), str(len(incident.members))
            table.add_row(since, alarms, Text(incident.summary), style=style)
        bar = ProgressBar(total=1.0, completed=moment.share)
        self._live.update(Group(Text(_progress(moment)), bar, table))


class PlainScreen:
    """A line for each tenth of the day, and for each turn that an incident takes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tenths = 0
        self._known: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, moment: Moment) -> None:
        """Print what is new."""
        for incident in reversed(moment.incidents):
            if self._known.get(incident.id) == incident.revision:
                continue
            turn = incident.change if incident.id in self._known else "opened"
            if turn in TOLD:
                self._say(f"{clock(incident.known_at, moment.city)}  {turn}: {incident.summary}")
            self._known[incident.id] = incident.revision
        if (tenths := int(moment.share * 10)) > self._tenths:
            self._tenths = tenths
            self._say(_progress(moment))

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, markup=False, highlight=False)


def _progress(moment: Moment) -> str:
    status = moment.status
    now = clock(status.stream_time, moment.city) if status.stream_time is not None else "--:--"
    return (
        f"{now}  {moment.share:4.0%}  {status.received:,} messages ({status.messages_per_second:,.0f}/s), "
        f"{status.stored:,} readings, {status.refused:,} refused, {len(moment.incidents)} incidents"
    )
