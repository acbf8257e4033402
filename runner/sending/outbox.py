"""What came of each delivery, in a file of the data folder, and the thread that hands messages over.

In:  notifications as the store gets them; outcomes.
Out: deliveries to the lines, each until it is settled, over kills and restarts.
Promises: an outcome is on the disk before the next message of its thread is tried; what is settled is never
sent again, also when the results are computed anew. A kill between a receiver's answer and the disk repeats
one message under its own key; a receiver that gets each at most once is not sent it again.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from runner.database import open_writer, transaction
from runner.explaining import OUTBOX
from runner.metrics import Figure
from runner.sending.deliveries import Outcome, Past
from runner.sending.heart import Heart
from runner.sending.postman import Postman
from runner.store import Store
from schemas.alerting import Policy
from schemas.notifications import UNSETTLED, Delivered, DeliveryState

VERSION = 1
TABLES = """
CREATE TABLE deliveries (id TEXT PRIMARY KEY, lane TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX deliveries_of_lane ON deliveries (lane, at)
"""
LOOK_SECONDS = 0.2
BATCH = 500
WAITING_MAX = 10_000
"""Deliveries that are held in memory; more wait in the store."""


class Outbox:
    """The file ``deliveries.sqlite`` of a data folder. Any thread may use it. Raises CannotRun."""

    def __init__(self, folder: Path) -> None:
        self._writer = open_writer(folder / OUTBOX, TABLES, VERSION, durable=True, check=False)
        self._door = threading.Lock()

    def settle(self, outcome: Outcome) -> None:
        """Keep an outcome; it is on the disk when this returns."""
        record = outcome.record()
        with self._door, transaction(self._writer) as writer:
            writer.execute(
                "INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?, ?)",
                (record.id, record.lane, record.at, record.model_dump_json()),
            )

    def state(self, delivery: str) -> DeliveryState | None:
        """What came of a delivery; None where it was not tried."""
        with self._door:
            found = self._writer.execute("SELECT body FROM deliveries WHERE id = ?", (delivery,)).fetchone()
        return None if found is None else Delivered.model_validate_json(found[0]).state

    def past(self, lane: str) -> Past:
        """What is known of a lane."""
        with self._door:
            rows = self._writer.execute(
                "SELECT body FROM deliveries WHERE lane = ? ORDER BY at, rowid", (lane,)
            ).fetchall()
        past = Past()
        for (body,) in rows:
            past.note(Delivered.model_validate_json(body))
        return past

    def close(self) -> None:
        """Close the file."""
        with self._door:
            self._writer.close()


class Sending:
    """Hands over what the store holds, and beats the heart, between ``start`` and ``stop``. ``on_failure`` is
    told why it ended by itself. Raises NoSecret, ExtraMissing, CannotRun.
    """

    def __init__(self, policy: Policy, store: Store, on_failure: Callable[[Exception], None]) -> None:
        self._store, self._on_failure = store, on_failure
        self._outbox = Outbox(store.folder)
        self._postman = Postman(policy, self._outbox.settle)
        self._heart = Heart(policy.heartbeat) if policy.heartbeat else None
        self._stopping = threading.Event()
        self._row = 0
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Send from now on."""
        self._postman.start()
        if self._heart is not None:
            self._heart.start(lambda: self._store.progress().stream_time)
        self._thread.start()

    def stop(self) -> None:
        """Let what is on its way arrive, then end; the rest is sent after the next start."""
        self._stopping.set()
        if self._heart is not None:
            self._heart.stop()
        if self._thread.ident is not None:
            self._thread.join()
        self._postman.stop()
        self._outbox.close()

    def figures(self) -> Iterator[Figure]:
        """How it goes."""
        return self._postman.figures()

    def _run(self) -> None:
        try:
            while not self._stopping.wait(LOOK_SECONDS):
                if isinstance(failure := self._postman.failure, Exception):
                    raise failure
                while self._postman.waiting < WAITING_MAX and self._hand_over():
                    pass
        except Exception as error:  # noqa: BLE001 - handed on to whoever runs us
            self._on_failure(error)

    def _hand_over(self) -> bool:
        """The next messages of the store; whether there were any."""
        found = self._store.notifications_after(self._row, BATCH)
        for row, notification in found:
            for delivery in self._postman.deliveries(notification):
                state = self._outbox.state(delivery.id)
                if state is None or state in UNSETTLED:
                    self._postman.put(delivery, self._outbox.past(delivery.lane), begun=state == "begun")
            self._row = row
        return bool(found)
