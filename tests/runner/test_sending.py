"""Messages on their way: real servers that fail, answer late and redirect; nothing lost, nothing twice."""

import hashlib
import hmac
import json
import os
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from email.message import Message
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree as ET

import pytest

from runner.sending.addresses import is_public
from runner.sending.channel import NoSecret
from runner.sending.deliveries import Outcome, Past
from runner.sending.heart import Heart
from runner.sending.opening import channel_of
from runner.sending.outbox import Outbox
from runner.sending.postman import Postman
from schemas.alarms import Severity
from schemas.alerting import Heartbeat, Policy
from schemas.notifications import Notification
from tests.receivers import Hook, mail_server, message
from tests.servers import Alertmanager

INCIDENTS = 300 * int(os.environ.get("CROSSCURRENT_CHAOS_ROUNDS", "1"))
KINDS: tuple[Literal["opened", "updated", "resolved"], ...] = ("opened", "updated", "resolved")
CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
ATOM = "{http://www.w3.org/2005/Atom}"


def policy(**receivers: dict[str, object]) -> Policy:
    """A policy with these receivers; loopback is allowed unless they say otherwise."""
    loopback = {
        name: {"allow_private": True, "per_minute": 100_000, **receiver}
        for name, receiver in receivers.items()
    }
    return Policy.model_validate({"receivers": loopback, "route": {"to": sorted(receivers)}})


class Post:
    """A postman that is watched."""

    def __init__(self, found: Policy, **more: object) -> None:
        self.outcomes: list[Outcome] = []
        self.taken_at: dict[str, float] = {}
        """When each message was known to be accepted, by its id; monotonic seconds."""
        self._door = threading.Lock()
        self._postman = Postman(found, self._settled, first_wait=0.01, break_seconds=0.2, **more)
        self._postman.start()

    def _settled(self, outcome: Outcome) -> None:
        with self._door:
            self.outcomes.append(outcome)
            if outcome.state == "accepted":
                self.taken_at[outcome.delivery.notification.id] = time.monotonic()

    def send(self, *notifications: Notification, past: Past | None = None, seconds: float = 60) -> list[str]:
        """Send these, wait until all are settled, and end; what came of each, in that order."""
        for notification in notifications:
            for delivery in self._postman.deliveries(notification):
                self._postman.put(delivery, replace(past) if past else Past())
        deadline = time.monotonic() + seconds
        while self._postman.waiting and self._postman.failure is None and time.monotonic() < deadline:
            time.sleep(0.02)
        self._postman.stop()
        assert self._postman.failure is None
        assert self._postman.waiting == 0
        return [f"{o.delivery.notification.kind} {o.state}: {o.reason}" for o in self.outcomes]


