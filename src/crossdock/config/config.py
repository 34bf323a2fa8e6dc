"""The configuration as the server uses it, and how its sources are laid over each other."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from crossdock.core.errors import InvalidArgument
from crossdock.core.limits import BODY_BYTES_MAX
from crossdock.core.model import Settings

from . import gomq, modes
from .errors import ConfigError
from .keys import KEYS, Text
from .secret import Secret
from .sources import DOORS, Layer, door_layer, env_layer, expand, file_layer, read_env

CONFIG_FILE = "config.yml"
ENV_FILE = ".env"
DEFAULT_STORE = "sqlite:///data/crossdock.db"
QUEUE_FILE = "filedb_queue.db"


class Http(Struct, frozen=True, kw_only=True):
    """The HTTP door."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = 8080
    rate_limit: float = 0
    """Requests per second of one client address; 0: no limit."""
    rate_burst: int = 5
    api_key: Secret = Secret()
    tls_cert: str = ""
    tls_key: str = ""


class Grpc(Struct, frozen=True, kw_only=True):
    """The gRPC door."""

    enabled: bool = False
    host: str = "127.0.0.1"
    port: int = 50051
    api_key: Secret = Secret()


class Ws(Struct, frozen=True, kw_only=True):
    """The WebSocket door."""

    enabled: bool = False
    host: str = "127.0.0.1"
    port: int = 8081
    origins: tuple[str, ...] = ()
    """Origins of the web pages that may connect; who sends no Origin is no browser and may."""
    api_key: Secret = Secret()


class Config(Struct, frozen=True, kw_only=True):
    """A server's configuration. The defaults are those of a server in memory without limits, as tests want it."""

    store: str = "memory://"
    max_attempts: int = 3
    backoff: int = 30_000
    """ms"""
    lease: int = 3_000
    """Lease of the HTTP door where neither request nor queue names one, ms."""
    ttl: int = 0
    """Time to live of messages where neither they nor their queue say one, ms; 0: for ever."""
    max_messages: int | None = None
    """Bound of messages in a queue that has none of its own."""
    max_body_bytes: int = BODY_BYTES_MAX
    debug: bool = False
    http: Http = Http()
    grpc: Grpc = Grpc()
    ws: Ws = Ws()
    verb_metrics: bool = False
    """Whether /metrics shows counts, errors and latencies of the broker's verbs by queue; costs a little each call."""
    log_level: str = "info"
    log_format: Literal["auto", "console", "json"] = "auto"
    notes: tuple[str, ...] = ()
    """What the operator should be told about how the configuration was found."""

    @property
    def queue_defaults(self) -> Settings:
        """Settings of queues that have none of their own."""
        return Settings(
            max_attempts=self.max_attempts, backoff=self.backoff, ttl=self.ttl, max_messages=self.max_messages
        )


def load(
    environ: Mapping[str, str], flags: Mapping[str, str] | None = None, file: str | None = None, folder: Path = Path()
) -> Config:
    """The configuration: defaults, under the file, under the environment (over `.env`), under `flags`.

    In the environment, `CROSSDOCK_...` wins over `GOMQ_...` and the modes; GoMQ's defaults, where they count, are still
    defaults.
    `flags` maps keys to text; a door's name as a key stands for HOST:PORT or `off`. Without a `file`, `config.yml` in
    `folder` is read where it exists. A file that does not exist leaves all defaults. Raises ConfigError. Changes
    nothing.
    """
    env = read_env(folder / ENV_FILE, environ)
    path = folder / (file or CONFIG_FILE)
    found = path.exists()
    layer = file_layer(path, env) if found else {}
    notes = [f"configuration file {file} does not exist, defaults are used"] if file and not found else []
    other = gomq.read(env)
    mode = modes.read(env)
    notes += other.notes
    given = other.given | mode.given | env_layer(env) | _flag_layer(flags or {})
    values = _Values(other.defaults | layer | given, env)
    if "grpc.enabled" not in values.given and find_spec("grpc") is None:
        values.given["grpc.enabled"] = ("what is installed", False)
        notes.append("the gRPC door stays shut: it needs the extra crossdock[grpc]")
    return _assemble(values, _store(values, found, other.store or mode.store or DEFAULT_STORE), tuple(notes))


