"""How trouble spreads: the rules of ``causes.yaml``, read and checked.

In:  a YAML file of words, rules and priors.
Out: ``Causes``, which answers: which rules lead into, or out of, a condition; how likely is it by itself.
Raises BadConfig with every fault.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from schemas.city import Relation
from schemas.errors import BadConfig, Fault
from schemas.times import Duration, duration
from schemas.wording import Names
from schemas.yamlfile import read

BUILT_IN = Path(__file__).with_name("causes.yaml")

SELF = "self"
AGAINST = "against "
EVERYWHERE = "everywhere"
"""To every other asset of the same kind in the city that has a sensor."""
PLACES = "places"
"""From an asset that a sign names as a place of its cause, to the sign."""


def _lag(value: object) -> object:
    """Two durations as three: the usual one is halfway."""
    if isinstance(value, list) and len(value) == 2:
        least, most = map(duration, value)
        usual = (least + most) // 2 if isinstance(least, int) and isinstance(most, int) else least
        return [least, usual, most]
    return value


Share = Annotated[float, Field(gt=0, le=100)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(_Part):
    """One way in which trouble spreads. Times are ms after the cause's onset, or its end."""

    name: str
    cause: Names
    kinds: Names | None = None
    via: Names
    effect: Names
    to_kinds: Names | None = None
    lag: Annotated[tuple[Duration, Duration, Duration], BeforeValidator(_lag)]
    """Least, usual, most; the middle of the two where only those are given."""
    after: Literal["onset", "end"] = "onset"
    strength: Annotated[float, Field(gt=0, lt=1)]
    forecast: Annotated[float | None, Field(gt=0, lt=1)] = None
    """The strength for foretelling, where it differs: what has not come yet is likelier not to come."""
    source: Annotated[str, Field(min_length=1)]

    storage: tuple[Share, Share, Share] | None = None
    """Least, usual, most for foretelling, where the model has the numbers: shares of the time in which the
    cause's ``rated_lps`` takes the effect's ``volume_m3``.
    """

    @property
    def ahead(self) -> float:
        """Probability with which the effect is foretold."""
        return self.strength if self.forecast is None else self.forecast

    @model_validator(mode="after")
    def _makes_sense(self) -> "Rule":
        for name, three in (("lag", self.lag), ("storage", self.storage or ())):
            if list(three) != sorted(three):
                raise ValueError(f"rule {self.name!r}: {name} must rise: least, usual, most")
        for via in self.via:
            if via not in (SELF, EVERYWHERE, PLACES) and via.removeprefix(AGAINST) not in set(Relation):
                known = ", ".join(Relation)
                raise ValueError(
                    f"rule {self.name!r}: via {via!r} is unknown; expected self, everywhere, places, or one "
                    f"of {known}, with 'against ' before it for the way back"
                )
        return self


class Prior(_Part):
    """How likely a condition begins by itself; ``hidden`` where it may be a root that no sensor shows."""

    prior: Annotated[float, Field(gt=0, lt=1)]
    condition: str | None = None
    kinds: Names | None = None
    hidden: bool = False


class SignEntry(_Part):
    """A sign: short of an alarm, found by looking at several sensors (``streams.watchers``)."""

    chance: Annotated[float, Field(gt=0, lt=1)]
    """Probability that it shows though nothing is wrong, within the few hours around a given alarm."""
    of: str | None = None
    """The condition that it is an early, weak form of."""
    alone: bool = False
    """Whether it may open an incident without any alarm."""


class Shown(_Part):
    """What makes a condition visible besides limits: a sensor of a quantity, or watchers of assets of a kind;
    and how long telling takes at most.
    """

    by: Names = ()
    kinds: Names = ()
    within: Duration


class Causes(_Part):
    """The whole of ``causes.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    words: Mapping[str, tuple[str, str]]
    measuring: frozenset[str]
    everyday: frozenset[str] = frozenset()
    lonely: frozenset[str] = frozenset()
    signs: Mapping[str, SignEntry] = {}
    shown: Mapping[str, Shown] = {}
    rules: tuple[Rule, ...]
    priors: tuple[Prior, ...]

    @cached_property
    def pointed_at(self) -> dict[str, frozenset[str]]:
        """By sign: the conditions whose places it names."""
        found: dict[str, frozenset[str]] = {}
        for rule in self.rules:
            if PLACES in rule.via:
                for effect in rule.effect:
                    found[effect] = found.get(effect, frozenset()) | frozenset(rule.cause)
        return found

    @cached_property
    def by_effect(self) -> dict[str, tuple[Rule, ...]]:
        """Rules by the condition that they bring."""
        return _index((condition, rule) for rule in self.rules for condition in rule.effect)

    @cached_property
    def by_cause(self) -> dict[str, tuple[Rule, ...]]:
        """Rules by the condition that they start from."""
        return _index((condition, rule) for rule in self.rules for condition in rule.cause)

    def base(self, condition: str) -> str:
        """Without how far it went (``level_low_low`` is ``level_low``), or how early it was seen."""
        sign = self.signs.get(condition)
        return sign.of if sign and sign.of else base(condition)

    def prior(self, kind: str, condition: str) -> Prior:
        """The first entry that fits; the file ends with one that fits all."""
        for entry in self.priors:
            if entry.condition in (None, condition) and (entry.kinds is None or kind in entry.kinds):
                return entry
        return Prior(prior=0.002)

    def verb(self, condition: str) -> str:
        """The condition as words after an asset's name: 'lost supply'."""
        return self.words[condition][0] if condition in self.words else f"shows {_plain(condition)}"

    def noun(self, condition: str) -> str:
        """The condition as words before an asset's name: 'no supply at'."""
        return self.words[condition][1] if condition in self.words else f"{_plain(condition)} at"


def _plain(condition: str) -> str:
    return condition.replace("_", " ")


def _index(pairs: Iterable[tuple[str, Rule]]) -> dict[str, tuple[Rule, ...]]:
    found: dict[str, list[Rule]] = defaultdict(list)
    for condition, rule in pairs:
        found[condition].append(rule)
    return {condition: tuple(rules) for condition, rules in found.items()}


def base(condition: str) -> str:
    """The condition without how far it went: ``level_low_low`` is ``level_low``."""
    for doubled in ("_low_low", "_high_high"):
        if condition.endswith(doubled):
            return condition.removesuffix(doubled) + doubled[: len(doubled) // 2]
    return condition


def lint_causes(path: Path = BUILT_IN) -> list[Fault]:
    """Every fault of a causes file; none where it can be used."""
    return _parse(path)[1]


def load_causes(path: Path = BUILT_IN) -> Causes:
    """The rules in a file. Raises BadConfig with every fault."""
    causes, faults = _parse(path)
    if causes is None or faults:
        raise BadConfig(faults)
    return causes


def _parse(path: Path) -> tuple[Causes | None, list[Fault]]:
    document = read(path)
    if document.faults:
        return None, document.faults
    try:
        causes = Causes.model_validate(document.data)
    except ValidationError as error:
        return None, [
            document.fault(e["loc"], e["msg"].removeprefix("Value error, ")) for e in error.errors()
        ]
    faults = []
    names: set[str] = set()
    for index, rule in enumerate(causes.rules):
        place = ("rules", index, "name")
        if rule.name in names:
            faults.append(
                document.fault(place, f"rule {rule.name!r} stands here twice; names are shown to people")
            )
        names.add(rule.name)
    return causes, faults
