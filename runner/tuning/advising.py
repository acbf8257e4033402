"""Days of a city to proposals: what each sensor's limits, delays and deadband might better be.

In:  days, a city model, the sensors asked for.
Out: a ``Report`` with the patch. Nothing that is there is changed.
Promises: what a proposal would have told is counted by replaying the days with all proposals in place, not
guessed; what would have missed a true incident, or told one later, is withdrawn.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from runner.days import Day
from runner.diff.days import Setup, replayed, setup
from runner.diff.versions import Version
from runner.labels import FOREVER, BadInput, Labels, load_labels
from runner.model import BESIDE
from runner.moments import BadUsage
from runner.outputs import Outputs, load_notifications, load_outputs
from runner.score import Score, score
from runner.sources import opened
from runner.tuning.history import History, lay_down
from runner.tuning.patch import diff, patched
from runner.tuning.practice import Setting
from runner.tuning.report import Costs, Proposal, Report, Trial, Withdrawn, fields_of
from runner.tuning.search import PRICE, Found, search
from runner.tuning.search import Day as SensorDay
from runner.tuning.troubles import as_told, belongs, troubles_of
from runner.workers import run as run_all
from schemas.city import City, Sensor
from schemas.times import SECOND
from schemas.wording import nearest
from streams.watch import prepare

DAYS_MIN = 3
"""Days without which nothing is proposed: fewer are an anecdote."""

OnDay = Callable[[str, str], None]
"""Told of each day that was replayed: what for, and its name."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to look at."""

    days: tuple[Day, ...]
    city: Path | None
    """None: the model that lies with the days."""
    sensors: tuple[str, ...]
    """Empty: all."""
    labels: tuple[Path, ...]
    """The truth about an archive; recordings have theirs beside them."""
    causes: Path | None
    cache: Path
    workers: int


@dataclass(frozen=True, slots=True)
class Look:
    """A day to replay; ``columns``: a folder for its readings by sensor, the first time."""

    day: Day
    side: Setup
    cache: Path
    columns: Path | None

    @property
    def title(self) -> str:
        """What people call it."""
        return self.day.title


def look(task: Look) -> Path:
    """Replay a day, in a process of its own; the folder of what was told."""
    if task.columns is not None:
        city = task.side.model.city
        source = opened(task.day.asked(task.side.city), fine=True).source
        for _ in lay_down(source.records(), [sensor.id for sensor in city.sensors], task.columns):
            pass
    return replayed(task.day, [task.side], task.cache)[0]


@dataclass(frozen=True, slots=True)
class Told:
    """A day under one version, held against the truth."""

    name: str
    outputs: Outputs
    pages: int
    truth: Labels
    score: Score


def advise(asked: Asked, on_day: OnDay) -> Report:
    """What to propose. Raises BadInput, BadUsage, BadConfig, CannotPatch or OSError."""
    if len(asked.days) < DAYS_MIN:
        raise BadInput(
            f"too few days: {len(asked.days)}; expected at least {DAYS_MIN} to tell what is usual; nothing "
            "is proposed"
        )
    now = Version("as it is", asked.city, asked.causes, None, None)
    sides = [setup(now, day, asked.cache) for day in asked.days]
    side = _one_model(sides)
    chosen = _chosen(side.model.city, asked.sensors)
    with TemporaryDirectory(prefix="crosscurrent-tune-") as scratch:
        return _Advice(asked, side, chosen, Path(scratch), on_day).report()


def _one_model(sides: Sequence[Setup]) -> Setup:
    """The model of all days. Raises BadInput where they have different ones."""
    texts = {side.city.read_bytes() for side in sides}
    if len(texts) > 1:
        raise BadInput(
            f"the days have {len(texts)} different city models; name the one to tune with --city; nothing is "
            "proposed"
        )
    return sides[0]


def _chosen(city: City, names: Sequence[str]) -> list[Sensor]:
    for name in names:
        if name not in city.sensor_by_id:
            own = [sensor.id for sensor in city.sensors_of.get(name.partition("/")[0], ())]
            said = f"; it has {', '.join(own)}" if own else nearest(name, city.sensor_by_id)
            raise BadUsage(f"there is no sensor {name!r}{said}; nothing is proposed")
    return [sensor for sensor in city.sensors if not names or sensor.id in names]


