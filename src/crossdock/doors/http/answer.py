"""What a handler gives back, and how it becomes a response."""

from msgspec import Struct
from msgspec.json import Encoder
from starlette.types import Message

from crossdock.wire.json_api import Status

JSON = (b"content-type", b"application/json")

encode = Encoder().encode


class Answer(Struct, frozen=True, gc=False):
    """A response: its status, its body, and headers beyond the usual ones."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content_type: tuple[bytes, bytes] = JSON

    def start(self, request_id: bytes) -> Message:
        """The ASGI event that begins the response."""
        headers = [(b"x-request-id", request_id), *self.headers]
        if self.status != 204:
            headers += (self.content_type, (b"content-length", b"%d" % len(self.body)))
        return {"type": "http.response.start", "status": self.status, "headers": headers}


def created(new: bool) -> Answer:
    """An answer that something exists now; the header tells whether it did before."""
    return Answer(201, encode(Status("created")), ((b"x-created", b"true" if new else b"false"),))


def done(status: str, code: int = 200) -> Answer:
    """An answer that says what was done."""
    return Answer(code, encode(Status(status)))
