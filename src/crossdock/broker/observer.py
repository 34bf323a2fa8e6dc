"""Who is told how the verbs went: the one hook for metrics, logs and traces."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

from crossdock.core.clock import Clock
from crossdock.core.errors import CrossdockError
from crossdock.core.model import Address

T = TypeVar("T")
Step = Callable[[], Awaitable[T]]


class Observer(Protocol):
    """Called after each message verb by its caller; must not block.

    A call refused by a check was not begun, and is not told of.
    """

    def done(self, verb: str, address: Address, count: int, started: int) -> None:
        """`verb` succeeded for `count` messages; `started` is the clock's `now` when it began."""
        ...

    def failed(self, verb: str, address: Address, error: CrossdockError) -> None: ...


async def observed(observer: Observer, clock: Clock, verb: str, address: Address, count: int, step: Step[T]) -> T:
    """Do a verb and tell the observer how it went."""
    started = clock.now()
    try:
        result = await step()
    except CrossdockError as error:
        observer.failed(verb, address, error)
        raise
    if isinstance(result, list):
        count = len(result)
    elif isinstance(result, Mapping):
        count -= len(result)
        for failure in result.values():
            observer.failed(verb, address, failure)
    observer.done(verb, address, count, started)
    return result