def by_thread(names: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Kinds of messages by thread, in the order in which they came."""
    found: dict[str, list[str]] = defaultdict(list)
    for thread, kind in names:
        found[thread].append(kind)
    return found


def story(incidents: int) -> list[Notification]:
    """Opened, updated, resolved of so many incidents, all openings first."""
    return [message(number, kind) for kind in KINDS for number in range(incidents)]


def test_a_receiver_that_fails_30_percent_gets_each_page_once_and_in_order() -> None:
    """Hundreds of incidents: busy, redirecting, late and cut connections; after a 200 nothing comes again."""
    with Hook(failing=0.3, late=0.6) as hook:
        hooked = policy(desk={"type": "webhook", "url": hook.address, "timeout": 0.3})
        post = Post(hooked, workers=16)
        said = post.send(*story(INCIDENTS), seconds=120)
        requests = sorted(hook.requests, key=lambda request: request.at)

    assert said.count("opened accepted: accepted") == INCIDENTS
    assert len(said) == 3 * INCIDENTS
    assert hook.redirected == 0
    assert len(requests) > 3.6 * INCIDENTS  # it did fail
    again = [r for r in requests if r.at > post.taken_at[r.headers["Idempotency-Key"]]]
    assert again == []
    assert len({r.headers["Idempotency-Key"] for r in requests if r.well}) == 3 * INCIDENTS
    order = by_thread([(r.json["thread"], r.json["kind"]) for r in requests])
    assert {tuple(dict.fromkeys(kinds)) for kinds in order.values()} == {KINDS}
    assert all(kinds == sorted(kinds, key=KINDS.index) for kinds in order.values())


def test_alertmanager_hears_of_each_incident_and_of_its_end(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """A real one, whose own route then tells a webhook: one firing and one resolved for each."""
    with Hook() as hook, Alertmanager(tmp_path, free_port(), hook.address) as server:
        found = policy(desk={"type": "alertmanager", "url": server.address})
        Post(found).send(*(message(number) for number in range(100)))
        standing = _alerts(server)
        assert {alert["labels"]["thread"] for alert in standing} == {f"t-{number}" for number in range(100)}
        assert {alert["annotations"]["summary"] for alert in standing} >= {"[warning] pump-7 dead (north)"}
        _until(lambda: len(_told(hook)) == 100)

        memo = {"labels": json.dumps(_alert(standing, "t-7")["labels"])}
        worse = message(7, "updated", severity=Severity.CRITICAL)
        Post(found).send(worse, past=Past(fired=True, memo=memo))
        assert [a["labels"]["severity"] for a in _alerts(server) if a["labels"]["thread"] == "t-7"] == [
            "critical"
        ]

        ends = [message(number, "resolved") for number in range(100) if number != 7]
        Post(found).send(*ends, past=Past(fired=True))
        _until(lambda: len(_alerts(server)) == 1)
        _until(lambda: len(_told(hook)) == 100 + 99 + 2)

    kinds = by_thread(_told(hook))
    assert sorted(kinds.pop("t-7")) == ["firing", "firing", "resolved"]
    assert set(map(tuple, kinds.values())) == {("firing", "resolved")}


def _alerts(server: Alertmanager) -> list[dict[str, dict[str, str]]]:
    with urllib.request.urlopen(f"{server.address}/api/v2/alerts?active=true") as answer:
        found: list[dict[str, dict[str, str]]] = json.load(answer)
    return found


def _alert(alerts: list[dict[str, dict[str, str]]], thread: str) -> dict[str, dict[str, str]]:
    (found,) = [alert for alert in alerts if alert["labels"]["thread"] == thread]
    return found


def _told(hook: Hook) -> list[tuple[str, str]]:
    """Thread and status of all that Alertmanager told its webhook."""
    requests = list(hook.requests)
    return [(a["labels"]["thread"], a["status"]) for request in requests for a in request.json["alerts"]]


def _until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert holds()


def test_mail_of_one_incident_is_one_thread(free_port: Callable[[], int]) -> None:
    """A server that puts every third message off: each comes once, in order, and refers to the first."""
    port = free_port()
    with mail_server(port, failing=0.3) as mailbox:
        smtp = {"type": "smtp", "host": "localhost", "port": port, "tls": "none"}
        Post(policy(desk={**smtp, "sender": "city@example.org", "to": ["a@example.org"]})).send(*story(100))

    assert len({mail["Message-ID"] for mail in mailbox.messages}) == len(mailbox.messages) == 300
    threads: dict[str, list[Message[str, str]]] = defaultdict(list)
    for mail in mailbox.messages:
        threads[mail["References"] or mail["Message-ID"]].append(mail)
    assert len(threads) == 100
    subjects = [mail["Subject"] for mail in threads["<t-7.desk@crosscurrent.invalid>"]]
    assert subjects == [
        "[warning] pump-7 dead (north)",
        "Updated: [warning] pump-7 dead (north)",
        "Resolved: [warning] pump-7 dead (north)",
    ]


def test_a_webhook_is_signed_so_that_its_receiver_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """HMAC-SHA256 over time and body, as a receiver would compute it."""
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    with Hook() as hook:
        Post(policy(desk={"type": "webhook", "url": hook.address, "secret": {"env": "HOOK_SECRET"}})).send(
            message(1)
        )
    (request,) = hook.requests
    stamp, _, digest = request.headers["X-Crosscurrent-Signature"].partition(",v1=")
    signed = f"{stamp.removeprefix('t=')}.".encode() + request.body
    assert hmac.compare_digest(digest, hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest())
    assert request.json["text"].startswith("Pump 1 lost supply.")


def test_pagerduty_gets_one_dedup_key_from_trigger_to_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fields that Events v2 asks for; its own server is not in reach of a test."""
    monkeypatch.setenv("KEY", "R0UT1NG")
    with Hook() as hook:
        found = policy(
            desk={"type": "pagerduty", "routing_key": {"env": "KEY"}, "url": f"{hook.address}/v2/enqueue"}
        )
        Post(found).send(*story(1))
    events = [request.json for request in hook.requests]
    assert [event["event_action"] for event in events] == ["trigger", "trigger", "resolve"]
    assert {event["dedup_key"] for event in events} == {"t-0/desk"}
    assert {event["routing_key"] for event in events} == {"R0UT1NG"}
    assert {"summary", "source", "severity"} <= events[0]["payload"].keys()


class Annotations(Hook):
    """Answers as Grafana's HTTP API for annotations is documented to."""

    def answer(self, method: str, path: str, body: bytes) -> bytes:
        """Nothing found; made as number 41; edited."""
        return {"GET": b"[]", "POST": b'{"message": "Annotation added", "id": 41}'}.get(method, b"{}")


def test_a_grafana_annotation_is_made_once_edited_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """POST, then PATCH of what was made, at last with its end."""
    monkeypatch.setenv("TOKEN", "glsa")
    with Annotations() as hook:
        Post(policy(desk={"type": "grafana", "url": hook.address, "token": {"env": "TOKEN"}})).send(*story(1))
    assert [(request.method, request.path.partition("?")[0]) for request in hook.requests] == [
        ("GET", "/api/annotations"),
        ("POST", "/api/annotations"),
        ("PATCH", "/api/annotations/41"),
        ("PATCH", "/api/annotations/41"),
    ]
    assert ["timeEnd" in request.json for request in hook.requests[1:]] == [False, False, True]
    assert hook.requests[1].headers["Authorization"] == "Bearer glsa"


def test_apprise_services_are_told_through_apprise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its JSON service, over real HTTP, which fails 30 %: each comes in order."""
    with Hook(failing=0.3, late=0.6) as hook:
        monkeypatch.setenv("APPRISE", hook.address.replace("http://", "json://"))
        Post(policy(desk={"type": "apprise", "url": {"env": "APPRISE"}, "timeout": 0.3})).send(*story(10))
    taken = [request.json for request in hook.requests if request.well]
    assert [one["type"] for one in taken].count("success") == 10  # the all-clears
    assert len(taken) == 30
    assert hook.redirected == 0


def test_warnings_for_the_public_are_cap_files(tmp_path: Path) -> None:
    """Alert, update, cancel; later ones refer to what was said; escalations are nobody's business outside."""
    found = policy(
        desk={"type": "cap", "folder": str(tmp_path), "sender": "city@example.org", "area": "Riverton"}
    )
    Post(found).send(message(1), message(1, "updated"), message(1, "escalated"), message(1, "resolved"))

    files = {path.stem: ET.parse(path).getroot() for path in tmp_path.glob("*.xml")}
    assert set(files) == {f"1-{kind}-desk" for kind in KINDS}
    assert {name: root.findtext(f"{CAP}msgType") for name, root in files.items()} == {
        "1-opened-desk": "Alert",
        "1-updated-desk": "Update",
        "1-resolved-desk": "Cancel",
    }
    references = files["1-resolved-desk"].findtext(f"{CAP}references") or ""
    assert [reference.split(",")[1] for reference in references.split()] == [
        "1-opened-desk",
        "1-updated-desk",
    ]
    assert files["1-opened-desk"].findtext(f"{CAP}info/{CAP}area/{CAP}areaDesc") == "Riverton: north"
    order = [child.tag.removeprefix(CAP) for child in files["1-updated-desk"]]
    assert order == ["identifier", "sender", "sent", "status", "msgType", "scope", "references", "info"]


def test_warnings_for_the_public_are_a_feed_too(tmp_path: Path) -> None:
    """Newest first, each with its file; after a restart the older ones are still in it."""
    cap: dict[str, object] = {
        "type": "cap",
        "folder": str(tmp_path),
        "sender": "city@example.org",
        "area": "Riverton",
    }
    Post(policy(desk=cap)).send(message(1, age=5), message(2, age=4))
    Post(policy(desk={**cap, "url": "https://example.org/cap"})).send(
        message(1, "resolved"), past=Past(fired=True)
    )
    feed = ET.parse(tmp_path / "index.atom").getroot()
    entries = feed.findall(f"{ATOM}entry")
    links = [link.get("href") for entry in entries for link in entry.findall(f"{ATOM}link")]
    assert links == [
        f"https://example.org/cap/{name}-desk.xml" for name in ("1-resolved", "2-opened", "1-opened")
    ]
    assert [entry.findtext(f"{ATOM}title") for entry in entries] == [
        "Cancel: [warning] pump-1 dead (north)",
        "Alert: [warning] pump-2 dead (north)",
        "Alert: [warning] pump-1 dead (north)",
    ]
    assert feed.findtext(f"{ATOM}updated") == entries[0].findtext(f"{ATOM}updated")
    assert all((tmp_path / str(link).rpartition("/")[2]).is_file() for link in links)


def test_loopback_and_private_addresses_are_refused_unless_allowed() -> None:
    """A message is no way into the city's own network."""
    with Hook() as hook:
        said = Post(policy(desk={"type": "webhook", "url": hook.address, "allow_private": False})).send(
            message(1)
        )
    assert said == [
        (
            "opened dead: its host has an address in a private, loopback or link-local network; "
            "allow_private: true lets messages go there"
        )
    ]
    assert hook.requests == []


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "0.0.0.0", "100.64.0.1", "224.0.0.1"),
        *("::1", "fe80::1%eth0", "::ffff:10.0.0.1", "2002:a00:1::"),
    ],
)
def test_what_is_no_public_address(address: str) -> None:
    """Also where it hides in one of version 6."""
    assert not is_public(address)
    assert is_public("1.1.1.1")


