"""All the lines of a policy: each message to every receiver behind its addressee.

In:  notifications in their order, a policy.
Out: outcomes. Raises BadConfig-like ``NoSecret`` before anything starts where a secret is not there.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from runner.answering import signer_of
from runner.metrics import Figure
from runner.sending.deliveries import Delivery, Outcome, Past
from runner.sending.line import Line
from runner.sending.opening import channel_of, receivers_of
from schemas.alerting import Policy
from schemas.notifications import UNSETTLED, Notification

SAYS = "Messages, by receiver and what came of them."


class Postman:
    """One line for each receiver. ``settled`` is told what came of each delivery, by several threads.

    ``more`` goes to each line. Raises NoSecret, ExtraMissing.
    """

    def __init__(self, policy: Policy, settled: Callable[[Outcome], None], **more: Any) -> None:
        self._policy, self._settled = policy, settled
        self._lines = {
            name: Line(channel_of(receiver), receiver, self._settle, **more)
            for name, receiver in policy.receivers.items()
        }
        self._signer = signer_of(policy)
        self._counts: Counter[tuple[str, str]] = Counter()

    def start(self) -> None:
        """Send from now on."""
        for line in self._lines.values():
            line.start()

    def stop(self) -> None:
        """Take nothing more up; what is on its way is settled first."""
        for line in self._lines.values():
            line.stop()

    def deliveries(self, notification: Notification) -> list[Delivery]:
        """What a message is to be sent as; nothing where nobody but the console shows it. Its text gains the
        links by which it can be answered.
        """
        if self._signer is not None and notification.kind != "resolved":
            notification = notification.model_copy(update={"text": self._signer.with_links(notification)})
        return [Delivery(notification, name) for name in receivers_of(self._policy, notification.to)]

    def put(self, delivery: Delivery, past: Past, *, begun: bool = False) -> None:
        """Send it when its turn comes; ``past`` counts where its lane is not known yet. ``begun``: an attempt
        that nobody knows the end of was made before us.
        """
        self._lines[delivery.receiver].put(delivery, past, begun=begun)

    def drop(self, lanes: Callable[[str], bool]) -> None:
        """Forget lanes: somebody else has them now."""
        for line in self._lines.values():
            line.drop(lanes)

    @property
    def failure(self) -> BaseException | None:
        """Why a line ended by itself; None while all run."""
        return next((line.failure for line in self._lines.values() if line.failure), None)

    @property
    def waiting(self) -> int:
        """Deliveries that are not settled."""
        return sum(line.waiting for line in self._lines.values())

    def figures(self) -> Iterator[Figure]:
        """How it goes. Any thread may ask."""
        for (receiver, state), count in sorted(self._counts.items()):
            labels = {"receiver": receiver, "state": state}
            yield Figure("crosscurrent_deliveries_total", "counter", SAYS, count, labels)
        for name, line in self._lines.items():
            labels = {"receiver": name}
            says = "Messages that wait for a receiver."
            yield Figure("crosscurrent_deliveries_waiting", "gauge", says, line.waiting, labels)
            says = "Whether a receiver is left alone because it does not answer."
            yield Figure("crosscurrent_receiver_broken", "gauge", says, line.broken, labels)
            says = "Attempts to send."
            yield Figure("crosscurrent_delivery_attempts_total", "counter", says, line.attempts, labels)

    def _settle(self, outcome: Outcome) -> None:
        self._settled(outcome)
        if outcome.state not in UNSETTLED:
            self._counts[outcome.delivery.receiver, outcome.state] += 1
