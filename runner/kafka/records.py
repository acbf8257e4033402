"""Records on Kafka: CloudEvents headers (binary mode), and which partition carries what.

In:  a city, and how many partitions its topics have on a Kafka.
Out: keys, partitions, headers.
Promises: the partition of a key is the one that Kafka's own clients choose (murmur2), so that others may
write under our keys.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from runner.kafka.murmur import murmur2
from runner.kafka.settings import KafkaFailed, KafkaSettings
from schemas.city import City, Sensor
from schemas.topics import Topic
from streams.causes import Causes
from streams.domains import domains_of
from streams.groups import Watcher
from streams.sites import sites
from streams.watchers import watchers

Headers = list[tuple[str, str | bytes | None]]


class Place(NamedTuple):
    """Where a worker's output comes from: the record that it follows from, and its number among its outputs.

    The same input gives the same places, so that whoever reads an output twice knows it.
    """

    stage: str
    partition: int
    offset: int
    number: int


class Layout:
    """A city on the partitions of its readings."""

    def __init__(self, city: City, partitions: int) -> None:
        watching = watchers(city)
        self.site_of = sites(city, watching)
        self._city = city.city
        found = list(set(self.site_of.values()))
        self.partition_of = dict(
            zip(found, partitions_of([self.key(site) for site in found], partitions), strict=True)
        )
        self.sensors: dict[int, list[Sensor]] = {
            partition: [] for partition in sorted(set(self.partition_of.values()))
        }
        """By partition, for those that carry anything of the city."""
        for sensor in city.sensors:
            self.sensors[self.partition_of[self.site_of[sensor.asset]]].append(sensor)
        self.watchers: dict[int, list[Watcher]] = defaultdict(list)
        """By partition."""
        for watcher in watching:
            asset = city.sensor_by_id[watcher.sensors[0]].asset
            self.watchers[self.partition_of[self.site_of[asset]]].append(watcher)

    def key(self, site: str) -> str:
        """The key of a site's records."""
        return f"{self._city}/{site}"


class Districts:
    """A city's correlation domains on the partitions of its alarms."""

    def __init__(self, city: City, causes: Causes, partitions: int) -> None:
        self.domains = domains_of(city, causes)
        self.divided = len(self.domains.by_name) > 1
        self._city = city.city
        self._partition_of = {
            name: partition_of(self._key(name), partitions) for name in self.domains.by_name
        }
        names: dict[int, set[str]] = defaultdict(set)
        for name, partition in self._partition_of.items():
            names[partition].add(name)
        self.names = {partition: frozenset(found) for partition, found in sorted(names.items())}
        """Domains by partition, for those that carry any."""

    def hearing(self, asset: str) -> tuple[str, list[str]]:
        """The key under which an asset's alarms stand; and those by which other partitions overhear them."""
        home = self.domains.home[asset]
        first = {self._partition_of[name]: name for name in sorted(self.domains.seen_by[asset], reverse=True)}
        first.pop(self._partition_of[home], None)
        return self._key(home), [self._key(name) for _, name in sorted(first.items())]

    def at_home(self, names: Iterable[str]) -> frozenset[str]:
        """The assets that belong to these domains."""
        return frozenset(asset for name in names for asset in self.domains.by_name[name].own)

    def _key(self, name: str) -> str:
        return f"{self._city}/{name}"


def partition_of(key: str, partitions: int) -> int:
    """Where Kafka's own clients put a key."""
    (found,) = partitions_of([key], partitions)
    return found


def partitions_of(keys: Iterable[str], partitions: int) -> list[int]:
    """Where Kafka's own clients put each key."""
    found: list[int] = (murmur2([key.encode() for key in keys]) % 2**31 % partitions).tolist()
    return found


def headers(kind: str, source: str, number: str) -> Headers:
    """CloudEvents headers of a record that carries a ``kind`` of ``schemas.export``."""
    return [
        ("ce_specversion", "1.0"),
        ("ce_type", f"crosscurrent.{kind}"),
        ("ce_source", source),
        ("ce_id", number),
        ("content-type", "application/json"),
    ]


def headers_of(city: str, place: Place, kind: str) -> Headers:
    """Headers of a worker's output."""
    return headers(kind, f"/{city}/{place.stage}/{place.partition}", f"{place.offset}/{place.number}")


def said(message: Message) -> dict[str, str]:
    """A record's headers as text."""
    found = dict(message.headers() or ())
    return {name: value.decode(errors="replace") for name, value in found.items() if isinstance(value, bytes)}


def kind_of(found: Mapping[str, str]) -> str:
    """Which schema a record has, by its headers; empty where they don't say."""
    return found.get("ce_type", "").removeprefix("crosscurrent.")


def place_of(found: Mapping[str, str]) -> Place:
    """Where an output comes from, by its headers. Raises ValueError where it is no worker's."""
    try:
        _, _, stage, partition = found["ce_source"].split("/")
        offset, number = found["ce_id"].split("/")
        return Place(stage, int(partition), int(offset), int(number))
    except (KeyError, ValueError) as error:
        raise ValueError("headers ce_source and ce_id are not those of a worker of ours") from error


class Repeats:
    """Knows what workers say a second time, after a kill or when they were cut off."""

    def __init__(self, newest: Mapping[str, tuple[int, int]] | None = None) -> None:
        self.newest = dict(newest or {})
        """By part of a stage (``detect/3``): offset and number of the newest output taken."""

    def is_new(self, found: Mapping[str, str]) -> bool:
        """Whether an output was not taken yet, by its headers; from now on it is. Raises ValueError."""
        place = place_of(found)
        part, known = f"{place.stage}/{place.partition}", (place.offset, place.number)
        if known <= self.newest.get(part, (-1, -1)):
            return False
        self.newest[part] = known
        return True


def is_of(city: str, found: Mapping[str, str]) -> bool:
    """Whether a worker, a collector or a person of this city wrote a record, by its headers."""
    return found.get("ce_source", "").startswith((f"/{city}/", f"/collect/{city}/"))


def partitions(client: Consumer | Producer, settings: KafkaSettings, topics: Sequence[Topic]) -> list[int]:
    """How many partitions topics have. Raises KafkaFailed where one is missing or Kafka does not answer."""
    counts = []
    for topic in topics:
        name = settings.name(topic)
        try:
            found = client.list_topics(name, timeout=10).topics[name]
        except KafkaException as error:
            raise failed(settings, error) from error
        if found.error is not None and found.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise KafkaFailed(f"Kafka {settings.address}: topic {name!r}: {found.error.str()}")
        if not found.partitions:
            raise KafkaFailed(
                f"Kafka {settings.address} has no topic {name!r}; 'crosscurrent topics create' makes it"
            )
        counts.append(len(found.partitions))
    return counts


def failed(settings: KafkaSettings, error: KafkaException | KafkaError) -> KafkaFailed:
    """What to say of an error of the client library."""
    said = error.args[0] if isinstance(error, KafkaException) else error
    text = said.str() if isinstance(said, KafkaError) else str(said)
    return KafkaFailed(f"Kafka {settings.address}: {text}; is it running, is the address right, may we?")


def in_callback(
    settings: KafkaSettings, work: Callable[[Consumer, list[TopicPartition]], None]
) -> Callable[[Consumer, list[TopicPartition]], None]:
    """What a consumer may call where partitions come and go. An error of librdkafka that leaves a callback
    comes out of the client as something that is no exception, which no handler meets: the thread would end,
    and nobody hear of it. KafkaFailed comes out as it is.
    """

    def called(consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            work(consumer, partitions)
        except KafkaException as error:
            raise failed(settings, error) from error

    return called
