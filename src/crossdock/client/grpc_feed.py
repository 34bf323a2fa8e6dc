"""What a server pushes to a member of a group over gRPC, and the answers that go back on the same stream."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

from grpc import aio

from crossdock.core.errors import QueueClosed, StoreUnavailable
from crossdock.core.model import Delivery
from crossdock.wire.protos import broker_pb2 as pb
from crossdock.wire.protos.messages import delivery_of

from .feed import Feed
from .grpc_connection import GrpcConnection

if TYPE_CHECKING:
    Call = aio.StreamStreamCall[pb.SubscribeRequest, pb.SubscribeResponse]

END_SECONDS = 5.0
"""How long the server may take to end a stream."""


class GrpcFeed(Feed):
    """See Feed. Its connections are streams, which take settlements too.

    `arrived` gets the deliveries; `lost` is called when a stream has ended, which returns its leases.
    """

    _losses = (StoreUnavailable, QueueClosed)

    def __init__(
        self,
        connection: GrpcConnection,
        start: pb.SubscribeRequest,
        random: Callable[[], float],
        arrived: Callable[[Sequence[Delivery]], None],
        lost: Callable[[], None],
    ) -> None:
        super().__init__(start.start.queue, random)
        self._connection = connection
        self._start = start
        self._arrived = arrived
        self._lost = lost
        self._call: Call | None = None
        """The stream, once it has begun."""
        self._tags = count(1)
        self._answers: dict[int, asyncio.Future[pb.Settled]] = {}
        self._unsent = pb.SubscribeRequest()
        self._sending: asyncio.Task[None] | None = None

    @property
    def open(self) -> bool:
        """Whether settlements can go over the stream."""
        return self._call is not None

    async def settle(self, settlement: pb.Settlement) -> pb.Settled:
        """Settle over the stream, which must be open. Raises StoreUnavailable when it ends meanwhile."""
        settlement.tag = next(self._tags)
        answer: asyncio.Future[pb.Settled] = asyncio.get_running_loop().create_future()
        self._answers[settlement.tag] = answer
        self._send(settle=[settlement])
        return await answer

    def end(self) -> None:
        self._start.credit = 0
        if self._call is not None:
            self._send(credit=0)

    async def close(self) -> None:
        self._closing = True
        if self._task is None:
            return
        call = self._call
        if call is not None:
            if self._sending is not None:
                await asyncio.wait([self._sending], timeout=END_SECONDS)
            with suppress(aio.AioRpcError, asyncio.InvalidStateError):  # it is ending already
                await call.done_writing()
            await asyncio.wait([self._task], timeout=END_SECONDS)
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _read(self) -> None:
        call = self._connection.subscribe()
        try:
            with suppress(aio.AioRpcError, asyncio.InvalidStateError):  # Reading tells why.
                await call.write(self._start)
            async for response in call:
                self._take(call, response)
            if not self._closing:
                raise StoreUnavailable("the server ended the stream")
        except aio.AioRpcError as error:
            raise self._connection.told(error, self._queue) from error
        finally:
            self._call = None
            call.cancel()
            self._unsent.Clear()
            self._lost()
            answers, self._answers = self._answers, {}
            for answer in answers.values():
                if not answer.done():
                    answer.set_exception(StoreUnavailable("the stream was lost, the outcome is unknown"))

    def _take(self, call: "Call", response: pb.SubscribeResponse) -> None:
        if response.started:
            self._call = call
            self._works()
        if response.deliveries:
            consumer = self._start.start.consumer
            self._arrived([delivery_of(each, consumer) for each in response.deliveries])
        for settled in response.settled:
            answer = self._answers.pop(settled.tag, None)
            if answer is not None and not answer.done():
                answer.set_result(settled)

    def _send(self, **fields: object) -> None:
        """Add to the next request; those that come while one is being written share one."""
        self._unsent.MergeFrom(pb.SubscribeRequest(**fields))  # type: ignore[arg-type]
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._call is not None and self._unsent.ByteSize():
            request, self._unsent = self._unsent, pb.SubscribeRequest()
            with suppress(aio.AioRpcError, asyncio.InvalidStateError):  # The reader sees that the stream is lost.
                await self._call.write(request)
