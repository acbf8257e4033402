"""The questions that boards and rules ask of InfluxDB, in Flux.

In:  the table of measurements, and names of its tags and fields.
Out: Flux text, with Grafana's variables in it.
Promises: a tag or field that the table has no more can't be asked for: building fails. ``now`` is the end of
the time range on the picture, so that yesterday's storm is told as it stood then.

What Grafana makes of an answer: columns of the group key become labels of a line; without a group key every
column is a column of a table.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from schemas import points as table
from schemas.points import (
    ALARM,
    ALARM_STANDING,
    FACTS,
    INCIDENT,
    INCIDENT_STANDING,
    RAW,
    READING,
    READING_5M,
    STANDING,
    Bucket,
    Measurement,
)

LIVE = table.LIVE
RUN = "${run}"
"""The run that the reader chose on the board."""
BOTH_RUNS = "/^(${run:regex}|${beside:regex})$/"
"""That one, and the one to look at beside it."""
NOW = "int(v: v.timeRangeStop) / 1000000"
"""The end of the picture, ms since the epoch, as times in fields are."""
BEGUN = "int(v: v.timeRangeStart) / 1000000"
"""Its beginning."""
DAY_NS = 86_400_000_000_000
RAW_SPAN = 2 * DAY_NS
"""Longer pictures are drawn from means of five minutes: as many points as a screen has columns, and cheap."""
ALARM_ROW = ("id", "severity", "priority", "cleared")
"""Fields that most questions about alarms want."""
STATE = (
    'if r.priority == 3 then "critical" else if r.priority == 2 then "warning" '
    'else if r.priority == 1 then "info" else "normal"'
)
"""The word for a priority."""
WHAT = 'r.asset + " " + r.condition'
"""The name of an alarm's line."""
IMPORT = re.compile(r'import "[a-z/]+"\n')


class Having(NamedTuple):
    """Points by one of their fields: ``condition`` is Flux on ``r._value``, and may name the picture's ends,
    ``begun`` and ``ended``, in ms.
    """

    measurement: Measurement
    field: str
    condition: str


ALARMS_AT_END = Having(ALARM_STANDING, "until", "r._value == 0 or r._value > ended")
"""Alarms that stood at the end of the picture, however long ago they were raised."""
ALARMS = Having(ALARM_STANDING, "until", "r._value == 0 or r._value > begun")
"""Alarms that stood at some time of it."""
INCIDENTS = Having(INCIDENT_STANDING, "until", "r._value == 0 or r._value > begun")
"""Incidents that were open at some time of it."""
TOLD = Having(ALARM, "announced", "r._value >= begun")
"""Alarms that were told in it."""
ANNOTATION = ("time", "timeEnd", "title", "text", "tags")
"""The columns of an annotation, as Grafana calls them."""


def flow(*stages: str) -> str:
    """Stages of one query, each forwarded to the next."""
    return "\n  |> ".join(stages)


def script(*statements: str, imports: Sequence[str] = ()) -> str:
    """Statements below each other; the last one answers. Imports go to the top, whoever asked for them."""
    text = "\n".join([*(f'import "{name}"' for name in imports), *statements])
    found = dict.fromkeys(IMPORT.findall(text))
    return "".join(found) + IMPORT.sub("", text)


def points(
    measurement: Measurement,
    *fields: str,
    city: str,
    days_back: int = 0,
    since: str = "",
    run: str = RUN,
    where: Mapping[str, str] | None = None,
) -> str:
    """Points of one measurement in the time range, or from some days before it, or ``since`` (Flux).

    ``where``: by tag, its value, or a regular expression between slashes; so too ``run``. Raises KeyError
    where the table has no such tag or field.
    """
    start = f"time(v: int(v: v.timeRangeStart) - {days_back * DAY_NS})" if days_back else "v.timeRangeStart"
    return flow(
        f'from(bucket: "{measurement.bucket.name}")',
        *_cut(measurement, fields, city, since or start, run, where),
    )


