"""What labelled days teach about the rules: strengths, lags and priors nearer to what was seen.

In:  days: the alarms of a city, as they ended, and the true causes with the assets that they reached.
Out: ``Lessons``: which numbers of ``causes.yaml`` should change, on how many trials.
Pure, and careful: what is there counts as so many trials itself, so that little evidence moves little.

A trial of a way is a cause that truly stood, and a watched node that the way reaches: did an alarm begin
there inside the window of lags? Several ways may have brought one alarm, and several rules make one way. Who
is to be credited is settled by expectation and maximisation: a noisy-OR of ways, each a chain of rules that
must all act (Dempster, Laird, Rubin 1977). A rule that acts alone ends at successes over trials.
"""

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from schemas.alarms import Alarm
from schemas.city import City
from schemas.times import DAY, HOUR, MINUTE, SECOND
from streams.causes import Causes, Prior, Rule
from streams.consequences import SLACK, Stretch, ahead, stood
from streams.episodes import Episode, episodes
from streams.explain import CLEARING, Explainer, Explanation
from streams.network import Network, Node, Way
from streams.suspects import TOLERANCE

STRENGTH_WEIGHT = 5.0
"""Trials that the present strength counts for."""
ALIKE = 0.2
"""Correlation between trials of one way on one day: however many, they are worth five at most."""
STRENGTH_LEAST, STRENGTH_MOST = 0.02, 0.99
STRENGTH_STEP = 0.015
"""Smaller changes of a strength are not proposed."""
FORECAST_STEP = 0.05
"""Nor those of a strength for foretelling; it is coarser."""
ROUNDS = 200
"""Rounds of expectation and maximisation at most."""
STILL = 1e-5
"""No strength moves more than this any more: it has converged."""

LAG_WEIGHT = 10.0
"""Seen lags that the present window counts for."""
LAGS_MIN = 5
"""Fewer seen lags teach nothing."""
LAG_STEP, LAG_SHARE = 1 * MINUTE, 0.25
"""A window is changed where one of its three moves by more than both: a time, and a share of what it was."""
SHARES = (0.05, 0.5, 0.95)
"""Of the seen lags: least, usual, most."""
HUMAN = (
    (5 * MINUTE, 30 * SECOND),
    (20 * MINUTE, MINUTE),
    (HOUR, 5 * MINUTE),
    (4 * HOUR, 30 * MINUTE),
    (DAY, HOUR),
)
"""Lags up to each first are rounded to each second, longer ones to LONGEST."""
LONGEST = 6 * HOUR

PRIOR_WEIGHT = 5.0
"""Causes that the present prior counts for."""
PRIOR_LEAST, PRIOR_MOST = 0.0001, 0.5
PRIOR_FACTOR = 1.25
"""Smaller changes of a prior, up or down, are not proposed."""

NAMED_MIN = 0.1
"""Less probable roots don't tell what a true cause is called."""
DARK = 1 * HOUR
"""A sensor that said nothing usable for so long on a day is no witness on it."""

Lag = tuple[int, int, int]
Links = tuple[str, ...]
"""A way, as the names of its rules."""


class Truth(NamedTuple):
    """A true cause: its asset, what the labels call it, its time, and when and where trouble is its own."""

    asset: str
    kind: str
    since: int
    until: int | None
    first: int
    last: int
    roots: frozenset[str]
    assets: frozenset[str]

    def covers(self, asset: str, onset: int) -> bool:
        """Whether trouble that began there and then belongs to it."""
        return asset in self.assets and self.first <= onset <= self.last


class Day(NamedTuple):
    """A recording as it was understood, and the truth about it. ``dark``: sensors that are no witnesses."""

    network: Network
    start: int
    end: int
    dark: frozenset[str]
    episodes: tuple[Episode, ...]
    explanations: tuple[Explanation, ...]
    truths: tuple[Truth, ...]


class Trials(NamedTuple):
    """``came``: alarms, each as the ways that may have brought it; ``stayed``: ways that brought nothing.

    With the number of trials that they are worth.
    """

    came: Mapping[tuple[Links, ...], float]
    stayed: Mapping[Links, float]


class Fit(NamedTuple):
    """The strength of one rule: its trials, how many of them are put down to it, before and after."""

    trials: float
    successes: float
    old: float
    new: float


