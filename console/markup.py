"""The small pieces of HTML that several pages share: symbols, severities, chips, bars.

In:  view models and names. Out: ``Markup``. Promises: every text that comes from messages or the city
model goes through Markup.format or an f-string never: it is escaped here, at the last moment.
"""

from collections.abc import Iterable

from markupsafe import Markup

from schemas.alarms import Severity

SHAPES = {
    "power": "M0-6.4 6.4 0 0 6.4-6.4 0Z",
    "water": "M0-5.4A5.4 5.4 0 1 1 0 5.4 5.4 5.4 0 1 1 0-5.4Z",
    "storm": "M-6-4.8H6L0 6Z",
    "sewage": "M-4.9-4.9H4.9V4.9H-4.9Z",
    "waste": "M0-6 5.8-1.8 3.6 5H-3.6L-5.8-1.8Z",
    "roads": "M-3-5.4H3L6 0 3 5.4H-3L-6 0Z",
    "transit": "M0-6.6 1.7-2.2 6.3-2 2.7.9 4 5.4 0 2.8-4 5.4-2.7.9-6.3-2-1.7-2.2Z",
    "citizens": "M-2-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z",
}
"""One shape for each utility, so that colour is never the only sign. Centred on 0, about 12 units wide."""

_SEVERITY_SHAPES = {
    Severity.CRITICAL: "M5 .8h6L15.2 5v6L11 15.2H5L.8 11V5Z M7.1 3.6h1.8v5.6H7.1Z M7.1 10.8h1.8v1.8H7.1Z",
    Severity.WARNING: "M8 1.2 15.4 14.6H.6Z M7.2 5.6h1.6v4.6H7.2Z M7.2 11.4h1.6V13H7.2Z",
    Severity.INFO: "M8 1A7 7 0 1 1 8 15 7 7 0 1 1 8 1Z M7.1 6.8h1.8v5.4H7.1Z M7.1 3.8h1.8v1.8H7.1Z",
}


def shape(utility: str) -> Markup:
    """The path of a utility's symbol; a circle for one that we don't know."""
    return Markup('<path class="shape" d="{}"/>').format(SHAPES.get(utility, SHAPES["water"]))


def symbol(utility: str) -> Markup:
    """A utility's symbol as an inline picture."""
    return Markup('<svg class="symbol u-{}" viewBox="-8 -8 16 16" aria-hidden="true">{}</svg>').format(
        utility, shape(utility)
    )


def chip(utility: str) -> Markup:
    """A utility's symbol with its name."""
    return Markup('<span class="chip">{}{}</span>').format(symbol(utility), utility)


def chips(utilities: Iterable[str]) -> Markup:
    """A row of utilities."""
    return Markup("").join(map(chip, utilities))


def sign(level: Severity) -> Markup:
    """A severity's shape: an octagon, a triangle, a disc."""
    return Markup(
        '<svg viewBox="0 0 16 16" aria-hidden="true"><path fill-rule="evenodd" d="{}"/></svg>'
    ).format(_SEVERITY_SHAPES[level])


def severity(level: Severity) -> Markup:
    """A severity by shape, colour and word."""
    return Markup('<span class="severity s-{0}">{1}{0}</span>').format(level.value, sign(level))


def bar(share: float, label: str) -> Markup:
    """A probability as a bar with its number."""
    return Markup('<span class="bar"><i style="width:{:.1f}%"></i></span><b class="num">{}</b>').format(
        max(0.0, min(1.0, share)) * 100, label
    )


def asset_link(asset: str, title: str) -> Markup:
    """An asset's name, leading to its page."""
    return Markup('<a class="asset-link" href="/asset/{}">{}</a>').format(asset, title)
