"""Each rule as Grafana would judge it, minute by minute, on a real InfluxDB: trouble comes, lasts, and goes.

What parts tell of themselves becomes points by the way of the real watcher (``lines_of``). Grafana's part is
small and written down here: a rule is asked every minute, its newest number decides, it fires when it has
held for as long as it says, and silence means what the rule says that it means.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from grafana import rules, watch
from grafana.rules import Rule
from runner.influx.figures import lines_of, written
from runner.kafka.ledger import Account, figures
from runner.metrics import Figure
from schemas.points import RAW
from schemas.times import MINUTE, SECOND, parse_time, rfc3339
from tests.grafana.room import Refused, Room
from tests.runner.influxhelp import OnInflux
from tests.servers import Influxd, free_ports

NOON = parse_time("2025-06-04T12:00:00Z")
COMES, GOES, ENDS = 20, 40, 60
"""Minutes after noon between which there is trouble, and when the day ends."""
RULES = {rule.name: rule for rule in watch.rules("testville")}
Tells = Callable[[int, bool], list[Figure]]
"""What a part tells in a minute (ms), in trouble or not."""


def gauge(name: str, value: float, **labels: str) -> Figure:
    """One figure of a part."""
    return Figure(f"crosscurrent_{name}", "gauge", "", value, labels)


def behind(at: int, trouble: bool) -> list[Figure]:
    """Stream time stands still while readings stay away."""
    newest = NOON + COMES * MINUTE if trouble else at
    return [gauge("stream_time_seconds", newest / SECOND)]


def silent(at: int, trouble: bool) -> list[Figure]:
    """The whole pipeline is gone: nobody tells anything."""
    return [] if trouble else behind(at, trouble=False)


def dead(_at: int, trouble: bool) -> list[Figure]:
    """One of two workers does not answer."""
    return [gauge("up", 1), gauge("up", not trouble, service="correlate-1")]


def lagging(_at: int, trouble: bool) -> list[Figure]:
    """Neither partition is far behind, but both together are."""
    each = 6_000 if trouble else 4_000
    return [gauge("lag_offsets", each, stage="detect", partition=str(number)) for number in range(2)]


def refusing(_at: int, trouble: bool) -> list[Figure]:
    """Of a hundred messages a minute one is refused."""
    refused = gauge("messages_total", trouble, result="refused")
    return [gauge("messages_total", 100 - trouble, result="accepted"), refused]


def unbalanced(_at: int, trouble: bool) -> list[Figure]:
    """The ledger lacks an alarm, and explains all others."""
    due = {"alarm-1": 1, "alarm-2": 1}
    there = {"alarm-1": 1} if trouble else due
    return list(figures([Account("alarm", Counter(due), Counter(there))]))


def unwritten(at: int, trouble: bool) -> list[Figure]:
    """The sink gets no answer, for longer each minute."""
    away = (at - NOON - COMES * MINUTE) / SECOND if trouble else 0
    return [gauge("sink_away_seconds", away)]


TROUBLES: dict[str, tuple[str, Tells, int, int]] = {
    "no readings come": ("stopped", behind, COMES + 5 + 2, GOES),
    "the pipeline is gone": ("stopped", silent, COMES - 1 + 5 + 2, GOES),
    "a worker is dead": ("down", dead, COMES + 2, GOES),
    "workers are behind": ("lag", lagging, COMES + 5, GOES),
    "messages are refused": ("letters", refusing, COMES, GOES + 8),
    "the ledger lacks something": ("ledger", unbalanced, COMES, GOES),
    "InfluxDB does not answer the sink": ("writes", unwritten, COMES + 2 + 1, GOES),
}
"""By what happens: the rule, what parts tell, from which minute it fires and from which no more."""


class Judge:
    """What Grafana does with a rule each minute, with the token that may only read."""

    def __init__(self, influx: OnInflux) -> None:
        self._influx = influx

    def holds(self, rule: Rule, at: int) -> bool:
        """Whether the rule's condition holds at a time, for any of its series; silence as the rule says."""
        asked = rules.judged(rule)
        for macro, value in (
            ("v.timeRangeStart", rfc3339(at - rule.window * SECOND)),
            ("v.timeRangeStop", rfc3339(at)),
        ):
            asked = asked.replace(macro, value)
        newest: dict[str, float] = {}
        for row in self._influx.ask(asked):
            newest[str(sorted(_labels(row).items()))] = row["_value"]
        return any(newest.values()) if newest else rule.no_data == "Alerting"

    def firing(self, rule: Rule) -> list[int]:
        """The minutes after noon at which it fires: its condition has held for as long as it says."""
        lasting = int(rule.lasting[:-1]) if rule.lasting.endswith("m") else 0
        held = [self.holds(rule, NOON + minute * MINUTE + SECOND) for minute in range(10, ENDS)]
        return [
            minute
            for minute in range(10 + lasting, ENDS)
            if all(held[minute - 10 - lasting : minute - 10 + 1])
        ]