def rows(
    measurement: Measurement,
    *fields: str,
    city: str,
    days_back: int = 0,
    run: str = RUN,
    where: Mapping[str, str] | None = None,
    standing: Having | None = None,
    having: Having | None = None,
) -> str:
    """The same, a row a point with a column a field, in one table.

    ``standing``: since the oldest of what such points say that it stood. ``having``: only of assets (of
    parts, of first alarms' assets) that such points name, else of those that ``standing`` names; which of
    their rows to keep is for the caller to say. To make rows of points is what costs in a large city. To
    find points by a value does not: InfluxDB does that where they lie.
    """

    def found(of: Measurement, *fields: str, since: str) -> str:
        return points(of, *fields, city=city, days_back=days_back, since=since, run=run, where=where)

    if standing or having:
        chosen = _chosen(measurement, fields, standing, having, found)
    else:
        chosen = found(measurement, *fields, since="")
    keys = _names(("_time", *measurement.tags))
    return flow(
        chosen,
        'group(columns: ["_field"])',  # one table a field, put together by InfluxDB, not one a series
        f'pivot(rowKey: {keys}, columnKey: ["_field"], valueColumn: "_value")',
        "group()",
    )


def _chosen(
    measurement: Measurement,
    fields: Sequence[str],
    standing: Having | None,
    having: Having | None,
    points_of: Callable[..., str],
) -> str:
    """Points of the assets that other points name, since the oldest of what stood."""
    tag = next(tag for tag in measurement.tags if tag in {"asset", "first_asset"})
    # A name is a constant to InfluxDB, which it compares with where the points lie; an expression is not.
    lines = [f"begun = {BEGUN}", f"ended = {NOW}"]
    since, named = "", "stood.named"
    if standing:
        since = "time(v: stood.since)"
        lines.append(f"stood = {_stood(standing, tag, points_of)}")
    if having:
        named = 'strings.joinStr(arr: named, v: "|")'
        lines.append(
            f"named = {points_of(having.measurement, having.field, since=since)}\n"
            f'    |> filter(fn: (r) => {having.condition}) |> group() |> distinct(column: "{tag}")'
            '\n    |> findColumn(fn: (key) => true, column: "_value")'
        )
    lines.append(f'those = regexp.compile(v: "\\\\A(" + {named} + ")\\\\z")')
    lines.append(
        f"return {points_of(measurement, *fields, since=since)}\n    |> filter(fn: (r) => r.{tag} =~ those)"
    )
    body = "\n  ".join(lines)
    return script(f"(() => {{\n  {body}\n}})()", imports=["array", "regexp", "strings"])


def _stood(standing: Having, tag: str, points_of: Callable[..., str]) -> str:
    """A record: the assets of what stood, between bars, and since when the oldest did (ns)."""
    back = f"time(v: int(v: v.timeRangeStart) - {STANDING.days * DAY_NS})"
    return flow(
        # One row at least, of nothing: a record is found in a table, and there is none without a row.
        'union(tables: [array.from(rows: [{name: "-", at: int(v: v.timeRangeStart)}]), '
        + flow(
            points_of(standing.measurement, standing.field, since=back),
            f"filter(fn: (r) => {standing.condition})",
            "group()",  # a table for each asset would cost more than names that come twice
            f"map(fn: (r) => ({{name: r.{tag}, at: int(v: r._time)}}))",
        )
        + "])",
        "group()",
        'reduce(fn: (r, accumulator) => ({named: accumulator.named + "|" + r.name, '
        "since: if r.at < accumulator.since then r.at else accumulator.since}), "
        'identity: {named: "-", since: int(v: v.timeRangeStart)})',
        "findRecord(fn: (key) => true, idx: 0)",
    )


def readings(city: str, where: Mapping[str, str], by: str) -> str:
    """A line for each value of the tag ``by``; long pictures come from the means of five minutes.

    Of a short picture of long ago both are asked: raw readings are gone by then, unless their bucket was told
    to keep them.
    """
    READING_5M.field("value")
    cut = "\n  |> ".join(_cut(READING, ("value",), city, "v.timeRangeStart", RUN, where))
    return script(
        f'raw = from(bucket: "{RAW.name}")\n  |> {cut}',
        f'means = from(bucket: "{READING_5M.bucket.name}")\n  |> {cut}',
        f"long = int(v: v.timeRangeStop) - int(v: v.timeRangeStart) > {RAW_SPAN}",
        f"old = int(v: v.timeRangeStart) < int(v: now()) - {(RAW.days - 1) * DAY_NS}",
        "chosen = if long then means else if old then union(tables: [raw, means]) else raw",
        flow(
            "chosen",
            f'group(columns: ["{by}"])',
            "aggregateWindow(every: v.windowPeriod, fn: mean, createEmpty: false)",
            f'keep(columns: ["_time", "_value", "{by}"])',
        ),
    )


