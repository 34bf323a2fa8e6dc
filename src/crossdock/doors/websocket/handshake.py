"""Handshakes, and their answers: a session, or an HTTP status with a sentence."""

from http import HTTPStatus

from websockets.exceptions import InvalidOrigin
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from .door import Refused, WsDoor
from .session import Peer, Session

_END = b"\r\n\r\n"


class Head:
    """Finds the end of a handshake in what arrives: frames behind it must wait until it is answered."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes so far."""
        self._tail = b""

    def split(self, data: bytes) -> tuple[bytes, bytes]:
        """What belongs to the handshake, and what comes after it."""
        at = (self._tail + data).find(_END)
        end = len(data) if at < 0 else at + len(_END) - len(self._tail)
        self.size += end
        self._tail = (self._tail + data)[-len(_END) + 1 :]
        return data[:end], data[end:]


def answer(protocol: ServerProtocol, request: Request, door: WsDoor, peer: Peer) -> tuple[Response, Session | None]:
    """The response to send, and the session that begins with it unless it is a refusal."""
    response = protocol.accept(request)
    if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
        try:
            return response, door.begin(request, peer)
        except Refused as error:
            response = refusal(protocol, error)
    elif isinstance(protocol.handshake_exc, InvalidOrigin):
        response = refusal(protocol, Refused(HTTPStatus.FORBIDDEN, "Origin must be one that this server allows"))
    return response, None


def refusal(protocol: ServerProtocol, error: Refused) -> Response:
    """The response that tells of a refusal."""
    response = protocol.reject(error.status, f"error: {error}\n")
    if error.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "ApiKey"
    return response
