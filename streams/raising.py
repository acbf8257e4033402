"""What detection finds, as changes of alarms.

In:  changes of conditions: of sensors, of groups, of silences.
Out: alarm changes, with identity, severity and the stream time at which they are known.
"""

from collections.abc import Iterable, Iterator

from schemas.alarms import Alarm, AlarmChange, AlarmMove, Severity, alarm_id
from schemas.city import City
from streams.clock import StreamClock
from streams.groups import Places, Told
from streams.silence import Silence
from streams.track import Change, Track


class Raising:
    """Makes the alarm changes of a city; ``clock`` is its stream time."""

    def __init__(self, city: City, clock: StreamClock) -> None:
        self._city, self._clock = city, clock

    def of_sign(self, told: Told, now: int) -> AlarmChange:
        """Something that no single sensor shows."""
        sign = told.sign
        change = Change(sign.condition, sign.onset, sign.cleared, new=told.new, gone=told.gone)
        return self.change(sign.asset, None, change, Severity.INFO, now, sign.places)

    def of_silence(self, silence: Silence) -> AlarmChange:
        """A sensor that is missing, an asset that is silent."""
        asset, sensor = silence.subject
        condition = "missing" if asset in self._city.sensors_of else "silent"
        severity = Severity.INFO if condition == "missing" else Severity.WARNING
        new = silence.ended is None and not silence.gone
        change = Change(condition, silence.onset, silence.ended, new=new, gone=silence.gone)
        return self.change(asset, sensor, change, severity, silence.onset)

    def of_track(self, track: Track, found: Iterable[Change], at: int) -> Iterator[AlarmChange]:
        """Conditions of a sensor, by a reading of ``at``."""
        spec = track.spec
        for change in found:
            severity = spec.severities.get(change.condition, Severity.INFO)
            yield self.change(spec.asset, spec.sensor, change, severity, at)

    def change(
        self,
        asset: str,
        sensor: str | None,
        change: Change,
        severity: Severity,
        at: int,
        places: Places = (),
    ) -> AlarmChange:
        """Any condition of an asset; known when stream time and what told it (``at``) are there."""
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
