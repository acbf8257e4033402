"""A running Grafana: what of ours is there, and making it as it is wanted.

In:  its address and a service account's token; what is wanted, as ``difference.Thing``.
Out: what is there, as ``Thing``; changes made.
Promises: writes only what a ``Change`` names. The token is in no message. Works by calls that Grafana has had
since 9.3; where an older one lacks the list of all rules, those of ours that are wanted no more stay, and
``blind`` says so.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from grafana_client.api import GrafanaApi
from grafana_client.client import GrafanaClientError, GrafanaException
from niquests.exceptions import RequestException

from grafana import names
from grafana.difference import Change, Thing
from schemas.errors import CrosscurrentError

SECONDS = 30
"""How long one call may take."""
BOARDS_MAX = 5000
"""Most boards with our tag that Grafana is asked for; its own bound."""
MISSING = 404
ORG = {"orgID": 1}
"""Asked for in rules, and passed over: a rule goes into the organisation of the token."""
_KEPT_BY_GRAFANA = ("id", "version")


class GrafanaFailed(CrosscurrentError, OSError):
    """Grafana is out of reach, or refused: exit status 3."""


class Running:
    """One Grafana, for one city; ``close`` it."""

    def __init__(self, url: str, token: str, city: str) -> None:
        self._api = GrafanaApi.from_url(_with_slash(url), token, timeout=SECONDS)
        self._url = url
        self._folder = names.folder(city)
        self._mine = names.board(city, "")
        self.blind = False
        """Whether rules that are wanted no more could not be looked for."""

    def close(self) -> None:
        """Let the connections go."""
        self._api.client.s.close()

    def version(self) -> str:
        """Its version. Raises GrafanaFailed where it does not answer."""
        with self._asked("the version"):
            return str(self._api.version)

    def there(self, wanted: list[Thing]) -> list[Thing]:
        """What of ours is there, and what else holds a uid that is wanted. Raises GrafanaFailed."""
        found = [self._one(thing) for thing in wanted]
        boards = {thing.uid for thing in wanted if thing.kind == "board"}
        rules = {thing.uid for thing in wanted if thing.kind == "rule"}
        gone = [self._board(uid) for uid in self._boards() if uid not in boards]
        return [thing for thing in [*found, *gone, *self._stray_rules(rules)] if thing]

    def has_source(self) -> bool:
        """Whether it knows where InfluxDB is. Raises GrafanaFailed."""
        return self._or_none(lambda: self._api.datasource.get_datasource_by_uid(names.DATASOURCE)) is not None

    def apply(self, change: Change) -> None:
        """Make one change. Raises GrafanaFailed with what Grafana said."""
        thing, new = change.thing, change.action == "create"
        with self._asked(f"{change.action} of the {thing.kind} {thing.title}"):
            match thing.kind, change.action:
                case _, "foreign":
                    return
                case "board", "delete":
                    self._api.dashboard.delete_dashboard(thing.uid)
                case "rule", "delete":
                    self._api.alertingprovisioning.delete_alertrule(thing.uid)
                case "folder", _ if new:
                    self._api.folder.create_folder(thing.title, uid=thing.uid)
                case "folder", _:
                    self._api.folder.update_folder(thing.uid, title=thing.title, overwrite=True)
                case "data source", _ if new:
                    self._api.datasource.create_datasource({**thing.body, **(thing.secret or {})})
                case "data source", _:
                    self._api.datasource.update_datasource_by_uid(
                        thing.uid, {**thing.body, **(thing.secret or {})}
                    )
                case "board", _:
                    self._api.dashboard.update_dashboard(
                        {"dashboard": dict(thing.body), "folderUid": self._folder, "overwrite": True}
                    )
                case "rule", _ if new:
                    self._api.alertingprovisioning.create_alertrule({**thing.body, **ORG})
                case "rule", _:
                    self._api.alertingprovisioning.update_alertrule(thing.uid, {**thing.body, **ORG})

    def _one(self, wanted: Thing) -> Thing | None:
        match wanted.kind:
            case "folder":
                body = self._or_none(lambda: self._api.folder.get_folder(wanted.uid))
                return body and Thing("folder", wanted.uid, body["title"], body)
            case "data source":
                body = self._or_none(lambda: self._api.datasource.get_datasource_by_uid(wanted.uid))
                mine = bool(body) and body["type"] == names.DATASOURCE_TYPE
                return body and Thing("data source", wanted.uid, body["name"], body, ours=mine)
            case "board":
                return self._board(wanted.uid)
            case "rule":
                body = self._or_none(lambda: self._api.alertingprovisioning.get_alertrule(wanted.uid))
                return body and self._rule(body)

    def _board(self, uid: str) -> Thing | None:
        answer = self._or_none(lambda: self._api.dashboard.get_dashboard(uid))
        if answer is None:
            return None
        body = {key: value for key, value in answer["dashboard"].items() if key not in _KEPT_BY_GRAFANA}
        mine = names.TAG in body.get("tags", ()) and answer["meta"].get("folderUid") == self._folder
        return Thing("board", uid, body["title"], body, ours=mine)

    def _boards(self) -> Iterator[str]:
        """Uids of boards that are ours by folder, name and tag."""
        with self._asked("the list of boards"):
            found = self._api.search.search_dashboards(tag=names.TAG, type_="dash-db", limit=BOARDS_MAX)
        for entry in found:
            if entry.get("folderUid") == self._folder and entry["uid"].startswith(self._mine):
                yield entry["uid"]

    def _rule(self, body: Mapping[str, Any]) -> Thing:
        return Thing("rule", body["uid"], body["title"], body, ours=body.get("folderUID") == self._folder)

    def _stray_rules(self, wanted: set[str]) -> list[Thing]:
        rules = self._or_none(self._api.alertingprovisioning.get_alertrules_all)
        self.blind = rules is None
        return [
            rule
            for rule in map(self._rule, rules or ())
            if rule.ours and rule.uid.startswith(self._mine) and rule.uid not in wanted
        ]

    def _or_none(self, call: Any) -> Any:
        """What a call answers; None where there is no such thing."""
        with self._asked("a question"):
            try:
                return call()
            except GrafanaClientError as error:
                if error.status_code == MISSING:
                    return None
                raise

    @contextmanager
    def _asked(self, what: str) -> Iterator[None]:
        try:
            yield
        except GrafanaException as error:
            raise GrafanaFailed(
                f"Grafana at {self._url} refused {what}: {error.message}; nothing after it was done, "
                f"and running the command again goes on from there"
            ) from error
        except (RequestException, OSError) as error:
            raise GrafanaFailed(
                f"Grafana at {self._url} does not answer: {type(error).__name__}; is the address right?"
            ) from error


def _with_slash(url: str) -> str:
    """The client puts ``api`` right behind the path, so the path has to end in a slash."""
    parts = urlsplit(url)
    path = parts.path if parts.path in ("", "/") else f"{parts.path.rstrip('/')}/"
    return urlunsplit(parts._replace(path=path.lstrip("/") and path))
