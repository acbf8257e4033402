"""Readings to alarms: every sensor against its limits, the silent, the frozen, the clocks that run ahead.

In:  records of ``city.readings.v1``: frames of readings, events, ticks.
Out: alarm changes, and the moments at which stream time moved (``Step``).
Promises: the same records give the same changes, however they were cut into frames; a repeated reading
changes nothing; a late one (within the lateness) is put in its place and revises what was said; a fast
clock is flagged and never moves stream time. State is bounded: the readings of one lateness a sensor.
"""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas.alarms import Alarm, AlarmChange, AlarmMove, Severity, alarm_id
from schemas.city import City
from schemas.readings import Block, Event, Frame, Tick
from schemas.times import MINUTE
from schemas.vocabulary import Vocabulary
from streams.blocks import Blocks
from streams.clock import StreamClock, ToldClock
from streams.events import EventWatch
from streams.groups import Groups, Places, Told, Watcher
from streams.rounds import Rounds
from streams.silence import Silence, SilenceWatch
from streams.track import Change, Track, compare
from streams.tracks import Tracks
from streams.watch import BAD
from streams.watchers import watchers

LATENESS = 30 * MINUTE
"""Readings older than stream time by more than this are stored, and detect nothing."""
AHEAD = 5 * MINUTE
"""How far a reading may be ahead of stream time."""
JUDGED_AFTER = 2 * MINUTE
"""A reading still ahead when stream time has moved this far since it came has a fast clock."""
HELD_MAX = 100
"""Readings of one asset that wait for the judgement on its clock; more are flagged at once."""
FLAGGED_MIN = 3
"""Flagged readings in a row before a clock is called ahead."""


@dataclass(slots=True)
class Held:
    """A reading ahead of stream time that waits: a fast clock, or is everyone else silent?"""

    track: Track
    at: int
    value: float
    quality: int
    came: int | None
    """Stream time when it came."""


