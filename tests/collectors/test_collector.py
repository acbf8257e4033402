"""The collector at a real mosquitto: what is acknowledged, what comes again, what happens at the bound."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from collectors.client import BrokerFailed, Received, ReceivingClient
from collectors.messages import Message
from collectors.mqtt import Collector
from collectors.settings import MqttSettings, mqtt_settings
from tests.servers import Mosquitto

ROOT = Path(__file__).parents[2]


def settings(broker: Mosquitto, **more: int) -> MqttSettings:
    """Settings for a collector at this broker."""
    return mqtt_settings(broker.address, {}, reconnect_seconds_max=1, **more)


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Poll until it is true."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, f"still not: {what}"
        time.sleep(0.01)


def publish(broker: Mosquitto, numbers: range) -> None:
    """Publish numbers as payloads; return when the broker has them."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(0)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    for info in [client.publish("city/v1/smallville/a", str(number), qos=1) for number in numbers]:
        info.wait_for_publish(20)
    client.disconnect()
    client.loop_stop()


def numbers(messages: list[Message]) -> list[int]:
    """What ``publish`` published."""
    return [int(message.payload) for message in messages]


@pytest.fixture
def running() -> Iterator[Callable[[Collector], Collector]]:
    """Starts collectors, and stops them at the end."""
    started: list[Collector] = []

    def start(collector: Collector) -> Collector:
        collector.start()
        started.append(collector)
        return collector

    yield start
    for collector in started:
        collector.stop()


Running = Callable[[Collector], Collector]


def test_messages_arrive_in_order_and_once(mosquitto: Mosquitto, running: Running) -> None:
    """On a connection that holds, everything comes once, in the order published."""
    kept: list[Message] = []
    collector = running(Collector(settings(mosquitto), kept.extend))

    publish(mosquitto, range(3000))

    wait_until(lambda: len(kept) >= 3000, "3,000 messages")
    assert numbers(kept) == list(range(3000))
    assert kept[0].topic == "city/v1/smallville/a"
    wait_until(lambda: collector.counts.stored == 3000, "all acknowledged")


def test_the_trace_of_a_message_comes_with_it(mosquitto: Mosquitto, running: Running) -> None:
    """A user property of MQTT 5, found among others; empty where there is none."""
    kept: list[Message] = []
    running(Collector(settings(mosquitto), kept.extend))
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
    properties.MessageExpiryInterval = 60
    properties.UserProperty = [("make", "traceparent"), ("traceparent", "00-12-34-01"), ("b", "c")]
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()

    client.publish("city/v1/smallville/a", "1", qos=1, properties=properties).wait_for_publish(20)
    client.publish("city/v1/smallville/a", "2", qos=1).wait_for_publish(20)
    wait_until(lambda: len(kept) == 2, "2 messages")
    client.disconnect()
    client.loop_stop()

    assert [message.trace for message in kept] == ["00-12-34-01", ""]
    assert numbers(kept) == [1, 2]


def test_the_broker_keeps_messages_while_we_are_away(mosquitto: Mosquitto) -> None:
    """The session outlives the collector: the next one is sent what came meanwhile, and nothing twice."""
    kept: list[Message] = []
    first = Collector(settings(mosquitto), kept.extend)
    first.start()
    publish(mosquitto, range(10))
    wait_until(lambda: len(kept) == 10, "10 messages")
    first.stop()

    publish(mosquitto, range(10, 20))
    second = Collector(settings(mosquitto), kept.extend)
    second.start()
    wait_until(lambda: len(kept) >= 20, "20 messages")
    second.stop()

    assert numbers(kept) == list(range(20))


def test_after_stop_everything_taken_is_stored_and_acknowledged(mosquitto: Mosquitto) -> None:
    """A clean stop leaves nothing half done: the next one is sent what this one never stored."""
    kept: list[Message] = []

    def slowly(messages: list[Message]) -> None:
        time.sleep(0.02)  # the work that a store has
        kept.extend(messages)

    collector = Collector(settings(mosquitto), slowly)
    collector.start()
    publish(mosquitto, range(2000))
    collector.stop()
    rest: list[Message] = []
    then = Collector(settings(mosquitto), rest.extend)
    then.start()
    wait_until(lambda: len(kept) + len(rest) >= 2000, "2,000 messages")
    then.stop()

    assert numbers(kept + rest) == list(range(2000))


