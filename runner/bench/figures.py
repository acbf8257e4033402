"""What one system did on one day, and the figures of many such days.

In:  outputs and labels of a day (``judge_day``); many ``DayResult``s of one system (``pool``).
Out: ``DayResult``; ``Figures``.
Pure. Figures are pooled over causes, incidents and predictions, never means of days' means, so that a day
weighs what is in it; the grouping index, which has no such parts, is the mean over the days that have one.
"""

from collections.abc import Iterable, Sequence
from math import sqrt
from statistics import fmean, median

from pydantic import BaseModel, ConfigDict

from runner.foresight import Prediction, calibration_error, predictions
from runner.labels import Labels, TrueIncident
from runner.outputs import Outputs
from runner.score import CauseScore, score
from schemas.city import City
from schemas.times import DAY, SECOND
from streams.consequences import SLACK

Z = 1.96
"""Standard normal quantile of a 95 % interval."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class CauseRow(_Row):
    """How one true cause was understood; delays are None where it never was."""

    id: str
    asset: str
    kind: str
    main_root: str | None
    main_top1: bool
    root_top1: bool
    root_top3: bool
    incidents: int
    incident_delay_seconds: float | None
    root_delay_seconds: float | None
    incident_delay_steps: float | None
    root_delay_steps: float | None
    later_effects: int
    """Assets that departed from their course after the first incident about this cause was known."""
    later_effects_foretold: int
    """Those that an incident expected before."""


class DayResult(_Row):
    """What one system did on one day."""

    days: float
    """Length of the recording."""
    alarms: int
    incidents: int
    false_incidents: int
    alarm_grouping_ari: float | None
    predictions: tuple[tuple[float, float | None], ...]
    """Probability, and seconds from the prediction to the alarm's onset, None where it did not come."""
    causes: tuple[CauseRow, ...]


def judge_day(outputs: Outputs, labels: Labels, city: City) -> DayResult:
    """Score one system's outputs of one day; ``labels`` tell the day's span, ``city`` how often a sensor
    reports. Raises BadInput where the outputs are of another day.
    """
    assert labels.span is not None  # the caller asks for it, to tell which file lacks it
    first, last = labels.span
    found = score(outputs, labels, city)
    truths = {truth.id: truth for truth in labels.incidents}
    made = predictions(outputs.revisions, outputs.alarms, labels, data_end=last)
    return DayResult(
        days=(last - first) / DAY,
        alarms=found.alarms,
        incidents=found.incidents,
        false_incidents=len(found.false_incidents),
        alarm_grouping_ari=found.alarm_grouping_ari,
        predictions=tuple((p.probability, None if p.lead is None else p.lead / SECOND) for p in made),
        causes=tuple(_row(cause, truths[cause.id], outputs) for cause in found.causes),
    )


def _row(cause: CauseScore, truth: TrueIncident, outputs: Outputs) -> CauseRow:
    later, foretold = _foretold(cause, truth, outputs)
    return CauseRow(
        id=cause.id,
        asset=cause.cause,
        kind=truth.cause.kind,
        main_root=cause.main_root,
        main_top1=cause.main_top1,
        root_top1=cause.root_top1,
        root_top3=cause.root_top3,
        incidents=len(cause.incidents),
        incident_delay_seconds=cause.incident_delay_seconds,
        root_delay_seconds=cause.root_delay_seconds,
        incident_delay_steps=cause.incident_delay_steps,
        root_delay_steps=cause.root_delay_steps,
        later_effects=later,
        later_effects_foretold=foretold,
    )


def _foretold(cause: CauseScore, truth: TrueIncident, outputs: Outputs) -> tuple[int, int]:
    """Effects that began after the cause was first known, and those of them that were expected before.

    An effect begins with the first departure of its true value, which is earlier than the alarm that an
    expectation is about: so only the end of the expected window binds.
    """
    if cause.incident_delay_seconds is None:
        return 0, 0
    known = truth.first_seen + cause.incident_delay_seconds * SECOND
    later = [e for e in truth.effects if e.start > known and e.asset != truth.cause.asset]
    expected = [
        (foreseen.asset, revision.known_at, foreseen.end + SLACK)
        for revision in outputs.revisions
        if revision.stands
        for foreseen in revision.expected
    ]
    foretold = [
        effect
        for effect in later
        if any(asset == effect.asset and told < effect.start <= end for asset, told, end in expected)
    ]
    return len(later), len(foretold)


