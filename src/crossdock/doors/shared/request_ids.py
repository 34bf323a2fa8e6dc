"""Ids of requests, by which an answer and the log speak of the same one."""

import re
import secrets
from itertools import count

_SANE_ID = re.compile(rb"[ -~]{1,128}")


class RequestIds:
    """Ids for requests: the caller's, when it is sane, or the next of our own."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(4).encode()
        self._numbers = count(1)

    def of(self, given: bytes | None) -> bytes:
        if given is not None and _SANE_ID.fullmatch(given):
            return given
        return b"%b-%x" % (self._prefix, next(self._numbers))
