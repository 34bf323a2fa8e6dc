"""Ack, nack, reject and renew: one delivery, or several of a group."""

from collections.abc import Awaitable, Callable, Sequence

from crossdock.broker.checks import check_batch
from crossdock.core.durations import to_ms
from crossdock.core.errors import CrossdockError, Failures, LeaseLost, MessageNotFound
from crossdock.core.limits import LEASE_MS_MAX, LEASE_MS_MIN, check_name, check_range
from crossdock.core.model import Address, Receipt
from crossdock.wire.json_api import (
    BatchSettled,
    FailedReceipt,
    Nack,
    NackBatch,
    ReceiptRef,
    Reject,
    RejectBatch,
    Renew,
    RenewBatch,
    Settle,
    SettleBatch,
    Status,
    receipt_of,
)

from .answer import Answer, done, encode
from .door import Door
from .operation import QUEUE, Operation
from .request import Call

Verb = Callable[[Sequence[Receipt]], Awaitable[Failures]]
"""A verb of the broker that lacks the receipts only."""

TAG = "deliveries"
ACKED = "ack ok"
NACKED = "nack ok"
REJECTED = "reject ok"
RENEWED = "renewed"
LEASE_EXPIRED = done("lease expired", 409)


class Settling:
    """The routes that answer deliveries."""

    def __init__(self, door: Door) -> None:
        self._broker = door.broker

    def operations(self) -> list[Operation]:
        one, several = {200: Status}, {200: BatchSettled}
        return [
            Operation("POST", QUEUE + "/ack", self.ack, TAG, one, request=Settle),
            Operation("POST", QUEUE + "/nack", self.nack, TAG, one, request=Nack),
            Operation("POST", QUEUE + "/reject", self.reject, TAG, one, request=Reject),
            Operation("POST", QUEUE + "/renew", self.renew, TAG, {**one, 409: Status}, request=Renew),
            Operation("POST", QUEUE + "/ack/batch", self.ack_batch, TAG, several, request=SettleBatch),
            Operation("POST", QUEUE + "/nack/batch", self.nack_batch, TAG, several, request=NackBatch),
            Operation("POST", QUEUE + "/reject/batch", self.reject_batch, TAG, several, request=RejectBatch),
            Operation("POST", QUEUE + "/renew/batch", self.renew_batch, TAG, several, request=RenewBatch),
        ]

    async def ack(self, call: Call[Settle]) -> Answer:
        """The message is done, for this group."""
        return await self._settle(call, self._acking(call), ACKED)

    async def nack(self, call: Call[Nack]) -> Answer:
        """Try the message again later.

        Without `delay` the queue's backoff decides; after its last attempt the message is dead-lettered.
        """
        return await self._settle(call, self._nacking(call), NACKED)

    async def reject(self, call: Call[Reject]) -> Answer:
        """Dead-letter the message now."""
        return await self._settle(call, self._rejecting(call), REJECTED)

    async def renew(self, call: Call[Renew]) -> Answer:
        """Let the lease end `extend_sec` seconds from now.

        409 when it has ended already.
        """
        try:
            return await self._settle(call, self._renewing(call), RENEWED)
        except LeaseLost:
            return LEASE_EXPIRED

    async def ack_batch(self, call: Call[SettleBatch]) -> Answer:
        """The messages are done, for this group."""
        return await self._settle_batch(call, self._acking(call), ACKED)

    async def nack_batch(self, call: Call[NackBatch]) -> Answer:
        """Try the messages again later."""
        return await self._settle_batch(call, self._nacking(call), NACKED)

    async def reject_batch(self, call: Call[RejectBatch]) -> Answer:
        """Dead-letter the messages now."""
        return await self._settle_batch(call, self._rejecting(call), REJECTED)

    async def renew_batch(self, call: Call[RenewBatch]) -> Answer:
        """Let the leases end `extend_sec` seconds from now."""
        return await self._settle_batch(call, self._renewing(call), RENEWED)

    def _acking(self, call: Call[Settle] | Call[SettleBatch]) -> Verb:
        return lambda receipts: self._broker.ack(call.address, call.request.group, receipts)

    def _nacking(self, call: Call[Nack] | Call[NackBatch]) -> Verb:
        request = call.request
        delay = None if request.delay is None else to_ms("delay", request.delay)
        return lambda receipts: self._broker.nack(call.address, request.group, receipts, delay, request.error)

    def _rejecting(self, call: Call[Reject] | Call[RejectBatch]) -> Verb:
        request = call.request
        return lambda receipts: self._broker.reject(call.address, request.group, receipts, request.error)

    def _renewing(self, call: Call[Renew] | Call[RenewBatch]) -> Verb:
        lease = to_ms("extend_sec", call.request.extend_sec)
        check_range("extend_sec", lease, LEASE_MS_MIN, LEASE_MS_MAX, " ms")
        return lambda receipts: self._broker.extend(call.address, call.request.group, receipts, lease)

    async def _settle(self, call: Call[Settle], verb: Verb, status: str) -> Answer:
        """Answer one delivery. Raises LeaseLost, MessageNotFound."""
        request = call.request
        check_name("group", request.group)
        receipt = receipt_of(request)
        if receipt is None:
            raise await self._stale(call.address, request.message_id)
        failures = await verb([receipt])
        if failures:
            raise failures[0]
        return done(status)

    async def _settle_batch(self, call: Call[SettleBatch], verb: Verb, status: str) -> Answer:
        """Answer several deliveries; the reply says which receipts are stale."""
        refs = call.request.messages
        check_name("group", call.request.group)
        check_batch("messages", len(refs))
        receipts = [receipt_of(ref) for ref in refs]
        failed: dict[int, CrossdockError] = {}
        for index, receipt in enumerate(receipts):
            if receipt is None:
                failed[index] = await self._stale(call.address, refs[index].message_id)
        good = [(index, receipt) for index, receipt in enumerate(receipts) if receipt is not None]
        failures = await verb([receipt for _, receipt in good]) if good else {}
        failed |= {good[place][0]: error for place, error in failures.items()}
        reply = BatchSettled(status, len(refs) - len(failed), len(failed), _told(failed, refs))
        return Answer(200, encode(reply))

    async def _stale(self, address: Address, message_id: int) -> LeaseLost:
        """What is wrong with a receipt that no delivery of the message had."""
        try:
            await self._broker.message(address, message_id)
        except MessageNotFound as error:
            return error
        return LeaseLost(message_id)


def _told(failed: dict[int, CrossdockError], refs: Sequence[ReceiptRef]) -> list[FailedReceipt]:
    return [
        FailedReceipt(index, refs[index].message_id, str(error), error.code) for index, error in sorted(failed.items())
    ]