def embedded(environ: Mapping[str, str]) -> Config:
    """The configuration of a broker inside a program, by the variables `GOMQ_...` alone.

    Raises InvalidArgument when none is set, ConfigError when one makes no sense.
    """
    found = gomq.read(environ)
    if not found.store:
        raise InvalidArgument("url", None, f"must be given where none of {', '.join(gomq.DEFAULT_OF)} is set")
    values = _Values(found.defaults | found.given, {})
    return _assemble(values, found.store, found.notes)


def _flag_layer(flags: Mapping[str, str]) -> Layer:
    layer: Layer = {}
    for key, value in flags.items():
        source = f"--{key.replace('.', '-')}"
        if key in DOORS:
            layer |= door_layer(key, source, value)
        else:
            layer[key] = (source, Text(value))
    return layer


class _Values:
    """The values of all layers, by key. Making one checks them all."""

    def __init__(self, given: Layer, env: Mapping[str, str]) -> None:
        self.given = given
        self._env = env
        for name in KEYS:
            self.get(name)

    def get(self, name: str) -> Any:
        key = KEYS[name]
        if name in self.given:
            value = self.given[name][1]
        else:
            value = expand(key.default, self._env) if isinstance(key.default, str) else key.default
        try:
            return key.read(name, value)
        except InvalidArgument as error:
            raise ConfigError(self.source(name), str(error)) from error

    def has(self, section: str) -> bool:
        """Whether a source gave a key of the section."""
        return any(name.startswith(f"{section}.") for name in self.given)

    def source(self, name: str) -> str:
        """Where the value of a key is from."""
        return self.given[name][0] if name in self.given else "defaults"


def _assemble(values: _Values, store: str, notes: tuple[str, ...]) -> Config:
    get = values.get
    if bool(get("tls.cert")) != bool(get("tls.key")):
        given, missing = ("cert", "key") if get("tls.cert") else ("key", "cert")
        raise ConfigError(values.source(f"tls.{given}"), f"tls.{given} needs tls.{missing} beside it")
    return Config(
        store=store,
        max_attempts=get("max-retry"),
        backoff=get("retry-interval"),
        lease=get("lease-duration"),
        ttl=get("default-ttl"),
        max_messages=get("max-queue-depth") or None,
        max_body_bytes=get("max-message-size"),
        debug=get("debug"),
        http=Http(
            enabled=get("http.enabled"),
            host=get("http.host"),
            port=get("http.port"),
            rate_limit=get("http.rate.limit") if values.has("http.rate") else 0,
            rate_burst=get("http.rate.burst"),
            api_key=get("http.auth.api_key"),
            tls_cert=get("tls.cert"),
            tls_key=get("tls.key"),
        ),
        grpc=Grpc(
            enabled=get("grpc.enabled"),
            host=get("grpc.host"),
            port=get("grpc.port"),
            api_key=get("grpc.auth.api_key"),
        ),
        ws=Ws(
            enabled=get("ws.enabled"),
            host=get("ws.host"),
            port=get("ws.port"),
            origins=get("ws.origins"),
            api_key=get("ws.auth.api_key"),
        ),
        verb_metrics=get("metrics.verbs"),
        log_level=get("log.level"),
        log_format=get("log.format"),
        notes=notes,
    )


def _store(values: _Values, from_file: bool, default: str) -> str:
    """The store's URL: named outright, or by the persistence section, which counts as soon as there is a file."""
    if values.get("store"):
        return str(values.get("store"))
    if not (from_file or values.has("persistence")):
        return default
    if values.get("persistence.type") == "memory":
        return "memory://"
    return f"sqlite:///{Path(values.get('persistence.options.dirs-path')) / QUEUE_FILE}"
