"""A city of feeders, each for itself, so that each that dies is a cause of its own; its desk is a webhook."""

import json
from pathlib import Path

from collectors.messages import Message
from schemas.times import rfc3339
from tests.receivers import Hook


def city(folder: Path, hook: Hook, feeders: int, every: int) -> Path:
    """The city file, an alerts.yaml beside it; ``every``: seconds between two reports."""
    names = [f"feeder-{number}" for number in range(feeders)]
    model = {
        "city": "testville",
        "timezone": "UTC",
        "assets": [{"id": name, "utility": "power", "kind": "feeder", "zone": name} for name in names],
        "links": [],
        "sensors": [
            {"asset": name, "quantity": "voltage", "unit": "pu", "every": every, "limits": {"low_low": 0.5}}
            for name in names
        ],
    }
    desk = {"type": "webhook", "url": hook.address, "allow_private": True, "per_minute": 10_000}
    (folder / "alerts.yaml").write_text(json.dumps({"receivers": {"desk": desk}, "route": {"to": "desk"}}))
    (folder / "city.yaml").write_text(json.dumps(model))
    return folder / "city.yaml"


def voltage(feeder: int, at: int, *, dead: bool) -> Message:
    """What a feeder says at ``at`` (ms)."""
    payload = json.dumps({"at": rfc3339(at), "values": {"voltage": float(not dead)}})
    topic = f"city/v1/testville/power/feeder-{feeder}/feeder-{feeder}/telemetry"
    return Message(at, topic, payload.encode())
