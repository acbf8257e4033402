"""The parts of the pages as HTML: incident cards, the way of the data, the day's lanes, the timeline.

In:  view models. Out: ``Markup``, with every text escaped. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo

from markupsafe import Markup

from console import markup, views, wording
from console.charts import city_clock
from console.live import Snapshot
from runner.embedded import Status
from schemas.alarms import Alarm
from schemas.city import City, Sensor
from schemas.incidents import Expected, Incident, Root
from schemas.readings import Reading
from schemas.times import HOUR, MINUTE

COMING_MAX = 12
"""Rows of what is expected, the likeliest; a storm reaches a hundred assets."""
_TICK_STEPS = [m * MINUTE for m in (1, 2, 5, 10, 15, 30)] + [h * HOUR for h in (1, 2, 3, 6, 12, 24, 48, 168)]


def join(parts: Iterable[Markup]) -> Markup:
    """Pieces one after the other."""
    return Markup("").join(parts)


# -- the city page --------------------------------------------------------------------------------------


def card(view: views.Card) -> Markup:
    """What stands in an incident's card."""
    return Markup(
        '<div class="card-head">{severity}<span class="state {state}">{state}</span>'
        '<span class="when num">{since}<span class="sep">·</span>{lasted}</span></div>'
        '<p class="summary">{summary}</p><dl class="card-facts">{facts}</dl>'
        '<div class="card-foot"><span class="chips">{chips}</span>'
        '<span class="num">{alarms}{standing}</span></div>'
    ).format(
        severity=markup.severity(view.severity),
        state="open" if view.open else "closed",
        since=view.since,
        lasted=view.lasted,
        summary=view.summary,
        facts=join(
            Markup('<div><dt>{}</dt><dd><b>{}</b> {}</dd><dd class="num">{}</dd></div>').format(name, *fact)
            for name, fact in (("Root", view.root), ("Next", view.coming))
            if fact
        ),
        chips=markup.chips(view.utilities),
        alarms=wording.plural(view.alarms, "alarm"),
        standing=f", {view.standing} standing" if view.open and view.standing else "",
    )


def headline(view: views.Headline) -> Markup:
    """So many alarms, so few incidents."""
    return Markup(
        '<div><b class="num">{}</b><span>{}<br>{}</span></div><i class="becomes" aria-hidden="true"></i>'
        '<div><b class="num">{}</b><span>{}<br>{} open</span></div>'
    ).format(
        wording.count(view.alarms),
        "alarm in 24 h" if view.alarms == 1 else "alarms in 24 h",
        wording.plural(view.departments, "department"),
        wording.count(view.incidents),
        "incident" if view.incidents == 1 else "incidents",
        view.open_incidents,
    )


def flow(snapshot: Snapshot) -> Markup:
    """The way of the data, with its counts."""
    status = snapshot.status
    rate = wording.count(status.messages_per_second)
    stages = [
        ("Received", status.received, f"{rate}/s", []),
        ("Readings", status.readings, "", _losses(status)),
        ("Stored", status.stored, f"{status.lag} waiting" if status.lag > 50 else "", []),
        ("Alarms", len(snapshot.alarms), "last 24 h", []),
        ("Incidents", len(snapshot.incidents), "", []),
    ]
    return Markup('<ol class="flow" aria-label="The way of the data">{}</ol>').format(
        join(
            Markup(
                '<li><span class="label">{}</span><b class="num">{}</b>'
                '<span class="note num">{}</span>{}{}</li>'
            ).format(
                name,
                wording.count(amount),
                note,
                sparkline(snapshot.rates) if name == "Received" else "",
                Markup('<ul class="losses">{}</ul>').format(
                    join(
                        Markup('<li>{} <b class="num">{}</b></li>').format(what, wording.count(n))
                        for what, n in losses
                    )
                )
                if losses
                else "",
            )
            for name, amount, note, losses in stages
        )
    )


def _losses(status: Status) -> list[tuple[str, int]]:
    counted = (
        ("refused", status.refused),
        ("late", status.late),
        ("duplicate", status.duplicates),
        ("future", status.future),
    )
    return [(what, count) for what, count in counted if count is not None]


def sparkline(values: Sequence[float], width: int = 96, height: int = 22) -> Markup:
    """The course of a rate; nothing to read off, only to see that it lives."""
    if len(values) < 2 or max(values) <= 0:
        return Markup("")
    top = max(values)
    step = width / (len(values) - 1)
    points = " ".join(
        f"{i * step:.1f},{height - 2 - v / top * (height - 4):.1f}" for i, v in enumerate(values)
    )
    return Markup(
        '<svg class="spark" viewBox="0 0 {0} {1}" preserveAspectRatio="none" aria-hidden="true">'
        '<polyline points="{2}"/></svg>'
    ).format(width, height, points)