class _Advice:
    """The steps, with what they share."""

    def __init__(
        self, asked: Asked, side: Setup, chosen: Sequence[Sensor], scratch: Path, on_day: OnDay
    ) -> None:
        self._asked, self._side, self._chosen = asked, side, chosen
        self._city = side.model.city
        self._scratch, self._on_day = scratch, on_day
        self._text = side.city.read_text(encoding="utf-8-sig")
        self._as_told: dict[Day, Labels] = {}

    def report(self) -> Report:
        """Look at the days as they were, search, and try what was found."""
        folders = [self._scratch / f"day-{number}" for number in range(len(self._asked.days))]
        before = self._replay(self._side, "as it is", folders)
        history = History(folders, [sensor.id for sensor in self._city.sensors])
        found = {
            sensor.id: search(sensor, self._days(sensor, history, before))
            for sensor in self._chosen
            if sensor.limits.low is not None or sensor.limits.high is not None
        }
        left = {name: one for name, one in found.items() if one.best is not one.now}
        left, after, withdrawn = self._tried(left, before)
        settings = {name: one.best.setting for name, one in left.items()}
        patch = diff(str(self._side.city.name), self._text, patched(self._text, self._city, settings))
        return Report(
            city=self._city.city,
            days=len(self._asked.days),
            labelled=sum(self._truth_given(day) for day in self._asked.days),
            looked_at=len(found),
            proposals=tuple(self._proposal(name, one, before, after) for name, one in left.items()),
            withdrawn=tuple(withdrawn),
            before=_costs(before),
            after=_costs(after),
            missed=tuple(_missed(before, after)),
            later=tuple(
                f"{name}: {seconds / 60:.0f} min later" for name, seconds in _later(before, after, 0)
            ),
            patch=patch,
        )

    def _replay(self, side: Setup, what: str, columns: Sequence[Path] | None = None) -> list[Told]:
        """Every day under one version. Raises BadInput where a day gives nothing."""
        tasks = [
            Look(day, replace(side), self._asked.cache, columns[number] if columns else None)
            for number, day in enumerate(self._asked.days)
        ]
        folders: dict[Look, Path] = {}
        for done in run_all(tasks, look, self._asked.workers):
            if done.result is None:
                raise BadInput(f"{done.task.title}: {done.why}")
            folders[done.task] = done.result
            self._on_day(what, done.task.title)
        return [self._told(task.day, folders[task]) for task in tasks]

    def _told(self, day: Day, folder: Path) -> Told:
        outputs = load_outputs(folder)
        truth = self._truth(day) if self._truth_given(day) else self._seen_first(day, outputs)
        pages = len(load_notifications(folder))
        return Told(day.title, outputs, pages, truth, score(outputs, truth))

    def _truth_given(self, day: Day) -> bool:
        return bool(day.labels or (day.kept and self._asked.labels))

    def _truth(self, day: Day) -> Labels:
        """What is known of the day. Raises BadInput for labels with faults."""
        if day.labels:
            return load_labels(day.labels)
        truths = [truth for path in self._asked.labels for truth in load_labels(path).incidents]
        start, end = day.start or 0, day.end or FOREVER
        return Labels(incidents=tuple(one for one in truths if one.span[0] < end and one.span[1] >= start))

    def _seen_first(self, day: Day, outputs: Outputs) -> Labels:
        """What was told with the present settings, also when it is held against others."""
        return self._as_told.setdefault(day, as_told(outputs.incidents))

    def _days(self, sensor: Sensor, history: History, told: Sequence[Told]) -> list[SensorDay]:
        courses = history.courses(sensor.id)
        return [
            SensorDay(day.name, course, troubles_of(sensor.asset, day.truth))
            for day, course in zip(told, courses, strict=True)
        ]

    def _tried(
        self, left: Mapping[str, Found], before: Sequence[Told]
    ) -> tuple[dict[str, Found], list[Told], list[Withdrawn]]:
        """The proposals that stand up to a replay, what it told, and those that do not."""
        left, withdrawn = dict(left), list[Withdrawn]()
        after = list(before)
        while left:
            after = self._replay(self._proposed(left), "as proposed")
            harm = dict(self._harm(left, before, after))
            if not harm:
                break
            withdrawn += [Withdrawn(sensor=name, why=why) for name, why in harm.items()]
            left = {name: one for name, one in left.items() if name not in harm}
            after = list(before)
        return left, after, withdrawn

    def _proposed(self, left: Mapping[str, Found]) -> Setup:
        """A version with the proposals in its city model."""
        settings = {name: one.best.setting for name, one in left.items()}
        folder = self._scratch / "proposed"
        folder.mkdir(exist_ok=True)
        path = folder / "city.yaml"
        path.write_text(patched(self._text, self._city, settings), encoding="utf-8")
        for name in BESIDE:
            if (beside := self._side.city.with_name(name)).is_file():
                shutil.copy(beside, folder)
        return Setup(replace(self._side.version, name="as proposed", city=path), path)

    def _harm(
        self, left: Mapping[str, Found], before: Sequence[Told], after: Sequence[Told]
    ) -> Iterator[tuple[str, str]]:
        """Proposals that have to go, and why."""
        blamed: dict[str, str] = {}
        for was, is_ in zip(before, after, strict=True):
            late = dict(_later([was], [is_], PRICE / SECOND))
            for truth in was.truth.incidents:
                name = f"{was.name} {truth.id}"
                if name in set(_missed([was], [is_])):
                    why = f"with it, {name} would have been missed"
                elif name in late:
                    why = f"with it, {name} would have been told {late[name] / 60:.0f} min later"
                else:
                    continue
                blamed |= dict.fromkeys(truth.assets, why)
            if len(is_.score.false_incidents) > len(was.score.false_incidents):
                false = [one for one in is_.outputs.incidents if one.id in is_.score.false_incidents]
                why = f"with it, more false incidents would have been told on {was.name}"
                blamed |= {asset: why for one in false for asset in one.assets}
        for name in left:
            asset = name.rpartition("/")[0]
            if asset in blamed:
                yield name, blamed[asset]
            elif self._no_better(name, left[name], before, after):
                yield name, "the replay with all proposals does not bear it out"

    def _no_better(self, name: str, one: Found, before: Sequence[Told], after: Sequence[Told]) -> bool:
        """Whether the sensor told no less that is of no use, though it was to."""
        was, is_ = self._alarms(name, before), self._alarms(name, after)
        fewer_missed = len(one.best.cost.missed) < len(one.now.cost.missed)
        return is_[1] > was[1] or (
            not fewer_missed and is_[0] >= was[0] and one.best.cost.delay >= one.now.cost.delay
        )

    def _alarms(self, name: str, told: Sequence[Told]) -> tuple[int, int]:
        """Alarms of a sensor's limits in a replay, and those of them that are false."""
        sensor = self._city.sensor_by_id[name]
        utility = str(self._city.asset_by_id[sensor.asset].utility)
        conditions = prepare(sensor, utility, self._side.model.vocabulary).severities
        counts: Counter[bool] = Counter()
        for day in told:
            troubles = troubles_of(sensor.asset, day.truth)
            for alarm in day.outputs.alarms:
                if alarm.sensor == name and alarm.condition in conditions:
                    counts[belongs(alarm.raised, troubles) is None] += 1
        return counts.total(), counts[True]

    def _proposal(self, name: str, one: Found, before: Sequence[Told], after: Sequence[Told]) -> Proposal:
        sensor = self._city.sensor_by_id[name]
        was, is_ = self._alarms(name, before), self._alarms(name, after)
        return Proposal(
            sensor=name,
            unit=sensor.unit,
            fields=fields_of(one.now.setting, one.best.setting),
            alarms=(was[0], is_[0]),
            false=(was[1], is_[1]),
            missed=(len(one.now.cost.missed), len(one.best.cost.missed)),
            newly_shown=tuple(sorted(set(one.now.cost.missed) - set(one.best.cost.missed))),
            delay_minutes=(_minutes(one.now.cost.delay), _minutes(one.best.cost.delay)),
            tried=one.tried,
            front=tuple(
                Trial(
                    setting=dict(zip(Setting._fields, each.setting, strict=True)),
                    missed=len(each.cost.missed),
                    nuisance=each.cost.nuisance,
                    delay_minutes=_minutes(each.cost.delay),
                )
                for each in one.front
            ),
        )


