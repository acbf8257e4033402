"""The topic table on a real Kafka: made where topics are missing, compared where they are there.

In:  the table (``schemas/topics.py``) and a Kafka.
Out: what was made; and what differs, in words. A topic that is there is never changed.
"""

from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    NoError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from runner.kafka.settings import KafkaFailed, KafkaSettings
from schemas.topics import TOPICS, Topic


class TopicTable:
    """The table at one Kafka. Raises KafkaFailed where that is out of reach or refuses us; ``close`` it."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        try:
            self._admin = KafkaAdminClient(**settings.kafka_python())
        except (KafkaError, OSError) as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Leave."""
        self._admin.close()

    def create(self) -> list[str]:
        """Make what is missing; the names of what was made."""
        there = self._partitions()
        made = []
        for topic in TOPICS:
            name = self._settings.name(topic)
            if name in there:
                continue
            wanted = {"num_partitions": topic.partitions, "configs": topic.settings}
            try:
                self._admin.create_topics({name: wanted}, wait_for_metadata=True)
            except TopicAlreadyExistsError:  # somebody else was quicker
                continue
            except KafkaError as error:
                raise self._failed(error, f"topic {name!r} could not be made: ") from error
            made.append(name)
        return made

    def differences(self) -> list[str]:
        """What a Kafka has otherwise than the table, a line each; empty where all is as it should be."""
        there = self._partitions()
        present = [topic for topic in TOPICS if self._settings.name(topic) in there]
        settings = self._topic_settings(present)
        found = []
        for topic in TOPICS:
            name = self._settings.name(topic)
            if topic not in present:
                found.append(f"{name}: is missing; 'crosscurrent topics create' makes it")
                continue
            if there[name] != topic.partitions:
                found.append(f"{name}: has {there[name]} partitions, the table says {topic.partitions}")
            found += [
                f"{name}: {key} is {settings[name].get(key)}, the table says {wanted}"
                for key, wanted in topic.settings.items()
                if settings[name].get(key) != wanted
            ]
        return found

    def _partitions(self) -> dict[str, int]:
        """How many partitions each topic has that is there."""
        try:
            described = self._admin.describe_topics([self._settings.name(topic) for topic in TOPICS])
        except KafkaError as error:
            raise self._failed(error) from error
        found = {}
        for topic in described:
            wrong = for_code(topic["error_code"])
            if wrong is NoError:
                found[topic["name"]] = len(topic["partitions"])
            elif wrong is not UnknownTopicOrPartitionError:
                raise self._failed(wrong(), f"topic {topic['name']!r}: ")
        return found

    def _topic_settings(self, topics: list[Topic]) -> dict[str, dict[str, Any]]:
        """The settings in force of these topics, defaults included."""
        if not topics:
            return {}
        asked = [ConfigResource(ConfigResourceType.TOPIC, self._settings.name(topic)) for topic in topics]
        try:
            described = self._admin.describe_configs(asked, config_filter="all")
        except KafkaError as error:
            raise self._failed(error) from error
        return {
            name: {key: one["value"] for key, one in found.items()}
            for name, found in described["topic"].items()
        }

    def _failed(self, error: Exception, what: str = "") -> KafkaFailed:
        why = "no broker answers" if isinstance(error, KafkaTimeoutError) else str(error)
        return KafkaFailed(
            f"Kafka {self._settings.address}: {what}{why}; is it running, is the address right, may we?"
        )
