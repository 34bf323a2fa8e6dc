"""What callers of queues saw, written down outside the process under test, and what that proves after its deaths.

A call leaves an `Invoke` before it begins and an `Ok`, `Fail` or `Unknown` when it ends, each one line of JSON. A call
without an end is unknown too: its process died. When the deaths are over, the queues are drained, and `check` compares
what was promised with what was there. The order of the lines does not matter, as the fence of a delivery tells which
hand-out came first: histories of several processes are checked as one.

What a history must keep to: queues are of kind `queue`, with their groups made before the first send; a dead-letter
queue has one group. A message is named by the header `name`, and what is sent again under a name has a dedup id.
Messages with an ordering key have one priority and no delay. No ttl, no bounds, no auto_ack, no purge, no redrive.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Literal

import msgspec
from msgspec import Struct

from crossdock.client.aio import Delivery
from crossdock.core.errors import InvalidArgument, LeaseLost, MessageExpired, QueueFull, QueueNotFound
from crossdock.core.model import ORIGIN_GROUP, ORIGIN_ID, ORIGIN_QUEUE

NAME_HEADER = "name"
Verb = Literal["send", "receive", "ack", "nack", "reject", "extend"]
Place = tuple[str, str]
"""Queue and group."""

_REFUSALS = (InvalidArgument, LeaseLost, MessageExpired, QueueFull, QueueNotFound)
"""Errors that say that nothing was done. After any other the outcome is unknown."""


class Sent(Struct, frozen=True):
    """A message as its sender knows it."""

    name: str
    digest: str


class Delivered(Struct, frozen=True, omit_defaults=True):
    """A delivery as its consumer saw it."""

    queue: str
    group: str
    name: str
    digest: str
    id: int
    """Of a dead letter the id that the message had where it came from."""
    attempt: int
    fence: int
    ordering_key: str | None = None
    origin_queue: str = ""
    origin_group: str = ""

    @property
    def place(self) -> Place:
        """Where it was handed out."""
        return self.queue, self.group

    @property
    def stream(self) -> Place:
        """For whom the message was sent: for a dead letter the group that failed it."""
        return (self.origin_queue, self.origin_group) if self.origin_queue else self.place

    def __str__(self) -> str:
        return f"{self.name} in {'/'.join(self.place)}, attempt {self.attempt}, fence {self.fence}"


class Invoke(Struct, tag="invoke", tag_field="event", omit_defaults=True):
    """A call begins. `sent` belongs to a send, `delivered` is what an ack, nack, reject or extend answers."""

    call: str
    verb: Verb
    queue: str
    group: str = ""
    sent: list[Sent] = []
    delivered: Delivered | None = None


class Ok(Struct, tag="ok", tag_field="event", omit_defaults=True):
    """A call succeeded. `ids` are those that a send got, `delivered` is what a receive got."""

    call: str
    ids: list[int] = []
    delivered: list[Delivered] = []


class Fail(Struct, tag="fail", tag_field="event"):
    """A call was refused: nothing was done."""

    call: str
    error: str


class Unknown(Struct, tag="unknown", tag_field="event"):
    """A call broke off: it was done or not."""

    call: str
    error: str


Event = Invoke | Ok | Fail | Unknown
_decoder = msgspec.json.Decoder(Event)


def digest(body: bytes) -> str:
    """What tells one body from every other."""
    return sha256(body).hexdigest()[:32]


def seen(delivery: Delivery) -> Delivered:
    """A delivery as a history keeps it."""
    headers = delivery.headers
    return Delivered(
        delivery.queue.name,
        delivery.queue.group_name,
        headers.get(NAME_HEADER, ""),
        digest(delivery.body),
        int(headers.get(ORIGIN_ID, delivery.id)),
        delivery.attempt,
        delivery.fence,
        delivery.ordering_key,
        headers.get(ORIGIN_QUEUE, ""),
        headers.get(ORIGIN_GROUP, ""),
    )


def read(lines: Iterable[bytes]) -> list[Event]:
    """The events of a history. The last line may be torn, as its process died; it is left out."""
    return [_decoder.decode(line) for line in lines if line.endswith(b"\n")]


class History:
    """Writes calls down. `write` takes one line at a time and has it outside the process when it returns."""

    def __init__(self, write: Callable[[bytes], object], process: str) -> None:
        """`process` is a name that no other writer of the same history has."""
        self._write = write
        self._process = process
        self._calls = 0

    @contextmanager
    def call(
        self, verb: Verb, queue: str, group: str = "", sent: Iterable[Sent] = (), delivered: Delivered | None = None
    ) -> Iterator[Ok]:
        """Write down the call that the block makes; it fills in the `Ok` that it gets. Errors pass through."""
        self._calls += 1
        outcome = Ok(f"{self._process}:{self._calls}")
        self._tell(Invoke(outcome.call, verb, queue, group, list(sent), delivered))
        try:
            yield outcome
        except BaseException as error:
            end = Fail if isinstance(error, _REFUSALS) else Unknown
            self._tell(end(outcome.call, repr(error)))
            raise
        self._tell(outcome)

    def _tell(self, event: Event) -> None:
        self._write(msgspec.json.encode(event) + b"\n")


class Verdict(Struct):
    """What a history proves. The lists are violations, each item in words."""

    accepted: int
    """Messages whose send succeeded."""
    deliveries: int
    recovered: int
    """Messages that were delivered though the outcome of their send is unknown. Legal."""
    duplicates: int
    """Deliveries of a message to a group that had got it before. Legal."""
    lost: list[str]
    """Accepted, not acked by the group, and not there when its queue and dead-letter queue were drained."""
    unexpected: list[str]
    """Delivered and never sent, or sent and refused."""
    resurrected: list[str]
    """Handed out after an ack, or in the same queue after a reject, had succeeded."""
    corrupt: list[str]
    """Delivered with another body than was sent."""
    doubled: list[str]
    """Stored under more than one id."""
    attempts_fell: list[str]
    """Handed out with an attempt that is not above the one of the hand-out before."""
    fences_repeated: list[str]
    """Handed out with a fence that another hand-out had: two live receipts cannot be told apart."""
    overtaken: list[str]
    """Handed out though a later message of the same ordering key had been."""

    @property
    def violations(self) -> dict[str, list[str]]:
        """The lists that are not empty."""
        lists = {field: getattr(self, field) for field in self.__struct_fields__}
        return {field: found for field, found in lists.items() if isinstance(found, list) and found}

    def __str__(self) -> str:
        counts = (
            f"{len(value)} {field.replace('_', ' ')}"
            for field in self.__struct_fields__
            if isinstance(value := getattr(self, field), list)
        )
        return (
            f"{self.accepted} sends accepted, {self.deliveries} deliveries, {', '.join(counts)}, "
            f"{self.duplicates} duplicates, {self.recovered} recovered"
        )


def check(history: Iterable[Event], drained: Iterable[Delivered]) -> Verdict:
    """Judge a history. `drained` is everything that was left in all queues and groups at the end, each delivered."""
    facts = _Facts(history, drained)
    names = {delivered.name for delivered in facts.deliveries}
    places = {(delivered.place, delivered.stream, delivered.name) for delivered in facts.deliveries}
    unknown = {name for name, ends in facts.ends.items() if Ok not in ends and Unknown in ends}
    fences = [delivered.fence for delivered in facts.deliveries]
    return Verdict(
        accepted=sum(Ok in ends for ends in facts.ends.values()),
        deliveries=len(facts.deliveries),
        recovered=len(unknown & names),
        duplicates=len(facts.deliveries) - len(places),
        lost=list(_lost(facts)),
        unexpected=[str(each) for each in facts.deliveries if not facts.ends[each.name] & {Ok, Unknown}],
        resurrected=[str(each) for each in facts.deliveries if facts.was_done(each)],
        corrupt=[str(each) for each in facts.deliveries if facts.sent.get(each.name, each.digest) != each.digest],
        doubled=[f"{name} has the ids {sorted(ids)}" for name, ids in facts.ids.items() if len(ids) > 1],
        attempts_fell=list(_attempts_fell(facts)),
        fences_repeated=[f"fence {one}" for one, next_one in zip(fences, fences[1:], strict=False) if one == next_one],
        overtaken=list(_overtaken(facts)),
    )


class _Facts:
    """A history, sorted by what it is about."""

    def __init__(self, history: Iterable[Event], drained: Iterable[Delivered]) -> None:
        self.ends: defaultdict[str, set[type[Event]]] = defaultdict(set)
        """How the sends of a message ended."""
        self.sent: dict[str, str] = {}
        """Digests by name."""
        self.queues: dict[str, str] = {}
        self.ids: defaultdict[str, set[int]] = defaultdict(set)
        self.groups: defaultdict[str, set[str]] = defaultdict(set)
        self.finished: set[tuple[Place, str]] = set()
        """(stream, name) of messages that are acked, or may be."""
        self.drained = list(drained)
        self.deliveries = list(self.drained)
        self._acked: dict[tuple[Place, str], int] = {}
        self._rejected: dict[tuple[Place, Place, str], int] = {}
        events = list(history)
        ends = {event.call: event for event in events if not isinstance(event, Invoke)}
        for event in events:
            if isinstance(event, Invoke):
                self._note(event, ends.get(event.call, Unknown(event.call, "no end")))
        for delivered in self.deliveries:
            self.ids[delivered.name].add(delivered.id)
        self.deliveries.sort(key=lambda delivered: delivered.fence)

    def _note(self, call: Invoke, end: Event) -> None:
        if call.verb == "send":
            for sent in call.sent:
                self.sent[sent.name] = sent.digest
                self.queues[sent.name] = call.queue
                self.ends[sent.name].add(type(end))
            if isinstance(end, Ok):
                for sent, message_id in zip(call.sent, end.ids, strict=True):
                    self.ids[sent.name].add(message_id)
        elif call.verb == "receive":
            self.groups[call.queue].add(call.group)
            if isinstance(end, Ok):
                self.deliveries += end.delivered
        elif call.delivered is not None:
            self._note_answer(call.verb, call.delivered, end)

    def _note_answer(self, verb: Verb, delivered: Delivered, end: Event) -> None:
        message = (delivered.stream, delivered.name)
        if verb == "ack" and not isinstance(end, Fail):
            self.finished.add(message)
        if verb == "ack" and isinstance(end, Ok):
            self._acked[message] = min(delivered.fence, self._acked.get(message, delivered.fence))
        elif verb == "reject" and isinstance(end, Ok):
            self._rejected[(delivered.place, *message)] = delivered.fence

    def was_done(self, delivered: Delivered) -> bool:
        """Whether it was handed out after an answer that ended it. That answer's lease was then the latest."""
        message = (delivered.stream, delivered.name)
        ends = (self._acked.get(message), self._rejected.get((delivered.place, *message)))
        return any(fence is not None and delivered.fence > fence for fence in ends)


def _lost(facts: _Facts) -> Iterator[str]:
    there = facts.finished | {(delivered.stream, delivered.name) for delivered in facts.drained}
    for name, ends in facts.ends.items():
        queue = facts.queues[name]
        for group in sorted(facts.groups[queue] or {""}):
            if Ok in ends and ((queue, group), name) not in there:
                yield f"{name} in {queue}/{group}"


def _attempts_fell(facts: _Facts) -> Iterator[str]:
    attempts: dict[tuple[Place, Place, str], int] = {}
    for delivered in facts.deliveries:
        where = (delivered.place, delivered.stream, delivered.name)
        if delivered.attempt <= attempts.get(where, 0):
            yield str(delivered)
        attempts[where] = delivered.attempt


def _overtaken(facts: _Facts) -> Iterator[str]:
    last: dict[tuple[Place, str], int] = {}
    for delivered in facts.deliveries:
        if delivered.ordering_key is not None and delivered.place == delivered.stream:  # dead letters come as they come
            where = (delivered.place, delivered.ordering_key)
            if delivered.id < last.get(where, 0):
                yield str(delivered)
            last[where] = max(delivered.id, last.get(where, 0))
