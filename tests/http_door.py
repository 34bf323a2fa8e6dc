"""The HTTP door on a real socket, over a broker whose time the test moves."""

import asyncio
from types import TracebackType
from typing import Any

import httpx

from crossdock.broker.broker import Broker
from crossdock.broker.bucket import RateLimit
from crossdock.broker.runtime import AsyncRuntime
from crossdock.core.model import DEFAULT_NAMESPACE, Message
from crossdock.doors.http import HttpListener, create_app
from crossdock.storage.base import Store
from crossdock.testing.clock import VirtualClock

GROUP, CONSUMER = "workers", "worker-1"


class HttpDoor:
    """A listener on a free port, its broker, and a client. To be used as an async context manager.

    `rate` is requests per second with a burst of 2.
    """

    def __init__(self, store: Store, api_key: str | None = None, rate: float = 0, **options: Any) -> None:
        self.clock = VirtualClock()
        self._store = store
        self._api_key = api_key
        self._rate = RateLimit(self.clock, rate, 2) if rate else None
        self._options = options

    async def __aenter__(self) -> "HttpDoor":
        self.broker = Broker(self._store, AsyncRuntime(self.clock))
        await self.broker.open()
        app = create_app(self.broker, api_key=self._api_key, rate=self._rate, **self._options)
        self.listener = HttpListener(app, "127.0.0.1", 0)
        await self.listener.start()
        self.client = httpx.AsyncClient(base_url=self.listener.url, timeout=20, verify=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.aclose()
        await self.listener.stop(1)
        await self.broker.close()

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """A request below /api/v1, with a JSON body when there is one."""
        if body is not None:
            options["json"] = body
        return await self.client.request(method, f"/api/v1/{path}", **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.call("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return await self.call("POST", path, body, **options)

    async def create(self, queue: str = "q", **settings: Any) -> None:
        assert (await self.post(f"{queue}/create", settings or None)).status_code == 201

    async def enqueue(self, message: Any, queue: str = "q", **options: Any) -> int:
        """Store a message; returns its id."""
        batch = {"mode": "allOrNothing", "messages": [{"message": message, **options}]}
        response = await self.post(f"{queue}/enqueue/batch", batch)
        assert response.status_code == 202, response.text
        return int(response.json()["ids"][0])

    async def dequeue(self, queue: str = "q", group: str = GROUP, **options: Any) -> httpx.Response:
        return await self.post(f"{queue}/dequeue", {"group": group, "consumer_id": CONSUMER, **options})

    async def take(self, queue: str = "q", group: str = GROUP, **options: Any) -> dict[str, Any]:
        """Lease a message, which must be there."""
        response = await self.dequeue(queue, group, **options)
        assert response.status_code == 200, response.text
        message: dict[str, Any] = response.json()["message"]
        return message

    async def settle(
        self, verb: str, message: dict[str, Any], queue: str = "q", group: str = GROUP, **options: Any
    ) -> httpx.Response:
        body = {"group": group, "message_id": message["id"], "receipt": message["receipt"], **options}
        return await self.post(f"{queue}/{verb}", body)

    async def status(self, queue: str = "q") -> dict[str, Any]:
        found: dict[str, Any] = (await self.get(f"{queue}/status")).json()["queue_status"]
        return found

    async def send(self, body: bytes, queue: str = "q") -> None:
        """Store a message as the Python API does."""
        await self.broker.send((DEFAULT_NAMESPACE, queue), [Message(body)])

    async def until_waiting(self, count: int = 1) -> None:
        """Let the loop turn until so many receives wait."""
        while self.broker.room.members < count:
            await asyncio.sleep(0)
