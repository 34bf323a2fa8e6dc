"""From a URL to an open transport."""

from collections.abc import Awaitable, Callable

from crossdock.broker import AsyncRuntime, Broker, Runtime
from crossdock.storage.urls import open_store

from .embedding import USUAL, Embedding, is_server
from .loop_thread import LoopThread
from .transport import Transport

Opener = Callable[[], Awaitable[Transport]]


def opener(
    url: str,
    api_key: str | None,
    runtime: Callable[[], Runtime] = AsyncRuntime,
    embedding: Embedding = USUAL,
) -> Opener:
    """What opens a transport to `url`; a broker in this process gets its runtime from `runtime`.

    Raises InvalidArgument for a URL that names neither store nor server.
    """
    if is_server(url):
        from .http import HttpTransport  # noqa: PLC0415 - the HTTP client is slow to import

        return HttpTransport(url, api_key or "").open
    store = open_store(url, embedding.defaults)

    async def open_broker() -> Transport:
        broker = Broker(store, runtime(), body_max=embedding.max_body_bytes)
        await broker.open(counts_every=embedding.metrics_interval)
        return broker

    return open_broker


def open_in_thread(open_transport: Opener) -> tuple[LoopThread, Transport]:
    """Open a transport on a loop of its own."""
    thread = LoopThread()
    try:
        return thread, thread.run(open_transport())
    except BaseException:
        thread.stop()
        raise
