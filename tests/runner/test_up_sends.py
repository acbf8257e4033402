"""From MQTT to a webhook: ``up`` finds an incident in readings of this very hour and tells people."""

import json
import math
import time
from pathlib import Path

import pytest

from collectors.messages import Message
from collectors.play import Player
from collectors.recording import Writer
from runner.cli import main
from runner.embedded import Embedded
from schemas.alerting import Policy
from schemas.times import MINUTE, SECOND, rfc3339
from schemas.vocabulary import load_vocabulary
from tests.receivers import Hook
from tests.runner.kafkahelp import wait_until
from tests.scenario import BEATS, city_of

CITY = city_of(
    """
    assets:
      - {id: feeder-1, utility: power, kind: feeder, zone: north}
      - {id: pump-1, utility: water, kind: pump, zone: north}
      - {id: pump-2, utility: water, kind: pump, zone: north}
    links:
      - {from: feeder-1, to: pump-1, relation: powers}
      - {from: feeder-1, to: pump-2, relation: powers}
    sensors:
      - {asset: pump-1, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
      - {asset: pump-2, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
    """
)


def outage(path: Path, minutes: int) -> None:
    """So many minutes up to now; for the second half both pumps are without voltage."""
    now = round(time.time() * SECOND)
    writer = Writer(path)
    for minute in range(minutes):
        at = now - (minutes - minute) * MINUTE
        dead = minute >= minutes // 2
        said = {f"water/north/{pump}": {"voltage": 0.0 if dead else 1.0} for pump in ("pump-1", "pump-2")}
        said |= {f"power/z/{beat}": {"frequency": 50 + minute % 7 / 100} for beat in BEATS}
        for place, values in said.items():
            payload = json.dumps({"at": rfc3339(at), "values": values}).encode()
            writer.write(Message(at, f"city/v1/testville/{place}/telemetry", payload))
    writer.close()


def test_readings_of_this_hour_reach_a_webhook_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One page; after a restart on the same folder none again; a folder without receivers sends nothing."""
    recording = tmp_path / "outage.jsonl"
    outage(recording, 30)
    with Hook() as hook:
        desk = {"type": "webhook", "url": hook.address, "allow_private": True}
        policy = Policy.model_validate({"receivers": {"desk": desk}, "route": {"to": "desk"}})
        for _ in range(2):
            embedded = Embedded(
                CITY, load_vocabulary(), tmp_path / "data", mqtt_port=0, policy=policy, send=True
            )
            embedded.start()
            Player(recording, embedded.status().broker, math.inf).run()
            wait_until(lambda: bool(hook.requests), "a page")
            time.sleep(0.5)
            figures = {(one.name, *one.labels.values()): one.value for one in embedded.figures()}
            assert figures["crosscurrent_pages_last_day", "desk"] == 1
            assert figures["crosscurrent_decisions_last_day", "route", "told"] == 1
            assert figures["crosscurrent_alarms_last_day", "water"] == 2
            embedded.stop()
            assert embedded.failure is None

    assert (
        main(["alerts", "explain", hook.requests[0].json["incident"], "--data", str(tmp_path / "data")]) == 0
    )
    assert capsys.readouterr().out.splitlines()[-1].endswith("  desk: opened accepted")
    (page,) = hook.requests
    assert page.json["kind"] == "opened"
    assert page.json["asset"] == "feeder-1"
    assert page.json["text"].startswith("[critical] ") or page.json["text"].startswith("[warning] ")
