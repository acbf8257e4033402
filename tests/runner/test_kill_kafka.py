"""The storm at full speed over real servers, with kill -9 of every part at random moments: nothing differs.

The short form is one round of kills through the worst hours. CROSSCURRENT_CHAOS_ROUNDS=10 (``make chaos``)
makes the long form of it: 230,000 readings of four storms, and each part at ten random moments.
"""

import os
import random
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.runner.kafkahelp import OnKafka, admitted, end, publish, readings, wait_until
from tests.runner.storm import recorded, storm_days
from tests.runner.test_stream import embedded, settled
from tests.servers import Kafka, Mosquitto, free_ports

ROUNDS = int(os.environ.get("CROSSCURRENT_CHAOS_ROUNDS", "1"))
SEED = 20250604
WRITTEN_SECONDS = 2
"""Mosquitto writes down what it acknowledged once a second; what it loses in between never reaches us."""
CUT_SECONDS = 12
"""Longer than the patience of groups and transactions."""
STUCK_SECONDS = 20
"""The watchdogs' patience: the longer half of what settling may take is theirs."""


class Supervised:
    """A verb that is started again each time it is killed, as a supervisor would."""

    def __init__(self, on_kafka: OnKafka, stack: ExitStack, *arguments: str, member: str = "") -> None:
        self._on_kafka, self._stack, self._arguments, self._member = on_kafka, stack, arguments, member
        self.process = self._start(wait=True)

    def _start(self, *, wait: bool = False) -> "subprocess.Popen[str]":
        return self._stack.enter_context(
            self._on_kafka.verb(*self._arguments, wait=wait, member=self._member)
        )

    def kill(self) -> None:
        """Kill -9, and start again."""
        self.process.kill()
        self.process.wait()
        self.process = self._start()

    def look_after(self) -> None:
        """Start it again if it has ended by itself."""
        if self.process.poll() is not None:
            self.process = self._start()


@pytest.mark.parametrize("shell", ["faust", "kafka"])
def test_kills_of_every_part_change_nothing(
    mosquitto: Mosquitto, prefix: str, tmp_path: Path, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Collector, each worker, two at once, both brokers, the network: in the end all is as if nothing was."""
    monkeypatch.setenv("CROSSCURRENT_KAFKA_STUCK_SECONDS", str(STUCK_SECONDS))
    chance = random.Random(SEED)
    messages = recorded("storm-day", 33_000)[15_000:] if ROUNDS == 1 else storm_days(4)
    expected = embedded(messages, tmp_path)
    (tmp_path / "kafka").mkdir()
    with Kafka(tmp_path / "kafka", *free_ports(2)) as kafka, ExitStack() as stack:
        on_kafka = OnKafka(kafka, prefix)
        collector = Supervised(on_kafka, stack, "collect", "--broker", mosquitto.address)
        one, other = (
            Supervised(on_kafka, stack, "stream", "detect", "--shell", shell, member=member)
            for member in "ab"
        )
        correlate = Supervised(on_kafka, stack, "stream", "correlate", "--shell", shell, member="c")
        everybody = [collector, one, other, correlate]

        def kafka_itself() -> None:
            kafka.kill()
            kafka.start()

        def mosquitto_itself() -> None:
            time.sleep(WRITTEN_SECONDS)
            mosquitto.kill()
            mosquitto.start()

        def network() -> None:
            kafka.freeze(CUT_SECONDS)

        def two_workers() -> None:
            one.kill()
            correlate.kill()

        kills: list[Callable[[], None]] = [
            collector.kill,
            one.kill,
            other.kill,
            correlate.kill,
            two_workers,
            kafka_itself,
            mosquitto_itself,
            network,
        ] * ROUNDS
        chance.shuffle(kills)
        size = len(messages) // (len(kills) + 1) + 1
        for start in range(0, len(messages), size):
            publish(mosquitto, messages[start : start + size])
            time.sleep(chance.uniform(0, 1))
            if kills:
                kills.pop()()
            all_at_work(everybody)
        due = admitted(messages)
        wait_until(
            lambda: all_at_work(everybody) and readings(on_kafka).keys() == due, "all readings", 60 * ROUNDS
        )
        end(collector.process)
        with on_kafka.verb("collect", "--broker", mosquitto.address, "--until-idle", "1") as last:
            assert last.wait(60) == 0
        settled(on_kafka, expected, lambda: all_at_work(everybody[1:]))


def all_at_work(everybody: list[Supervised]) -> bool:
    """Start again whoever has ended by itself; true."""
    for verb in everybody:
        verb.look_after()
    return True