def test_a_store_that_fails_stops_the_collector_unacknowledged(mosquitto: Mosquitto) -> None:
    """A full disk ends it with that very error; the broker sends all again to the next."""
    failures: list[Exception] = []
    full = OSError(28, "No space left on device")

    def refuse(_messages: list[Message]) -> None:
        raise full

    broken = Collector(settings(mosquitto), refuse, failures.append)
    broken.start()
    publish(mosquitto, range(50))
    wait_until(lambda: bool(failures), "the failure")
    broken.stop()
    kept: list[Message] = []
    then = Collector(settings(mosquitto), kept.extend)
    then.start()
    wait_until(lambda: len(kept) >= 50, "50 messages")
    then.stop()

    assert failures == [full]
    assert broken.failure is full
    assert numbers(kept) == list(range(50))


STORES_BUT_NEVER_RETURNS = """
import sys, threading
from collectors.mqtt import Collector
from collectors.settings import mqtt_settings

def store(messages):
    print(len(messages), flush=True)
    threading.Event().wait()

Collector(mqtt_settings(sys.argv[1], {}), store).start()
threading.Event().wait()
"""


def test_kill_minus_nine_in_the_middle_of_storing_loses_nothing(mosquitto: Mosquitto) -> None:
    """Messages whose store did not return were not acknowledged: after the kill all come again, in order."""
    victim = subprocess.Popen(
        [sys.executable, "-c", STORES_BUT_NEVER_RETURNS, mosquitto.address], cwd=ROOT, stdout=subprocess.PIPE
    )
    with victim:
        assert victim.stdout is not None
        wait_until(lambda: subscribed(mosquitto), "a subscription")
        publish(mosquitto, range(500))
        assert int(victim.stdout.readline()) > 0
        victim.kill()

    kept: list[Message] = []
    then = Collector(settings(mosquitto), kept.extend)
    then.start()
    wait_until(lambda: len(kept) >= 500, "500 messages")
    then.stop()

    assert numbers(kept) == list(range(500))


def subscribed(broker: Mosquitto) -> bool:
    """Whether the broker has a subscription besides our question."""
    answers: list[int] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _user, message: answers.append(int(message.payload))
    client.connect("127.0.0.1", broker.port)
    client.subscribe("$SYS/broker/subscriptions/count")
    deadline = time.monotonic() + 1
    while not answers and time.monotonic() < deadline:
        client.loop(0.05)
    client.disconnect()
    return bool(answers) and answers[0] >= 1


def test_what_is_held_is_bounded(mosquitto: Mosquitto, running: Running) -> None:
    """While the store is stuck, no more is taken than the bound; when it goes on, everything arrives."""
    stuck = threading.Event()
    kept: list[Message] = []

    def store(messages: list[Message]) -> None:
        stuck.wait(20)
        kept.extend(messages)

    collector = running(Collector(settings(mosquitto, outstanding=100, receive_maximum=65535), store))
    publish(mosquitto, range(5000))
    wait_until(lambda: collector.waiting == 100, "a full queue")
    held = collector.counts.received
    stuck.set()

    wait_until(lambda: len(kept) >= 5000, "5,000 messages")
    assert held <= 100 + 1000  # the queue, and the one batch that is being stored
    assert numbers(kept) == list(range(5000))


def test_a_backlog_larger_than_the_bound_is_taken(mosquitto: Mosquitto, running: Running) -> None:
    """A broker sends what it kept before it answers the subscription: nobody waits for the other."""
    first = Collector(settings(mosquitto), lambda _: None)
    first.start()
    first.stop()
    publish(mosquitto, range(3000))

    kept: list[Message] = []
    running(Collector(settings(mosquitto, outstanding=10, receive_maximum=65535), kept.extend))

    wait_until(lambda: len(kept) >= 3000, "3,000 messages")
    assert numbers(kept) == list(range(3000))


def test_it_comes_back_after_the_broker_was_away(mosquitto: Mosquitto, running: Running) -> None:
    """A broker that restarts is found again, and nothing published is missing."""
    kept: list[Message] = []
    collector = running(Collector(settings(mosquitto), kept.extend))
    publish(mosquitto, range(100))
    wait_until(lambda: len(kept) == 100, "100 messages")

    mosquitto.stop()
    mosquitto.start()
    publish(mosquitto, range(100, 200))

    wait_until(lambda: set(numbers(kept)) >= set(range(200)), "200 messages")
    assert collector.counts.connections == 2


