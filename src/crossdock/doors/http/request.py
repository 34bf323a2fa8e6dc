"""A request: its body, and what a handler gets of it."""

from typing import Generic, TypeVar

from starlette.types import Receive, Scope

from crossdock.core.errors import InvalidArgument
from crossdock.core.limits import ID_MAX, check_range
from crossdock.core.model import Address

from .errors import BodyTooLarge

R_co = TypeVar("R_co", covariant=True)

SMALL_DIGITS = 6
"""A length of so few digits is within every bound."""


class Disconnected(Exception):
    """The client went away before it had sent everything, or while it waited."""


class Call(Generic[R_co]):
    """What a handler gets: the queue, the decoded request, and the rest for those who need it."""

    __slots__ = ("address", "receive", "request", "scope")

    def __init__(self, address: Address, request: R_co, scope: Scope, receive: Receive) -> None:
        self.address = address
        self.request = request
        self.scope = scope
        self.receive = receive

    @property
    def message_id(self) -> int:
        """The message that the path names. Raises InvalidArgument."""
        text: str = self.scope["path_params"]["message_id"]
        if not (text.isascii() and text.isdecimal() and len(text) < 20):
            raise InvalidArgument("message_id", text, "must be a whole number")
        return check_range("message_id", int(text), 1, ID_MAX)


async def read_body(receive: Receive, content_length: bytes | None, bytes_max: int) -> bytes:
    """The body of a request. Raises BodyTooLarge before more than `bytes_max` bytes are held; Disconnected."""
    if content_length is not None and len(content_length) > SMALL_DIGITS and _exceeds(content_length, bytes_max):
        raise BodyTooLarge(bytes_max)
    chunks: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise Disconnected
        chunk: bytes = event.get("body", b"")
        size += len(chunk)
        if size > bytes_max:
            raise BodyTooLarge(bytes_max)
        if not event.get("more_body", False):
            return b"".join([*chunks, chunk]) if chunks else chunk
        chunks.append(chunk)


def _exceeds(content_length: bytes, bytes_max: int) -> bool:
    return content_length.isdigit() and (len(content_length) > 15 or int(content_length) > bytes_max)
