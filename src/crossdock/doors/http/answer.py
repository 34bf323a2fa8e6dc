"""What a handler gives back, and how it becomes a response."""

from msgspec import Struct
from msgspec.json import Encoder
from starlette.types import Send

from crossdock.wire.json_api import Status

HeaderList = list[tuple[bytes, bytes]]

JSON = b"application/json"

encode = Encoder().encode


class Answer(Struct, frozen=True, gc=False):
    """A response: its status, its body, and headers beyond the usual ones."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content_type: bytes = JSON


def created(new: bool) -> Answer:
    """An answer that something exists now; the header tells whether it did before."""
    return Answer(201, encode(Status("created")), ((b"x-created", b"true" if new else b"false"),))


def done(status: str, code: int = 200) -> Answer:
    """An answer that says what was done."""
    return Answer(code, encode(Status(status)))


async def respond(send: Send, answer: Answer, request_id: bytes) -> None:
    """Send a whole response."""
    headers: HeaderList = [(b"x-request-id", request_id), *answer.headers]
    if answer.status != 204:
        headers.append((b"content-type", answer.content_type))
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
