"""What is said over the WebSocket door, as both ends see it: queries of its paths, and frames of JSON text.

A message travels as the bytes of a frame where nothing else is to be said of it, and as `Delivered`, the JSON API's own
form, where it is to be answered.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from crossdock.core.errors import Failures
from crossdock.core.ids import parse_receipt
from crossdock.core.limits import BATCH_MESSAGES_MAX, CREDIT_MAX
from crossdock.core.model import DEFAULT_GROUP, Receipt

from .json_api import Delivered, Duration, FailedReceipt, Request, RetryDelay

DEFAULT_QUEUE = "default"
CREDIT = 100
"""Messages that a subscriber may have unanswered where it does not say."""

CreditCount = Annotated[int, Meta(ge=0, le=CREDIT_MAX)]
Receipts = Annotated[list[str], Meta(min_length=1, max_length=BATCH_MESSAGES_MAX)]


class Publishing(Request):
    """Query of /ws/publish."""

    queue: str = DEFAULT_QUEUE


class Consuming(Request):
    """Query of /ws/consume."""

    queue: str = DEFAULT_QUEUE
    group: str = DEFAULT_GROUP
    ack: bool = False
    """Whether messages are leased and to be answered; else they are gone with their hand-out."""
    lease: str = ""
    consumer: str = ""


class Subscribing(Request):
    """Query of /ws/subscribe."""

    queue: str = DEFAULT_QUEUE
    group: str = DEFAULT_GROUP
    credit: CreditCount = CREDIT
    lease: str = ""
    consumer: str = ""


class Calling(Request):
    """Query of /ws/api: there is nothing to say."""


class Answer(Request, tag_field="do"):
    """What a consumer says of its deliveries: up to 1000 receipts of one group."""

    receipts: Receipts


class Ack(Answer, tag="ack"):
    """The messages are done."""


class Nack(Answer, tag="nack"):
    """The messages are to be tried again later."""

    delay: RetryDelay = None
    error: str = ""


class Reject(Answer, tag="reject"):
    """The messages are to be dead-lettered now."""

    error: str = ""


class Extend(Answer, tag="extend"):
    """The leases are to end `lease` from now."""

    lease: Duration


class Credit(Request, tag_field="do", tag="credit"):
    """A subscriber may have so many messages unanswered from now on; with 0 it gets no more."""

    credit: CreditCount


AnyAnswer = Ack | Nack | Reject | Extend


class Answered(Struct):
    """What became of an Answer. Receipts that are not named succeeded."""

    done: str
    failed: list[FailedReceipt]


class Handed(Struct):
    """A message that is to be answered."""

    message: Delivered


class ApiCall(Request):
    """A request of the JSON API, or with `cancel` the end of one that is under way."""

    id: int
    method: str = "POST"
    path: str = ""
    body: Raw = Raw(b"null")
    cancel: bool = False


class ApiReply(Struct, omit_defaults=True):
    """The response to an ApiCall. Headers that speak of the body are left out."""

    id: int
    status: int
    headers: dict[str, str] = {}
    body: Raw = Raw(b"null")


decode_answer = msgspec.json.Decoder(AnyAnswer)
decode_subscriber = msgspec.json.Decoder(AnyAnswer | Credit)
decode_call = msgspec.json.Decoder(ApiCall)


def receipts_of(answer: Answer) -> list[Receipt]:
    """The receipts of an answer. Raises InvalidArgument for what no delivery carried."""
    return [parse_receipt(text) for text in answer.receipts]


def answered(done: str, receipts: Sequence[Receipt], failures: Failures) -> Answered:
    """What to say of the outcome."""
    failed = [FailedReceipt(index, receipts[index].id, str(why), why.code) for index, why in failures.items()]
    return Answered(done, failed)
