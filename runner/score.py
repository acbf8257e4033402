"""How well a replay understood a recording, against the truth about it.

In:  what the replay wrote (``Outputs``) and the truth (``Labels``); the city model, where delays are wanted
     in sampling steps.
Out: ``Score``. docs/scoring.md defines every figure.
Pure. A figure without anything to measure is None, never a made-up 0 or 1.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean, median

from pydantic import BaseModel, ConfigDict

from runner.agreement import adjusted_rand_index
from runner.foresight import Foresight, judge
from runner.labels import EARLY, FOREVER, MARGIN, BadInput, Labels, TrueIncident
from runner.matching import History, cause_of, overlap
from runner.outputs import Outputs, SeenAlarm, SeenIncident
from schemas.city import City
from schemas.times import DAY, SECOND, rfc3339

TOP = 3
"""Answers that top-3 looks at: the root, then alternatives in their order."""


class CauseScore(BaseModel):
    """How one true cause was understood. Delays are None where it never was."""

    model_config = ConfigDict(frozen=True)

    id: str
    cause: str
    incidents: tuple[str, ...]
    """Incidents that match it, in the order opened."""
    root_top1: bool
    root_top3: bool
    main_incident: str | None
    main_root: str | None
    main_top1: bool
    incident_delay_seconds: float | None
    root_delay_seconds: float | None
    incident_delay_steps: float | None
    root_delay_steps: float | None


class Score(BaseModel):
    """Every figure of a score; the keys are stable. None means that there was nothing to measure."""

    model_config = ConfigDict(frozen=True)

    true_incidents: int
    incidents: int
    alarms: int
    root_top1: float | None
    root_top3: float | None
    main_top1: float | None
    incident_recall: float | None
    incident_precision: float | None
    alarms_per_incident: float | None
    incidents_per_true_cause: float | None
    false_incidents: tuple[str, ...]
    false_incidents_per_day: float | None
    incident_delay_seconds_median: float | None
    root_delay_seconds_median: float | None
    incident_delay_steps_median: float | None
    root_delay_steps_median: float | None
    alarm_grouping_ari: float | None
    foresight: Foresight
    causes: tuple[CauseScore, ...]


def score(outputs: Outputs, labels: Labels, city: City | None = None) -> Score:
    """Measure ``outputs`` against the truth. Raises BadInput where both are of different days.

    Delays in sampling steps are None without the city model, which says how often a sensor reports.
    """
    first, last = _span(outputs, labels)
    incidents = sorted(outputs.incidents, key=lambda incident: (incident.opened, incident.id))
    causes = {incident.id: cause_of(incident, labels.incidents) for incident in incidents}
    of_cause = defaultdict(list)
    for incident in incidents:
        if cause := causes[incident.id]:
            of_cause[cause.id].append(incident)
    history = History(outputs.revisions)
    judged = tuple(
        _judge_cause(
            truth, of_cause[truth.id], incidents, history, sampling_step(truth, city) if city else None
        )
        for truth in labels.incidents
    )
    false = tuple(name for name, cause in causes.items() if cause is None)
    days = (last - first) / DAY
    return Score(
        true_incidents=len(labels.incidents),
        incidents=len(incidents),
        alarms=len(outputs.alarms),
        root_top1=_mean(cause.root_top1 for cause in judged),
        root_top3=_mean(cause.root_top3 for cause in judged),
        main_top1=_mean(cause.main_top1 for cause in judged),
        incident_recall=_mean(bool(cause.incidents) for cause in judged),
        incident_precision=_mean(cause is not None for cause in causes.values()),
        alarms_per_incident=_mean(len(incident.members) for incident in incidents),
        incidents_per_true_cause=_mean(len(cause.incidents) for cause in judged if cause.incidents),
        false_incidents=false,
        false_incidents_per_day=len(false) / days if days else None,
        incident_delay_seconds_median=_median(cause.incident_delay_seconds for cause in judged),
        root_delay_seconds_median=_median(cause.root_delay_seconds for cause in judged),
        incident_delay_steps_median=_median(cause.incident_delay_steps for cause in judged),
        root_delay_steps_median=_median(cause.root_delay_steps for cause in judged),
        alarm_grouping_ari=_grouping(outputs.alarms, incidents, labels.incidents),
        foresight=judge(outputs.revisions, outputs.alarms, labels, data_end=last),
        causes=judged,
    )


def sampling_step(truth: TrueIncident, city: City) -> float | None:
    """Seconds between two readings of the sensor that could show a cause first.

    Where the labels don't name it: the quickest sensor of the first asset that has one, the cause's own
    before those of its effects in their order. None where no sensor is near it.
    """
    if named := city.sensor_by_id.get(truth.first_sensor or ""):
        return named.every
    reached = [truth.cause.asset, *(e.asset for e in sorted(truth.effects, key=lambda e: e.start))]
    sensors = next((found for asset in reached if (found := city.sensors_of.get(asset))), ())
    return min((sensor.every for sensor in sensors), default=None)


def _judge_cause(
    truth: TrueIncident,
    matched: Sequence[SeenIncident],
    incidents: Sequence[SeenIncident],
    history: History,
    step: float | None,
) -> CauseScore:
    mains = _mains(truth, incidents)
    known = _delay(truth, (history.known_since(one.id, truth) for one in matched))
    right = _delay(truth, (history.right_since(one.id, truth) for one in matched))
    return CauseScore(
        id=truth.id,
        cause=truth.cause.asset,
        incidents=tuple(incident.id for incident in matched),
        root_top1=any(incident.root.asset in truth.roots for incident in matched),
        root_top3=any(_answers(incident) & truth.roots for incident in matched),
        main_incident=mains[0].id if mains else None,
        main_root=mains[0].root.asset if mains else None,
        main_top1=bool(mains) and all(incident.root.asset in truth.roots for incident in mains),
        incident_delay_seconds=known,
        root_delay_seconds=right,
        incident_delay_steps=None if known is None or step is None else known / step,
        root_delay_steps=None if right is None or step is None else right / step,
    )


def _answers(incident: SeenIncident) -> set[str]:
    return {root.asset for root in (incident.root, *incident.alternatives)[:TOP]}


def _mains(truth: TrueIncident, incidents: Iterable[SeenIncident]) -> list[SeenIncident]:
    """The incidents that hold most assets of the truth: one, or several that hold equally many.

    A root without a sensor holds as its alarm would, and an accepted one as the cause.

    All of those must be right for ``main_top1``, else one incident per alarm would win it whenever the
    cause alarms first.
    """
    held = {
        incident.id: len(incident.assets & (truth.assets | truth.roots))
        for incident in incidents
        if overlap(incident, truth)
    }
    most = max(held.values(), default=0)
    return [incident for incident in incidents if most and held.get(incident.id) == most]


def _delay(truth: TrueIncident, known: Iterable[int | None]) -> float | None:
    earliest = min((at for at in known if at is not None), default=None)
    return None if earliest is None else (earliest - truth.first_seen) / SECOND


def _grouping(
    alarms: Sequence[SeenAlarm], incidents: Iterable[SeenIncident], truths: Sequence[TrueIncident]
) -> float | None:
    """Adjusted Rand index of the alarms' incidents against their causes; others stand alone in both."""
    members = defaultdict(list)
    for incident in incidents:
        for member in incident.members:
            span = (member.since, FOREVER if member.until is None else member.until)
            members[member.asset, member.condition].append((*span, incident.id))

    def seen(alarm: SeenAlarm) -> str | None:
        held = members[alarm.asset, alarm.condition]
        return next((name for since, until, name in held if since <= alarm.raised <= until), None)

    return adjusted_rand_index(
        _apart([seen(alarm) for alarm in alarms]), _apart([_true_group(alarm, truths) for alarm in alarms])
    )


