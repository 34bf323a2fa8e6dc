"""A topic, as blocking calls."""

from crossdock.core.durations import Duration
from crossdock.core.model import DEFAULT_GROUP

from .. import base
from .queue import Queue
from .subscription import Subscription


class Topic(Queue):
    """A queue whose groups are its subscribers: each gets every message sent from its subscription on.

    A message is kept until every subscriber of its time is done with it, and for none that comes later.
    """

    __slots__ = ()

    def subscribe(
        self,
        subscriber: str = DEFAULT_GROUP,
        *,
        prefetch: int = 1,
        lease: Duration | None = None,
        mode: base.Mode = "at-least-once",
    ) -> Subscription:
        """Subscribe: deliveries of every message, one by one, for ever. See `Queue.subscribe`.

        A subscriber outlives its Subscription, and goes on getting messages, until `unsubscribe`. Several under one
        name share its messages.
        """
        return self.group(subscriber).subscribe(subscriber, prefetch=prefetch, lease=lease, mode=mode)

    def unsubscribe(self, subscriber: str) -> bool:
        """Delete a subscriber with the messages that wait for it; False when there is none."""
        return self.group(subscriber).delete_group()

    def subscribers(self) -> list[str]:
        """Names of the subscribers."""
        return list((self.stats()).groups)
