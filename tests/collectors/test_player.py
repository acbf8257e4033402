"""The player at a real mosquitto: order, pace, and brokers that go away."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from collectors.client import BrokerFailed
from collectors.messages import Message
from collectors.mqtt import Collector
from collectors.play import Player
from collectors.recording import Writer, read
from collectors.settings import mqtt_settings
from schemas.times import SECOND
from tests.servers import Mosquitto


def recording(path: Path, count: int, apart: int) -> Path:
    """So many messages, ``apart`` ms from each other."""
    with Writer(path) as writer:
        for i in range(count):
            writer.write(Message(i * apart, f"city/v1/smallville/{i % 7}", b'{"i": %d}' % i))
    return path


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Poll until it is true."""
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, f"still not: {what}"
        time.sleep(0.01)


def test_what_is_played_arrives_as_it_was(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """Played as fast as it goes, the same topics and bytes arrive in the same order."""
    path = recording(tmp_path / "day.jsonl.zst", 2000, 1000)
    kept: list[Message] = []
    collector = Collector(mqtt_settings(mosquitto.address, {}), kept.extend)
    collector.start()
    player = Player(path, mosquitto.address, math.inf)

    player.run()
    wait_until(lambda: len(kept) >= 2000, "2,000 messages")
    collector.stop()

    assert (player.published, player.acknowledged, player.share) == (2000, 2000, 1.0)
    sent = [(message.topic, message.payload) for message in read(path, lambda line, what: None)]
    assert [(message.topic, message.payload) for message in kept] == sent


def test_the_pace_is_the_recording_s(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """20 seconds at 20 times real time take one, not less."""
    player = Player(recording(tmp_path / "day.jsonl", 21, SECOND), mosquitto.address, 20.0)

    began = time.monotonic()
    player.run()

    assert 1.0 <= time.monotonic() - began < 3.0
    assert 8 < player.rate_reached <= 20.5


def test_a_broker_that_restarts_gets_everything_in_order(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """What was on the way is sent again before anything new, so first copies stay in order."""
    kept: list[Message] = []
    collector = Collector(mqtt_settings(mosquitto.address, {}, reconnect_seconds_max=1), kept.extend)
    collector.start()
    player = Player(recording(tmp_path / "day.jsonl", 3000, 1), mosquitto.address, 1.0)

    player.start()
    wait_until(lambda: len(kept) > 500, "500 messages")
    mosquitto.stop()
    mosquitto.start()
    wait_until(lambda: not player.running, "the end")
    player.stop()
    wait_until(lambda: len({message.payload for message in kept}) == 3000, "3,000 messages")
    collector.stop()

    assert player.acknowledged == player.published == 3000
    firsts = list(dict.fromkeys(message.payload for message in kept))
    assert firsts == [b'{"i": %d}' % i for i in range(3000)]


def test_stop_ends_it_soon(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """Somebody who stops a real-time day does not wait for the evening."""
    player = Player(recording(tmp_path / "day.jsonl", 10, 3600 * SECOND), mosquitto.address, 1.0)
    player.start()
    wait_until(lambda: player.acknowledged == 1, "the first message")

    began = time.monotonic()
    player.stop()

    assert time.monotonic() - began < 2
    assert player.published == 1


def test_stop_ends_it_soon_without_a_broker(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """Neither does somebody whose broker went away."""
    player = Player(recording(tmp_path / "day.jsonl", 10_000, 1), mosquitto.address, 1.0)
    player.start()
    wait_until(lambda: player.acknowledged > 10, "some messages")
    mosquitto.stop()

    began = time.monotonic()
    player.stop()

    assert time.monotonic() - began < 4


def test_nobody_there_is_told(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """A broker that does not run is one clear sentence, by ``stop`` as by ``run``."""
    address = f"mqtt://127.0.0.1:{free_port()}"
    player = Player(recording(tmp_path / "day.jsonl", 1, 1), address, 1.0)
    player.start()
    wait_until(lambda: not player.running, "the end")

    with pytest.raises(BrokerFailed, match=f"^broker {address} is out of reach: .* is the address right\\?$"):
        player.stop()
