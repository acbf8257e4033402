"""The whole system in one process: broker, log, core, store.

In:  a city model, a data folder, and either a port for the embedded broker or the address of another one.
Out: results in the folder's store, and a status for the console.
Promises: what was acknowledged to a sender is never lost and never counts twice, over kills at any moment
and over stops; ``stop`` takes less than two seconds and leaves what is not processed yet in the log.

Two threads of ours, next to the broker's: the log's writer answers senders, the processor thinks. Only
the processor may lag behind, by at most ``reception.LAG_MAX`` records; then senders wait.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from collectors.mqtt import Collector
from collectors.settings import mqtt_settings
from runner import reception as door
from runner.answering import signer_of
from runner.broker import EmbeddedBroker
from runner.hours import Hours
from runner.livetime import LiveTime
from runner.loadwatch import SPAN, figures_of_load
from runner.metrics import Figure, stream_time
from runner.processor import Processor
from runner.reception import Reception
from runner.sending.outbox import Sending
from runner.store import Retention, Store
from schemas.alerting import Policy
from schemas.answers import Answer
from schemas.city import City
from schemas.vocabulary import Vocabulary
from streams.causes import Causes

if TYPE_CHECKING:
    from runner.influx.feed import Feed
    from runner.influx.settings import InfluxSettings

IDLE_SECONDS = 0.25
GATHER_SECONDS = 0.02
"""Records gather so long before they are processed: the next transaction then serves many."""
RATE_SECONDS = 10


class Buffer(NamedTuple):
    """Something that can fill up, and what happens at its bound."""

    name: str
    waiting: int
    bound: int
    at_bound: str


@dataclass(frozen=True, slots=True)
class Status:
    """How it goes. Counts are since the data folder was new; rates are of the last ten seconds."""

    broker: str
    folder: Path
    stream_time: int | None
    """How far the input has got, ms since the epoch; None before enough assets have spoken."""
    received: int
    """Messages."""
    refused: int
    """Messages that were wholly refused, or one too many of their asset."""
    readings: int
    duplicates: int
    late: int | None
    """Readings that came too late to be judged; None where others count them, as in the next."""
    future: int | None
    """Readings dated after stream time by a fast clock."""
    stored: int
    """Readings in the store, each once."""
    messages_per_second: float
    readings_per_second: float
    lag: int
    """Records of the log that are not processed yet."""
    buffers: tuple[Buffer, ...]
    failure: str | None
    """Why it stopped by itself; None while it runs."""


class Embedded:
    """One city, running. ``start`` and ``stop`` it once.

    ``broker`` is the address of another broker (``mqtt://host:port``; CROSSCURRENT_MQTT_* variables say the
    rest) in the place of the embedded one, which listens on ``mqtt_host`` and ``mqtt_port`` (0: any free
    port). ``causes`` are rules in the place of ours; ``policy`` says who is told, ``send`` that messages
    really go out; ``influx`` is where all is written too. ``on_failure`` is called, from another thread,
    where it can't go on: the disk is full, say. Raises BadConfig where the address is none, CannotRun where
    the folder is in use or unfit, InfluxFailed where InfluxDB lets us not write, NoSecret where a receiver's
    is not there.
    """

    def __init__(
        self,
        city: City,
        vocabulary: Vocabulary,
        folder: Path,
        *,
        broker: str | None = None,
        mqtt_host: str = "127.0.0.1",
        mqtt_port: int = 1883,
        retention: Retention | None = None,
        causes: Causes | None = None,
        policy: Policy | None = None,
        send: bool = False,
        influx: "InfluxSettings | None" = None,
        on_failure: Callable[[Exception], None] | None = None,
    ) -> None:
        self.city = city
        self.store = Store(folder)
        self.retention = retention or Retention()
        self._feed: Feed | None = None
        self._sending: Sending | None = None
        try:
            self._feed = self._feed_of(influx)
            tell = self._feed.outbox.put if self._feed else None
            self._processor = Processor(city, vocabulary, self.store, self.retention, causes, policy, tell)
            self._reception = Reception(city, self.store.log, processed=self._processor.offset)
            self._source = self._source_of(broker, mqtt_host, mqtt_port)
            self._sending = Sending(policy, self.store, self._fail) if send and policy else None
        except BaseException:
            self._close()
            raise
        self.signer = signer_of(policy) if policy else None
        """Reads the links with which people answer; None where there are none."""
        self.hours: Hours | None = None
        """Plays what was; None where nobody set it up."""
        self._on_failure = on_failure
        self._failure: Exception | None = None
        self._live_time = LiveTime(city)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._process, name="processor", daemon=True)
        self._rates: deque[tuple[float, int, int]] = deque(maxlen=RATE_SECONDS + 1)

    def start(self) -> None:
        """Listen and process. Raises CannotRun where the port is taken; the folder is free again then."""
        try:
            self._source.start()
        except BaseException:
            self._close()
            raise
        self._thread.start()
        if self._feed:
            self._feed.start()
        if self._sending:
            self._sending.start()

    def stop(self) -> None:
        """Take nothing more, acknowledge what was taken, keep the state, free the folder."""
        if self.hours:
            self.hours.stop()
        self._source.stop()
        self._stopping.set()
        self._reception.stop()
        self._thread.join()
        if self._feed:
            self._feed.stop()
        if self._sending:
            self._sending.stop()
        self.store.close()

    def _close(self) -> None:
        """Free the folder, before anything was begun."""
        if self._feed:
            self._feed.close()
        if self._sending:
            self._sending.stop()
        self.store.close()

    def answer(self, answer: Answer) -> None:
        """Take what somebody answered: it is on the disk when this returns."""
        self._reception.pass_answer(answer)

    def end_of_input(self) -> None:
        """Nothing more will come, as at the end of a recording: look at what waits for time to move."""
        if (stream_time := self.store.progress().stream_time) is not None:
            self._reception.pass_time(stream_time)

    def _feed_of(self, influx: "InfluxSettings | None") -> "Feed | None":
        """The way to an InfluxDB, whose library a plain install lacks."""
        if influx is None:
            return None
        from runner.influx.feed import Feed

        return Feed(self.city, self.store, influx, self._fail)

    def _source_of(self, broker: str | None, host: str, port: int) -> EmbeddedBroker | Collector:
        """What messages come from: our own broker, or a collector of another one."""
        if broker is None:
            return EmbeddedBroker(self._reception.receive, host, port, self._fail)
        # A session for each city: stable over restarts, so that the broker keeps what comes meanwhile.
        settings = mqtt_settings(broker, os.environ, client_id=f"crosscurrent-{self.city.city}")
        return Collector(settings, self._reception.receive, self._fail)

    @property
    def failure(self) -> Exception | None:
        """Why it stopped by itself; None while it runs."""
        return self._failure

    @property
    def lag(self) -> int:
        """Records of the log that are not processed yet."""
        return self._reception.lag

    def status(self) -> Status:
        """How it goes, now. Any thread may ask, until ``stop``."""
        counts = self.store.counts()
        messages_per_second, readings_per_second = self._speeds()
        return Status(
            broker=self._source.address,
            folder=self.store.folder,
            stream_time=self.store.progress().stream_time,
            received=counts.get("messages", 0),
            refused=counts.get("refused", 0) + counts.get("flooded", 0),
            readings=counts.get("readings", 0),
            duplicates=counts.get("duplicates", 0),
            late=counts.get("late", 0),
            future=counts.get("future", 0),
            stored=counts.get("stored", 0),
            messages_per_second=messages_per_second,
            readings_per_second=readings_per_second,
            lag=self.lag,
            buffers=self._buffers(),
            failure=str(self._failure) if self._failure else None,
        )

    def figures(self) -> Iterator[Figure]:
        """How it goes, for Prometheus; operator load among it. Any thread may ask, until ``stop``."""
        status = self.status()
        for name, says, value in (
            ("messages_total", "Messages received.", status.received),
            ("readings_total", "Readings let in.", status.readings),
        ):
            yield Figure(f"crosscurrent_{name}", "counter", says, value)
        yield Figure("crosscurrent_log_lag", "gauge", "Records that are not processed yet.", status.lag)
        if self._sending:
            yield from self._sending.figures()
        if (now := status.stream_time) is not None:
            yield from stream_time(now)
            since = now - SPAN
            standing = [alarm for alarm in self.store.open_alarms() if alarm.raised < since]
            alarms = [*standing, *self.store.alarms(since)]
            notes, decisions = self.store.notifications(since=since), self.store.decisions(since=since)
            yield from figures_of_load(alarms, notes, decisions, now)

    def _process(self) -> None:
        try:
            while not self._stopping.is_set():
                busy = self._processor.step()
                self._reception.processed(self._processor.offset)
                self._note_rates()
                if not busy:
                    self._pass_time()
                    self._reception.wait_for_records(self._processor.offset, IDLE_SECONDS)
                self._stopping.wait(GATHER_SECONDS)
            self._processor.save()
        except Exception as error:  # noqa: BLE001 - handed on to whoever runs us
            self._fail(error)

    def _pass_time(self) -> None:
        """In a live city time passes though nobody says so."""
        now = self._live_time.tick(self._reception.last_received, self._processor.stream_time)
        if now is not None:
            self._reception.pass_time(now)

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self._reception.stop()
        if self._on_failure is not None:
            self._on_failure(error)

    def _note_rates(self) -> None:
        now = time.monotonic()
        if not self._rates or now - self._rates[-1][0] >= 1:
            counts = self.store.counts()
            self._rates.append((now, counts.get("messages", 0), counts.get("readings", 0)))

    def _speeds(self) -> tuple[float, float]:
        samples = list(self._rates)
        if len(samples) < 2:
            return 0.0, 0.0
        (start, *before), (end, *after) = samples[0], samples[-1]
        messages, readings = ((b - a) / (end - start) for a, b in zip(before, after, strict=True))
        return messages, readings

    def _buffers(self) -> tuple[Buffer, ...]:
        return (
            *self._waiting(),
            Buffer("waiting for the log", self._source.waiting, self._source.bound, "senders wait"),
            Buffer("log not processed", self.lag, door.LAG_MAX, "senders wait"),
            Buffer(
                "log kept",
                self.store.log.size(),
                self.retention.log_records,
                "the oldest processed records go",
            ),
        )

    def _waiting(self) -> tuple[Buffer, ...]:
        """What waits for InfluxDB; its readings lie in the log, which keeps so many all the same."""
        if self._feed is None:
            return ()
        from runner.influx.outbox import FACTS_MAX

        return (
            Buffer("facts not in InfluxDB", self._feed.facts, FACTS_MAX, "the oldest go"),
            Buffer("log not in InfluxDB", self._feed.lag, self.retention.log_records, "the oldest go"),
        )