def _true_group(alarm: SeenAlarm, truths: Iterable[TrueIncident]) -> str | None:
    """The true incident that brought an alarm: of those that touch its asset then, the last to start."""
    fits = [
        truth
        for truth in truths
        if alarm.asset in truth.assets and truth.span[0] <= alarm.raised <= truth.span[1]
    ]
    latest = max(fits, key=lambda truth: truth.cause.start, default=None)
    return latest.id if latest else None


def _apart(groups: Iterable[str | None]) -> list[str | int]:
    """Each thing without a group gets one of its own."""
    return [number if group is None else group for number, group in enumerate(groups)]


def _span(outputs: Outputs, labels: Labels) -> tuple[int, int]:
    """First and last moment of the recording: as the labels tell, else as far as anything was written."""
    times = [
        *(alarm.raised for alarm in outputs.alarms),
        *(revision.known_at for revision in outputs.revisions),
    ]
    if labels.span:
        first, last = labels.span
        if times and not any(first - EARLY <= at <= last + MARGIN for at in times):
            raise BadInput(
                f"the labels are of {rfc3339(first)} to {rfc3339(last)}, the outputs of "
                f"{rfc3339(min(times))} to {rfc3339(max(times))}: expected the labels of the recording "
                "that was replayed, nothing was scored"
            )
        return first, last
    times += [truth.cause.start for truth in labels.incidents]
    return min(times, default=0), max(times, default=0)


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return fmean(found) if found else None


def _median(values: Iterable[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return median(found) if found else None
