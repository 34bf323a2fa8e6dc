"""What a consumer holds: a delivery as its program sees it. The flavours add the answers (ack and so on)."""

from typing import Any

import msgspec

from crossdock.core import model
from crossdock.core.ids import receipt_text

_decode_json = msgspec.json.Decoder().decode


class Received(msgspec.Struct, gc=False, eq=False):
    """The reading side of a delivery."""

    lease: model.Delivery
    """The delivery as the broker sees it; it serves as the receipt."""

    @property
    def id(self) -> int:
        return self.lease.id

    @property
    def body(self) -> bytes:
        return self.lease.message.body

    @property
    def headers(self) -> model.Headers:
        return self.lease.message.headers or {}

    @property
    def priority(self) -> int:
        return self.lease.message.priority

    @property
    def ordering_key(self) -> str | None:
        return self.lease.message.ordering_key

    @property
    def dedup_id(self) -> str | None:
        return self.lease.message.dedup_id

    @property
    def expires_at(self) -> float | None:
        """When its time to live is over, in seconds since the epoch; None when it has none."""
        return self.lease.message.expires_at / 1000 or None

    @property
    def enqueued_at(self) -> float:
        """When the message was accepted, in seconds since the epoch."""
        return self.lease.message.enqueued_at / 1000

    @property
    def attempt(self) -> int:
        """Number of this hand-out, from 1."""
        return self.lease.attempt

    @property
    def lease_until(self) -> float:
        """When the lease ends if it is not extended, in seconds since the epoch."""
        return self.lease.lease_until / 1000

    @property
    def receipt(self) -> str:
        """The token that answers this delivery from anywhere, as `crossdock ack` takes it."""
        return receipt_text(self.lease)

    @property
    def fence(self) -> int:
        """Grows with every hand-out of the store: a fencing token for what the consumer writes elsewhere."""
        return self.lease.epoch

    def text(self) -> str:
        """The body as UTF-8 text."""
        return self.body.decode()

    def json(self) -> Any:
        """The body as JSON. Raises msgspec.DecodeError when it is not."""
        return _decode_json(self.body)