def lanes(
    rows: Sequence[views.Lane], incidents: Sequence[Incident], start: int, end: int, zone: ZoneInfo
) -> Markup:
    """One lane for each utility's control room, on one clock; incidents lie over all of them."""
    ticks = [(at, wording.clock(at, zone)) for at in time_ticks(start, end, zone, most=8)]
    marks = join(
        Markup('<i class="veil{}" style="left:{:.2f}%;width:{:.2f}%"></i>').format(
            "" if incident.closed else " open",
            share(incident.opened, start, end),
            share(incident.closed or end, start, end) - share(incident.opened, start, end),
        )
        for incident in incidents
        if (incident.closed or end) > start
    )
    return Markup(
        '<div class="lanes" role="img" aria-label="Alarms of each utility side by side">'
        '<div class="lane-names">{}</div><div class="lane-tracks">{}{}<div class="axis">{}</div></div></div>'
    ).format(
        join(
            Markup('<span>{}<em>{}</em><b class="num">{}</b></span>').format(
                markup.symbol(row.utility), row.utility, row.alarms or ""
            )
            for row in rows
        ),
        marks,
        join(_lane(row, start, end) for row in rows),
        join(
            Markup('<span class="num" style="left:{:.2f}%">{}</span>').format(share(at, start, end), label)
            for at, label in ticks
        ),
    )


def _lane(row: views.Lane, start: int, end: int) -> Markup:
    return Markup('<svg class="lane u-{}" viewBox="0 0 1000 10" preserveAspectRatio="none">{}</svg>').format(
        row.utility,
        join(
            Markup('<rect class="l{}" x="{:.1f}" y="{}" width="{:.1f}" height="{}"/>').format(
                rank,
                share(since, start, end) * 10,
                (4, 3, 1)[rank],
                max(2.0, (share(until, start, end) - share(since, start, end)) * 10),
                (2, 4, 8)[rank],
            )
            for since, until, rank in row.spans
            if until > start
        ),
    )


def share(at: int, start: int, end: int) -> float:
    """Where a moment lies between two others, in per cent; what lies outside, at the nearer end."""
    return min(100.0, max(0.0, (at - start) / max(end - start, 1) * 100))


