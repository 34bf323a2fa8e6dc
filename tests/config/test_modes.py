"""The modes beside the other sources: a mode wins over the file, `CROSSDOCK_...` and flags win over a mode."""

from pathlib import Path

import pytest

from crossdock.config import load

MODE = {"WS_MODE": "1"}


def test_a_mode_opens_one_door_over_queues_in_memory(tmp_path: Path) -> None:
    config = load(MODE, folder=tmp_path)
    assert (config.store, config.verb_metrics, config.notes) == ("memory://", True, ())
    assert (config.ws.enabled, config.http.enabled, config.grpc.enabled) == (True, False, False)


def test_without_a_mode_every_door_is_open(tmp_path: Path) -> None:
    config = load({}, folder=tmp_path)
    assert (config.ws.enabled, config.http.enabled, config.grpc.enabled) == (True, True, True)
    assert config.verb_metrics is False


def test_a_mode_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text("ws: {enabled: false, port: 81, host: '::1'}\nhttp: {enabled: true}")
    config = load(MODE, folder=tmp_path)
    assert (config.ws.enabled, config.ws.port, config.ws.host, config.http.enabled) == (True, 81, "::1", False)


@pytest.mark.parametrize(
    ("environ", "flags", "expected"),
    [
        ({"CROSSDOCK_HTTP": "127.0.0.1:9000"}, {}, (True, 9000, True, 8081)),
        ({"CROSSDOCK_HTTP_ENABLED": "true"}, {}, (True, 8080, True, 8081)),
        ({"CROSSDOCK_HTTP_PORT": "9000"}, {}, (False, 9000, True, 8081)),
        ({"CROSSDOCK_WS": "0.0.0.0:9001"}, {}, (False, 8080, True, 9001)),
        ({"CROSSDOCK_WS": "off"}, {}, (False, 8080, False, 8081)),
        ({"CROSSDOCK_WS": "off"}, {"ws": "127.0.0.1:9002"}, (False, 8080, True, 9002)),
        ({}, {"http": "127.0.0.1:9000"}, (True, 9000, True, 8081)),
    ],
)
def test_what_is_said_outright_wins_over_a_mode(
    tmp_path: Path, environ: dict[str, str], flags: dict[str, str], expected: tuple[bool, int, bool, int]
) -> None:
    config = load(MODE | environ, flags, folder=tmp_path)
    assert (config.http.enabled, config.http.port, config.ws.enabled, config.ws.port) == expected


@pytest.mark.parametrize(
    ("environ", "flags", "file", "store"),
    [
        ({"CROSSDOCK_STORE": "sqlite:///a.db"}, {}, "", "sqlite:///a.db"),
        ({}, {"store": "log:///a"}, "", "log:///a"),
        ({}, {}, "store: sqlite:///b.db", "sqlite:///b.db"),
        ({}, {}, "persistence: {type: file, options: {dirs-path: c}}", "sqlite:///c/filedb_queue.db"),
        ({"GOMQ_STORAGE": "disk", "GOMQ_DATA_DIR": "d"}, {}, "", "sqlite:///d/gomq.db"),
        ({}, {}, "debug: true", "memory://"),
    ],
)
def test_a_store_that_is_named_is_used(
    tmp_path: Path, environ: dict[str, str], flags: dict[str, str], file: str, store: str
) -> None:
    if file:
        (tmp_path / "config.yml").write_text(file)
    assert load(MODE | environ, flags, folder=tmp_path).store == store


def test_a_mode_may_stand_in_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WS_MODE=1\nRPC_MODE=0\n")
    assert load({}, folder=tmp_path).http.enabled is False


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("https://app.example", ("https://app.example",)),
        ("https://a.example, http://localhost:3000", ("https://a.example", "http://localhost:3000")),
        ("", ()),
    ],
)
def test_origins_as_text(tmp_path: Path, given: str, found: tuple[str, ...]) -> None:
    assert load({"CROSSDOCK_WS_ORIGINS": given}, folder=tmp_path).ws.origins == found


def test_origins_as_a_list(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text("ws: {origins: ['https://a.example', 'http://[::1]:80']}")
    assert load({}, folder=tmp_path).ws.origins == ("https://a.example", "http://[::1]:80")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("ws: {origins: ['*']}", "ws.origins must be origins such as https://app.example.com, got ['*']"),
        ("ws: {origins: 'https://a.example/path'}", "ws.origins must be origins such as"),
        ("ws: {origins: 1}", "ws.origins must be a list of origins, got 1"),
        ("ws: {origins: [1]}", "ws.origins must be origins such as"),
    ],
)
def test_what_is_no_origin_is_refused(tmp_path: Path, text: str, rule: str) -> None:
    (tmp_path / "config.yml").write_text(text)
    with pytest.raises(Exception, match=r"config.yml: ") as refused:
        load({}, folder=tmp_path)
    assert rule in str(refused.value)
