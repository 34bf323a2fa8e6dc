"""A verb on its way to the writer thread and back."""

import asyncio
from collections.abc import Callable
from typing import Any

from msgspec import Struct


class Call(Struct, gc=False):
    """What a caller asked for, and what became of it."""

    verb: Callable[..., Any]
    now: int
    args: tuple[Any, ...]
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"
    result: Any = None
    error: Exception | None = None