class RuleLesson(NamedTuple):
    """What is known of a rule: its strength, its lags with how many were seen, and its strength for
    foretelling; None: nothing.
    """

    name: str
    strength: Fit | None
    lag: tuple[int, Lag, Lag] | None
    """How many, before, after."""
    forecast: Fit | None = None

    @property
    def strength_moves(self) -> bool:
        """Whether the strength should be another."""
        return self.strength is not None and abs(self.strength.new - self.strength.old) >= STRENGTH_STEP

    @property
    def forecast_moves(self) -> bool:
        """Whether it should be foretold with another strength."""
        return self.forecast is not None and abs(self.forecast.new - self.forecast.old) >= FORECAST_STEP

    @property
    def moves(self) -> bool:
        """Whether anything of it should be another."""
        return self.strength_moves or self.lag_moves or self.forecast_moves

    @property
    def lag_moves(self) -> bool:
        """Whether the window should be another."""
        return self.lag is not None and any(
            abs(new - old) > max(LAG_STEP, LAG_SHARE * old) for old, new in zip(*self.lag[1:], strict=True)
        )


class PriorLesson(NamedTuple):
    """The prior at a place in the file: its true causes, how many it foresaw, before and after."""

    place: int
    entry: Prior
    causes: int
    foreseen: float
    new: float

    @property
    def moves(self) -> bool:
        """Whether it should be another."""
        return abs(math.log(self.new / self.entry.prior)) >= math.log(PRIOR_FACTOR)


class Lessons(NamedTuple):
    """All that the days teach. ``nameless``: causes that nothing has named, by their kind in the labels."""

    days: int
    causes: int
    rules: tuple[RuleLesson, ...]
    priors: tuple[PriorLesson, ...]
    nameless: Counter[str]


def understand(
    network: Network, alarms: Iterable[Alarm], span: tuple[int, int], truths: Iterable[Truth]
) -> Day:
    """A day from its alarms as they ended: its episodes, what explains them, whose word counts."""
    known = list(alarms)
    measuring = network.causes.measuring
    dark = _dark(network.city, (a for a in known if a.condition in measuring), span[1])
    signs = network.causes.signs
    found = episodes(
        (a for a in known if a.condition not in measuring or a.condition in signs), network.causes
    )
    network.trust_all_but(set(dark))
    explanations = Explainer(network).explain(found, span[1]).explanations
    return Day(network, *span, dark, tuple(found), tuple(explanations), tuple(truths))


def _dark(city: City, measuring: Iterable[Alarm], end: int) -> frozenset[str]:
    """Sensors whose own measuring was in trouble for long."""
    lost: Counter[str] = Counter()
    for alarm in measuring:
        sensors = [alarm.sensor] if alarm.sensor else [s.id for s in city.sensors_of.get(alarm.asset, ())]
        for sensor in sensors:
            lost[sensor] += (end if alarm.cleared is None else alarm.cleared) - alarm.raised
    return frozenset(sensor for sensor, time in lost.items() if time >= DARK)


def learn(days: Sequence[Day], causes: Causes) -> Lessons:
    """What the days teach, of every rule that had a trial or a seen lag and every prior that had a chance."""
    names = named(days)
    lags: dict[str, list[int]] = defaultdict(list)
    for day in days:
        for name, lag in seen_lags(day):
            lags[name].append(lag)
    tried = _together(trials(day, conditions) for day, conditions in zip(days, names, strict=True))
    strengths = fit_strengths({rule.name: rule.strength for rule in causes.rules}, tried)
    foretold = _together(forecasts(day) for day in days)
    forward = fit_strengths({rule.name: rule.ahead for rule in causes.rules}, foretold)
    return Lessons(
        len(days),
        sum(len(day.truths) for day in days),
        tuple(
            RuleLesson(
                rule.name,
                strengths.get(rule.name),
                fit_lag(rule, lags.get(rule.name, ())),
                forward.get(rule.name),
            )
            for rule in causes.rules
            if rule.name in strengths or rule.name in lags or rule.name in forward
        ),
        tuple(fit_priors(days, names, causes)),
        Counter(
            truth.kind
            for day, conditions in zip(days, names, strict=True)
            for truth, condition in zip(day.truths, conditions, strict=True)
            if condition is None
        ),
    )


# --- what a true cause is called ------------------------------------------------------------------------


def named(days: Sequence[Day]) -> list[list[str | None]]:
    """The condition of each day's true causes: what explanations call it that have its asset for a root;
    failing that, what most causes of its kind are called, best at the same kind of asset; else None.
    """
    own = [[_called(day, truth) for truth in day.truths] for day in days]
    votes: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for day, conditions in zip(days, own, strict=True):
        for truth, condition in zip(day.truths, conditions, strict=True):
            if condition:
                votes[truth.kind, day.network.kind(truth.asset)][condition] += 1
                votes[truth.kind,][condition] += 1

    def usual(truth: Truth, day: Day) -> str | None:
        vote = votes.get((truth.kind, day.network.kind(truth.asset))) or votes.get((truth.kind,))
        return min(vote, key=lambda condition: (-vote[condition], condition)) if vote else None

    return [
        [condition or usual(truth, day) for truth, condition in zip(day.truths, conditions, strict=True)]
        for day, conditions in zip(days, own, strict=True)
    ]


