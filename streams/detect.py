"""Readings to alarms: every sensor against its limits, the silent, the frozen, the clocks that run ahead.

In:  records of ``city.readings.v1``: frames of readings, events, ticks.
Out: alarm changes, and the moments at which stream time moved (``Step``).
Promises: the same records give the same changes, however they were cut into frames; a repeated reading
changes nothing; a late one (within the lateness) is put in its place and revises what was said; a fast
clock is flagged and never moves stream time. State is bounded: the readings of one lateness a sensor.
"""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import numpy as np

from schemas.alarms import AlarmChange, Severity
from schemas.city import City
from schemas.readings import Block, Event, Frame, Tick
from schemas.times import MINUTE
from schemas.vocabulary import Vocabulary
from streams.blocks import Blocks
from streams.clock import StreamClock, ToldClock
from streams.events import EventWatch
from streams.fastclocks import AHEAD, FastClocks, Held
from streams.groups import Groups, Told, Watcher
from streams.raising import Raising
from streams.rounds import Rounds
from streams.silence import Silence, SilenceWatch
from streams.track import Change, Track, compare
from streams.tracks import Tracks
from streams.watch import BAD
from streams.watchers import watchers

LATENESS = 30 * MINUTE
"""Readings older than stream time by more than this are stored, and detect nothing."""


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
        self.counts: Counter[str] = Counter()
        self._fast = FastClocks(self.counts)
        self._raising = Raising(city, self._clock)

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
                self._fast.hold(Held(track, at, value, quality, self._clock.time))
            else:
                if found := self._place(track, at, value, quality, now):
                    yield from self._raising.of_track(track, found, at)
                if self._fast.ahead and track.spec.asset in self._fast.ahead:
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
        ahead = {number for asset in self._fast.ahead for number in blocks.numbers_of[asset]}
        quiet = blocks.take(here, now, ahead.union(self._silence.missing))
        self._silence.hear_all(here.sensors[quiet], here.at[quiet])
        self._clock.hear_all(map(blocks.assets.__getitem__, numbers[:before]), times[:before])
        for place in np.flatnonzero(~quiet).tolist():
            track = blocks.tracks[here.sensors[place]]
            at, value, quality = int(here.at[place]), float(here.values[place]), int(here.qualities[place])
            if place == end - 1 and moves is not None:
                self._clock.hear(track.spec.asset, at)
            if at > now + AHEAD:
                self._fast.hold(Held(track, at, value, quality, self._clock.time))
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
            yield self._raising.change(asset, None, change, severity, event.at)
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
        for asset in self._fast.waiting:
            yield from self._judge(asset, now)
        for silence in self._silence.pass_to(now):
            yield self._raising.of_silence(silence)
        for told in self._groups.pass_to(now):
            yield self._raising.of_sign(told, now)
        yield now

    def _whole(self) -> Iterator[AlarmChange | int]:
        """What was due has come: look at it before time moves on."""
        now = self._clock.time
        assert now is not None
        for told in self._groups.pass_to(now, self._rounds.awaited(now)):
            yield self._raising.of_sign(told, now)
        yield now

    def _judge(self, asset: str, now: int) -> Iterator[AlarmChange]:
        """Take in what was held and is not ahead any more; flag what is ahead all the same."""
        for held in self._fast.judge(asset, now):
            if held.at <= now + AHEAD:
                yield from self._put(held.track, held.at, held.value, held.quality, now)
                continue
            came = now if held.came is None else held.came
            change = self._fast.flag(asset, came)
            for sensor in self._city.sensors_of[asset]:
                self._silence.hear(sensor.id, came)  # it speaks, if with a wrong clock
            if change:
                yield self._raising.change(asset, None, change, Severity.INFO, change.onset)

    def _put(self, track: Track, at: int, value: float, quality: int, now: int) -> Iterator[AlarmChange]:
        """Take a reading that is not ahead, and what it changes."""
        yield from self._raising.of_track(track, self._place(track, at, value, quality, now), at)
        if track.spec.asset in self._fast.ahead:
            yield from self._clock_right(track.spec.asset, at)

    def _clock_right(self, asset: str, at: int) -> Iterator[AlarmChange]:
        if change := self._fast.right(asset, at):
            yield self._raising.change(asset, None, change, Severity.INFO, at)

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
            **self._fast.snapshot(),
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
        known = self._city.sensor_by_id
        self._fast.restore(state, lambda sensor: self._tracks[sensor] if sensor in known else None)
        self._groups.restore(state["groups"])
        self.counts.clear()
        self.counts.update(state["counts"])

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
            yield from other._raising.of_track(theirs, ends, now)  # noqa: SLF001 - one of us
        for subject, onset in other._silence.silent.items():  # noqa: SLF001 - one of us
            if subject not in self._silence.silent:
                yield other._raising.of_silence(Silence(subject, onset, now))  # noqa: SLF001 - one of us
        for sign in sorted(other._groups.standing() - self._groups.standing()):  # noqa: SLF001 - one of us
            yield self._raising.of_sign(Told(sign._replace(cleared=now), new=False, gone=False), now)
