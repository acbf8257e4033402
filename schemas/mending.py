"""A city model with mistakes, as it may have been meant: links that it may lack, and links that may be wrong.

In:  a city model.
Out: the model with guessed links and less trust in links that stand out, each with how sure it is; the same
     in words, for whoever edits the model.
Promises: where all assets of a kind are joined alike, the model stays as it is. Pure.

Assets of a kind are joined alike: a pump has its feeder, a signal its road (``schemas.habits``). One that has
none may lack a link, one that has two may have the one that is missing elsewhere, and a link many times as
long as the others leads to the wrong place. What is near is the likelier end, and so is what stands at the
other end of a link that is doubted: names are mistyped. Water mains have no such habits, but a length, and no
part of a network is without a source (``schemas.mains``).
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from schemas.city import City, Link, Properties
from schemas.habits import HABITS, Ends, Kept
from schemas.layout import Layout
from schemas.mains import Network

GUESSED = "guessed"
"""The name of guessed links."""
LIKELY = 0.5
"""As sure as this is a link that is likelier there than not."""


class Doubts(NamedTuple):
    """What stands out in a city model."""

    wrong: dict[int, float]
    """By the place of a link in the model: how sure it is."""
    lacking: dict[str, list[Link]]
    """By asset: links of which it may lack one, the likeliest first."""


def doubts(city: City) -> Doubts:
    """What stands out in a city model."""
    layout = Layout(city)
    wrong: dict[int, float] = {}
    lacking: dict[str, list[Link]] = defaultdict(list)
    mains = Network(city, layout)
    every: list[Kept | Network] = [*(Kept(city, habit, layout) for habit in HABITS), mains]
    for found in every:
        for place, sure in found.strays.items():
            wrong[place] = min(sure, wrong.get(place, 1.0))
        for asset, guesses in found.gaps():
            for ends, sure in guesses.items():
                properties = mains.measures(ends) if found is mains else {}
                lacking[asset].append(_guess(ends, sure, properties))
    return Doubts(wrong, lacking)


class _One:
    """A city known by which object it is: comparing all of its assets takes longer than mending."""

    def __init__(self, city: City) -> None:
        self.city = city

    def __hash__(self) -> int:
        return id(self.city)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _One) and other.city is self.city


def mended(city: City) -> City:
    """The model with its guessed links, and less trust in those that stand out."""
    return _mended(_One(city))


@lru_cache(maxsize=2)
def _mended(one: _One) -> City:
    """Kept: detection and correlation ask for the same city."""
    city = one.city
    found = doubts(city)
    if not found.wrong and not found.lacking:
        return city
    links = list(city.links)
    for place, sure in found.wrong.items():
        links[place] = links[place].model_copy(update={"sure": sure * links[place].sure})
    guessed: dict[Ends, Link] = {}
    for link in sorted(chain.from_iterable(found.lacking.values()), key=lambda link: link.sure):
        guessed[Ends(link.source, link.target, link.relation)] = link
    return _with(city, [*links, *(guessed[ends] for ends in sorted(guessed))])


def likely(city: City) -> City:
    """The mended model without the links that are likelier wrong than right."""
    whole = mended(city)
    links = [link for link in whole.links if link.sure >= LIKELY]
    return whole if len(links) == len(whole.links) else _with(city, links)


def advice(city: City) -> Iterator[tuple[str, int, str]]:
    """What to look at in the model: the list and the place in it of an asset or link, and why."""
    found = doubts(city)
    places = {asset.id: place for place, asset in enumerate(city.assets)}
    for asset, guesses in found.lacking.items():
        links = ", ".join(
            f"from {link.source} to {link.target} ({link.relation}, {link.sure:.0%})" for link in guesses
        )
        yield "assets", places[asset], f"asset {asset!r}: the model may lack a link: {links}"
    for place, sure in found.wrong.items():
        if sure >= LIKELY:
            continue
        link = city.links[place]
        ends = f"link {link.source!r} {link.relation} {link.target!r}"
        yield "links", place, f"{ends}: it may be wrong; it is taken for {sure:.0%} sure"


def _guess(ends: Ends, sure: float, properties: Properties) -> Link:
    found = {"from": ends.source, "to": ends.target, "relation": ends.relation, "properties": properties}
    return Link.model_validate({**found, "sure": sure, "name": GUESSED})


def _with(city: City, links: Sequence[Link]) -> City:
    """The city with other links; tables of the rest stay."""
    other = City.model_construct(**{**dict(city), "links": tuple(links)})
    for table in ("asset_by_id", "sensor_by_id", "sensors_of"):
        other.__dict__[table] = getattr(city, table)
    return other
