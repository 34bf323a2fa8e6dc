"""A server that reads a request and answers: what the HTTP stack alone can carry. Run as a process, see `served`."""

import asyncio
import json
import sys

import uvloop
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from crossdock.doors.http import HttpListener

BODY = b'{"status":"enqueued","message":"0"}'
HEAD = {
    "type": "http.response.start",
    "status": 202,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))],
}


class Nothing:
    """Reads the body, keeps nothing. A class, since Starlette wraps functions."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body", False):
            continue
        await send(HEAD)
        await send({"type": "http.response.body", "body": BODY})


async def main() -> None:
    """Serve on a free port until interrupted."""
    listener = HttpListener(Router([Route("/api/v1/{queue}/{verb}", Nothing())]), "127.0.0.1", 0)
    await listener.start()
    sys.stderr.write(json.dumps({"event": "serving", "urls": [listener.url], "promise": "none"}) + "\n")
    sys.stderr.flush()
    try:
        await asyncio.Event().wait()
    finally:
        await listener.stop()


if __name__ == "__main__":
    try:
        uvloop.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
