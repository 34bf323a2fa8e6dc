"""A delivery that is answered by blocking calls."""

from typing import TYPE_CHECKING

from crossdock.core.durations import Duration

from ..received import Received

if TYPE_CHECKING:
    from .queue import Queue


class Delivery(Received, gc=False, eq=False):
    """One hand-out of a message. Answer it with ack, nack or reject before the lease ends."""

    queue: "Queue"

    def ack(self) -> None:
        """The message is done. Raises LeaseLost."""
        queue = self.queue
        failures = queue.run(queue.transport.ack(queue.address, queue.group_name, (self.lease,)))
        if failures:
            raise failures[0]

    def nack(self, delay: Duration | None = None, error: str = "") -> None:
        """Try again: after `delay`, or after the queue's backoff. Raises LeaseLost."""
        failures = self.queue.nack((self,), delay, error)
        if failures:
            raise failures[0]

    def reject(self, error: str = "") -> None:
        """Dead-letter the message now. Raises LeaseLost."""
        failures = self.queue.reject((self,), error)
        if failures:
            raise failures[0]

    def extend(self, lease: Duration) -> None:
        """Let the lease end `lease` from now. Raises LeaseLost."""
        failures = self.queue.extend((self,), lease)
        if failures:
            raise failures[0]
