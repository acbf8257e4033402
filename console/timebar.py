"""The time bar of a replay as an element: play, pause, step, seek, speed.

In:  the replay's position with each look; what people press.
Out: the same on every open page: there is one clock.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from nicegui import ui
from nicegui.events import GenericEventArguments

from console import views, wording
from console.live import Live, Snapshot
from console.strip import strip
from runner.player.asof import Happened
from runner.player.deck import Deck, Position
from schemas.city import City
from schemas.times import SECOND


class TimeBar(ui.element, component="static/timebar.js"):
    """The bar below a page of a replay."""

    def __init__(self, live: Live, deck: Deck) -> None:
        super().__init__()
        self._live, self._deck = live, deck
        self._zone = ZoneInfo(live.city.timezone)
        self._drawn: tuple[int, int, int] | None = None
        self.props["zone"] = live.city.timezone
        self.on("press", self._press)
        self.on("seek", self._seek)
        self.on("goto", self._go_to)

    def look(self, snapshot: Snapshot) -> None:
        """Show where it is."""
        here = snapshot.position
        if here is None:
            return
        if self._drawn != (drawn := (here.first, here.last, here.fork)):
            self._drawn = drawn
            drawing = strip(self._deck.store.marks(), here.first, max(here.last, here.first + 1), self._zone)
            self.run_method("draw", str(drawing))
        self.run_method(
            "apply",
            {
                "first": here.first,
                "last": here.last,
                "at": here.at,
                "playing": here.playing,
                "rate": f"{here.rate:g}×",
                "reached": reached(here),
                "note": self._note(here),
            },
        )

    def _note(self, here: Position) -> str:
        if self._deck.failure:
            return str(self._deck.failure)
        if not here.over:
            return f"Thinking it through: {wording.clock(here.last, self._zone)} so far"
        if not here.playing and (said := words(self._deck.store.happened(), self._live.city)):
            return said
        if here.at >= here.last:
            return "The end"
        if faults := len(self._deck.faults):
            return f"{wording.plural(faults, 'fault')} in what is replayed: see Data"
        return ""

    async def _press(self, event: GenericEventArguments) -> None:
        deck = self._deck
        match event.args:
            case "play":
                deck.play(playing=not deck.position().playing)
            case "next":
                deck.step()
            case "previous":
                deck.step(back=True)
            case "faster":
                deck.faster(1)
            case "slower":
                deck.faster(-1)
        await self._live.look_now()

    async def _seek(self, event: GenericEventArguments) -> None:
        if isinstance(event.args, int | float):
            self._deck.seek(int(event.args))
            await self._live.look_now()

    async def _go_to(self, event: GenericEventArguments) -> None:
        try:
            self._deck.seek(moment_of(str(event.args), self._deck.position().at, self._zone))
        except ValueError:
            ui.notify(f"{str(event.args)[:40]!r} is no time; write 12:30, or 2025-06-04 12:30.")
            return
        await self._live.look_now()


def moment_of(text: str, beside: int, zone: ZoneInfo) -> int:
    """A time as people type it, on the city's clock: ``12:30`` on the day of ``beside`` (ms), or with a date.

    Raises ValueError.
    """
    text = text.strip()
    there = datetime.fromtimestamp(beside / SECOND, zone)
    if len(text) <= len("12:30:00"):
        text = f"{there:%Y-%m-%d} {text.zfill(5)}"
    wanted = datetime.fromisoformat(text)
    return round((wanted if wanted.tzinfo else wanted.replace(tzinfo=zone)).timestamp() * SECOND)


def reached(here: Position) -> str:
    """The rate that was really reached; or that it stands still."""
    if not here.playing:
        return "paused"
    return "" if here.reached is None else f"{wording.number(here.reached)}× reached"


def words(happened: Happened, city: City) -> str:
    """What became known at a moment, in one line."""
    told = [
        f"{wording.change_words(one.change)}: {views.title(city, one.root.asset)} "
        f"{wording.condition_words(one.root.condition)}"
        for one in happened.incidents
        if one.replaced_by is None
    ]
    if len(happened.alarms) == 1:
        alarm = happened.alarms[0]
        told.append(f"Alarm: {views.title(city, alarm.asset)} {wording.condition_words(alarm.condition)}")
    elif happened.alarms:
        told.append(wording.plural(len(happened.alarms), "new alarm"))
    if happened.messages:
        told.append(f"Told to {', '.join(dict.fromkeys(one.to for one in happened.messages))}")
    return " · ".join(told)
