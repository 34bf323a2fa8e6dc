"""serve: the server in the foreground."""

import os
import sys
from typing import Annotated, Literal

from crossdock.config import load
from crossdock.core.text import printable
from crossdock.server import Server
from crossdock.server import serve as run_server
from crossdock.server.logs import configure, is_for_people

from .options import option
from .output import OK


def serve(
    *,
    config: Annotated[str | None, option("CONFIG", "Configuration file. Default: config.yml where it exists")] = None,
    store: Annotated[
        str | None,
        option(
            "STORE",
            "memory://, sqlite:///FILE or log:///FOLDER. Default: sqlite:///data/crossdock.db without a file",
        ),
    ] = None,
    http: Annotated[
        str | None, option("HTTP", "HOST:PORT of the HTTP door, port 0 for a free one, or off. Default: 127.0.0.1:8080")
    ] = None,
    grpc: Annotated[
        str | None,
        option("GRPC", "HOST:PORT of the gRPC door, port 0 for a free one, or off. Default: 127.0.0.1:50051"),
    ] = None,
    ws: Annotated[
        str | None,
        option("WS", "HOST:PORT of the WebSocket door, port 0 for a free one, or off. Default: 127.0.0.1:8081"),
    ] = None,
    tls_cert: Annotated[str | None, option("TLS_CERT", "Certificate chain (PEM); the doors then speak TLS")] = None,
    tls_key: Annotated[str | None, option("TLS_KEY", "Key of the certificate (PEM)")] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None, option("LOG_LEVEL", "What to log. Default: info")
    ] = None,
    log_format: Annotated[
        Literal["auto", "console", "json"] | None,
        option("LOG_FORMAT", "How to log to stderr. Default: auto, console on a terminal and json elsewhere"),
    ] = None,
) -> int:
    """Serve until interrupted. The first Ctrl-C lets running requests finish, the second ends at once."""
    given = {
        "store": store,
        "http": http,
        "grpc": grpc,
        "ws": ws,
        "tls.cert": tls_cert,
        "tls.key": tls_key,
        "log.level": log_level,
        "log.format": log_format,
    }
    flags = {key: value for key, value in given.items() if value}  # An empty variable counts as unset.
    settings = load(os.environ, flags, config)
    configure(settings.log_level, settings.log_format)

    def started(server: Server) -> None:
        if is_for_people(settings.log_format, sys.stderr):
            print(_welcome(server), flush=True)

    run_server(settings, started)
    return OK


def _welcome(server: Server) -> str:
    lines = [f"store    {printable(server.config.store)}", f"promise  {server.level}"]
    lines += [f"open at  {url}" for url in server.urls]
    if server.config.http.enabled:
        key = ' -H "X-API-Key: $API_KEY"' if server.config.http.api_key else ""
        lines += ["", "Try it:", f"  curl -X POST{key} {server.urls[0]}/api/v1/orders/create"]
        lines += [
            f'  curl -X POST{key} {server.urls[0]}/api/v1/orders/enqueue -d \'{{"message":"hello"}}\'',
            "",
            "Ctrl-C stops.",
        ]
    return "\n".join(lines)
