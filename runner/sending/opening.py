"""Receivers of a policy to channels that can be sent to, and names of addressees to receivers."""

from runner.sending.channel import Channel, Memo
from runner.sending.hooks import AlertmanagerChannel, GrafanaChannel, PagerDutyChannel, WebhookChannel
from runner.sending.mail import SmtpChannel
from schemas.alerting import Policy
from schemas.notifications import Notification
from schemas.receivers import (
    Alertmanager,
    AnyReceiver,
    Apprise,
    Cap,
    Console,
    Grafana,
    PagerDuty,
    Smtp,
    Webhook,
)


class ConsoleChannel:
    """Shown in the console, sent to nobody."""

    def send(self, notification: Notification, memo: Memo) -> Memo:  # noqa: ARG002 - every channel's shape
        """Nothing to do: it is kept already."""
        return memo

    def close(self) -> None:
        """Nothing is held open."""


def channel_of(receiver: AnyReceiver) -> Channel:
    """A receiver, ready to be sent to. Raises NoSecret, ExtraMissing."""
    match receiver:
        case Webhook():
            return WebhookChannel(receiver)
        case PagerDuty():
            return PagerDutyChannel(receiver)
        case Alertmanager():
            return AlertmanagerChannel(receiver)
        case Grafana():
            return GrafanaChannel(receiver)
        case Smtp():
            return SmtpChannel(receiver)
        case Apprise():
            from runner.sending.services import AppriseChannel

            return AppriseChannel(receiver)
        case Cap():
            from runner.sending.cap import CapChannel

            return CapChannel(receiver)
        case Console():
            return ConsoleChannel()


def receivers_of(policy: Policy, to: str) -> tuple[str, ...]:
    """The receivers behind the name that a message goes to: a person's, or the one of that name."""
    if (person := policy.people.get(to)) is not None:
        return person.by
    return (to,) if to in policy.receivers else ()
