"""What Kafka holds of a city, followed into a data folder; the console shows it, as that of one process.

In:  the topics of readings, alarms, incidents, messages, decisions and dead letters; people's answers.
Out: a store with what stands on them; answers, on Kafka where the desk reads.
Promises: belongs to no group, moves no offset and holds nobody up. A folder that was followed into before
goes on where it was; after a kill some of it is read again, and changes nothing.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, KafkaException, Message, TopicPartition

from runner.answering import signer_of
from runner.database import CannotRun
from runner.embedded import Status
from runner.hours import Hours
from runner.kafka.answering import keep
from runner.kafka.gathering import SHOWN, Batch, Gathering
from runner.kafka.plan import desk_of
from runner.kafka.reading import SECONDS, offset_at, reader, record_of
from runner.kafka.records import failed, partitions
from runner.kafka.settings import KafkaSettings
from runner.metrics import Figure, stream_time
from runner.store import Progress, Retention, Store
from schemas.alerting import Policy
from schemas.answers import Answer
from schemas.city import City
from schemas.times import DAY, SECOND
from schemas.topics import ALARMS, DEAD_LETTERS, READINGS

A_DAY_BACK = (READINGS, ALARMS, DEAD_LETTERS)
"""Topics of which a new folder begins a day ago: what is older is much, and hardly looked at. Of the others
it takes all that is there.
"""
KEPT = Retention(readings_days=2, results_days=90)
RECORDS = 200
LOOK_SECONDS = 0.3
SAVE_SECONDS = 5.0
TRIM_SECONDS = 600.0
RATE_LOOKS = 10


class Mirror:
    """One city on one Kafka. ``start`` and ``stop`` it once. ``folder`` is nobody else's; ``path`` is the
    city's file; ``on_failure`` is called, from another thread, where it can't go on.

    Raises CannotRun where the folder is in use, unfit, or follows another Kafka, KafkaFailed, NoSecret.
    """

    hours: Hours | None = None
    """Nobody plays hours here."""

    def __init__(
        self,
        settings: KafkaSettings,
        city: City,
        path: Path,
        policy: Policy,
        folder: Path,
        on_failure: Callable[[Exception], None],
    ) -> None:
        self.city, self._settings, self._on_failure = city, settings, on_failure
        self.signer = signer_of(policy)
        self._desk = desk_of(city, path, settings)
        self._topics = {settings.name(topic): topic for topic in SHOWN}
        self._consumer = reader(settings)
        self._counts = partitions(self._consumer, settings, SHOWN)
        self._whose = f"{self._consumer.list_topics(timeout=SECONDS).cluster_id} {settings.prefix}"
        self.store = Store(folder)
        try:
            self._gathering = Gathering(city.city, self._kept_state())
        except BaseException:
            self.store.close()
            raise
        self._ended: set[tuple[str | None, int | None]] = set()
        """Partitions that were read to their end once."""
        self._lag = 0
        self._rates: deque[tuple[float, int, int]] = deque(maxlen=RATE_LOOKS + 1)
        self._failure: Exception | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._guarded, name="mirror", daemon=True)

    def start(self) -> None:
        """Follow from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Write down what was read, and where; free the folder."""
        self._stopping.set()
        self._thread.join()
        self._consumer.close()
        self.store.close()

    @property
    def failure(self) -> Exception | None:
        """Why it stopped by itself; None while it runs."""
        return self._failure

    @property
    def up_to_date(self) -> bool:
        """Whether all that was there has been taken."""
        return len(self._ended) == sum(self._counts)

    def answer(self, answer: Answer) -> None:
        """Put what somebody answered where the desk reads; it is on Kafka when this returns."""
        keep(self.city.city, self._desk, self._settings, answer)

    def status(self) -> Status:
        """How it goes. Any thread may ask, until ``stop``."""
        counts = self.store.counts()
        readings, stored = counts.get("readings", 0), counts.get("stored", 0)
        records_per_second, readings_per_second = self._speeds()
        return Status(
            broker=self._settings.address,
            folder=self.store.folder,
            stream_time=self.store.progress().stream_time,
            received=counts.get("records", 0),
            refused=counts.get("refused", 0),
            readings=readings,
            duplicates=readings - stored,
            late=None,
            future=None,
            stored=stored,
            messages_per_second=records_per_second,
            readings_per_second=readings_per_second,
            lag=self._lag,
            buffers=(),
            failure=str(self._failure) if self._failure else None,
        )

    def figures(self) -> Iterator[Figure]:
        """How it goes, for Prometheus."""
        status = self.status()
        for name, says, value in (
            ("records_total", "Records of readings taken from Kafka.", status.received),
            ("readings_total", "Readings taken.", status.readings),
        ):
            yield Figure(f"crosscurrent_{name}", "counter", says, value)
        says = "Offsets not read yet (ends of transactions among them)."
        yield Figure("crosscurrent_console_lag_records", "gauge", says, status.lag)
        if status.stream_time is not None:
            yield from stream_time(status.stream_time)

    # -- the thread ------------------------------------------------------------------------------

    def _guarded(self) -> None:
        try:
            self._follow()
        except KafkaException as error:
            self._fail(failed(self._settings, error))
        except Exception as error:  # noqa: BLE001 - handed on to whoever runs us
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self._on_failure(error)

    def _follow(self) -> None:
        self._consumer.assign(self._places())
        save_at, trim_at = 0.0, time.monotonic() + TRIM_SECONDS
        while not self._stopping.is_set():
            messages = self._consumer.consume(RECORDS, LOOK_SECONDS)
            for message in messages:
                self._take(message)
            if messages:
                self._write()
            self._look()
            now = time.monotonic()
            if now >= save_at:
                self._save()
                save_at = now + SAVE_SECONDS
            if now >= trim_at:
                self.store.trim(KEPT, self.city.sensor_by_id)
                trim_at = now + TRIM_SECONDS
        self._save()

    def _take(self, message: Message) -> None:
        error, name, partition = message.error(), message.topic(), message.partition()
        if error is not None:
            if error.name() == "_PARTITION_EOF":
                self._ended.add((name, partition))
            elif not error.retriable():
                raise failed(self._settings, error)
            return
        assert name is not None
        assert partition is not None
        self._gathering.take(self._topics[name], partition, record_of(message))

    def _write(self) -> None:
        """Bring the batch into the store."""
        batch, self._gathering.batch = self._gathering.batch, Batch()
        progress = Progress(1, self._gathering.stream_time, dict(self._gathering.counts))
        self.store.write(
            progress, batch.readings, batch.alarms, batch.incidents, batch.notifications, batch.decisions
        )
        if batch.letters:
            self.store.log.append((), batch.letters)

    def _save(self) -> None:
        """Note how far all is written."""
        self.store.save_snapshot(1, {"whose": self._whose, "gathering": self._gathering.snapshot()})

    def _look(self) -> None:
        """See how much there is to read, and how fast it came; once a second."""
        now = time.monotonic()
        if self._rates and now - self._rates[-1][0] < 1:
            return
        positions = self._consumer.position(self._consumer.assignment())
        ends = [self._consumer.get_watermark_offsets(one, cached=True)[1] for one in positions]
        self._lag = sum(max(0, end - max(0, one.offset)) for one, end in zip(positions, ends, strict=True))
        counts = self._gathering.counts
        self._rates.append((now, counts["records"], counts["readings"]))

    def _speeds(self) -> tuple[float, float]:
        samples = list(self._rates)
        if len(samples) < 2:
            return 0.0, 0.0
        (start, *before), (end, *after) = samples[0], samples[-1]
        records, readings = ((b - a) / (end - start) for a, b in zip(before, after, strict=True))
        return records, readings

    # -- where to begin --------------------------------------------------------------------------

    def _kept_state(self) -> dict[str, object] | None:
        """How far the folder is; None for a new one."""
        newest = self.store.newest_snapshot()
        if newest is None:
            return None
        _, state = newest
        if state.get("whose") != self._whose:
            raise CannotRun(
                f"{self.store.folder} follows another Kafka, or is of 'up' in one process: "
                "give the console a folder of its own"
            )
        kept: dict[str, object] = state["gathering"]
        return kept

    def _places(self) -> list[TopicPartition]:
        """Where each partition is read from."""
        since = round(time.time() * SECOND) - DAY
        found: list[TopicPartition] = []
        for topic, count in zip(SHOWN, self._counts, strict=True):
            name = self._settings.name(topic)
            for number in range(count):
                offset = self._gathering.next.get((topic.name, number))
                if offset is None and topic in A_DAY_BACK:
                    # the end is asked for before, so that what comes meanwhile is not passed by
                    _, end = self._consumer.get_watermark_offsets(TopicPartition(name, number), SECONDS)
                    offset = offset_at(self._consumer, name, number, since, end)
                found.append(TopicPartition(name, number, OFFSET_BEGINNING if offset is None else offset))
        return found
