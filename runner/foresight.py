"""How well the consequences that incidents foresaw came true.

In:  every revision with what it ``expected``, and the alarms that came.
Out: ``Foresight``: hits, lead time, calibration.
Pure. A prediction is made once: by the first standing revision of any incident that expects a condition
of an asset which shows no such alarm at that time; later revisions may sharpen it and are not counted
again until an alarm of that asset and condition has come.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from pydantic import BaseModel, ConfigDict

from runner.labels import FOREVER
from runner.outputs import SeenAlarm, SeenRevision
from schemas.times import MINUTE, SECOND

SLACK = 5 * MINUTE
"""How long after the end of its window a consequence may still begin: sensors report every few minutes."""
BINS = 10
"""Bins of equal width for the calibration error."""


class Foresight(BaseModel):
    """Predictions that could be judged, and what became of them; None where there is nothing to tell."""

    model_config = ConfigDict(frozen=True)

    predictions: int
    hits: int
    hit_rate: float | None
    lead_seconds_median: float | None
    calibration_error: float | None


@dataclass(frozen=True, slots=True)
class Prediction:
    """One judged prediction; ``lead`` is the ms between foreseeing and onset, None for a miss."""

    probability: float
    lead: int | None

    @property
    def hit(self) -> bool:
        """Whether it came true."""
        return self.lead is not None


def judge(revisions: Iterable[SeenRevision], alarms: Iterable[SeenAlarm], data_end: int) -> Foresight:
    """Score what was foreseen; windows still open at ``data_end`` (ms) without a hit are left out."""
    made = predictions(revisions, alarms, data_end)
    hits = [prediction.lead for prediction in made if prediction.lead is not None]
    return Foresight(
        predictions=len(made),
        hits=len(hits),
        hit_rate=len(hits) / len(made) if made else None,
        lead_seconds_median=median(hits) / SECOND if hits else None,
        calibration_error=calibration_error(made),
    )


def calibration_error(made: Sequence[Prediction]) -> float | None:
    """Expected calibration error: per bin, how far the mean probability is from the share of hits,
    weighted by the predictions in the bin (Naeini, Cooper, Hauskrecht, AAAI 2015). None without any.
    """
    bins: dict[int, list[Prediction]] = defaultdict(list)
    for prediction in made:
        bins[min(int(prediction.probability * BINS), BINS - 1)].append(prediction)
    gaps = [
        len(held) * abs(fmean(p.probability for p in held) - fmean(p.hit for p in held))
        for held in bins.values()
    ]
    return sum(gaps) / len(made) if made else None


def predictions(
    revisions: Iterable[SeenRevision], alarms: Iterable[SeenAlarm], data_end: int
) -> list[Prediction]:
    """Every prediction that could be judged, in the order made."""
    came: dict[tuple[str, str], list[SeenAlarm]] = defaultdict(list)
    for alarm in sorted(alarms, key=lambda alarm: alarm.raised):
        came[alarm.asset, alarm.condition].append(alarm)
    made: list[Prediction] = []
    settled: dict[tuple[str, str], int] = {}  # until when a prediction made before holds
    for revision in sorted(revisions, key=lambda revision: (revision.known_at, revision.id)):
        for expected in revision.expected if revision.stands else ():
            what, now = (expected.asset, expected.condition), revision.known_at
            if now < settled.get(what, 0) or any(
                alarm.raised <= now < (alarm.cleared or FOREVER) for alarm in came[what]
            ):
                continue
            last = expected.end + SLACK
            onset = next(
                (a.raised for a in came[what] if now < a.raised and expected.start <= a.raised <= last), None
            )
            settled[what] = last if onset is None else onset
            if onset is not None or last <= data_end:
                made.append(Prediction(expected.probability, None if onset is None else onset - now))
    return made
