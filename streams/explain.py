"""Episodes to explanations: who was brought by whom, and what began it, seen or not.

In:  the episodes of a city, and the network of causes.
Out: explanations: trees of episodes, each with one root (an episode, or a condition that no sensor shows).
Promises: a function of the set of episodes and of stream time; the order in which alarms arrived plays no
part. Episodes that no rule can connect are reasoned about apart, and only again when one of them changed.

Each episode is charged to its nearest watched cause, or to a hidden root that explains more than it costs, or
it began by itself: the forest of greatest probability (``streams.forest``). A hidden root pays for every
healthy sensor that should have shown it and stayed quiet: absence is evidence.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from schemas.alarms import Severity
from schemas.times import MINUTE
from streams.arborescence import CHANCE, best_causes
from streams.episodes import Episode
from streams.forest import Case, Hidden, best, roots
from streams.knots import all_behind
from streams.network import Network, Node, Way
from streams.parts import Parts, pointed
from streams.suspects import TOLERANCE, Edge, Suspect, Unseen, fit

ELSEWHERE = 0.1
"""That a sign names other places than where its cause is, beside naming that one. Of 15 bursts, leaks and
thefts of the benchmark (suites train, and full with seed 77) whose zone told of them, each was among the
places, and 11 were the likeliest."""
HABIT, HABIT_CHANCE = 3, 0.5
"""A sign that an asset shows so often, within the hours that are remembered, is how things are there, or the
model is wrong about it: then it shows by itself as often as not. Assumed."""
LATE_FACTOR = 0.03
"""Weight of a cause whose effect comes later than its rule says, while the cause still holds."""
OVER_FACTOR = 0.003
"""Weight of a cause that had ended longer ago than its effect usually takes; assumed."""
LATE_TIMES = 2
"""So many times the longest lag, and it is too late."""
VAGUE = 8 * MINUTE
"""What a sign's onset may be wrong by: several sensors over some minutes show it."""
CLEARING = 5 * MINUTE
"""An alarm clears later than its condition ends, by its off-delay and deadband."""
HIDDEN_MAX = 40
"""Hidden nodes that one search looks at: those that may gain most."""
HOPELESS = -1.5
"""Log probability by which a hidden node may be worse than what was seen and still be asked as a root."""
FIRST = 30 * MINUTE
"""Whoever began it, did so at most so long after the first episode; the rest is margin of onsets."""
FEW = 3
"""Assets that show nothing but what is lonely are no incident up to this many."""
WITNESSES = 2
"""Other causes of which it is told who speaks against them."""
CANDIDATES = 12
"""Episodes that are asked whether they began it: those behind most of the others, step by step."""
OPENS = 0.5
"""An incident opens where it is more probable than not that something real began it."""


class Root(NamedTuple):
    """What began it: a node, since when, and whether no sensor shows it."""

    node: Node
    since: int
    hidden: bool


class Charge(NamedTuple):
    """One episode and what it is charged to; ``cause`` is None for a hidden root."""

    cause: Episode | None
    effect: Episode
    edge: Edge


class Witness(NamedTuple):
    """Another cause, and what stayed quiet that it would have brought."""

    other: Node
    quiet: tuple[Node, ...]


class Explanation(NamedTuple):
    """One tree: its root, its episodes, the charges, and other roots with their probability."""

    root: Root
    probability: float
    alternatives: tuple[tuple[Root, float], ...]
    episodes: tuple[Episode, ...]
    charges: tuple[Charge, ...]
    witnesses: tuple[Witness, ...]
    opens: bool
    """Whether it is an incident: something real, not everyday life and not the measuring."""
    missed: float
    """The search stopped early: how much log probability a better explanation could have more."""


class Explained(NamedTuple):
    """The explanations in order of their earliest episode, and when silence alone could change them."""

    explanations: list[Explanation]
    look_again: int | None


