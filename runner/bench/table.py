"""A benchmark as tables for people.

In:  the object of ``runner.bench.report``.
Out: rich tables.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from runner.bench.day import PRODUCT

NOTHING = "n.a."
"""Stands where there was nothing to measure."""

Figures = Mapping[str, Any]
Column = tuple[str, Callable[[Figures], str]]


def _share(key: str) -> Callable[[Figures], str]:
    return lambda f: NOTHING if f[key] is None else f"{100 * f[key]:.0f}"


def _number(key: str, digits: int = 2) -> Callable[[Figures], str]:
    return lambda f: NOTHING if f[key] is None else f"{f[key]:.{digits}f}"


def _minutes(key: str) -> Callable[[Figures], str]:
    return lambda f: NOTHING if f[key] is None else f"{f[key] / 60:.0f}"


def _main(f: Figures) -> str:
    if f["main_top1_interval"] is None:
        return NOTHING
    low, high = f["main_top1_interval"]
    return f"{100 * f['main_top1']:.0f} ({100 * low:.0f}-{100 * high:.0f})"


CAUSES: tuple[Column, ...] = (
    ("main root\nright, %", _main),
    ("top 1\n%", _share("root_top1")),
    ("top 3\n%", _share("root_top3")),
    ("recall\n%", _share("incident_recall")),
    ("incidents\na cause", _number("incidents_per_true_cause")),
    ("known\nmin", _minutes("incident_delay_seconds_median")),
    ("root right\nmin", _minutes("root_delay_seconds_median")),
    ("known\nsteps", _number("incident_delay_steps_median", 1)),
    ("root right\nsteps", _number("root_delay_steps_median", 1)),
)
DAYS: tuple[Column, ...] = (
    ("precision\n%", _share("incident_precision")),
    ("false a day\nof trouble", _number("false_incidents_per_day_with_trouble")),
    ("false a\nquiet day", _number("false_incidents_per_quiet_day")),
    ("grouping\nARI", _number("alarm_grouping_ari")),
    ("alarms\na day", _number("alarms_per_day", 1)),
)
FORESIGHT: tuple[Column, ...] = (
    ("judged", _number("predictions", 0)),
    ("came true\n%", _share("hit_rate")),
    ("lead\nmin", _minutes("lead_seconds_median")),
    ("calibration\nerror", _number("calibration_error")),
    ("later\neffects", _number("later_effects", 0)),
    ("foretold\n%", _share("later_effects_foretold")),
)
DAY_COUNT: Column = ("days", _number("days", 0))
CAUSE_COUNT: Column = ("causes", _number("causes", 0))


def tables(whole: Mapping[str, Any]) -> Iterator[Table]:
    """All systems side by side; what they foretold; the product by city and by kind of cause."""
    systems = whole["systems"]
    if not systems:
        return
    yield _table("", systems, (*CAUSES, *DAYS))
    if foreseeing := {name: figures for name, figures in systems.items() if figures["predictions"]}:
        yield _table("consequences foretold", foreseeing, FORESIGHT)
    cities = {city: found[PRODUCT] for city, found in whole["by_city"].items()}
    if len(cities) > 1:
        yield _table(f"{PRODUCT} by city", cities, (DAY_COUNT, CAUSE_COUNT, *CAUSES, *DAYS))
    if kinds := {kind: found[PRODUCT] for kind, found in whole["by_kind"].items()}:
        yield _table(f"{PRODUCT} by kind of cause", kinds, (CAUSE_COUNT, *CAUSES))


def heading(whole: Mapping[str, Any]) -> str:
    """What was measured, in a line."""
    what = "given days" if whole["suite"] is None else f"suite {whole['suite']}, seed {whole['seed']}"
    if whole["spoilt"]:
        what += f", {whole['spoilt']}"
    if not whole["systems"]:
        return f"{what}: no day gave a result"
    figures = whole["systems"][PRODUCT]
    return (
        f"{what}: {figures['days']} days, {figures['days_with_trouble']} with trouble, "
        f"{figures['causes']} causes, {figures['alarms_per_day']:.1f} alarms a day"
    )


def _table(title: str, rows: Mapping[str, Figures], columns: tuple[Column, ...]) -> Table:
    table = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False, padding=(0, 1))
    table.add_column("", no_wrap=True)
    for name, _ in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for name, figures in rows.items():
        table.add_row(name, *(cell(figures) for _, cell in columns))
    return table
