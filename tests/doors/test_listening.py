"""The address of a door: what it accepted has its protocol when it stops."""

import asyncio
import socket

import pytest

from crossdock.doors.shared.listening import Listening


class Handed(asyncio.Protocol):
    """Keeps the transports of all, to be closed."""

    transports: list[asyncio.BaseTransport]

    def __init__(self, transports: list[asyncio.BaseTransport]) -> None:
        self.transports = transports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transports.append(transport)


@pytest.mark.parametrize("turns", range(5))
async def test_no_connection_stays_open_that_nobody_has(turns: int) -> None:
    # In one of these turns asyncio has accepted the connection and knows no protocol for it yet.
    handed: list[asyncio.BaseTransport] = []
    listening = Listening("http", "127.0.0.1", 0, None, None)
    await listening.listen(lambda: Handed(handed))
    with socket.create_connection(("127.0.0.1", listening.port)) as client:
        client.setblocking(False)
        for _ in range(turns):
            await asyncio.sleep(0)
        assert await listening.stop_listening()
        for transport in handed:
            transport.close()
        assert await asyncio.wait_for(ended(client), 5)


async def ended(client: socket.socket) -> bool:
    try:
        return await asyncio.get_running_loop().sock_recv(client, 1) == b""
    except ConnectionResetError:
        return True


async def test_it_stops_once() -> None:
    listening = Listening("ws", "127.0.0.1", 0, None, None)
    assert not await listening.stop_listening()
    await listening.listen(asyncio.Protocol)
    assert await listening.stop_listening()
    assert not await listening.stop_listening()
