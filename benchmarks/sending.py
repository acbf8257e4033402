"""Messages on their way: a thousand incidents (quick: a hundred), opened, updated and resolved.

Each goes to an HTTP receiver that fails 30 % of the time (busy, redirects, answers too late, cuts the
connection), to a real SMTP server that puts 30 % off, and to a real Alertmanager. ``repeated`` are messages
that a receiver got again after we knew that it had taken them; ``out_of_order`` threads whose first arrivals
are not opened, updated, resolved. ``arrived_vs_due`` should be 1. On a real Kafka, ``crosscurrent alert``:
from the notification on its topic to the webhook, one at a time, in ms.
"""

import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Literal

import httpx
from common import flags, machine, report

from runner.sending.deliveries import Outcome, Past
from runner.sending.postman import Postman
from schemas.alerting import Policy
from tests.receivers import Hook, mail_server, message
from tests.runner.kafkahelp import OnKafka
from tests.runner.test_alert import city, publish, replica
from tests.servers import Alertmanager, Kafka, free_ports

KINDS: tuple[Literal["opened", "updated", "resolved"], ...] = ("opened", "updated", "resolved")
WORKERS = 16
LATENCIES = 60
PATIENCE_SECONDS = 300.0


def policy(**receiver: Any) -> Policy:
    """A policy with one receiver on loopback."""
    desk = {"allow_private": True, "per_minute": 100_000, **receiver}
    return Policy.model_validate({"receivers": {"desk": desk}, "route": {"to": "desk"}})


class Run:
    """All messages through one receiver."""

    def __init__(self, found: Policy, incidents: int) -> None:
        self.taken: dict[str, float] = {}
        self.refused: list[str] = []
        postman = Postman(found, self._settled, first_wait=0.05, break_seconds=1.0, workers=WORKERS)
        began = time.monotonic()
        postman.start()
        for kind in KINDS:
            for number in range(incidents):
                for delivery in postman.deliveries(message(number, kind)):
                    postman.put(delivery, Past())
        while postman.waiting and time.monotonic() < began + PATIENCE_SECONDS:
            time.sleep(0.05)
        self.seconds = time.monotonic() - began
        postman.stop()

    def _settled(self, outcome: Outcome) -> None:
        if outcome.state == "accepted":
            self.taken[outcome.delivery.notification.id] = time.monotonic()
        else:
            self.refused.append(outcome.reason)


def judged(name: str, run: Run, incidents: int) -> dict[str, float]:
    """Figures of a run."""
    return {
        f"{name} due": 3.0 * incidents,
        f"{name} accepted": len(run.taken),
        f"{name} given up": len(run.refused),
        f"{name} seconds": run.seconds,
        f"{name} accepted_per_s": len(run.taken) / run.seconds,
    }


def out_of_order(arrived: list[tuple[str, str]]) -> int:
    """Threads that did not arrive in order; ``arrived`` are thread and kind as they came."""
    order: dict[str, list[str]] = defaultdict(list)
    for thread, kind in arrived:
        order[thread].append(kind)
    return sum(tuple(dict.fromkeys(kinds)) != KINDS for kinds in order.values())


def webhook(incidents: int) -> dict[str, float]:
    """The receiver that fails 30 %."""
    with Hook(failing=0.3, late=1.0) as hook:
        run = Run(policy(type="webhook", url=hook.address, timeout=0.5), incidents)
        requests = sorted(hook.requests, key=lambda request: request.at)
    said = [(r.json["thread"], r.json["kind"]) for r in requests]
    again = sum(r.at > run.taken.get(r.headers["Idempotency-Key"], sys.maxsize) for r in requests)
    return judged("webhook", run, incidents) | {
        "webhook out_of_order": out_of_order(said),
        "webhook requests": len(requests),
        "webhook repeated": again,
        "webhook redirects followed": hook.redirected,
    }


def mail(incidents: int) -> dict[str, float]:
    """The SMTP server that puts 30 % off."""
    (port,) = free_ports(1)
    with mail_server(port, failing=0.3) as mailbox:
        found = policy(
            type="smtp", host="127.0.0.1", port=port, tls="none", sender="c@example.org", to="d@example.org"
        )
        run = Run(found, incidents)
    kinds = {"Updated": "updated", "Resolved": "resolved"}
    said = [
        (str(m["References"] or m["Message-ID"]), kinds.get(str(m["Subject"]).split(":")[0], "opened"))
        for m in mailbox.messages
    ]
    repeated = len(mailbox.messages) - len({m["Message-ID"] for m in mailbox.messages})
    return judged("mail", run, incidents) | {
        "mail out_of_order": out_of_order(said),
        "mail repeated": repeated,
    }


def alertmanager(incidents: int) -> dict[str, float]:
    """A real one, which tells a webhook of its own."""
    with (
        tempfile.TemporaryDirectory() as room,
        Hook() as hook,
        Alertmanager(Path(room), free_ports(1)[0], hook.address) as server,
    ):
        run = Run(policy(type="alertmanager", url=server.address), incidents)
        standing = httpx.get(f"{server.address}/api/v2/alerts", params={"active": "true"}).json()
    return judged("alertmanager", run, incidents) | {"alertmanager standing after all ended": len(standing)}


def latency() -> dict[str, float]:
    """From a notification on Kafka to its webhook, each when the one before has come."""
    found: list[float] = []
    with tempfile.TemporaryDirectory() as room, Hook() as hook:
        folder = Path(room)
        (folder / "kafka").mkdir()
        with Kafka(folder / "kafka", *free_ports(2)) as kafka:
            on_kafka = OnKafka(kafka, "latency.")
            with replica(on_kafka, city(folder, hook)):
                for number in range(LATENCIES + 1):
                    began = time.monotonic()
                    publish(on_kafka, [message(number)])
                    wait(hook, number + 1)
                    found.append((hook.requests[-1].at - began) * 1000)
    found = found[1:]  # the first waits for the group
    return {"kafka_to_webhook_ms_p50": median(found), "kafka_to_webhook_ms_p99": quantiles(found, n=100)[98]}


def wait(hook: Hook, due: int) -> None:
    """Until so many requests have come."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(hook.requests) < due and time.monotonic() < deadline:
        time.sleep(0.002)


def main() -> int:
    """Send, count, print; 0."""
    asked = flags("a thousand incidents to receivers that fail, on real servers")
    before = machine()
    incidents = 100 if asked.quick else 1_000
    figures = webhook(incidents) | mail(incidents) | alertmanager(incidents) | latency()
    due = sum(value for name, value in figures.items() if name.endswith(" due"))
    accepted = sum(value for name, value in figures.items() if name.endswith(" accepted"))
    report("sending", before, figures, {"arrived_vs_due": accepted / due}, asked.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
