"""A city's stages on a Kafka as it is: how many partitions there are decides which part is where."""

from confluent_kafka import Producer

from runner.kafka.records import Layout, partition_of, partitions
from runner.kafka.settings import KafkaSettings
from runner.kafka.stages import Correlate, Detect, Stage
from schemas.alerting import Policy
from schemas.city import City
from schemas.topics import ALARMS, READINGS
from schemas.vocabulary import Vocabulary
from streams.causes import Causes


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
        readings, alarms = partitions(Producer(settings.librdkafka({})), settings, [READINGS, ALARMS])
        self.layout = Layout(city, readings)
        self._alarms_partition = partition_of(city.city, alarms)
        self._city, self._vocabulary, self._causes, self._policy = city, vocabulary, causes, policy

    def stage(self, name: str) -> Stage:
        """The stage ``detect`` or ``correlate``."""
        if name == Detect.name:
            return Detect(self._city, self._vocabulary, self.layout)
        return Correlate(
            self._city, self._vocabulary, self._causes, self.layout, self._alarms_partition, self._policy
        )
