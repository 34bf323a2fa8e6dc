"""What a handler gives back, and how it becomes a response."""

from collections.abc import Awaitable, Callable

from msgspec import Struct
from msgspec.json import Encoder
from starlette.types import Scope, Send

from crossdock.wire.json_api import Status

from ..shared.respond import RESPOND

JSON = (b"content-type", b"application/json")

encode = Encoder().encode


class Answer(Struct, frozen=True, gc=False):
    """A response: its status, its body, and headers beyond the usual ones."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content_type: tuple[bytes, bytes] = JSON
    undo: Callable[[], Awaitable[None]] | None = None
    """Takes back what only this client could use, when it is gone before the response."""

    async def respond(self, scope: Scope, send: Send, request_id: bytes) -> None:
        """Send the response, or take back what it tells of when our own listener knows that the client is gone."""
        headers = [(b"x-request-id", request_id), *self.headers]
        if self.status != 204:
            headers += (self.content_type, (b"content-length", b"%d" % len(self.body)))
        extensions = scope.get("extensions")
        if extensions and RESPOND in extensions:
            sent = await extensions[RESPOND](self.status, headers, self.body)
            if not sent and self.undo is not None:
                await self.undo()
        else:
            await send({"type": "http.response.start", "status": self.status, "headers": headers})
            await send({"type": "http.response.body", "body": self.body})


def created(new: bool) -> Answer:
    """An answer that something exists now; the header tells whether it did before."""
    return Answer(201, encode(Status("created")), ((b"x-created", b"true" if new else b"false"),))


def done(status: str, code: int = 200) -> Answer:
    """An answer that says what was done."""
    return Answer(code, encode(Status(status)))
