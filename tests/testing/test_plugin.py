"""The fixtures that a project gets with `pip install crossdock`."""

import httpx

import crossdock
from crossdock.testing import VirtualClock
from crossdock.testing.server import RunningServer


def test_a_connection_to_queues_in_memory(crossdock_mq: crossdock.Connection) -> None:
    jobs = crossdock_mq.queue("jobs")
    jobs.send({"n": 1})
    [message] = jobs.receive()
    assert message.json() == {"n": 1}
    message.ack()


def test_queues_are_the_tests_alone(crossdock_mq: crossdock.Connection) -> None:
    assert crossdock_mq.queue("jobs").receive() == []


def test_a_server_on_a_free_port(crossdock_server: RunningServer) -> None:
    assert crossdock_server.url.startswith("http://127.0.0.1:")
    with crossdock.connect(crossdock_server.url) as mq:
        mq.queue("jobs").send("hello")
        [message] = mq.queue("jobs").receive()
        assert message.text() == "hello"
    assert httpx.get(f"{crossdock_server.url}/health").is_success


def test_a_clock_that_stands(crossdock_clock: VirtualClock) -> None:
    before = crossdock_clock.now()
    crossdock_clock.advance(5)
    assert crossdock_clock.now() == before + 5
