"""Warnings for the public: Common Alerting Protocol 1.2, a file for each message.

Only a receiver that somebody has put into an alerts.yaml writes any. Updates and ends refer to all that was
said before, as CAP asks; a file is there whole or not at all.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from runner.sending.channel import Memo, TryAgain
from schemas.alarms import Severity
from schemas.notifications import Notification
from schemas.receivers import Cap
from schemas.times import SECOND

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
SEVERITIES = {Severity.INFO: "Minor", Severity.WARNING: "Moderate", Severity.CRITICAL: "Severe"}
MESSAGE_TYPES = {"opened": "Alert", "resolved": "Cancel"}
QUIET = ("escalated", "reminded")
"""Nobody's business outside."""


class CapChannel:
    """A folder of CAP files."""

    def __init__(self, receiver: Cap) -> None:
        self._receiver = receiver

    def send(self, notification: Notification, memo: Memo) -> Memo:
        """Write it, unless it only concerns ourselves."""
        if notification.kind in QUIET:
            return memo
        said: list[str] = json.loads(memo.get("said", "[]"))
        path = Path(self._receiver.folder) / f"{notification.id}.xml"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            room = path.with_suffix(".part")
            room.write_bytes(warning(notification, self._receiver, said))
            os.replace(room, path)  # noqa: PTH105 - it says that it replaces
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
    _fill(area, areaDesc=f"{receiver.area}: {where}" if where else receiver.area)
    document: bytes = ET.tostring(alert, encoding="utf-8", xml_declaration=True)
    return document


def _fill(parent: ET.Element, **texts: str) -> None:
    for name, text in texts.items():
        ET.SubElement(parent, f"{{{NAMESPACE}}}{name}").text = text


def _time(at: int) -> str:
    """CAP wants an offset, and no Z."""
    return datetime.fromtimestamp(at // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S-00:00")
