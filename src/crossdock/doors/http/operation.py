"""A route as data: what serves it, and what the documentation says of it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import Struct

from .answer import Answer
from .request import Call

API = "/api/v1"
QUEUE = API + "/{queue:segment}"
BYTES_MAX = 1024 * 1024
"""Bytes of a request body, where a route does not say otherwise."""

Handler = Callable[[Call[Any]], Awaitable[Answer]]


class Operation(Struct, frozen=True):
    """One method of one path. The docstring of `handle` documents it."""

    method: str
    path: str
    handle: Handler
    tag: str
    responses: Mapping[int, Any]
    """The type of each answer by status, errors excepted: None for an empty one, text for a content type."""
    request: Any = None
    """Type of the JSON body."""
    optional: bool = False
    """Whether the body may be missing; then it is the request's defaults."""
    query: Any = None
    """Type of the query string."""
    bytes_max: int = BYTES_MAX
    protected: bool = True
    """Whether the API key is asked for."""
    limited: bool = True
    """Whether the rate limit counts it."""

    @property
    def template(self) -> str:
        """The path as documentation and metrics show it."""
        return self.path.replace(":segment", "")


def public(path: str, handle: Handler, tag: str, responses: Mapping[int, Any]) -> Operation:
    """A GET operation for everybody, at any rate."""
    return Operation("GET", path, handle, tag, responses, protected=False, limited=False)