def _called(day: Day, truth: Truth) -> str | None:
    """The condition of the most probable root at the asset of a true cause."""
    causes = day.network.causes
    best: tuple[float, str] | None = None
    for explanation in day.explanations:
        if not any(truth.first <= episode.onset <= truth.last for episode in explanation.episodes):
            continue
        for root, probability in ((explanation.root, explanation.probability), *explanation.alternatives):
            condition = root.node.condition
            if root.node.asset != truth.asset or condition in causes.everyday | causes.measuring:
                continue
            if probability >= NAMED_MIN and (best is None or probability > best[0]):
                best = probability, condition
    return best[1] if best else None


# --- strengths ------------------------------------------------------------------------------------------


class _Cause(NamedTuple):
    """A node that truly was in trouble, from when to when, and whether a sensor showed it."""

    node: Node
    since: int
    until: int | None
    seen: bool


def trials(day: Day, conditions: Sequence[str | None]) -> Trials:
    """The trials of one day: what true trouble could have brought, and what it brought.

    Left out: what was in trouble already; windows that reach beyond the recording; and what an asset in
    trouble could show besides, since it is never foretold, and often the same sensor's to say.
    """
    network = day.network
    network.trust_all_but(set(day.dark))
    told = _shown(day)
    causes: dict[Node, list[_Cause]] = defaultdict(list)
    for cause in _true_causes(day, conditions):
        causes[cause.node].append(cause)
    came: dict[tuple[Node, int], list[Links]] = defaultdict(list)
    stayed: Counter[Links] = Counter()
    for effect in filter(network.watched, network.told_after):
        for (node, after_end), way in network.causes_of(effect).items():
            for cause in causes.get(node, ()):
                start = cause.until if after_end else cause.since
                if start is None or (cause.seen and node.asset == effect.asset):
                    continue
                slack = TOLERANCE + sum(network.every.get(each, 0) for each in (node, effect))
                slack += CLEARING if after_end else 0
                first, last = start + way.lag_min - slack, start + way.lag_max + slack
                if first < day.start or last > day.end or _in_trouble(told[effect], first):
                    continue
                links = tuple(rule.name for rule in way.rules)
                if onsets := [onset for onset, _ in told[effect] if first <= onset <= last]:
                    came[effect, min(onsets)].append(links)
                else:
                    stayed[links] += 1
    return _worth(Counter(tuple(sorted(ways)) for ways in came.values()), stayed)


def forecasts(day: Day) -> Trials:
    """The trials of what the day's incidents would have foretold, told at each onset of an episode.

    By the alarms alone: left out is what no limits show, and windows that reach beyond the recording.
    """
    network = day.network
    network.trust_all_but(set(day.dark))
    shown = _shown(day)
    came: list[tuple[Links, ...]] = []
    stayed: Counter[Links] = Counter()
    for explanation in day.explanations:
        settled: dict[Node, int] = {}
        for told in sorted({e.onset for e in explanation.episodes}) if explanation.opens else ():
            ways: dict[Node, list[Way]] = defaultdict(list)
            last: dict[Node, int] = defaultdict(int)
            for node, way, since, _ in ahead(network.tried_of, explanation, told):
                judged = network.limited(node) and network.watched(node)
                if judged and told >= settled.get(node, told) and not stood(shown[node], told):
                    ways[node].append(way)
                    last[node] = max(last[node], since + way.lag_max)
            for node, those in ways.items():
                links = sorted(tuple(rule.name for rule in way.rules) for way in those)
                onsets = [onset for onset, _ in shown[node] if told < onset <= last[node] + SLACK]
                settled[node] = min(onsets, default=last[node])
                if onsets:
                    came.append(tuple(links))
                elif last[node] + SLACK <= day.end:
                    stayed.update(links)
    return _worth(Counter(came), stayed)


def _together(days: Iterable[Trials]) -> Trials:
    came: dict[tuple[Links, ...], float] = defaultdict(float)
    stayed: dict[Links, float] = defaultdict(float)
    for tried in days:
        for ways, worth in tried.came.items():
            came[ways] += worth
        for way, worth in tried.stayed.items():
            stayed[way] += worth
    return Trials(came, stayed)


