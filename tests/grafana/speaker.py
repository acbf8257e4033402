"""An HTTP server that speaks Grafana's calls as ``grafana.sync`` uses them, in its API reference's shapes.

It is **not Grafana**: it holds what it is given and gives it back with what Grafana adds. A real
one takes long to build; ``test_live.py`` asks it where ``make grafana`` did.
"""

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, Any]
TOKEN = "glsa_of-the-test"
GONE: Answer = (404, {"message": "not found"})


class Speaker:
    """Holds folders, data sources, boards and rules. ``lists_rules`` is False for an old one."""

    def __init__(self, *, lists_rules: bool = True) -> None:
        self.folders: dict[str, dict[str, Any]] = {}
        self.sources: dict[str, dict[str, Any]] = {}
        self.boards: dict[str, dict[str, Any]] = {}
        self.rules: dict[str, dict[str, Any]] = {}
        self.written: list[str] = []
        """Every call that changed something."""
        self.refuse = ""
        """A path at which it answers 500."""
        self._lists_rules = lists_rules
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def url(self) -> str:
        """Its address, below a path as behind a proxy."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/grafana"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, asked: dict[str, list[str]], body: Any) -> Answer:
        """What Grafana would say."""
        if self.refuse and path.startswith(self.refuse):
            return 500, {"message": "database is locked"}
        if method != "GET":
            self.written.append(f"{method} {path}")
        routes: list[tuple[str, Callable[..., Answer]]] = [
            (r"GET /frontend/settings", lambda: (200, {"buildInfo": {"version": "9.3.16"}})),
            (r"GET /search", lambda: (200, self._found(asked["tag"][0]))),
            (r"(GET|PUT|DELETE) /folders/([^/]+)", lambda way, uid: self._one(self.folders, way, uid, body)),
            (r"POST /folders", lambda: self._made(self.folders, body)),
            (r"(GET|PUT) /datasources/uid/([^/]+)", lambda way, uid: self._one(self.sources, way, uid, body)),
            (r"POST /datasources", lambda: self._made(self.sources, body)),
            (r"POST /dashboards/db", lambda: self._board(body)),
            (
                r"(GET|DELETE) /dashboards/uid/([^/]+)",
                lambda way, uid: self._one(self.boards, way, uid, body),
            ),
            (r"GET /v1/provisioning/alert-rules", self._all_rules),
            (r"POST /v1/provisioning/alert-rules", lambda: self._made(self.rules, body, 201)),
            (
                r"(GET|PUT|DELETE) /v1/provisioning/alert-rules/([^/]+)",
                lambda way, uid: self._one(self.rules, way, uid, body),
            ),
        ]
        for pattern, route in routes:
            found = re.fullmatch(pattern, f"{method} {path}")
            if found:
                return route(*found.groups())
        return GONE

    def _found(self, tag: str) -> list[dict[str, Any]]:
        return [
            {"uid": uid, "type": "dash-db", "folderUid": held["meta"]["folderUid"], "tags": [tag]}
            for uid, held in self.boards.items()
            if tag in held["dashboard"].get("tags", ())
        ]

    def _all_rules(self) -> Answer:
        return (200, list(self.rules.values())) if self._lists_rules else GONE

    def _board(self, body: dict[str, Any]) -> Answer:
        board, folder = body["dashboard"], body["folderUid"]
        if folder not in self.folders:
            return 400, {"message": "folder not found"}
        held = {"dashboard": board | {"id": 5, "version": 3}, "meta": {"folderUid": folder}}
        self.boards[board["uid"]] = held
        return 200, {"uid": board["uid"], "status": "success"}

    def _made(self, where: dict[str, dict[str, Any]], body: dict[str, Any], status: int = 200) -> Answer:
        if body["uid"] in where:
            return 412, {"message": "it is there already"}
        if "folderUID" in body and body["folderUID"] not in self.folders:
            return 400, {"message": "folder not found"}
        where[body["uid"]] = _as_kept(body)
        return status, where[body["uid"]]

    def _one(self, where: dict[str, dict[str, Any]], way: str, uid: str, body: Any) -> Answer:
        if uid not in where:
            return GONE
        if way == "DELETE":
            del where[uid]
            return 204, None
        if way == "PUT":
            where[uid] = _as_kept(where[uid] | body)
        return 200, where[uid]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        speaker = self

        class Handler(BaseHTTPRequestHandler):
            """One call."""

            def _speak(self) -> None:
                parts = urlsplit(self.path)
                status: int
                said: Any
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    status, said = 401, {"message": "Unauthorized"}
                elif not parts.path.startswith("/grafana/api/"):
                    status, said = GONE
                else:
                    path = parts.path.removeprefix("/grafana/api")
                    status, said = speaker.answer(self.command, path, parse_qs(parts.query), body)
                written = b"" if said is None else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(written)))
                self.end_headers()
                self.wfile.write(written)

            def __getattr__(self, name: str) -> Callable[[], None]:
                """Every method in one way: ``do_GET`` and the others."""
                if name.startswith("do_"):
                    return self._speak
                raise AttributeError(name)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                """Quietly."""

        return Handler


def _as_kept(body: dict[str, Any]) -> dict[str, Any]:
    """With what Grafana adds, and without secrets, which it never gives back."""
    return {key: value for key, value in body.items() if key != "secureJsonData"} | {"id": 5, "orgId": 1}