def alarms(
    city: str,
    where: Mapping[str, str] | None = None,
    *fields: str,
    days_back: int = 0,
    run: str = RUN,
    standing: Having | None = None,
    having: Having | None = None,
) -> str:
    """Alarms raised in the picture (in days before it, since ``standing`` ones were raised) and told by its
    end; not those taken back.
    """
    asked = dict.fromkeys(("state", "announced", *(fields or ALARM_ROW)))
    return flow(
        rows(
            ALARM,
            *asked,
            city=city,
            days_back=days_back,
            run=run,
            where=where,
            standing=standing,
            having=having,
        ),
        f'filter(fn: (r) => r.state != "retracted" and (not exists r.announced or r.announced <= {NOW}))',
    )


def standing(city: str, where: Mapping[str, str] | None = None, *more: str) -> str:
    """Alarms that stood at the end of the picture, a row each, the newest first."""
    return flow(
        alarms(city, where, *ALARM_ROW, *more, standing=ALARMS_AT_END),
        f"filter(fn: (r) => r.cleared == 0 or r.cleared > {NOW})",
        'sort(columns: ["_time"], desc: true)',
    )


def touching(city: str, where: Mapping[str, str] | None = None, run: str = RUN) -> str:
    """Alarms that stood at some time of the picture."""
    return flow(
        alarms(city, where, run=run, standing=ALARMS),
        f"filter(fn: (r) => r.cleared == 0 or r.cleared > {BEGUN})",
    )


def raised(city: str, run: str = RUN) -> str:
    """Alarms by when they were first told to people, which is what an operator's load is counted by."""
    return flow(
        alarms(city, None, "severity", "priority", days_back=1, run=run, having=TOLD),
        "map(fn: (r) => ({r with _time: time(v: r.announced * 1000000)}))",
        "range(start: v.timeRangeStart, stop: v.timeRangeStop)",
    )


def incidents(
    city: str,
    *fields: str,
    run: str = RUN,
    standing: Having = INCIDENTS,
    having: Having | None = None,
) -> str:
    """Incidents as they stood at the end of the picture: of each the newest revision known by then.

    Those that were open at some time of it, and it may be others that began with the same asset.
    """
    asked = dict.fromkeys(("incident", "revision", "known_at", "stands", "open", *fields))
    return flow(
        rows(INCIDENT, *asked, city=city, run=run, standing=standing, having=having),
        f"filter(fn: (r) => r.known_at <= {NOW})",
        'group(columns: ["run", "incident"])',
        'max(column: "revision")',
        "group()",
        "filter(fn: (r) => r.stands)",
    )


def incident(city: str, which: str, *fields: str) -> str:
    """One incident as it stood at the end of the picture."""
    return flow(incidents(city, *fields, standing=known_as(which)), _only("incident", which))


def parts(
    measurement: Measurement,
    city: str,
    *fields: str,
    incident: str = "",
    asset: str = "",
    having: Having | None = None,
    of_incident: Sequence[str] = (),
) -> str:
    """The entries of one list of incidents, as their newest revisions have them.

    Of one ``incident``, or of one ``asset``, or of incidents ``having`` something in common. ``of_incident``:
    fields of the incident that go with each.
    """
    standing, only = INCIDENTS, []
    if incident:
        standing, only = known_as(incident), [_only("incident", incident)]
    if asset:
        having, only = Having(measurement, "asset", f'r._value == "{asset}"'), [_only("asset", asset)]
    entries = rows(measurement, "incident", "revision", *fields, city=city, standing=standing, having=having)
    known = flow(
        incidents(city, *of_incident, standing=standing, having=having),
        f"keep(columns: {_names(('incident', 'revision', 'open', *of_incident))})",
    )
    return joined(flow(entries, *only), known, "incident", "revision")


