"""HTTP as all channels use it: one request, one answer, and no surprises.

In:  a request. Out: the answer, or SendFailed.
Promises: redirects are not followed; the address that was checked is the one that is used; an answer is read
up to a bound, within the time that the receiver is given; what is said of a failure holds neither the path
nor the query of an address, where secrets stand.
"""

import ssl
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx

from runner.sending.addresses import resolve
from runner.sending.channel import NeverMind, TryAgain, untrusted

ANSWER_BYTES_MAX = 64 * 1024
AGAIN = frozenset({408, 425, 429})
WAIT_MAX_SECONDS = 300.0
"""Longest wait that a receiver may ask for."""


class Answer(NamedTuple):
    """What a server said."""

    status: int
    body: bytes


class _Pinned(httpx.HTTPTransport):
    """Connects to the address that was checked, under the name that was asked for."""

    def __init__(self, allow_private: bool) -> None:
        super().__init__(retries=0)
        self._allow_private = allow_private

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Resolve, check, connect."""
        host = request.url.host
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        addresses = resolve(host, port, allow_private=self._allow_private)
        request.extensions = {**request.extensions, "sni_hostname": host}
        for address in addresses:
            request.url = request.url.copy_with(host=address)
            try:
                return super().handle_request(request)
            except httpx.ConnectError:  # nothing was sent: the next address may answer
                if address == addresses[-1]:
                    raise
        raise AssertionError("a host that was resolved has an address")


class Web:
    """A client for one receiver. Several threads may use it at a time. Times are seconds."""

    def __init__(self, timeout: float, *, allow_private: bool) -> None:
        self._timeout = timeout
        self._client = httpx.Client(
            transport=_Pinned(allow_private), timeout=timeout, follow_redirects=False, trust_env=False
        )

    def ask(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. Raises TryAgain or NeverMind where the answer is not a good one (2xx)."""
        deadline = time.monotonic() + self._timeout
        try:
            with self._client.stream(method, url, json=json, content=content, headers=headers) as response:
                body = b""
                for part in response.iter_bytes():
                    body += part
                    if len(body) > ANSWER_BYTES_MAX or time.monotonic() > deadline:
                        break  # the status says what matters
                _judge(response)
                return Answer(response.status_code, body)
        except httpx.TimeoutException as error:
            sent = not isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout)
            raise TryAgain(f"no answer within {self._timeout:g} s", sent=sent) from error
        except httpx.ConnectError as error:
            raise TryAgain(f"the connection failed ({_why(error)})") from error
        except httpx.TransportError as error:
            raise TryAgain(f"the connection failed ({type(error).__name__})", sent=True) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise NeverMind("its address is none; expected https://HOST/...") from error

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()


def _why(error: httpx.ConnectError) -> str:
    """Its kind; of a certificate that is not trusted what is wrong with it."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__ if cause is None else untrusted(cause)


def _judge(response: httpx.Response) -> None:
    status = response.status_code
    if status < 300:
        return
    if status < 400:
        raise TryAgain(f"answered with a redirect ({status}), which is not followed")
    if status in AGAIN or status >= 500:
        raise TryAgain(f"answered {status}", _wait(response.headers.get("Retry-After")))
    raise NeverMind(f"refused with {status}")


def _wait(header: str | None) -> float | None:
    """Seconds that a Retry-After asks for; dates are taken as nothing said."""
    return min(float(header), WAIT_MAX_SECONDS) if header is not None and header.isdecimal() else None
