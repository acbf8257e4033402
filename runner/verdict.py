"""What a played day came to: the numbers, and whether the truth beside the recording was found.

In:  a store after the day, the labels of the recording where there are any.
Out: a ``Verdict``: text for people, and whether it truly ran.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from runner.labels import Labels, load_labels
from runner.outputs import Outputs, SeenAlarm, SeenIncident, SeenRevision
from runner.score import Score, score
from runner.store import Store
from schemas.city import City
from schemas.incidents import IncidentRevision
from streams.wording import clock


@dataclass(frozen=True, slots=True)
class Played:
    """What was published, and how long it took by the wall clock."""

    messages: int
    acknowledged: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """A played day in numbers."""

    city: City
    played: Played
    readings: int
    refused: int
    unprocessed: int
    alarms_of: Counter[str]
    """Alarms by utility: what each control room would have seen alone."""
    incidents: list[IncidentRevision]
    score: Score | None
    """Against the truth; None where the recording has no labels beside it."""

    @property
    def is_right(self) -> bool:
        """Whether all was acknowledged and processed, and each true cause is the root of its incident."""
        complete = self.played.messages == self.played.acknowledged > 0 and self.unprocessed == 0
        return complete and (self.score is None or all(cause.main_top1 for cause in self.score.causes))

    def lines(self) -> list[str]:
        """For people."""
        played, alarms = self.played, sum(self.alarms_of.values())
        alone = ", ".join(f"{utility} {count}" for utility, count in self.alarms_of.most_common())
        return [
            f"{played.acknowledged:,} of {played.messages:,} messages acknowledged "
            f"in {played.seconds:.0f} s; "
            f"{self.readings:,} readings stored, {self.refused:,} messages refused"
            + (f", {self.unprocessed:,} records not processed" if self.unprocessed else ""),
            f"{alarms} alarms, which the control rooms would have seen each alone: {alone or 'none'}",
            f"{len(self.incidents)} incident{'' if len(self.incidents) == 1 else 's'}:",
            *(f"  {clock(one.opened, self.city)}  {one.summary}" for one in reversed(self.incidents)),
            *self._truth(),
        ]

    def _truth(self) -> list[str]:
        if self.score is None:
            return ["no truth beside the recording to compare with"]
        if not self.score.causes:
            return ["truth: nothing happened on this day"]
        return [
            f"truth: {cause.cause} was {'found' if cause.main_top1 else _missed(cause.main_root)}"
            for cause in self.score.causes
        ]


def judge(city: City, store: Store, played: Played, unprocessed: int, labels: Labels | None) -> Verdict:
    """Look at a store after the day. Raises BadInput where the labels are of another day."""
    alarms, incidents = store.alarms(), store.incidents(limit=1_000_000)
    counts = store.counts()
    outputs = Outputs(
        alarms=[SeenAlarm.model_validate(alarm.model_dump()) for alarm in alarms],
        incidents=[SeenIncident.model_validate(incident.model_dump()) for incident in incidents],
        revisions=[SeenRevision.model_validate(revision.model_dump()) for revision in store.revisions()],
    )
    return Verdict(
        city=city,
        played=played,
        readings=counts.get("stored", 0),
        refused=counts.get("refused", 0),
        unprocessed=unprocessed,
        alarms_of=Counter(alarm.utility for alarm in alarms),
        incidents=incidents,
        score=score(outputs, labels) if labels is not None else None,
    )


def labels_beside(recording: Path) -> Labels | None:
    """The truth in ``NAME.labels.json`` beside ``NAME.jsonl[.gz|.zst]``; None where there is none."""
    beside = recording.with_name(recording.name.split(".jsonl")[0] + ".labels.json")
    return load_labels(beside) if beside.exists() else None


def _missed(root: str | None) -> str:
    return f"missed, {root} was taken for the root" if root else "missed, no incident holds it"
