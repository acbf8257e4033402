"""An explanation in words that a tired operator reads at once.

In:  an incident's root, members, and the city's names.
Out: one sentence: what began it and when (in the city's own time), what followed.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from schemas.city import City
from schemas.times import SECOND
from streams.causes import Causes, base
from streams.network import Node

NAMES_MAX = 3


def clock(at: int, city: City) -> str:
    """Hours and minutes on the city's own clocks."""
    return datetime.fromtimestamp(at / SECOND, UTC).astimezone(ZoneInfo(city.timezone)).strftime("%H:%M")


def sentence(
    city: City, causes: Causes, root: Node, since: int, hidden: bool, members: Sequence[Node]
) -> str:
    """What happened and why, in one sentence."""
    asset = city.asset_by_id[root.asset]
    kind = asset.kind.replace("_", " ")
    name = asset.title if kind in asset.title.replace("-", " ") else f"{kind} {asset.title}"
    seen = " (no sensor shows it; its effects do)" if hidden else ""
    begin = f"{name[0].upper()}{name[1:]} {causes.verb(root.condition)} at {clock(since, city)}{seen}"
    followed = [node for node in members if node != root]
    if not followed:
        return f"{begin}."
    return f"{begin}; then {', '.join(_effects(city, causes, followed))}."


def _effects(city: City, causes: Causes, nodes: Iterable[Node]) -> list[str]:
    """Effects put together by what they have in common, in the order in which they began."""
    by_condition: dict[str, list[str]] = {}
    for node in nodes:
        names = by_condition.setdefault(base(node.condition), [])
        title = city.asset_by_id[node.asset].title
        if title not in names:
            names.append(title)
    return [f"{causes.noun(condition)} {listed(names)}" for condition, names in by_condition.items()]


def listed(names: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and 3 more'."""
    if len(names) <= NAMES_MAX:
        return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"{', '.join(names[: NAMES_MAX - 1])} and {len(names) - NAMES_MAX + 1} more"