def known_as(incident: str) -> Having:
    """The incident of that id, whenever it was open."""
    return Having(INCIDENT_STANDING, "incident", f'r._value == "{incident}"')


def _only(column: str, value: str) -> str:
    return f'filter(fn: (r) => r.{column} == "{value}")'


def joined(left: str, right: str, *on: str) -> str:
    """Rows of both that agree. Not ``join.inner``, which fails where one side is empty."""
    return flow(
        f"join(tables: {{left: {left},\nright: {right}}}, on: {_names(on)})",
        "group()",
    )


def timeline(alarm_rows: str, name: str = WHAT) -> str:
    """A line for each ``name``, with the state from when an alarm was raised to when it cleared.

    ``alarm_rows``: as ``touching`` gives them.
    """
    return script(
        f"(() => {{\n  alarms = {alarm_rows}",
        "  begun = alarms |> map(fn: (r) => ({line: " + name + ", _value: r.severity, "
        "_time: if r._time < v.timeRangeStart then v.timeRangeStart else r._time}))",
        "  over = alarms |> filter(fn: (r) => r.cleared > 0) |> map(fn: (r) => "
        f'({{line: {name}, _value: "normal", _time: time(v: r.cleared * 1000000)}}))',
        '  return union(tables: [begun, over]) |> group(columns: ["line"]) |> sort(columns: ["_time"])',
        "})()",
    )


def or_rows(found: str, columns: Sequence[str], *instead: str) -> str:
    """Rows as they are, of these columns; where there are none, others (records in Flux, without braces).

    Some of Grafana's panels have no words for nothing, or fail over it.
    """
    kept = ", ".join(f"{column}: r.{column}" for column in columns)
    others = ", ".join(f"{{{row}, real: 0, before: 0}}" for row in instead)
    return script(
        f"some = {found}\n  |> map(fn: (r) => ({{{kept}, real: 1, before: 1}})) |> group()",
        f"nothing = array.from(rows: [{others}])",
        flow(
            "union(tables: [some, nothing])",
            "group()",
            'sort(columns: ["real"], desc: true)',
            'cumulativeSum(columns: ["before"])',
            "filter(fn: (r) => r.real == 1 or r.before == 0)",
            f"keep(columns: {_names(columns)})",
        ),
        imports=["array"],
    )


def or_words(lines: str, label: str, words: str, state: str) -> str:
    """States as they are; where there are none, a line of one ``state`` whose ``label`` says so."""
    nothing = f'_time: v.timeRangeStart, _value: "{state}", {label}: {_literal(words)}'
    return flow(
        or_rows(lines, ("_time", "_value", label), nothing),
        f'group(columns: ["{label}"])',
        'sort(columns: ["_time"])',
    )


def text(query: str, column: str, words: str) -> str:
    """A column of texts as Grafana's logs want them; ``words`` where there is none."""
    line = f"map(fn: (r) => ({{_time: v.timeRangeStop, _value: r.{column}}}))"
    nothing = f"_time: v.timeRangeStop, _value: {_literal(words)}"
    return or_rows(flow(query, line), ("_time", "_value"), nothing)


def counted(query: str) -> str:
    """How many rows there are; 0 where there is none."""
    # Flux loses all rows in a map that takes nothing from the row: hence 'with', and keep.
    return script(
        f'some = {query}\n  |> map(fn: (r) => ({{r with _value: 1}})) |> keep(columns: ["_value"])',
        "union(tables: [some, array.from(rows: [{_value: 0}])]) |> sum()",
        imports=["array"],
    )