def test_a_refusal_is_a_dead_letter_at_once_and_names_no_secret(free_port: Callable[[], int]) -> None:
    """The path of a webhook is often its password: no reason tells it. What nobody heard of has no end."""
    port = free_port()
    found = policy(desk={"type": "webhook", "url": f"http://127.0.0.1:{port}/T0P-SECRET", "give_up": "1s"})
    said = Post(found).send(message(1), message(1, "resolved"))
    assert said[0].startswith("opened dead: the connection failed (ConnectError); given up after ")
    assert said[1] == "resolved skipped: nobody there had heard of it"
    assert "T0P" not in "".join(said)


def test_what_is_too_old_wakes_nobody() -> None:
    """A fire of two hours ago expires; its end is skipped. The end of one that was told is always sent."""
    with Hook() as hook:
        found = policy(desk={"type": "webhook", "url": hook.address})
        old = [message(1, age=120), message(1, "resolved", age=90)]
        assert [one.partition(":")[0] for one in Post(found).send(*old)] == [
            "opened expired",
            "resolved skipped",
        ]
        told = Post(found).send(message(2, "resolved", age=90), past=Past(fired=True))
        assert told == ["resolved accepted: accepted"]


def test_a_receiver_that_talks_nonsense_stops_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Grafana should be, somebody answers with a page: a dead letter, and no other line ends."""
    monkeypatch.setenv("TOKEN", "glsa")

    class Page(Hook):
        def answer(self, method: str, path: str, body: bytes) -> bytes:
            return b"<html>Sign in</html>"

    with Page() as page, Hook() as hook:
        found = policy(
            board={"type": "grafana", "url": page.address, "token": {"env": "TOKEN"}, "give_up": "1s"},
            desk={"type": "webhook", "url": hook.address},
        )
        said = Post(found).send(message(1, to="board"), message(1), message(2))
    assert [one.partition("; ")[0] for one in sorted(said)] == [
        "opened accepted: accepted",
        "opened accepted: accepted",
        "opened dead: the channel failed (JSONDecodeError)",
    ]


def test_a_receiver_that_is_away_is_left_alone_and_then_gets_all(free_port: Callable[[], int]) -> None:
    """The breaker opens: few attempts while it is away, and nothing is lost."""
    with Hook(failing=1.0, late=0.5) as hook:
        post = Post(policy(desk={"type": "webhook", "url": hook.address, "timeout": 0.2}))
        thread = threading.Timer(1.5, setattr, (hook, "failing", 0.0))
        thread.start()
        said = post.send(*(message(number) for number in range(50)))
        failed = sum(not request.well for request in hook.requests)
    assert said.count("opened accepted: accepted") == 50
    assert failed < 50


def test_no_more_a_minute_than_a_receiver_allows() -> None:
    """The rest waits its turn."""
    with Hook() as hook:
        post = Post(policy(desk={"type": "webhook", "url": hook.address, "per_minute": 5}))
        for delivery in [d for n in range(20) for d in post._postman.deliveries(message(n))]:
            post._postman.put(delivery, Past())
        time.sleep(1)
        post._postman.stop()
    assert len(hook.requests) == 5
    assert post._postman.waiting == 15


def test_what_was_accepted_is_not_sent_again_after_a_restart(tmp_path: Path) -> None:
    """The outbox knows what is settled, and what a channel has to remember."""
    outbox = Outbox(tmp_path)
    with Hook() as hook:
        found = policy(desk={"type": "webhook", "url": hook.address})
        postman = Postman(found, outbox.settle)
        postman.start()
        (delivery,) = postman.deliveries(message(1))
        postman.put(delivery, outbox.past(delivery.lane))
        _until(lambda: outbox.state(delivery.id) == "accepted")
        postman.stop()
    outbox.close()

    again = Outbox(tmp_path)
    assert again.state(delivery.id) == "accepted"
    assert again.past(delivery.lane).fired
    assert again.state("another") is None
    again.close()


def test_a_secret_that_is_not_there_is_told_before_anything_starts(tmp_path: Path) -> None:
    """By its place, never by its value."""
    missing = policy(desk={"type": "pagerduty", "routing_key": {"file": str(tmp_path / "key")}})
    with pytest.raises(NoSecret, match="key can't be read: No such file"):
        channel_of(missing.receivers["desk"])
    (tmp_path / "key").write_text("\n")
    with pytest.raises(NoSecret, match="is empty; it should hold a secret"):
        channel_of(missing.receivers["desk"])


def test_the_heart_beats_while_stream_time_moves_and_stops_when_it_stands() -> None:
    """A process that exists and thinks about nothing is as good as dead."""
    with Hook() as hook:
        heart = Heart(
            Heartbeat.model_validate(
                {"url": f"{hook.address}/ping", "every": "1s", "quiet": "1s", "allow_private": True}
            ).model_copy(update={"every": 50, "quiet": 400})
        )
        times = iter(range(10_000))
        standing = threading.Event()
        heart.start(lambda: 7 if standing.is_set() else next(times))
        _until(lambda: heart.beats >= 3)
        standing.set()
        time.sleep(0.8)
        beats = heart.beats
        time.sleep(0.4)
        assert heart.beats == beats
        heart.stop()
    assert {(request.method, request.path) for request in hook.requests} == {("GET", "/ping")}
