"""How boards look: colours, units, the words for states.

In:  names of severities, utilities and units, as the contracts have them.
Out: colours as hex, units as Grafana writes them, value mappings.
Promises: every colour stands out on Grafana's light and on its dark page (contrast 3 and more), states stay
apart for colour-blind eyes, and no state is told by its colour alone: its word goes with it.
"""

from collections.abc import Mapping
from typing import Any

from grafana_foundation_sdk.models import dashboard

from schemas.alarms import Severity

STATES: Mapping[str, str] = {
    Severity.CRITICAL: "#ce4f3b",
    Severity.WARNING: "#c77905",
    Severity.INFO: "#0567bd",
    "normal": "#04a96d",
    "unknown": "#8b8e93",
}
"""States of assets and zones, worst first."""

LIMIT = "#b58100"
"""Limits of the city model, drawn as dashed lines."""
WITHIN, BETWEEN = "within", "between"
LINES: Mapping[str, str] = {WITHIN: "#8b8e93", BETWEEN: "#a352cc"}
"""Links on the map: inside a utility, and from one to another."""
ALARMED = STATES[Severity.CRITICAL]
CALM = STATES["normal"]

MOMENT = "dateTimeAsIso"
"""Times in tables: day first or month first is a question that nobody should ask."""

UNITS: Mapping[str, str] = {"1": "none", "%": "percent", "degC": "celsius", "degF": "fahrenheit"}
"""Units of city models that Grafana has; every other one is written behind the number, as it is."""


def _moment() -> dict[str, Any]:
    """Times in fields are ms since the epoch, and 0 where there is none."""
    nothing = dashboard.ValueMap(options={"0": dashboard.ValueMappingResult(text="–", index=0)})
    return {"unit": MOMENT, "mappings": [nothing]}


def unit(name: str) -> str:
    """The unit of a city model as Grafana writes it.

    A suffix even where Grafana knows the unit: it would show a level of 0.4 m as 40 cm, as no gauge does.
    """
    return UNITS.get(name, f"suffix:{name}")


def shown(states: Mapping[str, str]) -> list[dashboard.ValueMapping]:
    """Value mappings: each state with its own word and its colour."""
    return [
        dashboard.ValueMap(
            options={
                str(state): dashboard.ValueMappingResult(text=str(state), color=colour, index=index)
                for index, (state, colour) in enumerate(states.items())
            }
        )
    ]


_STATE: Mapping[str, Any] = {
    "mappings": shown(STATES),
    # Grafana up to 9.3 reads the first, later ones the second; both pass over what they don't know.
    "custom.displayMode": "color-background",
    "custom.cellOptions": {"type": "color-background", "mode": "basic"},
    "custom.width": 90,
}
_SHARE: Mapping[str, Any] = {"unit": "percentunit", "decimals": 0, "custom.width": 100}
_TIME: Mapping[str, Any] = {**_moment(), "custom.width": 160}
HEADED: Mapping[str, Mapping[str, Any]] = {
    "Severity": _STATE,
    "State": _STATE,
    "Probability": _SHARE,
    **dict.fromkeys(
        ("Raised", "Opened", "At", "Since", "Until", "From", "To", "Told", "Came", "Known"), _TIME
    ),
}
"""Headings that look alike on every board."""
