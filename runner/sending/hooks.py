"""Channels that speak HTTP: webhook, PagerDuty Events v2, Alertmanager API v2, Grafana annotations.

Each sends a message under a key, so that one that comes twice is seen to be one: a webhook in the header
``Idempotency-Key``, PagerDuty by ``dedup_key``, Alertmanager by labels, Grafana by a tag of the annotation.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from urllib.parse import urlencode

from runner.sending.channel import Memo, NeverMind, key_of, secret_of
from runner.sending.web import Answer, Web
from schemas.alarms import Severity
from schemas.notifications import Notification
from schemas.receivers import Alertmanager, Grafana, PagerDuty, Receiver, Secret, Webhook
from schemas.times import DAY, rfc3339

ALERT_LASTS = 365 * DAY
"""Alertmanager takes an alert for resolved after a few minutes, unless it is told when it ends."""
PAGERDUTY_SEVERITY = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "critical"}


class _OnTheWeb:
    """What speaks HTTP to one receiver."""

    def __init__(self, receiver: Receiver) -> None:
        self._web = Web(receiver.timeout, allow_private=receiver.allow_private)

    def close(self) -> None:
        """Let go of connections."""
        self._web.close()


class WebhookChannel(_OnTheWeb):
    """A POST of the notification as JSON.

    Signed: ``X-Crosscurrent-Signature: t=SECONDS,v1=HEX``, the HMAC-SHA256 of ``SECONDS.BODY``. ``clock``
    tells the seconds.
    """

    def __init__(self, receiver: Webhook, clock: Callable[[], float] = time.time) -> None:
        super().__init__(receiver)
        url = receiver.url
        self._url = secret_of(url).get_secret_value() if isinstance(url, Secret) else url
        self._secret = secret_of(receiver.secret) if receiver.secret else None
        self._clock = clock

    def send(self, notification: Notification, memo: Memo) -> Memo:
        """POST it."""
        body = notification.model_dump_json().encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": notification.id}
        if self._secret is not None:
            seconds = int(self._clock())
            headers["X-Crosscurrent-Signature"] = signature(self._secret.get_secret_value(), seconds, body)
        self._web.ask("POST", self._url, content=body, headers=headers)
        return memo


def signature(secret: str, seconds: int, body: bytes) -> str:
    """The value of the header ``X-Crosscurrent-Signature``; a receiver computes it anew and compares."""
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


class PagerDutyChannel(_OnTheWeb):
    """Events v2: one PagerDuty incident for each thread and addressee; updates join it."""

    def __init__(self, receiver: PagerDuty) -> None:
        super().__init__(receiver)
        self._url, self._key = receiver.url, secret_of(receiver.routing_key)

    def send(self, notification: Notification, memo: Memo) -> Memo:
        """Trigger, or resolve."""
        event: dict[str, object] = {
            "routing_key": self._key.get_secret_value(),
            "dedup_key": key_of(notification)[:255],
            "event_action": "resolve" if notification.kind == "resolved" else "trigger",
        }
        if notification.kind != "resolved":
            event["payload"] = {
                "summary": notification.title[:1024],
                "source": notification.asset or "crosscurrent",
                "severity": PAGERDUTY_SEVERITY[notification.severity],
                "timestamp": rfc3339(notification.at),
                "component": notification.asset,
                "group": ", ".join(notification.zones),
                "class": notification.condition,
                "custom_details": {"text": notification.text, "reason": notification.reason},
            }
            event["links"] = [{"href": notification.link, "text": "Incident"}] if notification.link else []
        self._web.ask("POST", self._url, json=event)
        return memo


class AlertmanagerChannel(_OnTheWeb):
    """API v2: an alert for each thread and addressee. Where what it is routed by has changed, the alert under
    the old labels ends as the one under the new begins.
    """

    def __init__(self, receiver: Alertmanager) -> None:
        super().__init__(receiver)
        self._url = f"{receiver.url.rstrip('/')}/api/v2/alerts"
        self._headers = _bearer(receiver.token)

    def send(self, notification: Notification, memo: Memo) -> Memo:
        """Post the alert as it stands."""
        before = json.loads(memo["labels"]) if "labels" in memo else None
        over = notification.kind == "resolved"
        labels = before if over and before else _labels(notification)
        alerts = [self._alert(notification, labels, over=over)]
        if before and before != labels:
            alerts.append(self._alert(notification, before, over=True))
        self._web.ask("POST", self._url, json=alerts, headers=self._headers)
        return {**memo, "labels": json.dumps(labels)}

    @staticmethod
    def _alert(notification: Notification, labels: dict[str, str], *, over: bool) -> dict[str, object]:
        alert: dict[str, object] = {
            "labels": labels,
            "annotations": {
                "summary": notification.title,
                "description": notification.text,
                "reason": notification.reason,
            },
            "startsAt": rfc3339(min(notification.since, notification.at)),
            "endsAt": rfc3339(notification.at if over else notification.at + ALERT_LASTS),
        }
        if notification.link:
            alert["generatorURL"] = notification.link
        return alert


def _labels(notification: Notification) -> dict[str, str]:
    labels = {
        "alertname": "CityIncident",
        "thread": notification.thread,
        "to": notification.to,
        "severity": notification.severity,
        "asset": notification.asset,
        "condition": notification.condition,
        "utility": ",".join(notification.utilities),
        "zone": ",".join(notification.zones),
    }
    return {name: value for name, value in labels.items() if value}


class GrafanaChannel(_OnTheWeb):
    """One annotation for each thread: it begins with the incident, is edited, and gets its end."""

    def __init__(self, receiver: Grafana) -> None:
        super().__init__(receiver)
        self._url = f"{receiver.url.rstrip('/')}/api/annotations"
        self._headers = _bearer(receiver.token)

    def send(self, notification: Notification, memo: Memo) -> Memo:
        """Make the annotation, or edit the one that is there."""
        tag = f"thread:{notification.thread}"
        number = memo.get("annotation") or self._find(tag)
        body: dict[str, object] = {"text": notification.text}
        if notification.kind == "resolved":
            body["timeEnd"] = notification.at
        if number:  # its tags stay: on SQLite, Grafana 10.0 locks itself over an edit with a tag that is new
            self._web.ask("PATCH", f"{self._url}/{number}", json=body, headers=self._headers)
            return {**memo, "annotation": number}
        body["time"] = notification.since
        body["tags"] = ["crosscurrent", notification.severity, *notification.utilities, tag]
        answer = self._web.ask("POST", self._url, json=body, headers=self._headers)
        return {**memo, "annotation": str(_json(answer).get("id", ""))}

    def _find(self, tag: str) -> str | None:
        """An annotation of the thread that is there already, though we were not told that it was made."""
        query = urlencode({"tags": tag, "limit": 1})
        answer = self._web.ask("GET", f"{self._url}?{query}", headers=self._headers)
        found = json.loads(answer.body or b"[]")
        return str(found[0]["id"]) if found else None


def _json(answer: Answer) -> dict[str, object]:
    try:
        found = json.loads(answer.body)
    except ValueError as error:
        raise NeverMind("its answer is no JSON; is that the right address?") from error
    return found if isinstance(found, dict) else {}


def _bearer(token: Secret | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret_of(token).get_secret_value()}"} if token else {}