def places(city: str, key: str, known: Mapping[str, tuple[float, float]]) -> str:
    """The worst standing alarm of each place: ``key`` is the tag that names it, ``known`` where it lies.

    Without ``known`` the assets in trouble alone, where their alarms say that they are.
    """
    if not known:
        return flow(
            standing(city, None, "latitude", "longitude"),
            'group(columns: ["asset"])',
            'max(column: "priority")',
            "group()",
            "map(fn: (r) => ({place: r.asset, lat: r.latitude, lon: r.longitude, priority: r.priority, "
            f"state: {STATE}}}))",
        )
    sure = table_of(
        {"place": name, "lat": lat, "lon": lon, "priority": 0} for name, (lat, lon) in known.items()
    )
    return script(
        f"known = {sure}",
        f"troubled = {standing(city)}\n"
        f"  |> map(fn: (r) => ({{place: r.{key}, lat: 0.0, lon: 0.0, priority: r.priority}}))",
        'union(tables: [known, troubled]) |> group(columns: ["place"]) |> reduce(\n'
        "  fn: (r, accumulator) => ({lat: accumulator.lat + r.lat, lon: accumulator.lon + r.lon,\n"
        "    priority: if r.priority > accumulator.priority then r.priority else accumulator.priority}),\n"
        "  identity: {lat: 0.0, lon: 0.0, priority: 0},\n"
        f") |> group() |> filter(fn: (r) => r.lat != 0.0) |> map(fn: (r) => ({{r with state: {STATE}}}))",
        imports=["array"],
    )


def annotations(city: str) -> str:
    """Incidents that touch the time range, as Grafana's annotations, with labels."""
    return flow(
        incidents(
            city, "summary", "severity", "utilities", "root_asset", "root_condition", "opened", "closed"
        ),
        "map(fn: (r) => ({time: time(v: r.opened * 1000000), "
        "timeEnd: if r.closed == 0 then v.timeRangeStop else time(v: r.closed * 1000000), "
        'title: r.root_asset + " " + r.root_condition, text: r.summary, '
        'tags: r.severity + "," + r.utilities}))',
        "filter(fn: (r) => r.timeEnd >= v.timeRangeStart)",
        'sort(columns: ["time"])',
    )


def runs(city: str) -> str:
    """The names of runs with facts in the time range; ``live`` always: a new city has readings only."""
    return script(
        f'live = array.from(rows: [{{_value: "{LIVE}"}}])',
        f"others = {_tag_values('run', city, FACTS, {})}",
        'union(tables: [live, others]) |> group() |> unique(column: "_value")',
        imports=["array", "influxdata/influxdb/schema"],
    )


def tag_values(tag: str, city: str, where: Mapping[str, str]) -> str:
    """Values of a tag of readings in the time range, from the index: fast however many points there are."""
    return script(
        f"raw = {_tag_values(tag, city, RAW, where)}",
        f"means = {_tag_values(tag, city, READING_5M.bucket, where)}",
        'union(tables: [raw, means]) |> group() |> unique(column: "_value") |> sort(columns: ["_value"])',
        imports=["influxdata/influxdb/schema"],
    )


def _tag_values(tag: str, city: str, bucket: Bucket, where: Mapping[str, str]) -> str:
    kept = " and ".join(_conditions({"city": city, **where}))
    return (
        f'schema.tagValues(bucket: "{bucket.name}", tag: "{tag}", predicate: (r) => {kept}, '
        "start: v.timeRangeStart, stop: v.timeRangeStop)"
    )


def table_of(entries: Iterable[Mapping[str, str | float]]) -> str:
    """A table written into the query: what the city model knows and InfluxDB does not."""
    written = (
        "{" + ", ".join(f"{key}: {_literal(value)}" for key, value in entry.items()) + "}"
        for entry in entries
    )
    return "array.from(rows: [\n  " + ",\n  ".join(written) + "\n])"


def _cut(
    measurement: Measurement,
    fields: Sequence[str],
    city: str,
    start: str,
    run: str,
    where: Mapping[str, str] | None,
) -> tuple[str, str]:
    for tag in ("run", "city", *(where or {})):
        if tag not in measurement.tags:
            raise KeyError(f"{measurement.name} has no tag {tag!r}; it has {', '.join(measurement.tags)}")
    asked = " or ".join(f'r._field == "{measurement.field(name).name}"' for name in fields)
    kept = _conditions({"run": run, "city": city, **(where or {})})
    return (
        f"range(start: {start}, stop: v.timeRangeStop)",
        f'filter(fn: (r) => r._measurement == "{measurement.name}" and {" and ".join(kept)} and ({asked}))',
    )


def _conditions(where: Mapping[str, str]) -> list[str]:
    return [
        f"r.{tag} =~ {value}" if value.startswith("/") else f'r.{tag} == "{value}"'
        for tag, value in where.items()
    ]


def _literal(value: str | float) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)


def _names(columns: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{column}"' for column in columns) + "]"