def _worth(came: Mapping[tuple[Links, ...], int], stayed: Mapping[Links, int]) -> Trials:
    """What the trials of one day are worth: those of one way are alike, a storm tries it in every street.

    N of them with a correlation of ALIKE between any two are worth N / (1 + (N - 1) ALIKE) (Kish 1965).
    """
    count = Counter(stayed)
    for ways, times in came.items():
        for way in ways:
            count[way] += times
    worth = {way: 1 / (1 + (times - 1) * ALIKE) for way, times in count.items()}
    return Trials(
        {ways: times * fmean(worth[way] for way in ways) for ways, times in came.items()},
        {way: times * worth[way] for way, times in stayed.items()},
    )


def _shown(day: Day) -> dict[Node, list[Stretch]]:
    """When each condition stood as more than a weak sign."""
    shown: dict[Node, list[Stretch]] = defaultdict(list)
    for episode in day.episodes:
        if (onset := _plain_onset(episode, day.network.causes)) is not None:
            shown[episode.node].append((onset, episode.until))
    return shown


def _in_trouble(stretches: Iterable[tuple[int, int | None]], at: int) -> bool:
    return any(onset < at and (until is None or until > at) for onset, until in stretches)


def _plain_onset(episode: Episode, causes: Causes) -> int | None:
    """Since when it was more than an early, weak form of something: only that is ever foretold."""
    for alarm in episode.alarms:
        sign = causes.signs.get(alarm.condition)
        if sign is None or sign.of is None:
            return alarm.raised
    return None


def _true_causes(day: Day, conditions: Sequence[str | None]) -> Iterator[_Cause]:
    """Episodes that belong to a true cause, and true causes that no episode shows.

    Without everyday life: labels pass over it where it brings nothing, so its trials would flatter it.
    """
    begun = set()
    everyday = day.network.causes.everyday
    for episode in day.episodes:
        truly = any(truth.covers(episode.node.asset, episode.onset) for truth in day.truths)
        if truly and episode.node.condition not in everyday:
            begun.add(episode.node)
            yield _Cause(episode.node, episode.onset, episode.until, seen=True)
    for truth, condition in zip(day.truths, conditions, strict=True):
        if condition is not None and (node := Node(truth.asset, condition)) not in begun:
            begun.add(node)
            yield _Cause(node, truth.since, truth.until, seen=False)


def fit_strengths(present: Mapping[str, float], tried: Trials) -> dict[str, Fit]:
    """The strengths under which the trials are most probable, of the rules that had any.

    ``present`` weighs as STRENGTH_WEIGHT trials. Bounded to STRENGTH_LEAST and STRENGTH_MOST.
    """
    strength = dict(present)
    count: dict[str, float] = defaultdict(float)
    for way, times in _each_way(tried):
        for rule in way:
            count[rule] += times
    for _ in range(ROUNDS):
        acted = _acted(strength, tried)
        moved = 0.0
        for rule, times in count.items():
            new = (STRENGTH_WEIGHT * present[rule] + acted[rule]) / (STRENGTH_WEIGHT + times)
            new = min(max(new, STRENGTH_LEAST), STRENGTH_MOST)
            moved = max(moved, abs(new - strength[rule]))
            strength[rule] = new
        if moved < STILL:
            break
    credit = _credit(strength, tried)
    return {
        rule: Fit(times, credit[rule], present[rule], round(strength[rule], 2))
        for rule, times in sorted(count.items())
    }


def _each_way(tried: Trials) -> Iterator[tuple[Links, float]]:
    for ways, times in tried.came.items():
        for way in ways:
            yield way, times
    yield from tried.stayed.items()


def _brought(strength: Mapping[str, float], tried: Trials) -> Iterator[tuple[Links, float, float, float]]:
    """Each way with how often it was tried, its strength, and the probability that it brought the alarm."""
    for ways, times in tried.came.items():
        whole = [math.prod(strength[rule] for rule in way) for way in ways]
        some = 1 - math.prod(1 - each for each in whole)
        for way, each in zip(ways, whole, strict=True):
            yield way, times, each, each / some
    for way, times in tried.stayed.items():
        yield way, times, math.prod(strength[rule] for rule in way), 0.0


def _acted(strength: Mapping[str, float], tried: Trials) -> dict[str, float]:
    """How often each rule acted, as far as can be told: a way that failed may have failed at another."""
    acted: dict[str, float] = defaultdict(float)
    for way, times, whole, brought in _brought(strength, tried):
        for rule in way:
            acted[rule] += times * (brought + (1 - brought) * (strength[rule] - whole) / (1 - whole))
    return acted


