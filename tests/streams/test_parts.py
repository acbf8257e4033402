"""Which episodes belong together, joined look after look, against joining all at once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.vocabulary import load_vocabulary
from streams.causes import load_causes
from streams.episodes import Episode
from streams.network import Network, Node
from streams.parts import Parts
from tests.scenario import at, city_of

CAUSES, VOCABULARY = load_causes(), load_vocabulary()
CITY = city_of(
    """
assets:
  - {id: station, utility: power, kind: substation, zone: z}
  - {id: feeder-1, utility: power, kind: feeder, zone: z}
  - {id: feeder-2, utility: power, kind: feeder, zone: z}
  - {id: signal-1, utility: roads, kind: signal, zone: z}
  - {id: pump-1, utility: water, kind: pump, zone: z}
  - {id: tank-1, utility: water, kind: tank, zone: z}
  - {id: pump-2, utility: water, kind: pump, zone: z}
  - {id: tank-2, utility: water, kind: tank, zone: z}
links:
  - {from: station, to: feeder-1, relation: powers}
  - {from: feeder-1, to: signal-1, relation: powers}
  - {from: feeder-1, to: pump-1, relation: powers}
  - {from: pump-1, to: tank-1, relation: supplies}
  - {from: feeder-2, to: pump-2, relation: powers}
  - {from: pump-2, to: tank-2, relation: supplies}
sensors:
  - {asset: signal-1, quantity: voltage, unit: pu, every: 60, limits: {low_low: 0.5}}
  - {asset: pump-1, quantity: voltage, unit: pu, every: 60, limits: {low_low: 0.5}}
  - {asset: tank-1, quantity: level, unit: m, every: 60, limits: {low: 2}}
  - {asset: pump-2, quantity: voltage, unit: pu, every: 60, limits: {low_low: 0.5}}
  - {asset: tank-2, quantity: level, unit: m, every: 60, limits: {low: 2}}
"""
)
NODES = [
    *(Node(asset, "dead") for asset in ("signal-1", "pump-1", "pump-2")),
    *(Node(tank, "level_low") for tank in ("tank-1", "tank-2")),
]


def network() -> Network:
    """The town under the rules."""
    return Network(CITY, CAUSES, VOCABULARY)


def episode(node: Node) -> Episode:
    """It stands since eight."""
    return Episode(node, at("08:00"), None, ())


def parts_of(parts: Parts, nodes: list[Node]) -> set[frozenset[str]]:
    """The assets of each part."""
    return {frozenset(e.node.asset for e in part) for part in parts.of(list(map(episode, nodes)))}


def test_what_one_feeder_feeds_belongs_together() -> None:
    """A signal and a pump may both be dead of the feeder, which nobody watches, and the tank is the pump's.
    While the pump says that it is well, signal and tank have nothing in common.
    """
    signal, pump, _, tank, _ = NODES
    assert parts_of(Parts(network()), [signal, tank]) == {frozenset({"signal-1"}), frozenset({"tank-1"})}
    assert parts_of(Parts(network()), [signal, tank, pump]) == {frozenset({"signal-1", "tank-1", "pump-1"})}


@given(st.lists(st.lists(st.sampled_from(NODES), unique=True), min_size=1, max_size=6), st.data())
@settings(max_examples=50, deadline=None)
def test_joined_look_after_look_as_all_at_once(looks: list[list[Node]], data: st.DataObject) -> None:
    """Episodes come and go, and sensors fail: each look's parts are those of a first look."""
    town = network()
    parts = Parts(town)
    for nodes in looks:
        blind = data.draw(st.sets(st.sampled_from(["pump-1/voltage", "tank-1/level", "pump-2/voltage"])))
        if changed := town.trust_all_but(blind):
            parts.change(changed)
        fresh = network()
        fresh.trust_all_but(blind)
        assert parts_of(parts, nodes) == parts_of(Parts(fresh), nodes)
