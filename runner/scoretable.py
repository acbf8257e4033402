"""A score as a table for people."""

from collections.abc import Iterator

from runner.score import CauseScore, Score

NOTHING = "n.a."
"""Stands where there was nothing to measure."""
WIDTH = 38


def table(score: Score) -> str:
    """The score as lines of name and figure, then one line for each true cause and false incident."""
    lines = [f"{name:<{WIDTH}}{figure:>10}" for name, figure in _figures(score)]
    lines += ["", *map(_cause, score.causes)] if score.causes else []
    lines += (
        ["", *(f"false incident {name}" for name in score.false_incidents)] if score.false_incidents else []
    )
    return "\n".join(lines)


def _figures(score: Score) -> Iterator[tuple[str, str]]:
    seen = score.foresight
    yield "true incidents", str(score.true_incidents)
    yield "incidents", str(score.incidents)
    yield "alarms", str(score.alarms)
    yield "root right (top 1)", _percent(score.root_top1)
    yield "root among the first three", _percent(score.root_top3)
    yield "root of the main incident right", _percent(score.main_top1)
    yield "incidents found (recall)", _percent(score.incident_recall)
    yield "incidents that are true (precision)", _percent(score.incident_precision)
    yield "alarms per incident", _number(score.alarms_per_incident)
    yield "incidents per true cause", _number(score.incidents_per_true_cause)
    yield "false incidents per day", _number(score.false_incidents_per_day)
    yield "delay to the first incident, median", _seconds(score.incident_delay_seconds_median)
    yield "delay to the right root, median", _seconds(score.root_delay_seconds_median)
    yield "the same in sampling steps", _number(score.incident_delay_steps_median)
    yield "root the same", _number(score.root_delay_steps_median)
    yield "alarm grouping (adjusted Rand index)", _number(score.alarm_grouping_ari)
    yield "predictions judged", str(seen.predictions)
    yield "predictions that came true", _percent(seen.hit_rate)
    yield "lead time of those, median", _seconds(seen.lead_seconds_median)
    yield "calibration error", _number(seen.calibration_error)


def _cause(cause: CauseScore) -> str:
    if not cause.incidents:
        return f"{cause.id}: cause {cause.cause}, not found"
    verdict = "right" if cause.main_top1 else "wrong"
    return (
        f"{cause.id}: cause {cause.cause}, main root {cause.main_root or NOTHING} ({verdict}), "
        f"{len(cause.incidents)} incident{'s' if len(cause.incidents) > 1 else ''}"
    )


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{share:.0%}"


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}"


def _seconds(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0f} s"