class CauseFigures(_Row):
    """Figures of causes; None where there was nothing to measure."""

    causes: int
    main_top1: float | None
    main_top1_interval: tuple[float, float] | None
    """95 % interval of ``main_top1`` (E. B. Wilson, JASA 22 (1927), 209-212)."""
    root_top1: float | None
    root_top3: float | None
    incident_recall: float | None
    incidents_per_true_cause: float | None
    incident_delay_seconds_median: float | None
    root_delay_seconds_median: float | None
    incident_delay_steps_median: float | None
    root_delay_steps_median: float | None


class Figures(CauseFigures):
    """All figures of one system over some days."""

    days: int
    days_with_trouble: int
    alarms_per_day: float | None
    incidents: int
    incident_precision: float | None
    false_incidents: int
    false_incidents_per_day: float | None
    false_incidents_per_day_with_trouble: float | None
    false_incidents_per_quiet_day: float | None
    alarm_grouping_ari: float | None
    predictions: int
    hits: int
    hit_rate: float | None
    lead_seconds_median: float | None
    calibration_error: float | None
    later_effects: int
    later_effects_foretold: float | None


def pool(results: Sequence[DayResult]) -> Figures:
    """The figures of one system over all these days."""
    trouble = [day for day in results if day.causes]
    quiet = [day for day in results if not day.causes]
    causes = [cause for day in results for cause in day.causes]
    incidents, false = sum(day.incidents for day in results), sum(day.false_incidents for day in results)
    made = [
        Prediction(probability, None if lead is None else round(lead * SECOND))
        for day in results
        for probability, lead in day.predictions
    ]
    leads = [prediction.lead for prediction in made if prediction.lead is not None]
    later = sum(cause.later_effects for cause in causes)
    return Figures(
        **pool_causes(causes).model_dump(),
        days=len(results),
        days_with_trouble=len(trouble),
        alarms_per_day=_ratio(sum(day.alarms for day in results), _length(results)),
        incidents=incidents,
        incident_precision=_ratio(incidents - false, incidents),
        false_incidents=false,
        false_incidents_per_day=_false_per_day(results),
        false_incidents_per_day_with_trouble=_false_per_day(trouble),
        false_incidents_per_quiet_day=_false_per_day(quiet),
        alarm_grouping_ari=_mean(d.alarm_grouping_ari for d in results if d.alarm_grouping_ari is not None),
        predictions=len(made),
        hits=len(leads),
        hit_rate=_ratio(len(leads), len(made)),
        lead_seconds_median=median(leads) / SECOND if leads else None,
        calibration_error=calibration_error(made),
        later_effects=later,
        later_effects_foretold=_ratio(sum(cause.later_effects_foretold for cause in causes), later),
    )


def pool_causes(causes: Sequence[CauseRow]) -> CauseFigures:
    """The figures that causes alone give."""
    found = [cause.incidents for cause in causes if cause.incidents]
    return CauseFigures(
        causes=len(causes),
        main_top1=_mean(cause.main_top1 for cause in causes),
        main_top1_interval=interval(sum(cause.main_top1 for cause in causes), len(causes)),
        root_top1=_mean(cause.root_top1 for cause in causes),
        root_top3=_mean(cause.root_top3 for cause in causes),
        incident_recall=_ratio(len(found), len(causes)),
        incidents_per_true_cause=_mean(found),
        incident_delay_seconds_median=_median(cause.incident_delay_seconds for cause in causes),
        root_delay_seconds_median=_median(cause.root_delay_seconds for cause in causes),
        incident_delay_steps_median=_median(cause.incident_delay_steps for cause in causes),
        root_delay_steps_median=_median(cause.root_delay_steps for cause in causes),
    )


def interval(right: int, tried: int) -> tuple[float, float] | None:
    """Wilson's 95 % interval of a share of ``right`` among ``tried``; None where nothing was tried."""
    if not tried:
        return None
    share, spread = right / tried, Z * Z / tried
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * sqrt(share * (1 - share) / tried + spread / (4 * tried))
    return max(0.0, middle - half), min(1.0, middle + half)


def _length(results: Iterable[DayResult]) -> float:
    return sum(day.days for day in results)


def _false_per_day(results: Sequence[DayResult]) -> float | None:
    return _ratio(sum(day.false_incidents for day in results), _length(results))


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return fmean(found) if found else None


def _median(values: Iterable[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return median(found) if found else None
