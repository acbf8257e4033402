"""People's answers: given on the command line, in the console, or by a signed link in a message.

In:  who answers which incident, and how; or the token of a link.
Out: an answer, and where it is kept: the log of a data folder, or the topic that decides on Kafka.
Promises: a link says what it does and for whom, can't be changed, ends after a day, and counts once.
"""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from runner.log import Log
from runner.moments import BadUsage
from runner.sending.channel import secret_of
from schemas.alarms import content_id
from schemas.alerting import Policy
from schemas.answers import Answer
from schemas.errors import CrosscurrentError
from schemas.notifications import Notification
from schemas.times import DAY, SECOND

Kind = Literal["acknowledge", "take over", "shelve", "resolve"]
KINDS: tuple[Kind, ...] = ("acknowledge", "take over", "shelve", "resolve")
LINKED: tuple[Kind, ...] = ("acknowledge", "shelve")
"""What a message offers: what is safe with one touch."""
SHELVED_MINUTES = 60
SIGNATURE = 32
"""Hex digits of a link's signature: 128 bits."""


class BadLink(CrosscurrentError):
    """A link that is not ours, was changed, or is too old."""


def answered(
    incident: str, kind: Kind, by: str, *, note: str = "", minutes: int | None = None, id_: str | None = None
) -> Answer:
    """An answer, given now."""
    return Answer(
        id=id_ or str(uuid.uuid4()),
        incident=incident,
        answer=kind,
        by=by,
        at=round(time.time() * SECOND),
        minutes=(minutes or SHELVED_MINUTES) if kind == "shelve" else None,
        note=note,
    )


def keep(folder: Path, answer: Answer) -> None:
    """Put an answer into the log of a data folder, which may be in use: whoever runs there takes it up.

    Raises BadUsage where there is no data folder, CannotRun where it can't be written.
    """
    if not (folder / "log.sqlite").exists():
        raise BadUsage(f"{folder} is no data folder of `up`: it has no log.sqlite")
    log = Log(folder)
    try:
        log.append([answer])
    finally:
        log.close()


class Signer:
    """Makes and reads links. ``pattern``: their address with ``{token}``; ``clock``: seconds."""

    def __init__(self, pattern: str, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._pattern, self._secret, self._clock = pattern, secret.encode(), clock

    def with_links(self, notification: Notification) -> str:
        """The text of a message, and a line for each answer that it offers."""
        links = (f"{kind.capitalize()}: {self.link(notification, kind)}" for kind in LINKED)
        return "\n".join([notification.text, *links])

    def link(self, notification: Notification, kind: Kind) -> str:
        """The address by which whoever got a message answers it."""
        said = {
            "incident": notification.incident,
            "answer": kind,
            "by": notification.to,
            "id": content_id("answer", notification.id, kind),
            "until": notification.at + DAY,
        }
        body = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
        return self._pattern.replace("{token}", f"{body}.{self._sign(body)}")

    def read(self, token: str) -> Answer:
        """The answer that a link gives. Raises BadLink."""
        body, _, signature = token.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(body).encode()):
            raise BadLink("this link is not one of ours, or it was changed")
        said = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if self._clock() * SECOND > said["until"]:
            raise BadLink("this link is older than a day; answer in the console")
        return answered(said["incident"], said["answer"], said["by"], id_=said["id"])

    def _sign(self, body: str) -> str:
        return hmac.new(self._secret, body.encode(), hashlib.sha256).hexdigest()[:SIGNATURE]


def signer_of(policy: Policy) -> Signer | None:
    """The signer of a policy's links; None where it has none. Raises NoSecret."""
    links = policy.links
    if links.answers is None or links.secret is None:
        return None
    return Signer(links.answers, secret_of(links.secret).get_secret_value())
