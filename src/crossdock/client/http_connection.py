"""One server over HTTP: requests, their time limits, and what goes wrong on the way."""

from io import BytesIO
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import msgspec

from crossdock.core.errors import CrossdockError, InvalidArgument, QueueClosed, StoreUnavailable

from .http_errors import told_error

T = TypeVar("T")

CONNECT_SECONDS = 10
ANSWER_SECONDS = 10
"""How long the server may be silent beyond the time that the request itself asks to wait."""
_NOT_REACHED = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ConnectionTimeoutError,
)
"""Failures before the request was sent."""
IDLE_SECONDS = 3
"""How long an unused connection is kept: less than by the server, which would else close it under a request."""


class Reply(msgspec.Struct):
    """A response that is no error."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    content: bytes

    def read(self, kind: type[T]) -> T:
        """The content as a value of this type."""
        try:
            return msgspec.json.decode(self.content, type=kind)
        except msgspec.DecodeError as error:
            raise CrossdockError(f"the server does not answer as crossdock does: {error}") from error


class HttpConnection:
    """Makes requests to one server. To be used in one event loop."""

    schemes: ClassVar = ("http", "https")

    def __init__(self, url: str, api_key: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in self.schemes or not parts.hostname or "@" in parts.netloc:
            rule = f"must be {self.schemes[0]}://HOST:PORT without a user or password"
            raise InvalidArgument("url", parts.hostname, rule)
        self.url = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        self._headers = {"content-type": "application/json"} | ({"x-api-key": api_key} if api_key else {})
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Bind to the running event loop."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS)
        self._session = aiohttp.ClientSession(connector=connector, headers=self._headers)

    async def close(self) -> None:
        """Close what is open. A second call does nothing."""
        if self._session is not None:
            await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        queue: str = "",
        message_id: int = 0,
        wait: int = 0,
        expected: tuple[int, ...] = (),
    ) -> Reply:
        """Make a request. `queue` and `message_id` are what it is about, `wait` (ms) is how long it may take.

        Raises what the server tells of, unless the status is `expected`; StoreUnavailable when it does not answer.
        """
        reply = await self._exchange(method, f"/api/v1{path}", body, wait)
        if reply.status >= 300 and reply.status not in expected:
            raise told_error(reply.status, reply.headers, reply.content, queue, message_id)
        return reply

    @property
    def session(self) -> aiohttp.ClientSession:
        """What is open. Raises QueueClosed."""
        if self._session is None or self._session.closed:
            raise QueueClosed("the connection is not open")
        return self._session

    async def _exchange(self, method: str, path: str, body: Any, wait: int) -> Reply:
        session, url = self.session, self.url + path
        timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=wait / 1000 + ANSWER_SECONDS)
        # As a stream, so that aiohttp writes a large body in parts.
        data = None if body is None else BytesIO(msgspec.json.encode(body))
        try:
            async with session.request(method, url, data=data, timeout=timeout, allow_redirects=False) as answer:
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return Reply(answer.status, headers, await answer.read())
        except _NOT_REACHED as error:
            raise StoreUnavailable(f"cannot reach {self.url}: {error}") from error
        except (aiohttp.ClientError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise StoreUnavailable(f"{self.url} did not answer, the outcome is unknown: {reason}") from error
