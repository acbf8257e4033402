"""Must the pages of a day that is lived be those of its replay? They are: who, what, in which order."""

import json
from collections import Counter, defaultdict
from pathlib import Path

from runner.replay import replay
from schemas.notifications import Notification
from schemas.times import MINUTE
from tests.receivers import Hook
from tests.runner.liveday import ahead, came, due, hooked, lived
from tests.runner.storm import CITY, recorded

BEFORE, OVER = 16_500, 31_000
"""Messages of the storm's day: before the rain, and after all is over."""


def test_the_storm_lived_pages_whom_its_replay_pages(tmp_path: Path) -> None:
    """From MQTT to webhooks: the same messages, each once, one end for each who was told, no flood."""
    recording = ahead(recorded("storm-day", OVER)[BEFORE:], tmp_path / "storm.jsonl")
    with Hook() as hook:
        city = hooked(CITY, tmp_path, hook)
        replay(recording, city, tmp_path / "replayed")
        lines = (tmp_path / "replayed" / "notifications.jsonl").read_text().splitlines()
        notes = [Notification.model_validate(json.loads(line)) for line in lines]
        wanted = due(city, notes)
        lived(recording, city, tmp_path / "data", lambda: len(hook.requests) >= len(wanted))
        arrived = came(hook)

    assert Counter(arrived) == Counter(wanted)
    assert len({note.thread for note in notes}) == 1  # one cause
    kinds = defaultdict(list)
    for request in hook.requests:
        kinds[request.path, request.json["thread"], request.json["to"]].append(request.json["kind"])
    for told in kinds.values():
        assert told[0] in {"opened", "escalated"}
        assert (told.count("resolved"), told[-1]) == (1, "resolved")
    times = defaultdict(list)
    for note in notes:
        times[note.to].append(note.at)
    assert max(sum(at <= one < at + 10 * MINUTE for one in ats) for ats in times.values() for at in ats) <= 10
