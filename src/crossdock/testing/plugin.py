"""The pytest plugin, which pytest finds by itself: queues for tests that talk to one.

Nothing heavy is imported before a fixture asks for it, as every pytest run of the environment loads this module.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from crossdock.client.blocking import Connection
    from crossdock.testing.clock import VirtualClock
    from crossdock.testing.server import RunningServer


@pytest.fixture
def crossdock_clock() -> "VirtualClock":
    """A clock that the test moves: `crossdock_clock.advance(ms)`."""
    from crossdock.testing.clock import VirtualClock  # noqa: PLC0415 - see above

    return VirtualClock()


@pytest.fixture
def crossdock_mq() -> "Iterator[Connection]":
    """A blocking connection to queues in memory, which are the test's alone."""
    import crossdock  # noqa: PLC0415 - see above

    with crossdock.connect("memory://") as connection:
        yield connection


@pytest.fixture
def crossdock_server() -> "Iterator[RunningServer]":
    """A server with queues in memory, listening on a free port of 127.0.0.1; its address is `.url`."""
    from crossdock.testing.server import RunningServer  # noqa: PLC0415 - see above

    with RunningServer() as server:
        yield server
