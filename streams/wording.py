"""An explanation in words that a tired operator reads at once.

In:  an incident's root, members, and the city's names.
Out: one sentence: what began it and when (in the city's own time), what followed.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from schemas.city import City
from schemas.mending import GUESSED
from schemas.times import SECOND
from streams.causes import AGAINST, Causes
from streams.explain import Charge, Explanation
from streams.network import Node, Way

NAMES_MAX = 3
STEPS_MAX = 12
"""Steps of a story that are told one by one."""


def clock(at: int, city: City) -> str:
    """Hours and minutes on the city's own clocks."""
    return datetime.fromtimestamp(at / SECOND, UTC).astimezone(ZoneInfo(city.timezone)).strftime("%H:%M")


def sentence(
    city: City, causes: Causes, root: Node, since: int, hidden: bool, members: Sequence[Node]
) -> str:
    """What happened and why, in one sentence."""
    name = _named(city, root.asset)
    seen = " (no sensor shows it; its effects do)" if hidden else ""
    begin = f"{name[0].upper()}{name[1:]} {causes.verb(root.condition)} at {clock(since, city)}{seen}"
    followed = [node for node in members if node != root]
    if not followed:
        return f"{begin}."
    return f"{begin}; then {', '.join(_effects(city, causes, followed))}."


def story(city: City, causes: Causes, explanation: Explanation) -> list[str]:
    """How it came, sentence by sentence: the chain and its evidence, who stayed quiet, what is owed to it."""
    root = explanation.root.node
    told = [_step(city, causes, root, charge) for charge in explanation.charges[:STEPS_MAX]]
    if (more := len(explanation.charges) - STEPS_MAX) > 0:
        told.append(f"{more} more followed in the same ways.")
    told += [
        f"It was not {causes.noun(other.condition)} {_title(city, other.asset)}: that would have brought "
        f"{listed([_what(city, causes, node) for node in quiet])}, and healthy sensors show none of it."
        for other, quiet in explanation.witnesses
    ]
    return [*told, *owed(city, causes, root, {charge.effect.node.asset for charge in explanation.charges})]


def owed(city: City, causes: Causes, root: Node, effects: Iterable[str]) -> list[str]:
    """What would be well without the root: one sentence, or none where it did nothing to others."""
    others = set(effects) - {root.asset}
    if not others:
        return []
    alarms = f"these {len(others)} assets" if len(others) > 1 else _title(city, next(iter(others)))
    return [f"Without {_what(city, causes, root)}, {alarms} would be well."]


def across(city: City, causes: Causes, shared: Sequence[str], others: Sequence[Node]) -> list[str]:
    """Why several domains' incidents are one: what they share, and roots that one of them named alone."""
    titles = listed([_title(city, asset) for asset in shared])
    told = [f"It crosses a border between correlation domains: both sides tell of {titles}."]
    if others:
        roots = listed([_what(city, causes, node) for node in others])
        told.append(f"From one side alone it looked like {roots}; the other side explains that too.")
    return told


def _step(city: City, causes: Causes, root: Node, charge: Charge) -> str:
    effect, way = charge.effect, charge.edge.way
    origin = root if charge.cause is None else charge.cause.node
    passed = [node.asset for node in way.nodes[1:-1] if node.asset not in (origin.asset, effect.node.asset)]
    through = (
        f" by way of {listed([_title(city, asset) for asset in dict.fromkeys(passed)])}" if passed else ""
    )
    since = "the end of " if way.after_end else ""
    return (
        f"{clock(effect.onset, city)} {_title(city, effect.node.asset)} "
        f"{causes.verb(effect.node.condition)}: "
        f"{minutes(charge.edge.lag)} after {since}{_what(city, causes, origin)}{through} "
        f"({minutes(way.lag_min)} to {minutes(way.lag_max)} are usual; {way.rules[-1].name})"
        f"{_doubted(city, way)}."
    )


def _doubted(city: City, way: Way) -> str:
    """Which links on the way are guessed or doubted."""
    told = []
    for (here, _), (there, _), rule in zip(way.nodes, way.nodes[1:], way.rules, strict=False):
        relations = {via.removeprefix(AGAINST) for via in rule.via}
        links = [
            link
            for one, other in ((here, there), (there, here))
            for link in city.links_from.get(one, ())
            if link.target == other and link.relation in relations
        ]
        if links and (link := max(links, key=lambda link: link.sure)).sure < 1:
            ends = f"{_title(city, link.source)} to {_title(city, link.target)}"
            doubt = "may lack a link" if link.name == GUESSED else "may be wrong about the link"
            told.append(f"; the city model {doubt} from {ends}")
    return "".join(told)


def minutes(milliseconds: int) -> str:
    """A length of time as people say it: 40 s, 12 min, 3 h."""
    seconds = round(milliseconds / SECOND)
    if abs(seconds) < 60:
        return f"{seconds} s" if seconds else "0 min"
    if abs(seconds) < 2 * 3600:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f}".removesuffix(".0") + " h"


def _what(city: City, causes: Causes, node: Node) -> str:
    return f"{causes.noun(node.condition)} {_title(city, node.asset)}"


def _title(city: City, asset: str) -> str:
    return city.asset_by_id[asset].title


def _named(city: City, asset_id: str) -> str:
    """The asset's title, with its kind before it where the title doesn't tell."""
    asset = city.asset_by_id[asset_id]
    kind = asset.kind.replace("_", " ")
    return asset.title if kind in asset.title.replace("-", " ") else f"{kind} {asset.title}"


def _effects(city: City, causes: Causes, nodes: Iterable[Node]) -> list[str]:
    """Effects put together by what they have in common, in the order in which they began."""
    by_condition: dict[str, list[str]] = {}
    for node in nodes:
        names = by_condition.setdefault(causes.base(node.condition), [])
        title = city.asset_by_id[node.asset].title
        if title not in names:
            names.append(title)
    return [f"{causes.noun(condition)} {listed(names)}" for condition, names in by_condition.items()]


def listed(names: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and 3 more'."""
    if len(names) <= NAMES_MAX:
        return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"{', '.join(names[: NAMES_MAX - 1])} and {len(names) - NAMES_MAX + 1} more"