class Explainer:
    """Explains the episodes of a city, look after look."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._parts = Parts(network)
        self._known: dict[tuple[object, ...], _Part] = {}
        """By what is in a part."""

    def explain(self, found: Sequence[Episode], now: int, changed: Iterable[Node] = ()) -> Explained:
        """The most probable explanations of all episodes, as seen at stream time ``now``.

        ``changed``: nodes whose causes or effects are others than at the last look.
        """
        stale = set(changed)
        if stale:
            self._parts.change(stale)
        known, self._known = self._known, {}
        ripens: list[int] = []
        explanations: list[Explanation] = []
        for episodes in self._parts.of(found):
            key = tuple(map(_key, episodes))
            part = known.get(key)
            if part is None or (stale and self._concerns(episodes, stale)):
                part = _Part(self._network, episodes)
            self._known[key] = part
            explanations += part.explanations(now)
            if part.ripe is not None:
                ripens.append(part.ripe)
        explanations.sort(key=lambda e: (e.episodes[0].onset, e.episodes[0].node))
        return Explained(explanations, min(ripens, default=None))

    def _concerns(self, part: list[Episode], stale: set[Node]) -> bool:
        return any(
            not stale.isdisjoint(nodes)
            for episode in part
            for nodes in ({episode.node}, *self._parts.touches(episode))
        )


def _any_of(ways: Sequence[Way]) -> Way:
    """A way as strong as the best of these, with the lags of all."""
    return ways[0]._replace(
        strength=max(way.strength for way in ways),
        lag_min=min(way.lag_min for way in ways),
        lag_usual=max(way.lag_usual for way in ways),
        lag_max=max(way.lag_max for way in ways),
    )


def _key(episode: Episode) -> tuple[object, ...]:
    alarms = tuple((alarm.id, alarm.cleared) for alarm in episode.alarms)
    return (*episode.node, episode.onset, episode.places, alarms)


_Ranked = tuple[tuple[Root, Unseen | None], float]
"""A node that may have begun it, and its probability."""


class _Part:
    """Episodes that belong together, look after look, as long as they and all that watches them stay."""

    def __init__(self, network: Network, found: list[Episode]) -> None:
        self.network, self.causes = network, network.causes
        self.found = found
        self.now = 0
        self.ripe: int | None = 0
        """When the quiet of some sensor becomes more evidence; None where none will."""
        self.at: dict[Node, list[int]] = defaultdict(list)
        for index, episode in enumerate(found):
            self.at[episode.node].append(index)
        self.pointed = [pointed(network, episode) for episode in found]
        """What signs say of the places of their causes, by episode."""
        self.slacks = [
            network.every.get(episode.node, 0) + (VAGUE if self._is_sign(episode) else 0) for episode in found
        ]
        """What the onset of each may be wrong by."""
        self.edges: list[dict[int, Edge]] = [self._edges_into(i) for i in range(len(found))]
        self.chance = [math.log(self._chance(episode)) for episode in found]
        bare = best(self._case(range(len(found)), ()))
        self.paid = [self._paid(index, cause) for index, cause in bare.charged.items()]
        """What each episode costs where nothing hidden holds."""
        self.suspects = list(self._suspects())
        self.unseen: list[Unseen] = []
        self.known: list[Explanation] = []

    def explanations(self, now: int) -> list[Explanation]:
        """As seen at stream time ``now``."""
        if self.ripe is not None and now >= self.ripe:
            self.now = now
            ripens: set[int] = set()
            self.unseen = self._hidden_nodes(ripens)
            self.ripe = min(ripens, default=None)
            self.known = list(self._trees())
        return self.known

    def _trees(self) -> Iterator[Explanation]:
        forest = best(self._case(range(len(self.found)), self.unseen))
        count = len(self.found)
        above = dict(forest.charged)

        def top(index: int) -> int:
            while (cause := above.get(index, CHANCE)) != CHANCE:
                index = cause
            return index

        for number in forest.holds:  # what no sensor shows may have been brought as well
            cause = self._brought(self.unseen[number])
            if cause is not None and top(cause) != count + number:
                above[count + number] = cause
        trees: dict[int, list[int]] = defaultdict(list)
        for index in range(count):
            trees[top(index)].append(index)
        return (self._explanation(members, forest.missed) for members in trees.values())

    def _brought(self, unseen: Unseen) -> int | None:
        """The episode that likelier brought a hidden node than it began by itself."""
        likeliest, most = None, self.network.prior(unseen.node)
        for (node, after_end), way in self.network.causes_of(unseen.node).items():
            for index in self.at.get(node, ()):
                cause = self.found[index]
                start = cause.until if after_end else cause.onset
                if start is None:
                    continue
                slack = TOLERANCE + self.slacks[index] + CLEARING
                how_well = fit(way, unseen.since - start, slack)
                over = not after_end and cause.until is not None and unseen.since > cause.until + slack
                if how_well is not None and not over and way.strength * how_well > most:
                    likeliest, most = index, way.strength * how_well
        return likeliest

    def _chance(self, episode: Episode) -> float:
        """That it began by itself; a mere sign also shows where nothing is."""
        prior = self.network.prior(episode.node)
        signs = [self.causes.signs.get(alarm.condition) for alarm in episode.alarms]
        chances = [sign.chance for sign in signs if sign]
        if len(chances) == len(signs) and len(self.at[episode.node]) >= HABIT:
            return HABIT_CHANCE
        return min(prior + min(chances), 0.9) if len(chances) == len(signs) else prior

    def _edges_into(self, index: int) -> dict[int, Edge]:
        """What can have brought this episode, by the index of the cause's."""
        effect = self.found[index]
        edges: dict[int, Edge] = {}

        for cone in (self.network.causes_of(effect.node), self.pointed[index]):
            for (node, after_end), way in cone.items():
                for cause in self.at.get(node, ()):
                    edge = self._edge(cause, index, way, after_end) if cause != index else None
                    if edge and (cause not in edges or edge.weight > edges[cause].weight):
                        edges[cause] = edge
        return edges

    def _edge(self, brings: int, brought: int, way: Way, after_end: bool) -> Edge | None:
        cause, effect = self.found[brings], self.found[brought]
        if after_end and cause.until is None:
            return None
        start = cause.until if after_end and cause.until is not None else cause.onset
        lag = effect.onset - start
        slack = TOLERANCE + self.slacks[brings] + self.slacks[brought] + (CLEARING if after_end else 0)
        if (how_well := fit(way, lag, slack)) is not None:
            over = effect.onset - cause.until if cause.until is not None and not after_end else 0
            if over > way.lag_usual + slack + CLEARING:
                how_well = OVER_FACTOR
            return Edge(way, way.strength * how_well, lag)
        ended = cause.until is not None and effect.onset > cause.until + way.lag_max + slack
        if lag < 0 or after_end or ended or not way.lag_max < lag <= LATE_TIMES * way.lag_max:
            return None
        return Edge(way, way.strength * LATE_FACTOR, lag)

    def _is_sign(self, episode: Episode) -> bool:
        return all(alarm.condition in self.causes.signs for alarm in episode.alarms)

    # --- what no sensor shows -----------------------------------------------------------------------

    def _suspects(self) -> Iterator[Suspect]:
        """Nodes that may hold unseen and explain something."""
        reached: dict[Node, dict[int, Way]] = defaultdict(dict)
        for index, episode in enumerate(self.found):
            for node, way in self.network.hidden_causes_of(episode.node).items():
                reached[node][index] = self._passing_by(episode, way)
            for (node, after_end), way in self.pointed[index].items():
                if not after_end and self.network.hidden_root(node):
                    reached[node][index] = way
        self._even_out(reached)
        for node, ways in reached.items():
            if node not in self.at:
                suspect = Suspect(self.network, node, ways, self.found, self.slacks)
                if suspect.hope(self.paid) > HOPELESS:
                    yield suspect

    def _even_out(self, reached: dict[Node, dict[int, Way]]) -> None:
        """Places that one sign names explain what else is wrong in its utility equally well, and as fast: the
        sign has weighed that, and their shares tell. Counted by the map again, the loudest sensor would be
        the place.
        """
        for sign, episode in enumerate(self.found):
            conditions = self.causes.pointed_at.get(episode.node.condition, frozenset())
            named = [
                ways
                for place, _ in episode.places
                for condition in conditions
                if (ways := reached.get(Node(place, condition)))
            ]
            if len(named) < 2:
                continue
            utility = self.network.utility(episode.node.asset)
            for index, other in enumerate(self.found):
                if index == sign or self._is_sign(other) or self.network.utility(other.node.asset) != utility:
                    continue
                reaching = [ways for ways in named if index in ways]
                if reaching:
                    best = _any_of([ways[index] for ways in reaching])
                    for ways in reaching:
                        nodes, rules = ways[index].nodes, ways[index].rules
                        ways[index] = best._replace(nodes=nodes, rules=rules)

    def _hidden_nodes(self, ripens: set[int]) -> list[Unseen]:
        """Those that may gain most, each from the onset that suits it best."""
        ranked = [suspect.at_best(self.now, self.paid, ripens) for suspect in self.suspects]
        ranked.sort(key=lambda r: (-r[0], r[1].node))
        return [unseen for _, unseen in ranked[:HIDDEN_MAX]]

    def _passing_by(self, episode: Episode, way: Way) -> Way:
        """A way to a sign that names places, from one that it might have named and didn't, is unlikely."""
        last = way.nodes[-2]
        could = last.condition in self.causes.pointed_at.get(episode.node.condition, ())
        if could and episode.places and last.asset not in {asset for asset, _ in episode.places}:
            return way._replace(strength=way.strength * ELSEWHERE)
        return way

    def _paid(self, index: int, cause: int) -> float:
        return self.chance[index] if cause == CHANCE else math.log(self.edges[index][cause].weight)

    # --- trees to explanations ----------------------------------------------------------------------

    def _case(self, members: Sequence[int], unseen: Sequence[Unseen]) -> Case:
        """The numbers of some of the episodes."""
        place = {index: here for here, index in enumerate(members)}
        return Case(
            [self.chance[index] for index in members],
            [
                {place[c]: math.log(e.weight) for c, e in self.edges[index].items() if c in place}
                for index in members
            ],
            [
                Hidden(one.cost, {place[i]: math.log(e.weight) for i, e in one.edges.items() if i in place})
                for one in unseen
            ],
        )

    def _explanation(self, members: list[int], missed: float) -> Explanation:
        ranked = self._ranked(members)
        real = [(choice, p) for choice, p in ranked if self._is_real(choice[0], members)]
        share = sum(p for _, p in real)
        opens = share >= OPENS and self._is_shown(real[0][0][0], members)
        if opens:
            ranked = [(choice, p / share) for choice, p in real]
        (root, unseen), probability = ranked[0]
        return Explanation(
            root=root,
            probability=probability,
            alternatives=tuple((other, p) for (other, _), p in ranked[1:6]),
            episodes=tuple(self.found[index] for index in members),
            charges=tuple(self._charges(members, root, unseen)),
            witnesses=tuple(self._witnesses([root, *(other for (other, _), _ in ranked[1:])]))
            if opens
            else (),
            opens=opens,
            missed=missed,
        )

    def _witnesses(self, ranked: Sequence[Root]) -> Iterator[Witness]:
        """Who stayed quiet though another cause would have shown there; of the best two that have any."""
        told = 0
        inside = {root.node.asset for root in ranked[:1]}
        for root in ranked[1:]:
            quiet = [
                node
                for (node, _), way in self.network.effects_of(root.node).items()
                if node not in self.at
                and node.asset not in inside
                and self.network.watched(node)
                and self.now > root.since + way.lag_max + self.network.told_after[node]
            ]
            if quiet:
                yield Witness(root.node, tuple(sorted(quiet)))
                told += 1
            if told == WITNESSES:
                return

    def _ranked(self, members: list[int]) -> list[_Ranked]:
        """Every node that may have begun it, with its probability; of each asset the likeliest condition,
        which stands for all of them.
        """
        latest = self.found[members[0]].onset + FIRST
        early = [i for i in members if self.found[i].onset <= latest]
        if len(early) > CANDIDATES:
            behind = self._behind(members)
            early = sorted(sorted(early, key=lambda index: (-behind[index], index))[:CANDIDATES])
        inside = set(early)
        unseen = [one for one in self.unseen if not inside.isdisjoint(one.edges)]
        effects, hidden = roots(self._case(members, unseen), [members.index(index) for index in early])
        scored: list[tuple[float, Root, Unseen | None]] = [
            (p, Root(self.found[i].node, self.found[i].onset, False), None)
            for i, p in zip(early, effects, strict=True)
        ]
        scored += [(p, Root(one.node, one.since, True), one) for one, p in zip(unseen, hidden, strict=True)]
        scored.sort(key=lambda s: (-s[0], s[1].node, s[1].since))
        best_of: dict[str, tuple[Root, Unseen | None]] = {}
        total: dict[str, float] = defaultdict(float)
        for p, root, one in scored:
            best_of.setdefault(root.node.asset, (root, one))
            total[root.node.asset] += p
        return sorted(
            ((best_of[asset], p) for asset, p in total.items()), key=lambda r: (-r[1], r[0][0].node)
        )

    def _behind(self, members: list[int]) -> Counter[int]:
        """Of how many members each can be the cause, or a cause's cause."""
        behind = all_behind({index: self.edges[index] for index in members})
        return Counter(cause for found in behind.values() for cause in members if found >> cause & 1)

    def _is_real(self, root: Root, members: list[int]) -> bool:
        """Whether this as a root hurts the city: not everyday life, and not a sign of nothing."""
        if root.node.condition in self.causes.everyday:
            return False
        if root.hidden:
            return True
        if root.node.condition in self.causes.signs and any(self.found[i].places for i in self.at[root.node]):
            return False  # it shows something, and points at it: it is not what began
        lonely = all(self._is_lonely(self.found[index]) for index in members)
        return not lonely or len({self.found[index].node.asset for index in members}) > FEW

    def _is_lonely(self, episode: Episode) -> bool:
        """Whether this alone on one asset is no reason for an incident."""
        if episode.node.condition in self.causes.lonely:
            return all(alarm.severity is not Severity.CRITICAL for alarm in episode.alarms)
        signs = [self.causes.signs.get(alarm.condition) for alarm in episode.alarms]
        return all(sign is not None and not sign.alone for sign in signs)

    def _is_shown(self, root: Root, members: list[int]) -> bool:
        """Whether there is enough to see: an alarm, a sign that may stand alone, or two signs."""
        if not all(self._is_lonely(self.found[index]) for index in members):
            return True
        return len({self.found[index].node for index in members} - {root.node}) > 1

    def _charges(self, members: list[int], root: Root, unseen: Unseen | None) -> Iterable[Charge]:
        """Who brought whom, given what began it."""
        place = {index: here for here, index in enumerate(members)}
        case = self._case(members, [unseen] if unseen else [])
        scores: dict[int, dict[int, float]] = {}
        for here, index in enumerate(members):
            began = (
                not root.hidden
                and self.found[index].node == root.node
                and self.found[index].onset == root.since
            )
            scores[here] = {CHANCE: 0.0} if began else {CHANCE: self.chance[index], **case.causes[here]}
        if unseen:
            hidden = len(members)
            for here, score in case.hidden[0].brings.items():
                scores[here][hidden] = score
            scores[hidden] = {CHANCE: 0.0}
        charged = best_causes(scores)
        for index in members:
            cause = charged[place[index]]
            if cause == len(members) and unseen:
                yield Charge(None, self.found[index], unseen.edges[index])
            elif cause != CHANCE:
                yield Charge(self.found[members[cause]], self.found[index], self.edges[index][members[cause]])
