"""GOMQ_...: each variable, what it becomes, and who wins over whom."""

from pathlib import Path

import pytest

from crossdock.config import ConfigError, embedded, load
from crossdock.core.errors import InvalidArgument
from crossdock.core.limits import BODY_BYTES_MAX

HOUR = 3_600_000


def write(folder: Path, text: str) -> None:
    (folder / "config.yml").write_text(text)


def test_without_a_variable_the_defaults_are_crossdocks_own(tmp_path: Path) -> None:
    config = load({"GOMQ_STORAGE": "", "GOMQ_UNKNOWN": "x"}, folder=tmp_path)
    assert config.store == "sqlite:///data/crossdock.db"
    assert (config.ttl, config.max_messages, config.max_body_bytes) == (0, None, BODY_BYTES_MAX)


def test_each_variable_is_used(tmp_path: Path) -> None:
    environ = {
        "GOMQ_STORAGE": "disk",
        "GOMQ_DATA_DIR": "/var/lib/gomq",
        "GOMQ_DEFAULT_TTL": "90m",
        "GOMQ_MAX_MESSAGE_SIZE": "64KiB",
        "GOMQ_MAX_QUEUE_DEPTH": "7",
        "GOMQ_MAX_RETRIES": "5",
    }
    config = load(environ, folder=tmp_path)
    assert config.store == "sqlite:////var/lib/gomq/gomq.db"
    defaults = config.queue_defaults
    assert (defaults.ttl, defaults.max_messages, defaults.max_attempts) == (90 * 60_000, 7, 5)
    assert (config.max_body_bytes, config.notes) == (64 * 1024, ())
    inside = embedded(environ)
    assert (inside.store, inside.queue_defaults, inside.max_body_bytes) == (config.store, defaults, 64 * 1024)


@pytest.mark.parametrize(
    ("environ", "store"),
    [
        ({"GOMQ_STORAGE": "memory"}, "memory://"),
        ({"GOMQ_STORAGE": "disk"}, "sqlite:///data/gomq.db"),
        ({"GOMQ_STORAGE": "hybrid"}, "log:///data/log"),
        ({"GOMQ_STORAGE": "hybrid", "GOMQ_DATA_DIR": "/srv"}, "log:////srv/log"),
        ({"GOMQ_DATA_DIR": "elsewhere"}, "memory://"),
        ({"GOMQ_MAX_RETRIES": "1"}, "memory://"),
    ],
    ids=str,
)
def test_the_store(tmp_path: Path, environ: dict[str, str], store: str) -> None:
    assert load(environ, folder=tmp_path).store == embedded(environ).store == store


def test_a_file_wins_over_gomqs_defaults_but_not_over_a_variable(tmp_path: Path) -> None:
    write(tmp_path, "max-retry: 9\ndefault-ttl: 2h\npersistence: {type: file}")
    config = load({"GOMQ_MAX_RETRIES": "4"}, folder=tmp_path)
    assert (config.max_attempts, config.ttl, config.max_messages) == (4, 2 * HOUR, 100_000)
    assert config.store == "sqlite:///data/persistence/filedb_queue.db"
    assert load({"GOMQ_STORAGE": "memory"}, folder=tmp_path).store == "memory://"


def test_a_folder_alone_names_no_store(tmp_path: Path) -> None:
    """Else the folder of a container image would put the queues that a file keeps on disk into memory."""
    write(tmp_path, "store: log:///queues")
    assert load({"GOMQ_DATA_DIR": "/data"}, folder=tmp_path).store == "log:///queues"


def test_crossdocks_own_variables_and_flags_win(tmp_path: Path) -> None:
    environ = {"GOMQ_STORAGE": "disk", "GOMQ_MAX_RETRIES": "4", "CROSSDOCK_MAX_RETRY": "6"}
    assert load(environ, folder=tmp_path).max_attempts == 6
    assert load(environ | {"CROSSDOCK_STORE": "sqlite:///own.db"}, folder=tmp_path).store == "sqlite:///own.db"
    assert load(environ, {"store": "memory://"}, folder=tmp_path).store == "memory://"


def test_the_env_file_counts_as_environment(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GOMQ_MAX_QUEUE_DEPTH=3")
    assert load({}, folder=tmp_path).max_messages == 3


@pytest.mark.parametrize("address", [":5672", "127.0.0.1:0", "[::1]:65535"])
def test_a_listen_address_is_checked_and_told_of(tmp_path: Path, address: str) -> None:
    config = load({"GOMQ_LISTEN_ADDR": address}, folder=tmp_path)
    assert config.notes == (
        f"environment variable GOMQ_LISTEN_ADDR: this version has no AMQP door, nothing listens on {address}",
    )
    assert config.http.port == 8080


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ("GOMQ_STORAGE", "tape", "must be one of memory, disk, hybrid, got 'tape'"),
        ("GOMQ_DEFAULT_TTL", "tomorrow", "default-ttl must be a duration"),
        ("GOMQ_DEFAULT_TTL", "99999999h", "default-ttl must be from 0s to"),
        ("GOMQ_MAX_MESSAGE_SIZE", "1XB", 'max-message-size must be a size such as 65536, "64KB" or "1MiB"'),
        (
            "GOMQ_MAX_MESSAGE_SIZE",
            "2MB",
            "must be a whole number from 1 to 1048576 bytes, got 2000000",
        ),
        ("GOMQ_MAX_MESSAGE_SIZE", "0", "max-message-size must be a whole number from 1"),
        ("GOMQ_MAX_QUEUE_DEPTH", "many", "max-queue-depth must be a whole number from 0"),
        ("GOMQ_MAX_RETRIES", "-1", "max-retry must be a whole number from 0"),
        ("GOMQ_LISTEN_ADDR", "5672", "must be HOST:PORT or :PORT, got '5672'"),
        ("GOMQ_LISTEN_ADDR", ":65536", "port must be a whole number from 0 to 65535, got 65536"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, variable: str, value: str, text: str) -> None:
    for read in (lambda environ: load(environ, folder=tmp_path), embedded):
        with pytest.raises(ConfigError) as caught:
            read({variable: value})
        assert str(caught.value).startswith(f"environment variable {variable}: ")
        assert text in str(caught.value)


def test_a_program_without_a_variable_has_no_store() -> None:
    with pytest.raises(InvalidArgument, match="url must be given where none of GOMQ_STORAGE"):
        embedded({"GOMQ_STORAGE": "", "CROSSDOCK_STORE": "memory://"})


@pytest.mark.parametrize(
    ("written", "size"), [("1000", 1000), ('"1kb"', 1000), ('"1 KiB"', 1024), ('"1MiB"', 1048576), ('"5b"', 5)]
)
def test_a_size_as_the_file_may_write_it(tmp_path: Path, written: str, size: int) -> None:
    write(tmp_path, f"max-message-size: {written}")
    assert load({}, folder=tmp_path).max_body_bytes == size
