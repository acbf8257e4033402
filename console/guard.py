"""Keep other sites out of a page that is meant for this machine.

In:  each request. Out: the same, or a refusal with its reason.
A site in the same browser could name its own host with our address (DNS rebinding), or open a socket to
us: the first has a foreign Host, the second a foreign Origin.
"""

from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; "
    "base-uri 'self'; form-action 'self'; object-src 'none'"
)
"""Vue compiles templates in the browser, hence unsafe-eval; what others write is escaped."""


class Guard:
    """ASGI middleware. On a loopback address only loopback names are answered."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._local = host in LOOPBACK

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if why := self.refusal(headers.get("host", ""), headers.get("origin")):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": why[:120]})
            else:
                await PlainTextResponse(why, status_code=403)(scope, receive, send)
            return

        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", POLICY.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        await self._app(scope, receive, with_policy)

    def refusal(self, host: str, origin: str | None) -> str | None:
        """Why a request with these headers is refused; None where it is welcome."""
        name = urlsplit(f"//{host}").hostname or ""
        if self._local and name not in LOOPBACK:
            return f"Host {host!r} is not this machine; open the console as http://127.0.0.1 or localhost."
        if origin and origin != "null" and urlsplit(origin).netloc != host:
            return f"Origin {origin!r} is not this console ({host}); pages of other sites can't use it."
        return "Origin 'null' can't use this console." if origin == "null" else None