def _credit(strength: Mapping[str, float], tried: Trials) -> dict[str, float]:
    """How many alarms are put down to ways with the rule."""
    credit: dict[str, float] = defaultdict(float)
    for way, times, _, brought in _brought(strength, tried):
        for rule in way:
            credit[rule] += times * brought
    return credit


# --- lags -----------------------------------------------------------------------------------------------


def seen_lags(day: Day) -> Iterator[tuple[str, int]]:
    """The lags of single rules where the root is right; a hidden root began when the truth says."""
    for explanation in day.explanations:
        truth = _truth_of(explanation, day.truths)
        if truth is None:
            continue
        for charge in explanation.charges:
            if len(charge.edge.way.rules) != 1:
                continue
            if charge.cause is not None:
                yield charge.edge.way.rules[0].name, max(charge.edge.lag, 0)
            elif explanation.root.node.asset == truth.asset and charge.effect.onset >= truth.since:
                yield charge.edge.way.rules[0].name, charge.effect.onset - truth.since


def _truth_of(explanation: Explanation, truths: Sequence[Truth]) -> Truth | None:
    """The true cause that the root of an explanation names."""
    onset = explanation.episodes[0].onset
    for truth in truths:
        if explanation.root.node.asset in truth.roots and truth.first <= onset <= truth.last:
            return truth
    return None


def fit_lag(rule: Rule, seen: Sequence[int]) -> tuple[int, Lag, Lag] | None:
    """How many lags were seen, the present window, and one that is blended with them."""
    if len(seen) < LAGS_MIN:
        return None
    ranked = sorted(seen)
    share = len(seen) / (len(seen) + LAG_WEIGHT)
    quantiles = [ranked[round(part * (len(ranked) - 1))] for part in SHARES]
    least, usual, most = (
        share * new + (1 - share) * old for new, old in zip(quantiles, rule.lag, strict=True)
    )
    window = human(least, math.floor), human(usual, round), human(most, math.ceil)
    return len(seen), rule.lag, (window[0], window[1], max(window[1], window[2]))


def human(lag: float, rounded: Callable[[float], int]) -> int:
    """A lag (ms) as people would say it, rounded by ``rounded``."""
    limits = [limit for limit, _ in HUMAN]
    place = bisect_left(limits, lag)
    step = HUMAN[place][1] if place < len(HUMAN) else LONGEST
    return rounded(lag / step) * step


# --- priors ---------------------------------------------------------------------------------------------


def fit_priors(
    days: Sequence[Day], names: Sequence[Sequence[str | None]], causes: Causes
) -> Iterator[PriorLesson]:
    """How often causes began, entry against entry: their ratios change, what they sum up to does not.

    Only entries of hidden conditions, and those that had a true cause: the others also stand for false
    alarms, of which the labels tell nothing.
    """
    exposure: Counter[int] = Counter()
    began: Counter[int] = Counter()
    index = {id(entry): place for place, entry in enumerate(causes.priors)}
    for day, conditions in zip(days, names, strict=True):
        for place, count in _exposed(day, causes, index).items():
            exposure[place] += count * (day.end - day.start)
        for truth, condition in zip(day.truths, conditions, strict=True):
            if condition is not None:
                entry = causes.prior(day.network.kind(truth.asset), condition)
                if entry.condition is not None:
                    began[index[id(entry)]] += 1
    fitted = [place for place in sorted(exposure) if causes.priors[place].hidden or began[place]]
    whole = sum(causes.priors[place].prior * exposure[place] for place in fitted)
    total = sum(began[place] for place in fitted)
    for place in fitted:
        entry = causes.priors[place]
        foreseen = total * entry.prior * exposure[place] / whole
        new = entry.prior * (began[place] + PRIOR_WEIGHT) / (foreseen + PRIOR_WEIGHT)
        new = float(f"{min(max(new, PRIOR_LEAST), PRIOR_MOST):.2g}")
        yield PriorLesson(place, entry, began[place], foreseen, new)


def _exposed(day: Day, causes: Causes, index: Mapping[int, int]) -> Counter[int]:
    """On how many assets of the city each entry may be a root: seen, or hidden."""
    exposed: Counter[int] = Counter()
    known = {entry.condition for entry in causes.priors if entry.condition is not None}
    for asset in day.network.city.assets:
        for condition in known - causes.everyday - causes.measuring:
            entry = causes.prior(asset.kind, condition)
            if entry.condition and (entry.hidden or Node(asset.id, condition) in day.network.told_after):
                exposed[index[id(entry)]] += 1
    return exposed