def test_acknowledgements_of_an_old_connection_are_not_sent_on_a_new_one(
    mosquitto: Mosquitto, running: Running
) -> None:
    """Message ids begin anew with a connection: what was stored across a restart is simply sent again."""
    go_on, storing = threading.Event(), threading.Event()
    kept: list[Message] = []

    def store(messages: list[Message]) -> None:
        storing.set()
        go_on.wait(20)
        kept.extend(messages)

    collector = running(Collector(settings(mosquitto), store))
    publish(mosquitto, range(100))
    assert storing.wait(10)
    mosquitto.stop()
    mosquitto.start()
    wait_until(lambda: collector.counts.connections == 2, "a second connection")
    go_on.set()

    publish(mosquitto, range(100, 200))
    wait_until(lambda: set(numbers(kept)) >= set(range(200)), "200 messages")


def test_nobody_there_is_told(free_port: Callable[[], int]) -> None:
    """A broker that does not run is one clear sentence."""
    port = free_port()
    collector = Collector(mqtt_settings(f"mqtt://127.0.0.1:{port}", {}), lambda _: None)

    with pytest.raises(BrokerFailed) as caught:
        collector.start()

    assert str(caught.value) == (
        f"broker mqtt://127.0.0.1:{port} is out of reach: [Errno 111] Connection refused; "
        "is it running, is the address right?"
    )


def publish_as_they_are(broker: Mosquitto, payloads: list[bytes], properties: Properties | None) -> None:
    """Publish with MQTT 5, QoS 1 and 0 in turns; return when the broker has all."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.max_inflight_messages_set(0)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    for number, payload in enumerate(payloads):
        client.publish("city/v1/é", payload, qos=number % 2, properties=properties).wait_for_publish(20)
    client.disconnect()
    client.loop_stop()


def long_properties() -> Properties:
    """More than 127 bytes of them, so that their length takes two."""
    properties: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
    properties.ContentType = "application/json"
    properties.UserProperty = [("where", "x" * 300)]
    found: Properties = properties
    return found


@pytest.mark.parametrize("properties", [None, long_properties()], ids=["plain", "properties"])
def test_payloads_arrive_as_they_are(
    mosquitto: Mosquitto, running: Running, properties: Properties | None
) -> None:
    """Empty, binary, larger than what is read at once; whatever a publisher says beside them."""
    payloads = [
        b"",
        bytes(range(256)),
        b"\x00" * 300_000,
        b"{}",
        *(b"%d" % n for n in range(50)),
        b"x" * 99_999,
    ]
    kept: list[Message] = []
    collector = running(Collector(settings(mosquitto), kept.extend))

    publish_as_they_are(mosquitto, payloads, properties)

    wait_until(lambda: len(kept) >= len(payloads), "all messages")
    assert [message.payload for message in kept] == payloads
    assert {message.topic for message in kept} == {"city/v1/é"}
    wait_until(lambda: collector.counts.stored == len(payloads), "all acknowledged")


def test_messages_arrive_over_tls(tmp_path: Path, running: Running, free_port: Callable[[], int]) -> None:
    """What TLS decrypted and nobody asked for yet is not left lying; acknowledgements get through."""
    certificate, key, secured = tmp_path / "cert.pem", tmp_path / "key.pem", free_port()
    making = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-addext"]
    making += ["subjectAltName=IP:127.0.0.1", "-out", str(certificate), "-keyout", str(key)]
    subprocess.run(making, check=True, capture_output=True)
    more = (f"listener {secured} 127.0.0.1", f"certfile {certificate}", f"keyfile {key}")
    kept: list[Message] = []
    with Mosquitto(tmp_path, free_port(), more=more) as broker:
        tls = mqtt_settings(f"mqtts://127.0.0.1:{secured}", {}, ca_file=str(certificate))
        first = Collector(tls, kept.extend)
        first.start()
        publish(broker, range(3000))
        wait_until(lambda: first.counts.stored == 3000, "3,000 messages")
        first.stop()
        then = running(Collector(tls, kept.extend))
        publish(broker, range(3000, 3001))
        wait_until(lambda: then.counts.stored > 0, "one more")
        assert numbers(kept) == list(range(3001))


def test_a_message_that_ends_too_early_is_no_message() -> None:
    """Lengths that lead beyond the packet: the connection is given up, nothing is received."""
    client = ReceivingClient(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5, manual_ack=True)
    received: list[Received] = []
    client.on_received = received.append
    for packet in (
        b"",
        b"\x00",
        b"\x00\x05ab",
        b"\x00\x01a\x00\x01",
        b"\x00\x01a\x00\x01\xff\xff\xff\xff\x7f",
    ):
        client._in_packet["command"], client._in_packet["packet"] = 0x32, bytearray(packet)
        assert client._handle_publish() == mqtt.MQTT_ERR_PROTOCOL, packet
    assert received == []
