"""A delivery that is answered by coroutines."""

from typing import TYPE_CHECKING

from crossdock.core.durations import Duration

from ..received import Received

if TYPE_CHECKING:
    from .queue import Queue


class Delivery(Received, gc=False, eq=False):
    """One hand-out of a message. Answer it with ack, nack or reject before the lease ends."""

    queue: "Queue"

    async def ack(self) -> None:
        """The message is done. Raises LeaseLost."""
        failures = await self.queue.transport.ack(self.queue.address, self.queue.group_name, (self.lease,))
        if failures:
            raise failures[0]

    async def nack(self, delay: Duration | None = None, error: str = "") -> None:
        """Try again: after `delay`, or after the queue's backoff. Raises LeaseLost."""
        failures = await self.queue.nack((self,), delay, error)
        if failures:
            raise failures[0]

    async def reject(self, error: str = "") -> None:
        """Dead-letter the message now. Raises LeaseLost."""
        failures = await self.queue.reject((self,), error)
        if failures:
            raise failures[0]

    async def extend(self, lease: Duration) -> None:
        """Let the lease end `lease` from now. Raises LeaseLost."""
        failures = await self.queue.extend((self,), lease)
        if failures:
            raise failures[0]
