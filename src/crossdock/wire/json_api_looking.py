"""The JSON API's requests and responses that look at messages without effect."""

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct
from msgspec.json import encode

from crossdock.core.limits import ID_MAX
from crossdock.core.model import ATTEMPTS, ERROR, ORIGIN_GROUP, ORIGIN_QUEUE, REASON, Message, Peeked, State

from .json_api import Request, Stored, shown

PREVIEW_CHARS_MAX = 64

Cursor = Annotated[int, Meta(ge=0, le=ID_MAX, description="The last id of the page before; 0: the first page.")]
Preview = Annotated[bool, Meta(description=f"Show the first {PREVIEW_CHARS_MAX} characters of each payload, as text.")]
Options = Annotated["PeekOptions | None", Meta(description="Page through the messages by id.")]
InState = Annotated[State | None, Meta(description="Only messages in this state.")]
BrowseOrder = Annotated[
    Literal["asc", "desc", "delivery"],
    Meta(description="By id, or as the group would get them; then `cursor` and `state` mean nothing."),
]
InsertedAt = Annotated[str, Meta(description="Time of acceptance, RFC 3339.")]
Due = Annotated[int, Meta(description="When the state ends, ms since the epoch.")]


class PeekOptions(Request):
    """Which page."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 10
    cursor: Cursor = 0
    order: Literal["asc", "desc"] = "asc"
    preview: Preview = False


class Page(Request):
    """Which page, in a query string."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: Cursor = 0
    order: Literal["asc", "desc"] = "asc"


class Peek(Request):
    """Whose next message to show."""

    group: str
    options: Options = None


class Browse(Request):
    """Which of the messages that a group is not done with to show."""

    group: str
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: Cursor = 0
    order: BrowseOrder = "asc"
    state: InState = None


class Seen(Stored):
    """A message and where it stands in the group."""

    inserted_at: InsertedAt = ""
    state: State | None = None
    attempts: int = 0
    due: Due = 0
    consumer_id: str = ""
    error: str = ""


class DeadLetter(Stored):
    """A message that was given up, and why."""

    inserted_at: InsertedAt = ""
    reason: Annotated[str, Meta(description="`attempts`, `rejected` or `expired`.")] = ""
    origin_queue: str = ""
    failed_group: str = ""
    attempts: int = 0
    error: str = ""


class PeekedOne(Struct):
    """A message."""

    status: Literal["ok"]
    message: Seen


class PeekedMany(Struct):
    """A page of messages."""

    status: Literal["ok"]
    messages: list[Seen]


class DeadLetterFound(Struct):
    """A dead letter."""

    status: Literal["ok"]
    message: DeadLetter


class DeadLetters(Struct):
    """A page of dead letters."""

    status: Literal["ok"]
    messages: list[DeadLetter]


def next_seen(peeked: Peeked) -> Seen:
    """The next message, as a plain peek shows it."""
    return Seen(*shown(peeked.message)[:4])


def stored(message: Message, inserted_at: str) -> Seen:
    """A message by itself, seen by no group."""
    return Seen(*shown(message), inserted_at)


def seen(peeked: Peeked, inserted_at: str) -> Seen:
    """A message with all there is to know."""
    where = (peeked.state, peeked.attempts, peeked.due, peeked.consumer, peeked.error)
    return Seen(*shown(peeked.message), inserted_at, *where)


def preview(peeked: Peeked, inserted_at: str) -> Seen:
    """A message with the beginning of its body, as text."""
    found = seen(peeked, inserted_at)
    text = peeked.message.body[: 4 * (PREVIEW_CHARS_MAX + 1)].decode(errors="replace")
    cut = text if len(text) <= PREVIEW_CHARS_MAX else text[: PREVIEW_CHARS_MAX - 3] + "..."
    found.payload, found.encoding = Raw(encode(cut)), None
    return found


def dead_letter(message: Message, inserted_at: str) -> DeadLetter:
    """A message of a dead-letter queue, with what its headers tell; anybody may have written them."""
    headers = message.headers or {}
    attempts = headers.get(ATTEMPTS, "")
    return DeadLetter(
        *shown(message),
        inserted_at,
        headers.get(REASON, ""),
        headers.get(ORIGIN_QUEUE, ""),
        headers.get(ORIGIN_GROUP, ""),
        int(attempts) if attempts.isdecimal() and attempts.isascii() and len(attempts) < 10 else 0,
        headers.get(ERROR, ""),
    )
