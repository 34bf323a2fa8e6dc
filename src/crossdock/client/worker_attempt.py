"""One message in a handler's hands: from the hand-out to the answer, and to the line in the log."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal

from crossdock.core.errors import CrossdockError, Failures
from crossdock.core.model import Address, Delivery

from .received import Received
from .transport import Transport
from .worker_handler import Failure, Handler, Reject, error_text
from .worker_patience import Patience
from .worker_threads import Threads

Outcome = Literal["acked", "nacked", "rejected", "returned", "lost", "unknown"]
"""What became of a hand-out: answered, given back by a stopping worker, its lease lost, or its answer not confirmed."""

_LEVELS = {"acked": logging.INFO, "returned": logging.INFO, "unknown": logging.ERROR}
"""By outcome; any other is a warning."""

_log = logging.getLogger("crossdock.worker")


class Attempt:
    """One call of a handler. `run` is its life; `lose` and `give_up` may come upon it meanwhile."""

    def __init__(
        self,
        handler: Handler,
        delivery: Delivery,
        transport: Transport,
        address: Address,
        patience: Patience,
        threads: Threads,
    ) -> None:
        self.delivery = delivery
        self.handling = True
        """Whether the handler has the message, and nobody else has decided about it."""
        self._lost = False
        self._handler = handler
        self._transport = transport
        self._address = address
        self._patience = patience
        self._began = patience.clock.monotonic()
        self._about = {
            "message_id": delivery.id,
            "queue": handler.queue,
            "group": handler.group,
            "attempt": delivery.attempt,
        }
        message = Received(delivery)
        self._call: asyncio.Future[Failure]
        if handler.waits:
            self._call = asyncio.ensure_future(handler.awaited(message))
        else:
            self._call = threads.run(partial(handler.called, message), self._late)

    async def run(self) -> None:
        """Wait for the handler and answer for it. Cancelled, it leaves the answer unknown."""
        await asyncio.wait([self._call])
        if not self.handling:  # given up
            if not self._call.cancelled():
                self._late(self._call.result())
            return
        self.handling = False
        failure = asyncio.CancelledError() if self._call.cancelled() else self._call.result()
        if self._lost:
            self.tell("lost", failure)
            return
        try:
            self.tell(await self._answer(failure), failure)
        except asyncio.CancelledError:
            self.tell("unknown", failure)
            raise
        except CrossdockError as error:
            self.tell("unknown", failure or error)

    def lose(self) -> None:
        """The lease is lost: the handler goes on, its result will not count."""
        if self.handling and not self._lost:
            self._lost = True
            _log.warning("lease lost, the handler goes on", extra=self._about)

    def give_up(self) -> None:
        """Wait for the handler no longer; whoever calls this answers for it. A coroutine is cancelled."""
        self.handling = False
        self._call.cancel()

    def tell(self, outcome: Outcome, failure: Failure = None) -> None:
        """Log how it ended."""
        trace = failure if outcome == "nacked" else None
        extra = self._about | {"outcome": outcome, "seconds": self._seconds()}
        if failure is not None:
            extra["error"] = error_text(failure)
        _log.log(_LEVELS.get(outcome, logging.WARNING), "attempt %s", outcome, extra=extra, exc_info=trace)

    async def _answer(self, failure: Failure) -> Outcome:
        ack, nack, reject = self._transport.ack, self._transport.nack, self._transport.reject
        where = (self._address, self._handler.group, (self.delivery,))
        if failure is None:
            return await self._settle("acked", lambda: ack(*where))
        error = error_text(failure)
        if isinstance(failure, Reject):
            return await self._settle("rejected", lambda: reject(*where, error))
        return await self._settle("nacked", lambda: nack(*where, self._handler.retry, error))

    async def _settle(self, outcome: Outcome, step: Callable[[], Awaitable[Failures]]) -> Outcome:
        """Answer until the store has heard it. The lease is extended meanwhile."""
        tries = 0

        async def once() -> Failures:
            nonlocal tries
            tries += 1
            return await step()

        if await self._patience.insist(once, "answer", self._about):
            return "lost" if tries == 1 else "unknown"  # The failed try may have been heard.
        return outcome

    def _late(self, failure: Failure) -> None:
        """The handler of a message that was given up has ended after all."""
        ended = {"seconds": self._seconds()} | ({} if failure is None else {"error": error_text(failure)})
        _log.warning("handler ended after its message was given back", extra=self._about | ended)

    def _seconds(self) -> float:
        return (self._patience.clock.monotonic() - self._began) / 1000
