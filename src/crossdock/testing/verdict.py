"""What a history of calls proves after the deaths of the processes it tells of: see `history`."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from msgspec import Struct

from .history import Delivered, Event, Fail, Invoke, Ok, Place, Unknown, Verb


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
    """Handed out with the fence of another hand-out of the message: their receipts cannot be told apart."""
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


def where(delivered: Delivered) -> tuple[Place, Place, str]:
    """Whose hand-outs of which message have rising attempts."""
    return delivered.place, delivered.stream, delivered.name


def check(history: Iterable[Event], drained: Iterable[Delivered]) -> Verdict:
    """Judge a history. `drained` is everything that was left in all queues and groups at the end, each delivered."""
    facts = _Facts(history, drained)
    names = {delivered.name for delivered in facts.deliveries}
    unknown = {name for name, ends in facts.ends.items() if Ok not in ends and Unknown in ends}
    fences = Counter((*where(delivered), delivered.fence) for delivered in facts.deliveries)
    return Verdict(
        accepted=sum(Ok in ends for ends in facts.ends.values()),
        deliveries=len(facts.deliveries),
        recovered=len(unknown & names),
        duplicates=len(facts.deliveries) - len(set(map(where, facts.deliveries))),
        lost=list(_lost(facts)),
        unexpected=[str(each) for each in facts.deliveries if not facts.ends[each.name] & {Ok, Unknown}],
        resurrected=[str(each) for each in facts.deliveries if facts.was_done(each)],
        corrupt=[str(each) for each in facts.deliveries if facts.sent.get(each.name, each.digest) != each.digest],
        doubled=[f"{name} has the ids {sorted(ids)}" for name, ids in facts.ids.items() if len(ids) > 1],
        attempts_fell=list(_attempts_fell(facts)),
        fences_repeated=[str(each) for each in facts.deliveries if fences[(*where(each), each.fence)] > 1],
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
        self.deliveries.sort(key=lambda delivered: (delivered.fence, delivered.attempt))

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
        before = attempts.get(where(delivered), 0)
        if delivered.attempt <= before:
            yield str(delivered)
        attempts[where(delivered)] = delivered.attempt


def _overtaken(facts: _Facts) -> Iterator[str]:
    last: dict[tuple[Place, str], int] = {}
    for delivered in facts.deliveries:
        if delivered.ordering_key is not None and delivered.place == delivered.stream:  # dead letters come as they come
            lane = (delivered.place, delivered.ordering_key)
            if delivered.id < last.get(lane, 0):
                yield str(delivered)
            last[lane] = max(delivered.id, last.get(lane, 0))
