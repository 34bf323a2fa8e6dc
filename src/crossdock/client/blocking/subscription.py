"""Deliveries for ever, as an iterator."""

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from crossdock.core.errors import QueueClosed

from ..transport import Member
from .delivery import Delivery

if TYPE_CHECKING:
    from .connection import Connection
    from .queue import Queue


class Subscription:
    """A member of a group, and what it is given, one by one: by a `for` loop, or by `next`.

    Leaving the loop or the `with`, `close` and the connection's close end it, and give back at once what was not
    answered. Over a store in this process, a lease that ends frees its place. Another thread may close it.
    """

    def __init__(self, queue: "Queue", member: Member, connection: "Connection") -> None:
        self._queue = queue
        self._member = member
        self._connection = connection

    def close(self) -> None:
        """Get no more deliveries, and give back those not answered. A second call does nothing."""
        try:
            self._queue.run(self._member.close())
        except QueueClosed:
            return  # With the connection, which gave them back.

    def _take(self) -> Delivery | None:
        lease = self._member.poll()
        if lease is None:
            try:
                lease = self._queue.run(self._member.next())
            except QueueClosed:
                if not self._connection.closed:
                    raise
        return None if lease is None else Delivery(lease, self._queue)

    def __next__(self) -> Delivery:
        delivery = self._take()
        if delivery is None:
            raise StopIteration
        return delivery

    def __iter__(self) -> Iterator[Delivery]:
        with self:
            while (delivery := self._take()) is not None:
                yield delivery

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
