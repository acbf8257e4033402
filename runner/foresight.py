"""How well the consequences that incidents foresaw came true.

In:  every revision with what it ``expected``, the alarms that came, the truth; or the predictions that
     incidents have judged by themselves.
Out: ``Foresight``: hits, lead time, calibration. ``Reliability``: the same of a replay, with its table.
Pure. A prediction is made once: by the first standing revision of any incident that expects a condition
of an asset which shows no such alarm at that time; later revisions may sharpen it and are not counted
again until an alarm of that asset and condition has come.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from pydantic import BaseModel, ConfigDict

from runner.labels import Labels
from runner.outputs import SeenAlarm, SeenRevision
from schemas.incidents import Foretold
from schemas.times import SECOND
from streams.causes import base
from streams.consequences import SLACK, Stretch, came, stood

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


class Bin(BaseModel):
    """Predictions of about one probability: what they said on average, and the share that came true."""

    model_config = ConfigDict(frozen=True)

    low: float
    high: float
    predicted: float
    came_true: float
    count: int


class Reliability(BaseModel):
    """What became of the predictions that a replay's incidents made; None where there is nothing to tell."""

    model_config = ConfigDict(frozen=True)

    hits: int
    misses: int
    unknown: int
    """No healthy sensor could have shown it."""
    open: int
    """Their time had not passed at the end."""
    lead_seconds_median: float | None
    calibration_error: float | None
    bins: tuple[Bin, ...]


def judge(
    revisions: Iterable[SeenRevision], alarms: Iterable[SeenAlarm], labels: Labels, data_end: int
) -> Foresight:
    """Score what was foreseen; windows still open at ``data_end`` (ms) without a hit are left out."""
    made = predictions(revisions, alarms, labels, data_end)
    hits = [prediction.lead for prediction in made if prediction.lead is not None]
    return Foresight(
        predictions=len(made),
        hits=len(hits),
        hit_rate=len(hits) / len(made) if made else None,
        lead_seconds_median=median(hits) / SECOND if hits else None,
        calibration_error=calibration_error(made),
    )


def reliability(foretold: Iterable[Foretold]) -> Reliability:
    """What became of predictions as the incidents that made them have judged them."""
    known = list(foretold)
    outcomes = Counter(one.outcome for one in known)
    made = [
        Prediction(one.probability, None if one.came is None else one.came - one.told)
        for one in known
        if one.outcome in ("hit", "miss")
    ]
    leads = [prediction.lead for prediction in made if prediction.lead is not None]
    return Reliability(
        hits=outcomes["hit"],
        misses=outcomes["miss"],
        unknown=outcomes["unknown"],
        open=outcomes[None],
        lead_seconds_median=median(leads) / SECOND if leads else None,
        calibration_error=calibration_error(made),
        bins=bins(made),
    )


def bins(made: Iterable[Prediction]) -> tuple[Bin, ...]:
    """The reliability table: bins of equal width that hold any prediction, by probability."""
    held: dict[int, list[Prediction]] = defaultdict(list)
    for prediction in made:
        held[min(int(prediction.probability * BINS), BINS - 1)].append(prediction)
    return tuple(
        Bin(
            low=place / BINS,
            high=(place + 1) / BINS,
            predicted=fmean(p.probability for p in inside),
            came_true=fmean(p.hit for p in inside),
            count=len(inside),
        )
        for place, inside in sorted(held.items())
    )


def calibration_error(made: Sequence[Prediction]) -> float | None:
    """Expected calibration error: per bin, how far the mean probability is from the share of hits,
    weighted by the predictions in the bin (Naeini, Cooper, Hauskrecht, AAAI 2015). None without any.
    """
    gaps = [held.count * abs(held.predicted - held.came_true) for held in bins(made)]
    return sum(gaps) / len(made) if made else None


def predictions(
    revisions: Iterable[SeenRevision], alarms: Iterable[SeenAlarm], labels: Labels, data_end: int
) -> list[Prediction]:
    """Every prediction that could be judged, in the order made: by the alarms, and where none could come
    (not ``watched``) by the truth, which knows the asset, and its first departure, early and slight.
    """
    shown: dict[tuple[str, str], list[Stretch]] = defaultdict(list)
    for alarm in sorted(alarms, key=lambda alarm: alarm.raised):
        shown[alarm.asset, base(alarm.condition)].append((alarm.raised, alarm.cleared))
    true: dict[str, list[Stretch]] = defaultdict(list)
    for truth in labels.incidents:
        true[truth.cause.asset].append((truth.cause.start, None))
        for effect in truth.effects:
            true[effect.asset].append((effect.start, None))
    made: list[Prediction] = []
    settled: dict[tuple[str, str], int] = {}  # until when a prediction made before holds
    for revision in sorted(revisions, key=lambda revision: (revision.known_at, revision.id)):
        for expected in revision.expected if revision.stands else ():
            what, now = (expected.asset, expected.condition), revision.known_at
            stretches = shown[what] if expected.watched else sorted(true[expected.asset])
            if now < settled.get(what, 0) or stood(stretches, now):
                continue
            start = expected.start if expected.watched else now
            onset, last = came(now, start, expected.end, stretches), expected.end + SLACK
            settled[what] = last if onset is None else onset
            if onset is not None or last <= data_end:
                made.append(Prediction(expected.probability, None if onset is None else onset - now))
    return made
