"""The gRPC door as the command opens and shuts it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import grpc
import httpx
import pytest

import crossdock
from crossdock import StoreUnavailable
from grpc_door import QUEUE_SERVICE, SERVICES, Reflected
from served import ONE_DOOR, Served

ANY = ("--store", "memory://", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0")
Serve = Callable[..., Served]


def url_of(served: Served) -> str:
    """Where the gRPC door is reached."""
    (url,) = [url for url in served.log[-1]["urls"] if url.startswith("grpc")]
    return str(url)


def run(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """`crossdock serve`, where it is expected to end by itself."""
    command = [sys.executable, "-m", "crossdock", "serve", *arguments]
    env = os.environ | ONE_DOOR | environ
    return subprocess.run(command, cwd=folder, env=env, text=True, capture_output=True, timeout=30, check=False)


def test_doors_share_their_queues_and_metrics(serve: Serve) -> None:
    served = serve(*ANY)
    with crossdock.connect(url_of(served)) as by_grpc, crossdock.connect(served.url) as by_http:
        sent = by_grpc.queue("orders").send({"order": 1})
        (message,) = by_http.queue("orders").receive(lease="1m")
        assert (message.id, message.json(), message.attempt) == (sent, {"order": 1}, 1)
        message.nack(delay=0)
        (again,) = by_grpc.queue("orders").receive(lease="1m")
        assert (again.id, again.attempt) == (sent, 2)
        again.ack()
    metrics = httpx.get(f"{served.url}/metrics").text
    assert 'crossdock_grpc_calls_total{method="/crossdock.v1.Broker/Send",status="OK"} 1.0' in metrics
    assert served.stop(signal.SIGTERM) == 0


def test_key_is_asked_for(serve: Serve) -> None:
    served = serve(*ANY, API_KEY="hunter2")
    with crossdock.connect(url_of(served)) as mq, pytest.raises(crossdock.AccessDenied):
        mq.queue("q").send("a")
    with crossdock.connect(url_of(served), api_key="hunter2") as mq:
        assert mq.queue("q").send("a") == 1
    assert served.stop(signal.SIGTERM) == 0
    assert "hunter2" not in served.rest()


def test_waits_end_and_subscriptions_are_told_when_the_server_stops(serve: Serve) -> None:
    served = serve(*ANY)
    mq = crossdock.connect(url_of(served))
    ready = threading.Event()
    got: list[object] = []

    def wait() -> None:
        ready.set()
        got.append(mq.queue("q").receive(wait="1h"))

    mq.queue("q").create()
    waiter = threading.Thread(target=wait)
    waiter.start()
    assert ready.wait(30)
    while httpx.get(f"{served.url}/metrics").text.count("crossdock_waiting_receives 1.0") == 0:
        continue
    assert served.stop(signal.SIGTERM) == 0
    waiter.join(30)
    assert got == [[]]
    with pytest.raises(StoreUnavailable):
        mq.queue("q").send("a")
    mq.close()


@pytest.mark.parametrize("mode", ["RPC_MODE", "RPC_STREAM_MODE"])
def test_mode_opens_this_door_alone_and_metrics(serve: Serve, mode: str) -> None:
    """RPC_MODE=1 gRPC unary on 50051, RPC_STREAM_MODE=1 streaming on 50051; metrics in every mode."""
    environ = {
        mode: "1",
        "CROSSDOCK_GRPC": "",
        "CROSSDOCK_WS": "",
        "CROSSDOCK_GRPC_PORT": "0",
        "CROSSDOCK_HTTP_PORT": "0",
    }
    served = serve(**environ)
    assert [url.partition(":")[0] for url in served.log[-1]["urls"]] == ["http", "grpc"]
    assert served.log[-1]["store"] == "memory://"
    assert "crossdock_grpc_calls_total" in httpx.get(f"{served.url}/metrics").text
    assert httpx.get(f"{served.url}/api/v1/queues").status_code == 404
    client = Reflected(url_of(served).removeprefix("grpc://"), SERVICES)
    request, response = client.types("messagequeue.MessageQueue/Consume")
    with grpc.insecure_channel(url_of(served).removeprefix("grpc://")) as channel:
        consume = channel.unary_unary(
            "/messagequeue.MessageQueue/Consume",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        assert consume(request(), timeout=20).error == "queue is empty"
    assert served.stop(signal.SIGTERM) == 0


def test_port_in_use_is_told_in_a_sentence(serve: Serve, tmp_path: Path) -> None:
    served = serve(*ANY)
    address = url_of(served).removeprefix("grpc://")
    second = run(tmp_path, "--store", "memory://", "--http", "off", "--grpc", address, CROSSDOCK_HTTP_PORT="0")
    assert (second.returncode, second.stdout) == (1, "")
    assert f"crossdock: cannot listen on {address}: " in second.stderr
    assert "address already in use" in second.stderr.lower()
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--grpc", "50051"), 2, "--grpc: must be HOST:PORT or off, got '50051'"),
        (("--grpc", "127.0.0.1:99999"), 2, "grpc.port must be a whole number from 0 to 65535"),
        (("--grpc", "256.0.0.1:0"), 1, "cannot listen on 256.0.0.1:0"),
        (("--grpc", "127.0.0.1:0", "--tls-cert", "no.pem", "--tls-key", "no.pem"), 1, "no.pem"),
    ],
)
def test_server_that_cannot_start_says_why(tmp_path: Path, arguments: tuple[str, ...], code: int, told: str) -> None:
    result = run(tmp_path, "--store", "memory://", "--http", "127.0.0.1:0", *arguments)
    assert result.returncode == code
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def test_missing_extra_is_named(tmp_path: Path) -> None:
    hidden = tmp_path / "sitecustomize.py"
    hidden.write_text("import sys\nsys.modules['grpc'] = None\n")
    environ = {"PYTHONPATH": str(tmp_path), "CROSSDOCK_HTTP": "127.0.0.1:0"}
    result = run(tmp_path, "--store", "memory://", "--grpc", "127.0.0.1:0", **environ)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("crossdock: the gRPC door needs the extra crossdock[grpc]")
    assert "Traceback" not in result.stderr


def test_open_door_without_a_key_is_warned_of(serve: Serve) -> None:
    served = serve("--store", "memory://", "--http", "127.0.0.1:0", "--grpc", "0.0.0.0:0", API_KEY="")
    assert [record["event"] for record in served.log if "NO API KEY" in record["event"]] == [
        "NO API KEY: whoever reaches 0.0.0.0 may read and change every queue"
    ]


def test_tls_door(serve: Serve) -> None:
    """The certificate in this folder is self-signed, for 127.0.0.1, until 2126."""
    cert, key = (str(Path(__file__).with_name(name)) for name in ("cert.pem", "key.pem"))
    served = serve(*ANY, "--tls-cert", cert, "--tls-key", key)
    url = url_of(served)
    assert url.startswith("grpcs://127.0.0.1:")
    program = f"import crossdock; print(crossdock.connect({url!r}).queue('q').send('a'))"
    env = os.environ | {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": cert}
    sent = subprocess.run(
        [sys.executable, "-c", program], env=env, text=True, capture_output=True, timeout=30, check=False
    )
    assert sent.stdout == "1\n", sent.stderr
    with crossdock.connect(url.replace("grpcs", "grpc")) as mq, pytest.raises(StoreUnavailable):
        mq.queue("q").send("a")


def test_status_method_answers_over_the_command(serve: Serve) -> None:
    """Commands take the URL of this door as any other's."""
    served = serve(*ANY)
    command = [sys.executable, "-m", "crossdock", "queue", "create", "orders", "--url", url_of(served)]
    assert subprocess.run(command, timeout=30, check=False).returncode == 0
    client = Reflected(url_of(served).removeprefix("grpc://"), SERVICES)
    request, response = client.types(f"{QUEUE_SERVICE}/Status")
    with grpc.insecure_channel(url_of(served).removeprefix("grpc://")) as channel:
        status = channel.unary_unary(
            f"/{QUEUE_SERVICE}/Status",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        assert status(request(queue_name="orders"), timeout=20).queue_status.queue_name == "orders"
