"""The layers of the configuration: defaults, config.yml over .env, environment, flags."""

from pathlib import Path

import pytest

from crossdock.config import Config, ConfigError, load

CONTRACT_DEFAULTS = Config()
EXAMPLE = Path(__file__).parents[2] / "config.example.yml"


def write(folder: Path, text: str, name: str = "config.yml") -> None:
    (folder / name).write_text(text)


def test_empty_file_means_the_contract_defaults(tmp_path: Path) -> None:
    write(tmp_path, "")
    config = load({}, folder=tmp_path)
    assert config.store == "memory://"
    assert (config.max_attempts, config.backoff, config.lease, config.debug) == (3, 30_000, 3_000, False)
    assert (config.http.enabled, config.http.host, config.http.port) == (True, "127.0.0.1", 8080)
    assert config.http.api_key.reveal() == ""
    assert config.notes == ()


def test_file_persistence_has_its_default_folder(tmp_path: Path) -> None:
    write(tmp_path, "persistence: {type: file}")
    assert load({}, folder=tmp_path).store == "sqlite:///data/persistence/filedb_queue.db"


def test_persistence_takes_relative_and_absolute_folders(tmp_path: Path) -> None:
    write(tmp_path, "persistence: {type: file, options: {dirs-path: ./q}}")
    assert load({}, folder=tmp_path).store == "sqlite:///q/filedb_queue.db"
    write(tmp_path, "persistence: {type: file, options: {dirs-path: /var/lib/q}}")
    assert load({}, folder=tmp_path).store == "sqlite:////var/lib/q/filedb_queue.db"


def test_without_a_file_the_store_is_durable_and_nothing_is_limited(tmp_path: Path) -> None:
    config = load({}, folder=tmp_path)
    assert config.store == "sqlite:///data/crossdock.db"
    assert config.http.rate_limit == 0


def test_every_key_of_the_file_is_used(tmp_path: Path) -> None:
    write(
        tmp_path,
        """
persistence: {type: memory, options: {dirs-path: elsewhere}}
max-retry: 7
retry-interval: 1m30s
lease-duration: 300ms
debug: true
http: {enabled: false, host: "::1", port: 9000, rate: {limit: 0.5, burst: 2}, auth: {api_key: k}}
grpc: {enabled: false, port: 50052, auth: {api_key: g}}
tls: {cert: c.pem, key: k.pem}
log: {level: debug, format: json}
""",
    )
    config = load({}, folder=tmp_path)
    assert (config.max_attempts, config.backoff, config.lease, config.debug) == (7, 90_000, 300, True)
    http = config.http
    assert (http.enabled, http.host, http.port, http.rate_limit, http.rate_burst) == (False, "::1", 9000, 0.5, 2)
    assert (http.api_key.reveal(), http.tls_cert, http.tls_key) == ("k", "c.pem", "k.pem")
    assert (config.log_level, config.log_format) == ("debug", "json")


@pytest.mark.parametrize(
    ("text", "limit", "burst"),
    [
        ("http: {port: 1}", 0, 5),
        ("http: {rate: {limit: 2}}", 2, 5),
        ("http: {rate: {burst: 9}}", 1, 9),
        ("http:", 0, 5),
    ],
)
def test_rate_applies_only_where_it_is_set(tmp_path: Path, text: str, limit: float, burst: int) -> None:
    write(tmp_path, text)
    http = load({}, folder=tmp_path).http
    assert (http.rate_limit, http.rate_burst) == (limit, burst)


def test_file_over_defaults_environment_over_file_flags_over_environment(tmp_path: Path) -> None:
    write(tmp_path, "max-retry: 4\nlease-duration: 4s\nhttp: {port: 4}\nstore: 'sqlite:///file.db'")
    environ = {"CROSSDOCK_LEASE_DURATION": "5s", "CROSSDOCK_HTTP_PORT": "5", "CROSSDOCK_STORE": "sqlite:///env.db"}
    config = load(environ, {"http": "127.0.0.1:6"}, folder=tmp_path)
    assert (config.backoff, config.max_attempts, config.lease, config.http.port) == (30_000, 4, 5_000, 6)
    assert config.store == "sqlite:///env.db"
    assert load(environ, {"store": "memory://"}, folder=tmp_path).store == "memory://"


def test_environment_sets_values_of_every_type_and_empty_is_unset(tmp_path: Path) -> None:
    environ = {
        "CROSSDOCK_DEBUG": "true",
        "CROSSDOCK_HTTP_RATE_LIMIT": "2.5",
        "CROSSDOCK_HTTP_AUTH_API_KEY": "12345",
        "CROSSDOCK_MAX_RETRY": "0",
        "CROSSDOCK_PERSISTENCE_TYPE": "memory",
        "CROSSDOCK_HTTP_PORT": "",
    }
    config = load(environ, folder=tmp_path)
    assert (config.debug, config.http.rate_limit, config.max_attempts) == (True, 2.5, 0)
    assert (config.http.api_key.reveal(), config.http.port, config.store) == ("12345", 8080, "memory://")