def time_ticks(start: int, end: int, zone: ZoneInfo, most: int) -> list[int]:
    """Round moments of the city's clock between two times, at most about ``most``."""
    step = next((step for step in _TICK_STEPS if (end - start) / step <= most), _TICK_STEPS[-1])
    offset = city_clock(start, zone) - start
    first = -(-(start + offset) // step) * step - offset
    return list(range(first, end, step))


def tip(
    asset: str, city: City, state: views.AssetState | None, latest: Mapping[str, Reading], now: int
) -> Markup:
    """What hovers beside an asset: its name, kind, alarms, newest readings."""
    known = city.asset_by_id[asset]
    return Markup('<b>{}</b><span class="kind">{}{} · {}</span>{}<dl>{}</dl>').format(
        known.title,
        markup.symbol(known.utility.value),
        wording.kind_words(known.kind),
        known.zone,
        Markup('<span class="tip-alarm">{}{}</span>').format(
            markup.severity(state.severity), ", ".join(map(wording.condition_words, state.conditions))
        )
        if state
        else "",
        join(_tip_row(sensor, latest.get(sensor.id), now) for sensor in city.sensors_of.get(asset, ())),
    )


def _tip_row(sensor: Sensor, reading: Reading | None, now: int) -> Markup:
    old = (
        f"{wording.duration(now - reading.at)} ago"
        if reading and now - reading.at > 3000 * sensor.every
        else ""
    )
    return Markup('<div><dt>{}</dt><dd class="num">{} <small>{}</small></dd></div>').format(
        sensor.quantity, wording.quantity(reading.value, sensor.unit) if reading else "none yet", old
    )


def legend(city: City) -> Markup:
    """The shapes of the city's utilities and of the severities."""
    return Markup('<div class="legend" aria-label="Legend">{}<span class="rings">{}</span></div>').format(
        join(map(markup.chip, views.utilities_in_order({asset.utility.value for asset in city.assets}))),
        join(
            Markup(
                '<span class="chip s-{0} alarmed">'
                '<svg class="symbol" viewBox="-16 -16 32 32" aria-hidden="true">'
                '<circle class="ring outer" r="13.5"/><circle class="ring" r="9"/></svg>{0}</span>'
            ).format(level)
            for level in ("critical", "warning", "info")
        ),
    )


# -- the incident's page --------------------------------------------------------------------------------


def causes(roots: Sequence[Root], city: City, zone: ZoneInfo) -> Markup:
    """The root and its alternatives, by probability."""
    return Markup('<ol class="causes">{}</ol>').format(
        join(
            Markup(
                '<li class="{}"><span class="cause">{}{} <span>{}</span></span>'
                '<span class="num when">{}</span>{}</li>'
            ).format(
                "first" if not position else "",
                markup.symbol(views.utility_of(city, root.asset)),
                markup.asset_link(root.asset, views.title(city, root.asset)),
                wording.condition_words(root.condition),
                wording.clock(root.since, zone),
                markup.bar(root.probability, wording.percent(root.probability)),
            )
            for position, root in enumerate(roots)
        )
    )


def timeline(incident: Incident, city: City, now: int, zone: ZoneInfo) -> Markup:
    """The causal chain on one axis: bars of the members, the lag that each rule expects, what comes next."""
    start, end = views.span(incident, now)
    rows = views.timeline(incident, city)
    begun = {(row.asset, row.condition): row.since for row in rows}
    coming = [] if incident.closed else views.coming(incident, now)
    return Markup(
        '<div class="timeline"><div class="timeline-axis" aria-hidden="true"><div></div>'
        '<div class="track">{}</div></div><ol>{}{}</ol>{}</div>'
    ).format(
        _timeline_axis(start, end, now if incident.closed is None else None, zone),
        join(_timeline_row(row, begun, city, start, end, now, zone) for row in rows),
        join(
            _expected_row(expected, city, start, end, now, zone)
            for expected in sorted(
                coming[:COMING_MAX], key=lambda expected: (max(expected.start, now), -expected.probability)
            )
        ),
        Markup('<p class="empty">and {}, less likely</p>').format(
            wording.plural(len(coming) - COMING_MAX, "more consequence")
        )
        if len(coming) > COMING_MAX
        else "",
    )


def _timeline_axis(start: int, end: int, now: int | None, zone: ZoneInfo) -> Markup:
    """Round times; those that would touch the mark of now are left out."""
    here = None if now is None else share(now, start, end)
    shares = [(share(at, start, end), at) for at in time_ticks(start, end, zone, most=6)]
    ticks = join(
        Markup('<span class="num" style="left:{:.2f}%">{}</span>').format(share, wording.clock(at, zone))
        for share, at in shares
        if share > 2 and (here is None or abs(share - here) > 9)
    )
    mark = (
        Markup("")
        if here is None
        else Markup('<i class="now" style="left:{:.2f}%"><b>now</b></i>').format(here)
    )
    return ticks + mark


def _timeline_row(
    row: views.Row,
    begun: Mapping[tuple[str, str], int],
    city: City,
    start: int,
    end: int,
    now: int,
    zone: ZoneInfo,
) -> Markup:
    return Markup(
        '<li class="{classes}"><div class="what">{symbol}<div>{asset} '
        '<span class="condition">{condition}</span><small>{why}</small></div></div>'
        '<div class="track">{window}{bars}</div></li>'
    ).format(
        classes=" ".join(name for name, on in (("root", row.root), ("latent", row.latent)) if on),
        symbol=markup.symbol(row.utility),
        asset=markup.asset_link(row.asset, views.title(city, row.asset)),
        condition=wording.condition_words(row.condition),
        why=_why(row, city, zone),
        window=_window(row, begun, start, end),
        bars=join(_bar(since, until, row, start, end, now, zone) for since, until in row.spans),
    )


def _why(row: views.Row, city: City, zone: ZoneInfo) -> Markup:
    if row.root:
        told = "root, no sensor shows it" if row.latent else "root"
        return Markup('<b class="root-mark">{}</b> since <span class="num">{}</span>').format(
            told, wording.clock(row.since, zone)
        )
    if row.step is None:
        return Markup('<span class="num">{}</span>').format(wording.clock(row.since, zone))
    step = row.step
    fits = step.lag_seconds_min <= step.lag_seconds <= step.lag_seconds_max
    through = f" via {', '.join(views.title(city, asset) for asset in step.through)}" if step.through else ""
    return Markup(
        '<span class="num lag {}" title="rule {}, strength {}"><b>{}</b> / {} after {}{}</span>'
    ).format(
        "fits" if fits else "misses",
        step.rule,
        wording.percent(step.strength),
        wording.lag(step.lag_seconds),
        wording.lag_range(step.lag_seconds_min, step.lag_seconds_max),
        views.title(city, step.cause),
        through,
    )


def _window(row: views.Row, begun: Mapping[tuple[str, str], int], start: int, end: int) -> Markup:
    """Where the rule expects the onset, counted from its cause."""
    cause = begun.get((row.step.cause, row.step.cause_condition)) if row.step else None
    if row.step is None or cause is None:
        return Markup("")
    left = share(cause + round(row.step.lag_seconds_min * 1000), start, end)
    right = share(cause + round(row.step.lag_seconds_max * 1000), start, end)
    return Markup('<i class="window" style="left:{:.2f}%;width:{:.2f}%"></i>').format(
        left, max(right - left, 0.3)
    )


def _bar(
    since: int, until: int | None, row: views.Row, start: int, end: int, now: int, zone: ZoneInfo
) -> Markup:
    left = share(since, start, end)
    right = share(now if until is None else until, start, end)
    told = f"{wording.clock(since, zone)} to {'now' if until is None else wording.clock(until, zone)}"
    return Markup('<i class="span u-{}{}" style="left:{:.2f}%;width:{:.2f}%" title="{}"></i>').format(
        row.utility, " standing" if until is None else "", left, max(right - left, 0.5), told
    )


def _expected_row(expected: Expected, city: City, start: int, end: int, now: int, zone: ZoneInfo) -> Markup:
    left, right = share(max(expected.start, now), start, end), share(expected.end, start, end)
    utility = views.utility_of(city, expected.asset)
    until = wording.moment(expected.end, zone, beside=now)
    when = f"until {until}" if expected.start <= now else f"{wording.clock(expected.start, zone)} to {until}"
    return Markup(
        '<li class="expected"><div class="what">{}<div>{} <span class="condition">{}</span>'
        '<small>expected <span class="num">{}</span>, <b class="num">{}</b>{}</small></div></div>'
        '<div class="track"><i class="span u-{}" style="left:{:.2f}%;width:{:.2f}%"></i></div></li>'
    ).format(
        markup.symbol(utility),
        markup.asset_link(expected.asset, views.title(city, expected.asset)),
        wording.condition_words(expected.condition),
        when,
        wording.percent(expected.probability),
        "" if expected.watched else ", no sensor there",
        utility,
        left,
        max(right - left, 0.8),
    )


def foretold(entries: Sequence[views.Prediction]) -> Markup:
    """What was foretold beside what came of it; nothing where nothing was."""
    if not entries:
        return Markup("")
    return Markup('<h2>Foretold <span>{}</span></h2><ol class="history foretold">{}</ol>').format(
        views.tally(entries),
        join(
            Markup(
                '<li class="{}"><span class="num when">{}</span><div><b>{}</b> '
                '<span class="condition">{}</span> <b class="num">{}</b><small>{}</small></div></li>'
            ).format(entry.outcome, entry.told, entry.title, entry.condition, entry.sure, entry.what_came)
            for entry in entries
        ),
    )


def history(entries: Sequence[views.Revision]) -> Markup:
    """What changed, when and why."""
    return Markup('<ol class="history">{}</ol>').format(
        join(
            Markup('<li><span class="num when">{}</span><div><b>{}</b><small>{}</small></div></li>').format(
                entry.at, entry.change, entry.detail
            )
            for entry in entries
        )
    )


def words(explanation: Sequence[str]) -> Markup:
    """Why, sentence by sentence; nothing where there is nothing to add."""
    if not explanation:
        return Markup("")
    return Markup('<h2>In words</h2><ul class="words">{}</ul>').format(
        join(Markup("<li>{}</li>").format(sentence) for sentence in explanation)
    )


def alarm_list(alarms: Sequence[Alarm], now: int, zone: ZoneInfo) -> Markup:
    """Alarms of one asset, newest first."""
    if not alarms:
        return Markup('<p class="empty">No alarms.</p>')
    return Markup('<ol class="history">{}</ol>').format(
        join(
            Markup(
                '<li><span class="num when">{}</span><div>{} <b>{}</b>'
                '<small class="num">{}</small></div></li>'
            ).format(
                wording.moment(alarm.raised, zone, beside=now),
                markup.severity(alarm.severity),
                wording.condition_words(alarm.condition),
                f"stands since {wording.duration(now - alarm.raised)}"
                if alarm.cleared is None
                else f"cleared {wording.moment(alarm.cleared, zone, beside=now)}, "
                f"after {wording.duration(alarm.cleared - alarm.raised)}",
            )
            for alarm in sorted(alarms, key=lambda alarm: alarm.raised, reverse=True)
        )
    )


def link_list(links: Sequence[tuple[str, str, str]], city: City) -> Markup:
    """What an asset acts on, and what acts on it."""
    if not links:
        return Markup('<p class="empty">No links in the city model.</p>')
    return Markup('<ul class="link-list">{}</ul>').format(
        join(
            Markup('<li><span class="relation">{}</span>{}{}</li>').format(
                relation.replace("_", " ") if direction == "to" else f"{relation.replace('_', ' ')} ←",
                markup.symbol(views.utility_of(city, other)),
                markup.asset_link(other, views.title(city, other)),
            )
            for direction, relation, other in links
        )
    )
