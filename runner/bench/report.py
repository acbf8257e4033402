"""The figures of a whole benchmark, from what each day gave.

In:  the reports of the days.
Out: one JSON object (``report``), whose keys are stable.
Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from runner import VERSION
from runner.bench.day import DayReport
from runner.bench.figures import pool, pool_causes

Failed = Mapping[str, str]
"""A day that gave nothing: ``city``, ``day`` and ``why``."""


def report(
    days: Sequence[DayReport],
    failed: Sequence[Failed],
    suite: str | None = None,
    seed: int | None = None,
    spoilt: str = "",
) -> dict[str, Any]:
    """Pool the days: over all, by city, and by kind of cause; every system in each.

    ``spoilt`` says what was made worse on purpose.
    """
    names = list(days[0].systems) if days else []
    cities = list(dict.fromkeys(day.city for day in days))
    kinds = sorted({cause.kind for day in days for one in day.systems.values() for cause in one.causes})
    return {
        "name": "bench",
        "suite": suite,
        "seed": seed,
        "spoilt": spoilt,
        "version": VERSION,
        "days": len(days),
        "systems": {name: pool([day.systems[name] for day in days]).model_dump() for name in names},
        "by_city": {
            city: {
                name: pool([day.systems[name] for day in days if day.city == city]).model_dump()
                for name in names
            }
            for city in cities
        },
        "by_kind": {
            kind: {
                name: pool_causes(
                    [cause for day in days for cause in day.systems[name].causes if cause.kind == kind]
                ).model_dump()
                for name in names
            }
            for kind in kinds
        },
        "per_day": [day.model_dump() for day in days],
        "failed": [dict(day) for day in failed],
    }
