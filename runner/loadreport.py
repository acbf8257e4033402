"""Operator load for people: Markdown, or a page of HTML that needs nothing from elsewhere.

In:  a load, the city's name and clocks.
Out: text. Judged against what ISA-18.2 and EEMUA 191 recommend; each figure stands beside its goal.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from runner.load import FLOOD_BEGINS, GOALS, Load, Rate
from schemas.times import SECOND

STYLE = Markup(
    "body{font:16px/1.5 system-ui;max-width:60em;margin:2em auto;padding:0 1em;color:#1b2733}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .8em;text-align:right;"
    "border-bottom:1px solid #d5dde5}td:first-child,th:first-child{text-align:left}"
    "svg{width:100%;height:auto}.alarms{fill:#9db4c8}.pages{fill:#c2410c}"
    "text{font:11px system-ui;fill:#5a6b7b}"
)
WIDTH, HEIGHT = 960, 160
PAGE = Markup(
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>{}</title><style>{}</style>{}</html>\n'
)
BAR = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>')
Table = tuple[list[str], list[list[str]]]


def markdown(load: Load, city: str, zone: ZoneInfo) -> str:
    """The report as Markdown."""
    parts = [f"# {_title(load, city, zone)}", _summary(load)]
    for heading, words, table in _sections(load):
        parts.append(f"## {heading}")
        parts += [words] if words else []
        if table[1]:
            head, rows = table
            lines = [head, ["---"] * len(head), *rows]
            parts.append(
                "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
            )
    return "\n\n".join(parts) + "\n"


def html(load: Load, city: str, zone: ZoneInfo) -> str:
    """The report as a page, with charts."""
    title = _title(load, city, zone)
    parts = [Markup("<h1>{}</h1><p>{}</p>").format(title, _summary(load)), _chart(load, zone)]
    for heading, words, table in _sections(load):
        parts.append(Markup("<h2>{}</h2>").format(heading))
        if words:
            parts.append(Markup("<p>{}</p>").format(words))
        if table[1]:
            parts.append(_table(table))
    return str(PAGE.format(title, STYLE, Markup("").join(parts)))


def _title(load: Load, city: str, zone: ZoneInfo) -> str:
    first, last = _day(load.start, zone), _day(load.end - 1, zone)
    return f"Operator load of {city}, {first if first == last else f'{first} to {last}'}"


def _summary(load: Load) -> str:
    ratio = f", one for {load.alarms / load.pages:.1f} alarms" if load.pages else ""
    return f"{load.alarms} alarms, {load.messages} messages to people, {load.pages} of them pages{ratio}."


def _sections(load: Load) -> list[tuple[str, str, Table]]:
    goal = f"Goal: at most {FLOOD_BEGINS} in any ten minutes, about 150 a day (ISA-18.2: 6 an hour)."
    actors = [[actor.name, str(actor.times), f"{actor.share:.0%}"] for actor in load.actors]
    priorities = [[str(s), f"{load.priorities[s]:.0%}", f"{share:.0%}"] for s, share in GOALS.items()]
    return [
        ("Pages by desk", goal, _rates(load.desks, "desk")),
        ("Alarms by control room", "As panels would have shown them.", _rates(load.utilities, "utility")),
        ("Priorities of alarms", "", (["priority", "share", "goal (EEMUA 191)"], priorities)),
        (
            "Bad actors",
            "The ten that came most often; together they should be few in a hundred." if actors else "None.",
            (["alarm", "times", "share"], actors),
        ),
        ("Chattering", _listed(load.chattering, "Three times within a minute"), ([], [])),
        ("Fleeting", f"{load.fleeting} alarms stood for less than a minute.", ([], [])),
        ("Stale", _listed(load.stale, "Stood for more than a day"), ([], [])),
    ]


def _rates(rates: list[Rate], what: str) -> Table:
    head = [what, "count", "a day", "most in 10 min", "floods", "time in flood"]
    rows = [
        [r.name, str(r.total), f"{r.a_day:.1f}", str(r.peak), str(r.floods), f"{r.in_flood:.1%}"]
        for r in rates
    ]
    return head, rows


def _listed(names: list[str], what: str) -> str:
    return f"{what}: {', '.join(names)}." if names else f"{what}: none."


def _table(table: Table) -> Markup:
    head, rows = table
    cells = (
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup("<{0}>{1}</{0}>").format(tag, cell) for cell in line)
        )
        for tag, lines in (("th", [head]), ("td", rows))
        for line in lines
    )
    return Markup("<table>{}</table>").format(Markup("").join(cells))


def _chart(load: Load, zone: ZoneInfo) -> Markup:
    """Bars an hour: alarms behind, pages before them."""
    most = max([1, *(alarms for _, alarms, _ in load.hours), *(pages for _, _, pages in load.hours)])
    step = WIDTH / max(1, len(load.hours))
    bars = []
    for number, (at, alarms, pages) in enumerate(load.hours):
        for kind, count in (("alarms", alarms), ("pages", pages)):
            if count:
                tall = HEIGHT * count / most
                says = f"{_hour(at, zone)}: {count} {kind}"
                place = (number * step, HEIGHT - tall, max(1.0, step - 1), tall)
                bars.append(BAR.format(kind, *place, says))
        if number % max(1, len(load.hours) // 8) == 0:
            bars.append(
                Markup('<text x="{:.1f}" y="{}">{}</text>').format(
                    number * step, HEIGHT + 14, _hour(at, zone)
                )
            )
    return Markup(
        '<figure><svg viewBox="0 0 {} {}" role="img" aria-label="Alarms and pages by hour">{}</svg>'
        "<figcaption>Alarms (grey) and pages (orange) by hour; the highest bar is {}.</figcaption></figure>"
    ).format(WIDTH, HEIGHT + 20, Markup("").join(bars), most)


def _day(at: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at / SECOND, UTC).astimezone(zone).date().isoformat()


def _hour(at: int, zone: ZoneInfo) -> str:
    return str(escape(datetime.fromtimestamp(at / SECOND, UTC).astimezone(zone).strftime("%a %H:%M")))
