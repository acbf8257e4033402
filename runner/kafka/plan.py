"""A city's stages on a Kafka as it is: how many partitions there are decides which part is where."""

from pathlib import Path

from confluent_kafka import Producer

from runner.kafka.correlating import Correlate, JoinDomains
from runner.kafka.records import Districts, Layout, partition_of, partitions
from runner.kafka.settings import KafkaSettings
from runner.kafka.stages import Detect, Stage
from schemas.alerting import Policy
from schemas.city import City
from schemas.topics import ALARMS, DOMAINS, READINGS
from schemas.vocabulary import Vocabulary, load_vocabulary
from streams.causes import Causes, load_causes


class Plan:
    """What is where. Raises KafkaFailed where Kafka does not answer or lacks a topic."""

    def __init__(
        self,
        city: City,
        vocabulary: Vocabulary,
        causes: Causes,
        settings: KafkaSettings,
        policy: Policy | None = None,
    ) -> None:
        topics = [READINGS, ALARMS, DOMAINS]
        readings, alarms, domains = partitions(Producer(settings.librdkafka({})), settings, topics)
        self.layout = Layout(city, readings)
        self._districts = Districts(city, causes, alarms)
        self._join_at = partition_of(city.city, domains)
        self._city, self._vocabulary, self._causes, self._policy = city, vocabulary, causes, policy

    def detect(self) -> list[Stage]:
        """Readings to alarms."""
        return [Detect(self._city, self._vocabulary, self.layout, self._districts)]

    def correlate(self) -> list[Stage]:
        """Alarms to incidents; of a city with borders by way of its domains."""
        found: list[Stage] = [
            Correlate(self._city, self._vocabulary, self._causes, self.layout, self._districts, self._policy)
        ]
        if self._districts.divided:
            found.append(JoinDomains(self._city, self._causes, self._districts, self._join_at, self._policy))
        return found


def desk_of(city: City, path: Path, settings: KafkaSettings) -> Stage:
    """The stage that decides what people of a city hear, and reads their answers; ``path``: the city's file.

    Raises KafkaFailed.
    """
    return Plan(city, load_vocabulary(beside=path), load_causes(), settings).correlate()[-1]