def _labels(row: Any) -> dict[str, str]:
    return {name: value for name, value in row.items() if isinstance(value, str) and name != "result"}


def told(tells: Tells, in_trouble: bool) -> Iterator[str]:
    """The points of an hour. A total is the sum of what was told of it."""
    totals: Counter[str] = Counter()
    for minute in range(ENDS):
        at = NOON + minute * MINUTE
        told = tells(at, in_trouble and COMES <= minute < GOES)
        for number, figure in enumerate(told):
            if figure.name.endswith("_total"):
                totals[str(figure.labels)] += int(figure.value)
                told[number] = figure._replace(value=totals[str(figure.labels)])
        yield from lines_of("testville", "worker", told, at)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_rule_fires_while_there_is_trouble_and_only_then(
    trouble: str, influxd: Influxd, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """From the minute that it should to the minute that it should no more; on a good day never."""
    name, tells, first, last = TROUBLES[trouble]
    for in_trouble in (True, False):
        influx = OnInflux(influxd, tmp_path_factory.mktemp("tokens"))
        with_all = influx.writer()
        assert with_all.write(RAW.name, list(told(tells, in_trouble))) == []
        with_all.close()

        assert Judge(influx).firing(RULES[name]) == (list(range(first, last)) if in_trouble else [])


def test_the_dead_mans_switch_always_fires_and_falls_silent_with_influxdb(
    influxd: Influxd, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It needs no figures. Without InfluxDB it must fall silent, and the rule of the writes must cry."""
    influx = OnInflux(influxd, tmp_path_factory.mktemp("tokens"))
    gone = Room(f"http://127.0.0.1:{free_ports(1)[0]}", tmp_path_factory.mktemp("gone"))
    gone.reader.write_text("none\n")

    assert Judge(influx).firing(RULES["heartbeat"]) == list(range(10, ENDS))
    with pytest.raises((Refused, OSError)):
        gone.answer(gone.filled(rules.judged(RULES["heartbeat"])))
    assert {name for name, rule in RULES.items() if rule.failing == "Alerting"} == {"stopped", "writes"}
    assert RULES["heartbeat"].failing == "OK"


def test_every_rule_is_tried() -> None:
    """Here, or (the incident) on the storm."""
    assert {name for name, *_ in TROUBLES.values()} | {"heartbeat", "incident"} == set(RULES)


def test_the_ledgers_figures_come_by_the_verbs_own_way(
    influxd: Influxd, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What ``ledger verify --write-token-file`` writes is what the rule asks for."""
    influx = OnInflux(influxd, tmp_path_factory.mktemp("tokens"))
    written(
        "testville",
        "ledger",
        influx.settings(influx.token_file),
        figures([Account("alarm", Counter("ab"), Counter("a"))]),
    )
    points = influx.points(RAW, "pipeline")

    assert [
        (fields["ledger_due"], fields["ledger_missing"], fields["ledger_unexplained"])
        for fields in points.values()
    ] == [(2, 1, 0)]
