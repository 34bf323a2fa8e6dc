"""What is wrong in a configuration is told with its key and where it was said."""

from pathlib import Path

import pytest

from crossdock.config import ConfigError, load

FILE_ERRORS = [
    ("prot: 1", "unknown key 'prot'"),
    ("http: {prot: 1}", "unknown key 'http.prot'"),
    ("http: {rate: {burts: 1}}", "unknown key 'http.rate.burts'"),
    ("1: x", "unknown key '1'"),
    ("max-retry: three", "max-retry must be a whole number from 0 to 1000000, got 'three'"),
    ("max-retry: '3'", "max-retry must be a whole number"),
    ("max-retry: -1", "max-retry must be a whole number"),
    ("max-retry: 1.5", "max-retry must be a whole number"),
    ("max-retry: true", "max-retry must be a whole number"),
    ("max-retry:", "max-retry must be a whole number"),
    ("max-retry: $UNSET", "max-retry must be a whole number from 0 to 1000000, got ''"),
    ("retry-interval: 30", "retry-interval must be a duration"),
    ("retry-interval: soon", "retry-interval must be a duration"),
    ("retry-interval: 30 s", "retry-interval must be a duration"),
    ("retry-interval: -1s", "retry-interval must be a duration"),
    ("retry-interval: 25h", "retry-interval must be from 0s to 24h"),
    ("lease-duration: '0'", "lease-duration must be from 1ms to 12h"),
    ("lease-duration: 13h", "lease-duration must be from 1ms to 12h"),
    ("debug: maybe", "debug must be true or false, got 'maybe'"),
    ("debug: 'true'", "debug must be true or false"),
    ("debug: 1", "debug must be true or false"),
    ("http: {port: 65536}", "http.port must be a whole number from 0 to 65535, got 65536"),
    ("http: {port: [80]}", "http.port must be a whole number"),
    ("http: {enabled: 'no'}", "http.enabled must be true or false"),
    ("http: {rate: {limit: 0}}", "http.rate.limit must be a number above 0"),
    ("http: {rate: {limit: .nan}}", "http.rate.limit must be a number above 0"),
    ("http: {rate: {limit: '1'}}", "http.rate.limit must be a number above 0"),
    ("http: {rate: {limit: $WORD}}", "http.rate.limit must be a number above 0, at most 1000000, got 'x'"),
    ("http: {rate: {burst: 0}}", "http.rate.burst must be a whole number from 1"),
    ("http: {auth: {api_key: 12345}}", "http.auth.api_key must be printable ASCII text, got ***"),
    ("http: 8080", "http must hold keys and values, got 8080"),
    ("grpc: {port: x}", "grpc.port must be a whole number"),
    ("grpc: {enabled: perhaps}", "grpc.enabled must be true or false"),
    ("persistence: {type: disk}", "persistence.type must be one of memory, file, got 'disk'"),
    ("persistence: {type: [file]}", "persistence.type must be one of memory, file"),
    ("persistence: {options: {dirs-path: 3}}", "persistence.options.dirs-path must be printable text, got 3"),
    ("log: {level: loud}", "log.level must be one of debug, info, warning, error, got 'loud'"),
    ("tls: {cert: c.pem}", "tls.cert needs tls.key beside it"),
    ("tls: {key: k.pem}", "tls.key needs tls.cert beside it"),
    ("- http", "must hold keys and values, not list"),
    ("http: {port: 1", "is not valid YAML"),
    ("debug: 2026-13-45", "is not valid YAML: month must be in 1..12"),
    ("a: !!python/object:os.system {}", "is not valid YAML"),
    ("[" * 100_000, "is n"),
]


@pytest.mark.parametrize(("text", "problem"), FILE_ERRORS, ids=range(len(FILE_ERRORS)))
def test_error_names_file_and_key(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "config.yml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load({"WORD": "x"}, folder=tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'config.yml'}: {problem}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("CROSSDOCK_HTTP_PORT", "http", "http.port must be a whole number from 0 to 65535, got 'http'"),
        ("CROSSDOCK_DEBUG", "maybe", "debug must be true or false"),
        ("CROSSDOCK_LEASE_DURATION", "5", "lease-duration must be a duration"),
        ("CROSSDOCK_HTTP", "8080", "must be HOST:PORT or off, got '8080'"),
        ("CROSSDOCK_HTTP", ":8080", "must be HOST:PORT or off, got ':8080'"),
        ("CROSSDOCK_HTTP", "localhost:http", "http.port must be a whole number"),
    ],
)
def test_error_names_the_environment_variable(tmp_path: Path, name: str, value: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({name: value}, folder=tmp_path)
    assert str(caught.value).startswith(f"environment variable {name}: {problem}")


def test_error_names_the_flag(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--log-level: log.level must be one of"):
        load({}, {"log.level": "loud"}, folder=tmp_path)


def test_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: Is a directory"):
        load({}, file=".", folder=tmp_path)
    (tmp_path / "latin.yml").write_bytes(b"debug: \xff")
    with pytest.raises(ConfigError, match=r"latin.yml: is not UTF-8 text"):
        load({}, file="latin.yml", folder=tmp_path)
    (tmp_path / "large.yml").write_text("#" * 2_000_000)
    with pytest.raises(ConfigError, match=r"large.yml: must have at most"):
        load({}, file="large.yml", folder=tmp_path)
