"""What a story expected beside what was seen, minute by minute.

In:  a story, what the core said at each of its moments.
Out: lines for a terminal, or for the report of a failed test.
"""

from collections.abc import Iterator

from runner.core import Outputs
from runner.stories import Expectation, Story
from runner.storytelling import clock, names

WIDTH = 44
"""Columns of what was expected; what is longer goes on in the next line."""


class Timeline:
    """Hears what is said; ``lines`` when the story is told."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._seen: list[tuple[int, str]] = []

    def take(self, at: int, outputs: Outputs) -> None:
        """What was said at a moment of the story."""
        for change in outputs.alarms:
            alarm = change.alarm
            when = alarm.raised if alarm.cleared is None else alarm.cleared
            since = f" (since {clock(when, self._story)})" if when != at else ""
            self._seen.append((at, f"alarm {alarm.asset} {alarm.condition} {change.change}{since}"))
        for revision in outputs.incidents:
            (root,) = names([revision.root])
            members = ", ".join(names(revision.members))
            self._seen.append((at, f"incident {root} {revision.change}: {members}"))
        self._seen += [(at, f"page {one.kind} to {one.to}") for one in outputs.notifications]

    def lines(self) -> list[str]:
        """``08:12  expected  seen``; at one time what was seen stands first, as it is judged after it."""
        rows = [(at, 0, "", text) for at, text in self._seen]
        rows += [(one.at, 1, text, "") for one in self._story.expect for text in _expected(one.what)]
        lines = [f"{'time':<9} {'expected':<{WIDTH}} seen"]
        before = ""
        for at, _, expected, seen in sorted(rows, key=lambda row: row[:2]):
            now = clock(at, self._story)
            for expected_part, seen_part in _folded(expected, seen):
                shown = now if now != before else ""
                lines.append(f"{shown:<9} {expected_part:<{WIDTH}} {seen_part}".rstrip())
                before = now
        return lines


def _expected(what: Expectation) -> Iterator[str]:
    if what.no_incident:
        yield "no incident so far"
    for incident in what.incidents or ():
        members = incident.members or incident.among_members
        yield f"incident {incident.root}" + (f": {', '.join(members)}" if members else "")
    if what.alarms is not None:
        yield f"alarms that stand: {', '.join(what.alarms) or 'none'}"
    if what.notifications is not None:
        yield f"pages so far: {', '.join(what.notifications) or 'none'}"
    for page in what.pages or ():
        yield f"page {page}"


def _folded(expected: str, seen: str) -> Iterator[tuple[str, str]]:
    """One row, or several where what was expected is long."""
    words, line = expected.split(), ""
    for word in words:
        if line and len(line) + 1 + len(word) > WIDTH:
            yield line, ""
            line = f"  {word}"
        else:
            line = f"{line} {word}".lstrip() if not line.startswith("  ") else f"{line} {word}"
    yield line, seen
