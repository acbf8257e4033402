"""Warnings for the public: Common Alerting Protocol 1.2, a file for each message, and an Atom feed of them.

Only a receiver that somebody has put into an alerts.yaml writes any. Updates and ends refer to all that was
said before, as CAP asks; a file is there whole or not at all. The feed, ``index.atom``, is made anew from the
files after each, so it says what is there, also after a kill.
"""

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from runner.sending.channel import Memo, TryAgain
from schemas.alarms import Severity, content_id
from schemas.notifications import Notification
from schemas.receivers import Cap
from schemas.times import SECOND

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
SEVERITIES = {Severity.INFO: "Minor", Severity.WARNING: "Moderate", Severity.CRITICAL: "Severe"}
MESSAGE_TYPES = {"opened": "Alert", "resolved": "Cancel"}
ATOM = "http://www.w3.org/2005/Atom"
FEED = "index.atom"
NEWEST = 100
"""Messages in the feed."""
QUIET = ("escalated", "reminded")
"""Nobody's business outside."""


class CapChannel:
    """A folder of CAP files."""

    def __init__(self, receiver: Cap) -> None:
        self._receiver = receiver
        self._door = threading.Lock()

    def send(self, notification: Notification, memo: Memo) -> Memo:
        """Write it, unless it only concerns ourselves."""
        if notification.kind in QUIET:
            return memo
        said: list[str] = json.loads(memo.get("said", "[]"))
        folder = Path(self._receiver.folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write(folder / f"{notification.id}.xml", warning(notification, self._receiver, said))
            with self._door:
                _write(folder / FEED, feed(self._receiver))
        except OSError as error:
            raise TryAgain(f"the folder can't be written ({error.strerror})") from error
        this = f"{self._receiver.sender},{notification.id},{_time(notification.at)}"
        return {**memo, "said": json.dumps([*said, this])}

    def close(self) -> None:
        """Nothing is held open."""


def warning(notification: Notification, receiver: Cap, said: list[str]) -> bytes:
    """A CAP 1.2 document; ``said`` are the references to what was said of it before."""
    ET.register_namespace("", NAMESPACE)
    alert = ET.Element(f"{{{NAMESPACE}}}alert")
    kind = MESSAGE_TYPES.get(notification.kind, "Update")
    _fill(
        alert,
        NAMESPACE,
        identifier=notification.id,
        sender=receiver.sender,
        sent=_time(notification.at),
        status="Actual",
        msgType=kind,
        scope="Public",
        **({"references": " ".join(said)} if said and kind != "Alert" else {}),
    )
    info = ET.SubElement(alert, f"{{{NAMESPACE}}}info")
    over = notification.kind == "resolved"
    _fill(
        info,
        NAMESPACE,
        language="en",
        category="Infra",
        event=notification.condition.replace("_", " ") or "incident",
        urgency="Past" if over else "Immediate",
        severity=SEVERITIES[notification.severity],
        certainty="Observed" if over else "Likely",
        onset=_time(notification.since),
        senderName="Crosscurrent",
        headline=notification.title,
        description=notification.text,
        **({"web": notification.link} if notification.link else {}),
    )
    area = ET.SubElement(info, f"{{{NAMESPACE}}}area")
    where = ", ".join(notification.zones)
    _fill(area, NAMESPACE, areaDesc=f"{receiver.area}: {where}" if where else receiver.area)
    document: bytes = ET.tostring(alert, encoding="utf-8", xml_declaration=True)
    return document


def feed(receiver: Cap) -> bytes:
    """An Atom feed (RFC 4287) of the newest files, newest first. Raises OSError."""
    files = sorted(Path(receiver.folder).glob("*.xml"), key=lambda path: path.stat().st_mtime)
    alerts = [ET.parse(path).getroot() for path in files[-NEWEST:]]  # noqa: S314 - we wrote them
    alerts.sort(key=lambda alert: _text(alert, "sent"), reverse=True)
    ET.register_namespace("atom", ATOM)
    found = ET.Element(f"{{{ATOM}}}feed")
    base = f"{receiver.url.rstrip('/')}/" if receiver.url else ""
    _fill(
        found,
        ATOM,
        id=f"{base}{FEED}" if base else f"urn:uuid:{content_id('feed', receiver.sender, receiver.area)}",
        title=f"Warnings for {receiver.area}",
        updated=_text(alerts[0], "sent"),
    )
    _fill(ET.SubElement(found, f"{{{ATOM}}}author"), ATOM, name=receiver.sender)
    ET.SubElement(found, f"{{{ATOM}}}link", rel="self", href=f"{base}{FEED}")
    for alert in alerts:
        name, headline = _text(alert, "identifier"), _text(alert, "info", "headline")
        entry = ET.SubElement(found, f"{{{ATOM}}}entry")
        kind, sent = _text(alert, "msgType"), _text(alert, "sent")
        _fill(entry, ATOM, id=f"urn:uuid:{name}", title=f"{kind}: {headline}", updated=sent)
        _fill(entry, ATOM, summary=_text(alert, "info", "description"))
        ET.SubElement(entry, f"{{{ATOM}}}link", href=f"{base}{name}.xml", type="application/cap+xml")
    document: bytes = ET.tostring(found, encoding="utf-8", xml_declaration=True)
    return document


def _text(alert: ET.Element, *path: str) -> str:
    where = "/".join(f"{{{NAMESPACE}}}{name}" for name in path)
    return alert.findtext(where) or ""


def _write(path: Path, content: bytes) -> None:
    room = path.with_suffix(".part")
    room.write_bytes(content)
    os.replace(room, path)  # noqa: PTH105 - it says that it replaces


def _fill(parent: ET.Element, namespace: str, /, **texts: str) -> None:
    for name, text in texts.items():
        ET.SubElement(parent, f"{{{namespace}}}{name}").text = text


def _time(at: int) -> str:
    """CAP wants an offset, and no Z."""
    return datetime.fromtimestamp(at // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S-00:00")