def _minutes(ms: int) -> float:
    return round(ms / SECOND / 60, 1)


def _missed(before: Sequence[Told], after: Sequence[Told]) -> Iterator[str]:
    """True incidents that were told before, and are not any more."""
    for was, is_ in zip(before, after, strict=True):
        for one, other in zip(was.score.causes, is_.score.causes, strict=True):
            if one.incidents and not other.incidents:
                yield f"{was.name} {one.id}"


def _later(before: Sequence[Told], after: Sequence[Told], most: float) -> Iterator[tuple[str, float]]:
    """True incidents that are told later by more than ``most`` seconds, and by how much."""
    for was, is_ in zip(before, after, strict=True):
        for one, other in zip(was.score.causes, is_.score.causes, strict=True):
            then, now = one.incident_delay_seconds, other.incident_delay_seconds
            if then is not None and now is not None and now - then > most:
                yield f"{was.name} {one.id}", now - then


def _costs(told: Sequence[Told]) -> Costs:
    return Costs(
        alarms=sum(len(day.outputs.alarms) for day in told),
        incidents=sum(len(day.outputs.incidents) for day in told),
        false_incidents=sum(len(day.score.false_incidents) for day in told),
        true_incidents=sum(len(day.truth.incidents) for day in told),
        true_told=sum(bool(cause.incidents) for day in told for cause in day.score.causes),
        pages=sum(day.pages for day in told),
    )
