"""The leases of a handler's messages, kept until it is done with them."""

import logging
from collections.abc import Collection

from crossdock.core.errors import CrossdockError
from crossdock.core.model import Address

from .transport import Transport
from .worker_attempt import Attempt
from .worker_handler import Handler
from .worker_patience import Patience

_log = logging.getLogger("crossdock.worker")


class LeaseKeeper:
    """Extends the leases of all attempts of one handler, on the loop, at every third of a lease (F44).

    So one extension may fail, or come late, and a handler may block its thread for as long as it likes.
    """

    def __init__(
        self,
        handler: Handler,
        attempts: Collection[Attempt],
        transport: Transport,
        address: Address,
        patience: Patience,
    ) -> None:
        self._handler = handler
        self._attempts = attempts
        self._transport = transport
        self._address = address
        self._patience = patience

    async def run(self) -> None:
        """Keep them, for ever."""
        pause = max(self._handler.lease // 3, 1)
        while True:
            await self._patience.sleep_until(self._patience.clock.now() + pause)
            if self._attempts:
                await self._extend(tuple(self._attempts))

    async def _extend(self, attempts: tuple[Attempt, ...]) -> None:
        deliveries = [attempt.delivery for attempt in attempts]
        group, lease = self._handler.group, self._handler.lease
        try:
            failures = await self._transport.extend(self._address, group, deliveries, lease)
        except CrossdockError as error:  # The next third comes before the leases end.
            told = {"queue": self._handler.queue, "group": group, "error": str(error)}
            _log.warning("leases were not extended", extra=told)
            return
        for index in failures:
            attempts[index].lose()
