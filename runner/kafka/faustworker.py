"""A worker on Faust: the same ``Carrier``, with Faust for the group, the fetching and the flow.

In:  records of the stage's topic, committed ones only.
Out: what ``Carrier`` makes of them.
Promises: as those of ``worker``. Of Faust we use partitions, groups and agents, with a scheduler and a schema
of our own, which it lets us choose; no tables, windows, Records, producers, acknowledgements or exactly_once.
Three of its inner names are leaned on, so it is pinned: the consumer's ``perform_seek``, the one place where
a state can be loaded before the first record comes, its ``_commit``, and the isolation level of the client
below. Offsets are committed for people who watch the lag (they decide nothing).
"""

import asyncio
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiokafka
import faust
from aiokafka.errors import KafkaError
from faust.tables import TableManager
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.transports import SchedulingStrategyT

from runner.kafka.carrier import Carrier
from runner.kafka.settings import KafkaSettings
from runner.kafka.stages import Record, Stage
from runner.kafka.watchdog import Watchdog

LOOK_SECONDS = 0.1
FETCH_RECORDS = 100
"""Records that are handed over as one at most: while they are worked on, Faust's loop stands still."""


class _Batches(SchedulingStrategyT):
    """Hands over what was fetched of a partition as one record: each takes Faust 100 us, however small."""

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        """A record for each partition: the last one, with all of them as its value."""
        for tp, fetched in records.items():
            yield tp, replace(fetched[-1], key=None, value=fetched)


class _AsFetched(faust.Schema[Any, Any]):
    """Leaves a value as it is."""

    def loads_value(
        self,
        app: Any,  # noqa: ARG002 - Faust's signature
        message: Any,
        *,
        loads: Any = None,  # noqa: ARG002 - Faust's signature
        serializer: Any = None,  # noqa: ARG002 - Faust's signature
    ) -> Any:
        """The records of a batch."""
        return message.value


class _NoTables(TableManager):
    """Faust waits a second for tables to be declared; we have none."""

    async def sleep(self, n: Any, *, loop: Any = None) -> None:
        """Not for a moment."""


class _CommittedOnly(driver.AIOKafkaConsumerThread):
    """Fetches what is committed; Faust itself would ask for it only together with its exactly_once."""

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - see the module's promises
        return consumer


def _transport(app: faust.App, topic: str, carrier: Carrier) -> driver.Transport:
    """A transport whose consumer begins where the states of its partitions end."""

    class SeekToState(driver.Consumer):
        """May seek twice for one assignment: what is begun already only says where it is."""

        def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
            return _CommittedOnly(self, loop=self.loop, beacon=self.beacon)

        async def perform_seek(self) -> None:
            await super().perform_seek()
            mine = {tp.partition: tp for tp in self.assignment() if tp.topic == topic}
            carrier.end(carrier.positions.keys() - mine.keys())
            carrier.begin(mine)
            ends = await self.highwaters(*mine.values())
            for number, tp in mine.items():
                carrier.refuse_shrunk(number, ends[tp])
            where: dict[TP, int] = {mine[number]: offset for number, offset in carrier.positions.items()}
            await self.seek_wait(where)
            for tp, offset in where.items():
                self._read_offset[tp] = self._committed_offset[tp] = offset or None

    class Transport(driver.Transport):
        """Faust's own, with our consumer."""

        Consumer = SeekToState

    return Transport(app.conf.broker_consumer, app)


class FaustWorker:
    """One member of a stage's group. ``run`` it once, in any thread."""

    def __init__(self, settings: KafkaSettings, city: str, stage: Stage) -> None:
        self._settings, self._stage = settings, stage
        self._topic = settings.name(stage.source)
        self.carrier = Carrier(settings, city, stage)
        self._group = f"{settings.prefix}crosscurrent-faust-{stage.name}-{city}"
        self._watchdog = Watchdog(settings, self._group, stage, lambda: self.carrier.positions)
        self._failure: BaseException | None = None

    def run(self, stopping: threading.Event) -> None:
        """Work until told to stop. Raises KafkaFailed where it can't go on."""
        asyncio.run(self._run(stopping))

    async def _run(self, stopping: threading.Event) -> None:
        with TemporaryDirectory(prefix="crosscurrent-faust-") as folder, self._watchdog:
            app = self._app(Path(folder))
            # Its acknowledgements are of single records: with batches it would keep a note of each for ever.
            app.agent(app.topic(self._topic, schema=_AsFetched(), acks=False))(self._work)
            await app.start()
            try:
                await self._look_after(app, stopping)
                await self._save(app)
            finally:
                await app.stop()

    def _app(self, folder: Path) -> faust.App:
        """``folder``: Faust wants one, though nothing of ours is written there."""
        settings = self._settings
        more: dict[str, Any] = {}
        if settings.member is not None:
            more["consumer_group_instance_id"] = f"{settings.member}-{self._stage.name}"
        app = faust.App(
            self._group,
            broker=[f"kafka://{place}" for place in settings.bootstrap.split(",")],
            broker_credentials=_credentials(settings),
            broker_session_timeout=settings.session_seconds,
            broker_heartbeat_interval=settings.session_seconds / 3,
            broker_max_poll_records=FETCH_RECORDS,
            ConsumerScheduler=_Batches,
            TableManager=_NoTables,
            datadir=str(folder),
            consumer_auto_offset_reset="earliest",
            topic_allow_declare=False,
            topic_disable_leader=True,
            stream_wait_empty=False,
            stream_buffer_maxsize=16,
            web_enabled=False,
            **more,
        )
        app.transport = _transport(app, self._topic, self.carrier)
        return app

    async def _work(self, stream: Any) -> None:
        """Faust would skip a record that failed: so the first failure ends the worker."""
        try:
            async for batch in stream:
                for one in batch:  # without a wait in between: none of them may outlive a rebalance
                    self.carrier.take(one.partition, _record(one))
        except Exception as error:  # noqa: BLE001 - raised again by _look_after
            self._failure = error
            await asyncio.Event().wait()

    async def _look_after(self, app: faust.App, stopping: threading.Event) -> None:
        while not stopping.is_set():
            await asyncio.sleep(LOOK_SECONDS)
            if self._failure is not None:
                raise self._failure
            self.carrier.look_after()
            if self.carrier.due:
                await self._save(app)
            self.carrier.ends = {
                tp.partition: app.consumer.highwater(tp) or 0 for tp in app.consumer.assignment()
            }

    async def _save(self, app: Any) -> None:
        """Write the states down, and commit what they cover."""
        if saved := self.carrier.save():
            offsets = {TP(self._topic, number): next_ for number, next_ in saved.items()}
            with suppress(KafkaError):
                await app.consumer._commit(offsets)  # noqa: SLF001 - see the module's promises


def _record(one: Any) -> Record:
    """What a stage is told of a record."""
    said = {name: value.decode(errors="replace") for name, value in one.headers if value is not None}
    key = (one.key or b"").decode(errors="replace")
    return Record(one.offset, one.timestamp, key, one.value or b"", said)


def _credentials(settings: KafkaSettings) -> Any:
    """What Faust wants to know of TLS and SASL; None where there is neither."""
    kafka = settings.kafka_python()
    context = None
    if settings.tls:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file is not None:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    if settings.username is not None:
        return faust.SASLCredentials(
            mechanism=kafka["sasl_mechanism"],
            username=kafka["sasl_plain_username"],
            password=kafka["sasl_plain_password"],
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)