def test_env_file_lies_under_the_environment_and_is_taken_literally(tmp_path: Path) -> None:
    write(tmp_path, "API_KEY='from ${X} file'\nCROSSDOCK_MAX_RETRY=9\nexport OTHER=1\n", ".env")
    config = load({}, folder=tmp_path)
    assert (config.http.api_key.reveal(), config.max_attempts) == ("from ${X} file", 9)
    assert load({"API_KEY": "process"}, folder=tmp_path).http.api_key.reveal() == "process"


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("$KEY", "s3cret"),
        ("${KEY}", "s3cret"),
        ("a-${KEY}-$KEY", "a-s3cret-s3cret"),
        ("${UNSET}", ""),
        ("$5 $", "$5 $"),
    ],
)
def test_variables_are_expanded_inside_values(tmp_path: Path, written: str, key: str) -> None:
    write(tmp_path, f"http: {{auth: {{api_key: '{written}'}}}}")
    assert load({"KEY": "s3cret"}, folder=tmp_path).http.api_key.reveal() == key


def test_expanded_value_takes_the_type_of_its_key(tmp_path: Path) -> None:
    write(tmp_path, "debug: $D\nhttp: {port: '${P}', auth: {api_key: $K}}\nretry-interval: ${N}s")
    config = load({"D": "true", "P": "81", "K": "007", "N": "2"}, folder=tmp_path)
    assert (config.debug, config.http.port, config.http.api_key.reveal(), config.backoff) == (True, 81, "007", 2_000)


def test_variable_cannot_add_keys(tmp_path: Path) -> None:
    write(tmp_path, "http: {auth: {api_key: $K}}")
    with pytest.raises(ConfigError, match="printable ASCII"):
        load({"K": "x\ndebug: true"}, folder=tmp_path)


@pytest.mark.parametrize(
    ("listen", "enabled", "host", "port"),
    [("off", False, "127.0.0.1", 8080), ("0.0.0.0:80", True, "0.0.0.0", 80), ("[::1]:0", True, "::1", 0)],
)
def test_http_flag_and_its_twin_say_where_to_listen(
    tmp_path: Path, listen: str, enabled: bool, host: str, port: int
) -> None:
    for config in (
        load({}, {"http": listen}, folder=tmp_path),
        load({"CROSSDOCK_HTTP": listen}, folder=tmp_path),
    ):
        assert (config.http.enabled, config.http.host, config.http.port) == (enabled, host, port)


def test_named_file_that_is_missing_means_defaults_and_is_told(tmp_path: Path) -> None:
    config = load({}, file="gone.yml", folder=tmp_path)
    assert config.store == "sqlite:///data/crossdock.db"
    assert config.notes == ("configuration file gone.yml does not exist, defaults are used",)


def test_grpc_stays_shut_where_it_is_not_installed_unless_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load({}, folder=tmp_path).grpc.enabled
    monkeypatch.setattr("crossdock.config.config.find_spec", lambda name: None)
    config = load({}, folder=tmp_path)
    assert not config.grpc.enabled
    assert config.notes == ("the gRPC door stays shut: it needs the extra crossdock[grpc]",)
    asked = load({}, {"grpc": "127.0.0.1:0"}, folder=tmp_path)
    assert (asked.grpc.enabled, asked.grpc.port, asked.notes) == (True, 0, ())


def test_loading_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "A=1\n", ".env")
    write(tmp_path, "persistence: {type: file}")
    monkeypatch.delenv("A", raising=False)
    environ = {"B": "2"}
    load(environ, folder=tmp_path)
    assert environ == {"B": "2"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "config.yml"]


def test_secret_is_not_shown(tmp_path: Path) -> None:
    config = load({"API_KEY": "hunter2"}, folder=tmp_path)
    assert config.http.api_key.reveal() == "hunter2"
    assert "hunter2" not in f"{config!r} {config.http.api_key}"
    with pytest.raises(ConfigError) as caught:
        load({"API_KEY": "hunter2\n"}, folder=tmp_path)
    assert "hunter2" not in str(caught.value)


def test_example_file_shows_the_defaults(tmp_path: Path) -> None:
    write(tmp_path, EXAMPLE.read_text())
    shown = load({}, folder=tmp_path)
    write(tmp_path, "http: {rate: {limit: 1, burst: 5}}")
    default = load({}, folder=tmp_path)
    assert repr(shown) == repr(default)
