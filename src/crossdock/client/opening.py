"""From a URL to an open transport."""

from collections.abc import Awaitable, Callable

from crossdock.broker import AsyncRuntime, Broker, Runtime
from crossdock.core.errors import InvalidArgument
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
        return _server_opener(url, api_key or "")
    store = open_store(url, embedding.defaults)

    async def open_broker() -> Transport:
        broker = Broker(store, runtime(), body_max=embedding.max_body_bytes)
        await broker.open(counts_every=embedding.metrics_interval)
        return broker

    return open_broker


def _server_opener(url: str, api_key: str) -> Opener:
    """What opens a transport to a server, whose client is imported when it is needed: all are slow to import."""
    if url.startswith("grpc"):
        try:
            from .grpc import GrpcTransport  # noqa: PLC0415
        except ImportError as error:
            raise InvalidArgument("url", url, "needs the extra crossdock[grpc]") from error
        return GrpcTransport(url, api_key).open
    from .http import HttpTransport  # noqa: PLC0415
    from .ws import WsTransport  # noqa: PLC0415

    return (WsTransport if url.startswith("ws") else HttpTransport)(url, api_key).open


def open_in_thread(open_transport: Opener) -> tuple[LoopThread, Transport]:
    """Open a transport on a loop of its own."""
    thread = LoopThread()
    try:
        return thread, thread.run(open_transport())
    except BaseException:
        thread.stop()
        raise
