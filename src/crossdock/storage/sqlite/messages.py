"""Stored messages: rows to messages and back, finding them by id, reading them in order of id."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from crossdock.core.model import Headers, Message

from . import keys
from .catalog import Queue
from .session import Row, Session

MESSAGE_COLUMNS = (
    "m.key, m.body, m.headers, m.priority, m.enqueued_at, m.deliver_at, m.expires_at, m.ordering_key, m.dedup_id"
)
SELECT_MESSAGE = f"SELECT {MESSAGE_COLUMNS} FROM messages m"  # noqa: S608 - constants only, here and in its users

ADD_MESSAGE = """INSERT INTO messages
(key, body, headers, priority, enqueued_at, deliver_at, expires_at, ordering_key, dedup_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_FIND = "SELECT key, length(body) FROM messages WHERE key IN (?, ?)"
_READ = f"{SELECT_MESSAGE} WHERE m.key IN (?, ?)"
_NEXT = "SELECT key, length(body) FROM messages WHERE key BETWEEN ? AND ? ORDER BY key LIMIT ?"

_PAGE = 100

_decode = msgspec.json.Decoder(Headers).decode
_encode = msgspec.json.Encoder().encode


def message_of(row: Sequence[Any]) -> Message:
    """The message of a row of MESSAGE_COLUMNS."""
    key, body, headers, priority, enqueued_at, deliver_at, expires_at, ordering_key, dedup_id = row
    message = Message(body, headers_of(headers), priority)
    message.id = keys.message_id(key)
    message.enqueued_at = enqueued_at
    message.deliver_at = deliver_at
    message.expires_at = expires_at
    message.ordering_key = ordering_key
    message.dedup_id = dedup_id
    return message


def row_of(message: Message, key: int) -> Row:
    """The row of an accepted message, for ADD_MESSAGE."""
    return (
        key,
        message.body,
        headers_text(message.headers),
        message.priority,
        message.enqueued_at,
        message.deliver_at,
        message.expires_at,
        message.ordering_key,
        message.dedup_id,
    )


def headers_text(headers: Headers | None) -> str | None:
    """Headers as they are stored."""
    return _encode(headers).decode() if headers else None


def headers_of(text: Any) -> Headers | None:
    """Headers from how they are stored."""
    return None if text is None else _decode(text)


def find_message(s: Session, queue: Queue, message_id: int) -> tuple[int, int] | None:
    """Key and size of a stored message, None without one."""
    row = s.one(_FIND, *_both_keys(queue, message_id))
    return None if row is None else (row[0], row[1])


def read_message(s: Session, queue: Queue, message_id: int) -> Message | None:
    """A stored message, None without one."""
    row = s.one(_READ, *_both_keys(queue, message_id))
    return None if row is None else message_of(row)


def _both_keys(queue: Queue, message_id: int) -> tuple[int, int]:
    """The keys that a message of that id may have."""
    if not 0 < message_id <= keys.ID_MAX:
        return -1, -1  # an invented id must not reach into another queue's keys
    return queue.base + message_id, queue.base + keys.APART + message_id


def by_id(s: Session, queue: Queue, first: int = 0) -> Iterator[tuple[int, int]]:
    """Key and size of the stored messages from id `first` on, in order of id. They may be removed meanwhile."""
    while True:
        page = [
            (key, size)
            for base in (queue.base, queue.base + keys.APART)
            for key, size in s.all(_NEXT, base + first, base + keys.ID_MAX, _PAGE)
        ]
        page.sort(key=lambda found: keys.message_id(found[0]))
        page = page[:_PAGE]  # whole up to here: each class gave a page, or all it has
        yield from page
        if len(page) < _PAGE:
            return
        first = keys.message_id(page[-1][0]) + 1
