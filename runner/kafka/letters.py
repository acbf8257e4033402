"""Dead letters on Kafka: found, shown, and sent again once their cause is mended.

In:  the topic of dead letters.
Out: letters with their ids (``PARTITION/OFFSET``); those sent again go to an MQTT broker as they came.
Promises: a letter is never removed or changed; sending one again is harmless, as readings count once.
"""

import math
from collections.abc import Collection, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from pydantic import ValidationError

from collectors.messages import Message
from collectors.play import Player
from collectors.recording import Writer
from collectors.settings import MqttSettings
from runner.kafka.reading import count_of, read
from runner.kafka.settings import KafkaSettings
from schemas.readings import DeadLetter
from schemas.topics import DEAD_LETTERS, TOPICS


class Letter(NamedTuple):
    """A dead letter where it lies."""

    id: str
    letter: DeadLetter

    @property
    def why_not_again(self) -> str | None:
        """Why it can't be sent again; None where it can."""
        if self.letter.topic in {topic.name for topic in TOPICS}:
            return "it was a record on Kafka, and no MQTT message"
        if self.letter.size > len(self.letter.payload):
            return f"only the first {len(self.letter.payload)} of its {self.letter.size} bytes were kept"
        return None


def letters(settings: KafkaSettings, start: int | None = None, end: int | None = None) -> Iterator[Letter]:
    """The letters written between two times (ms). Raises KafkaFailed."""
    for partition in range(count_of(settings, DEAD_LETTERS)):
        for record in read(settings, DEAD_LETTERS, partition, start, end):
            try:
                letter = DeadLetter.model_validate_json(record.value)
            except ValidationError as error:  # somebody else's, on our topic: shown like the rest
                letter = DeadLetter(
                    received=record.at,
                    topic=DEAD_LETTERS.name,
                    payload=record.value,
                    size=len(record.value),
                    reason=f"no dead letter of ours: {error.error_count()} faults",
                )
            yield Letter(f"{partition}/{record.offset}", letter)


def chosen(found: Iterator[Letter], ids: Collection[str]) -> tuple[list[Letter], list[str]]:
    """The letters of these ids, and the ids that are none's."""
    wanted = set(ids)
    there = [letter for letter in found if letter.id in wanted]
    return there, sorted(wanted - {letter.id for letter in there})


def send_again(found: Collection[Letter], broker: MqttSettings) -> int:
    """Publish letters as they came; how many. Raises BrokerFailed where the broker does not take them."""
    again = [one.letter for one in found if one.why_not_again is None]
    if not again:
        return 0
    with TemporaryDirectory(prefix="crosscurrent-letters-") as folder:
        path = Path(folder) / "letters.jsonl"
        with Writer(path) as writer:
            for letter in again:
                writer.write(Message(letter.received, letter.topic, letter.payload))
        Player(path, broker, math.inf).run()
    return len(again)