class Detector:
    """Detection for one city, or for the part of it that one partition carries."""

    def __init__(
        self,
        city: City,
        vocabulary: Vocabulary,
        lateness: int = LATENESS,
        clock: StreamClock | None = None,
        watching: Sequence[Watcher] | None = None,
    ) -> None:
        """``watching``: the watchers of these sensors, where they are known already."""
        self._city = city
        self._lateness = lateness
        self._tracks = Tracks(city, vocabulary)
        self._blocks: Blocks | None = None
        """What takes blocks in columns; None before the first."""
        self._clock = clock or StreamClock(len(city.sensors_of))
        self._rounds = Rounds(city)
        self._told = isinstance(self._clock, ToldClock)
        """Whether ticks say as well when a round of reports is whole."""
        self._silence = SilenceWatch(city)
        watching = watchers(city) if watching is None else watching
        self._groups = Groups(watching, lateness, self._rounds.number)
        self._events = EventWatch()
        self._held: dict[str, list[Held]] = {}
        self._ahead: dict[str, tuple[int, int]] = {}
        """Assets with flagged readings in a row: how many, and stream time at the first."""
        self.counts: Counter[str] = Counter()

    @property
    def stream_time(self) -> int | None:
        """How far the input has got."""
        return self._clock.time

    def step(self, record: Frame | Block | Event | Tick) -> Iterator[AlarmChange | int]:
        """Take one record; yields alarm changes, and stream time (an int) each time it has moved."""
        match record:
            case Frame():
                yield from self._frame(record)
            case Block():
                yield from self._block(record)
            case Event():
                yield from self._event(record)
            case Tick():
                if self._clock.pass_to(record.at):
                    yield from self._moved()
                elif self._clock.time is not None:
                    yield from self._whole()

    def _frame(self, frame: Frame) -> Iterator[AlarmChange | int]:
        tracks, hear, whole = self._tracks, self._clock.hear, self._rounds.hear
        now = self._clock.time
        for sensor, at, value, quality in zip(
            frame.sensors, frame.at, frame.values, frame.qualities, strict=True
        ):
            try:
                track = tracks[sensor]
            except KeyError:
                self.counts["unknown"] += 1
                continue
            moved = (now is None or at > now) and hear(track.spec.asset, at)
            if now is None or at > now + AHEAD:
                self._hold(track, at, value, quality)
            else:
                if found := self._place(track, at, value, quality, now):
                    yield from self._changes(track, found, at)
                if self._ahead and track.spec.asset in self._ahead:
                    yield from self._clock_right(track.spec.asset, at)
                if whole(track.number, at) and not moved and not self._told:
                    yield from self._whole()
            if moved:
                yield from self._moved()
                now = self._clock.time
        self.counts["readings"] += len(frame)

    def _block(self, block: Block) -> Iterator[AlarmChange | int]:
        """Many readings: those that are quiet in columns, the others one by one, as ``_frame`` takes them."""
        if self._blocks is None:
            tracks = [self._tracks[sensor] for sensor in self._city.sensor_by_id]
            self._blocks = Blocks(tracks, self._groups, self._lateness, AHEAD)
        blocks = self._blocks
        start = 0
        while start < block.size:
            now = self._clock.time
            part = block.rows(slice(start, start + blocks.stretch))
            start += part.size
            if now is None:
                yield from self._frame(part.frame())
                continue
            known = blocks.known(part)
            self.counts["unknown"] += part.size - known.size
            self.counts["readings"] += part.size
            while known.size:
                known = yield from self._stretch(blocks, known)

    def _stretch(self, blocks: "Blocks", part: Block) -> Generator[AlarmChange | int, None, Block]:
        """Readings up to the first that moves stream time, or makes a round whole; those after it."""
        now = self._clock.time
        assert now is not None
        later = np.flatnonzero(part.at > now)
        numbers, times = part.sensors[later].tolist(), part.at[later].tolist()
        moves = self._clock.first_move(map(blocks.assets.__getitem__, numbers), times)
        end = part.size if moves is None else int(later[moves]) + 1
        whole = None if self._told else self._rounds.first_whole(part.rows(slice(end)), now + AHEAD)
        if whole is not None and (moves is None or whole + 1 < end):
            end, moves = whole + 1, None
        before = int(np.searchsorted(later, end)) if moves is None else moves
        here = part.rows(slice(end))
        self._rounds.hear_all(here, now + AHEAD)
        ahead = {number for asset in self._ahead for number in blocks.numbers_of[asset]}
        quiet = blocks.take(here, now, ahead.union(self._silence.missing))
        self._silence.hear_all(here.sensors[quiet], here.at[quiet])
        self._clock.hear_all(map(blocks.assets.__getitem__, numbers[:before]), times[:before])
        for place in np.flatnonzero(~quiet).tolist():
            track = blocks.tracks[here.sensors[place]]
            at, value, quality = int(here.at[place]), float(here.values[place]), int(here.qualities[place])
            if place == end - 1 and moves is not None:
                self._clock.hear(track.spec.asset, at)
            if at > now + AHEAD:
                self._hold(track, at, value, quality)
            else:
                yield from self._put(track, at, value, quality, now)
        if moves is not None:
            self._clock.hear(blocks.assets[here.sensors[-1]], int(here.at[-1]))
            yield from self._moved()
        elif whole is not None:
            yield from self._whole()
        return part.rows(slice(end, None))

    def _place(self, track: Track, at: int, value: float, quality: int, now: int) -> Sequence[Change]:
        """Put a reading where it belongs in its sensor's track."""
        if self._blocks is not None:
            self._blocks.look_at(track)
        if at < now - self._lateness:
            self.counts["late"] += 1
            return ()
        if quality != BAD:
            self._groups.hear(track.spec.sensor, at, value)
        if at > track.last_at:
            marks = track.append(at, value, quality)
            if len(track.ats) >= track.trim_at:  # at most twice what must be kept
                track.forget(now - self._lateness)
            if self._silence.silent:
                self._silence.hear(track.spec.sensor, at)
            else:
                self._silence.heard[track.number] = at
            return compare((), marks) if marks else ()
        found = track.insert(at, value, quality)
        if found is None:
            self.counts["duplicates"] += 1
            return ()
        return found

    def _event(self, event: Event) -> Iterator[AlarmChange | int]:
        self.counts["events"] += 1
        if event.asset not in self._city.asset_by_id:
            self.counts["unknown"] += 1
            return
        for asset, change, severity in self._events.step(event):
            yield self._change(asset, None, change, severity, event.at)
        punctual = self._clock.time is None or event.at <= self._clock.time + AHEAD
        if punctual and self._clock.hear(event.asset, event.at):
            yield from self._moved()

    def _moved(self) -> Iterator[AlarmChange | int]:
        """Stream time has moved: judge what was held, then see who is silent."""
        now = self._clock.time
        assert now is not None
        self._rounds.begin(now)
        if not self._silence.begun:
            self._silence.begin(now)
        for asset in list(self._held):
            yield from self._judge(asset, now)
        for silence in self._silence.pass_to(now):
            yield self._silence_change(silence)
        for told in self._groups.pass_to(now):
            yield self._sign_change(told, now)
        yield now

    def _whole(self) -> Iterator[AlarmChange | int]:
        """What was due has come: look at it before time moves on."""
        now = self._clock.time
        assert now is not None
        for told in self._groups.pass_to(now, self._rounds.awaited(now)):
            yield self._sign_change(told, now)
        yield now

    def _hold(self, track: Track, at: int, value: float, quality: int) -> None:
        held = self._held.setdefault(track.spec.asset, [])
        if any(h.track is track and h.at == at for h in held):
            self.counts["duplicates"] += 1
            return
        if len(held) >= HELD_MAX:
            self.counts["future"] += 1
            del held[0]
        held.append(Held(track, at, value, quality, self._clock.time))

    def _judge(self, asset: str, now: int) -> Iterator[AlarmChange]:
        """Take in what was held and is not ahead any more; flag what is ahead all the same."""
        waiting: list[Held] = []
        for held in self._held[asset]:
            if held.came is None:
                held.came = now
            if held.at <= now + AHEAD:
                yield from self._put(held.track, held.at, held.value, held.quality, now)
            elif now - held.came >= JUDGED_AFTER:
                self.counts["future"] += 1
                yield from self._flag(asset, held.came)
            else:
                waiting.append(held)
        if waiting:
            self._held[asset] = waiting
        else:
            del self._held[asset]

    def _put(self, track: Track, at: int, value: float, quality: int, now: int) -> Iterator[AlarmChange]:
        """Take a reading that is not ahead, and what it changes."""
        yield from self._changes(track, self._place(track, at, value, quality, now), at)
        if track.spec.asset in self._ahead:
            yield from self._clock_right(track.spec.asset, at)

    def _flag(self, asset: str, came: int) -> Iterator[AlarmChange]:
        flagged, since = self._ahead.get(asset, (0, came))
        self._ahead[asset] = (flagged + 1, since)
        for sensor in self._city.sensors_of[asset]:
            self._silence.hear(sensor.id, came)  # it speaks, if with a wrong clock
        if flagged + 1 == FLAGGED_MIN:
            change = Change("clock_ahead", since, None, new=True, gone=False)
            yield self._change(asset, None, change, Severity.INFO, since)

    def _clock_right(self, asset: str, at: int) -> Iterator[AlarmChange]:
        """The asset's clock is right again, or was wrong only once or twice."""
        flagged, since = self._ahead.pop(asset)
        if flagged >= FLAGGED_MIN:
            change = Change("clock_ahead", since, max(at, since), new=False, gone=False)
            yield self._change(asset, None, change, Severity.INFO, at)

    def _sign_change(self, told: Told, now: int) -> AlarmChange:
        sign = told.sign
        change = Change(sign.condition, sign.onset, sign.cleared, new=told.new, gone=told.gone)
        return self._change(sign.asset, None, change, Severity.INFO, now, sign.places)

    def _silence_change(self, silence: Silence) -> AlarmChange:
        asset, sensor = silence.subject
        condition = "missing" if asset in self._city.sensors_of else "silent"
        severity = Severity.INFO if condition == "missing" else Severity.WARNING
        new = silence.ended is None and not silence.gone
        change = Change(condition, silence.onset, silence.ended, new=new, gone=silence.gone)
        return self._change(asset, sensor, change, severity, silence.onset)

    def _changes(self, track: Track, found: Iterable[Change], at: int) -> Iterator[AlarmChange]:
        spec = track.spec
        for change in found:
            severity = spec.severities.get(change.condition, Severity.INFO)
            yield self._change(spec.asset, spec.sensor, change, severity, at)

    def _change(
        self,
        asset: str,
        sensor: str | None,
        change: Change,
        severity: Severity,
        at: int,
        places: Places = (),
    ) -> AlarmChange:
        alarm = Alarm(
            id=alarm_id(self._city.city, asset, sensor, change.condition, change.onset),
            asset=asset,
            utility=str(self._city.asset_by_id[asset].utility),
            condition=change.condition,
            severity=severity,
            raised=change.onset,
            cleared=change.cleared,
            sensor=sensor,
            places=places,
        )
        move: AlarmMove
        if change.gone:
            move = "retracted"
        elif change.new:
            move = "raised"
        else:
            move = "revised" if change.cleared is None else "cleared"
        return AlarmChange(alarm=alarm, change=move, known_at=max(at, self._clock.time or at))

    def snapshot(self) -> dict[str, Any]:
        """The whole state as JSON; the same state gives the same bytes."""
        if self._blocks is not None:
            self._blocks.look_at_all()
        return {
            "clock": self._clock.snapshot(),
            "rounds": self._rounds.snapshot(),
            "silence": self._silence.snapshot(),
            "events": self._events.snapshot(),
            "tracks": self._tracks.snapshot(),
            "held": {
                asset: [[h.track.spec.sensor, h.at, h.value, h.quality, h.came] for h in held]
                for asset, held in self._held.items()
            },
            "ahead": self._ahead,
            "groups": self._groups.snapshot(),
            "counts": dict(self.counts),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot of a detector of the same city model.

        Sensors that the model has gained since start afresh; those that it lost are let go.
        """
        self._blocks = None
        self._clock.restore(state["clock"])
        self._rounds.restore(state["rounds"])
        self._silence.restore(state["silence"])
        self._events.restore(state["events"])
        self._tracks.restore(state["tracks"])
        self._held = {
            asset: [Held(self._tracks[s], *rest) for s, *rest in held if s in self._city.sensor_by_id]
            for asset, held in state["held"].items()
        }
        self._ahead = {asset: (count, since) for asset, (count, since) in state["ahead"].items()}
        self._groups.restore(state["groups"])
        self.counts = Counter(state["counts"])

    def take_over(self, other: "Detector") -> Iterator[AlarmChange]:
        """After ``restore`` from a snapshot of ``other``, which has another version of the model: what it
        judged by its own limits stays judged. Yields the ends of what only it could have ended.
        """
        now = self._clock.time or 0
        for sensor, theirs in other._tracks.heard():  # noqa: SLF001 - one of us
            if sensor in self._city.sensor_by_id:
                self._tracks[sensor].go_on_from(theirs)
                continue
            standing = [one for one in theirs.watch.open if one.told]
            ends = [Change(one.condition, one.since, now, new=False, gone=False) for one in standing]
            yield from other._changes(theirs, ends, now)  # noqa: SLF001 - one of us
        for subject, onset in other._silence.silent.items():  # noqa: SLF001 - one of us
            if subject not in self._silence.silent:
                yield other._silence_change(Silence(subject, onset, now))  # noqa: SLF001 - one of us
        for sign in sorted(other._groups.standing() - self._groups.standing()):  # noqa: SLF001 - one of us
            yield self._sign_change(Told(sign._replace(cleared=now), new=False, gone=False), now)
