"""Serve the console: one local web server, until Ctrl-C or until it is told to stop.

In:  the running system or a replay, an address. Out: web pages.
Promises: nothing is loaded from anywhere else, and the browser is told to refuse it; a page
of another site can't read it (the Host and Origin of each request are checked); it only reads, and takes
what people answer.
"""

import socket
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from nicegui import Client, app, background_tasks, ui
from starlette.responses import Response

from console.guard import Guard
from console.layout import lay_out
from console.live import Live, System
from console.pages import asset, city, data, fork, incident, links

STATIC = Path(__file__).parent / "static"
FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#3e9bdc" '
    'stroke-width="2.6" stroke-linecap="round"><path d="M2 8c4 0 4 4 8 4s4-4 12-4"/>'
    '<path d="M2 16c4 0 4-4 8-4s4 4 12 4"/></svg>'
)
STOP_SECONDS = 1
"""How long open pages may take to say goodbye."""


def serve(
    embedded: System,
    host: str,
    port: int,
    show: bool,
    *,
    ready: Callable[[str], None] | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Serve the pages; return after Ctrl-C, SIGTERM, or within a second and a half of ``stop``.

    ``show`` opens a browser. ``ready`` is called with the address once it answers. Call it once in a
    process. Raises OSError where the port is taken.
    """
    _routes(embedded)
    server = _Server(_web(host), host, port, ready=ready, show=show, stop=stop)
    server.run()


def _web(host: str) -> FastAPI:
    web = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    ui.run_with(
        web,
        title="Crosscurrent",
        favicon=FAVICON,
        dark=None,
        tailwind=False,
        show_welcome_message=False,
        reconnect_timeout=10,
    )
    web.add_middleware(Guard, host=host)
    return web


def _routes(system: System) -> None:
    live = Live(
        system, watched=lambda: any(client.has_socket_connection for client in Client.instances.values())
    )
    layout = lay_out(system.city)
    app.add_static_files("/console", STATIC)
    app.on_startup(lambda: background_tasks.create(live.run(), name="looks at the store"))

    @ui.page("/")
    def _city() -> None:
        city.show(live, layout)

    @ui.page("/incident/{incident_id}")
    def _incident(incident_id: str) -> Response | None:
        return incident.show(live, incident_id)

    @ui.page("/asset/{asset_id}")
    def _asset(asset_id: str) -> None:
        asset.show(live, asset_id)

    @ui.page("/data")
    def _data() -> None:
        data.show(live)

    @ui.page("/fork")
    def _fork(sensor: str = "") -> None:
        fork.show(live, sensor)

    @app.get("/answer/{token}")
    def _ask(token: str) -> Response:
        return links.ask(live, token)

    @app.post("/answer/{token}")
    def _take(token: str) -> Response:
        return links.take(live, token)


class _Server(uvicorn.Server):
    """uvicorn that says when it answers, and watches an event that tells it to stop."""

    def __init__(
        self,
        web: FastAPI,
        host: str,
        port: int,
        *,
        ready: Callable[[str], None] | None,
        show: bool,
        stop: threading.Event | None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                web,
                host=host,
                port=port,
                log_level="error",
                access_log=False,
                timeout_graceful_shutdown=STOP_SECONDS,
                ws_max_size=1 << 20,
            )
        )
        self._ready, self._show, self._stop = ready, show, stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell."""
        await super().startup(sockets)
        bound = self.servers[0].sockets[0].getsockname()[1]
        address = f"http://{self.config.host}:{bound}/"
        if self._ready:
            self._ready(address)
        if self._show:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: is it time to stop?"""
        return await super().on_tick(counter) or bool(self._stop and self._stop.is_set())
