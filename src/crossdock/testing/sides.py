"""A store and the engine side by side: every call goes to both, and what they answer is compared."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from crossdock.core.engine import Engine
from crossdock.core.errors import CrossdockError
from crossdock.core.model import Delivery, Message, Peeked, QueueStats, Receipt
from crossdock.storage.base import Store
from crossdock.testing.driver import Driver, address
from crossdock.testing.witness import Witness, check_conservation, check_counts

RECEIPTS_KEPT = 12
ALL = 1_000


class Held(NamedTuple):
    """A delivery that somebody may still answer: one receipt of each side."""

    queue: str
    group: str
    model: Receipt
    store: Receipt


class Sides:
    """Raises AssertionError where the two differ, or where either does what no queue may do.

    `plain` says that no queue is a topic or has a second group; then messages can be counted.
    """

    def __init__(self, store: Store, plain: bool = False) -> None:
        self.model = Engine()
        self.driver = Driver(store).__enter__()
        self.plain = plain
        self.held: list[Held] = []
        """The latest deliveries, the newest last."""
        self.last_id = 0
        self._witness = Witness()
        self._deleted: list[QueueStats] = []

    def close(self) -> None:
        self.driver.__exit__(None, None, None)

    def restart(self, store: Store) -> None:
        """Go on with a store that finds the state of the closed one again."""
        self.driver = Driver(store, self.driver.now).__enter__()
        self.model.tick(self.driver.now)  # what a tick would have told went with the process

    def both(self, verb: str, *arguments: Any, **more: Any) -> Any:
        """Call a verb on both sides with the same arguments. Returns both answers, None when both refused alike."""
        return self._each(verb, arguments, arguments, **more)

    def _each(self, verb: str, model: Sequence[Any], store: Sequence[Any], **more: Any) -> Any:
        now = self.driver.now
        expected = _outcome(lambda: getattr(self.model, verb)(*model, now=now, **more))
        got = _outcome(lambda: self.driver.call(getattr(self.driver.store, verb)(*store, now=now, **more)))
        called = f"{verb}{tuple(store)} {more} at {now}"
        assert _plain(got) == _plain(expected), f"{called}: the store says {_plain(got)}, the engine {_plain(expected)}"
        return None if isinstance(got, CrossdockError) else (expected, got)

    def send(self, queue: str, batch: list[dict[str, Any]]) -> None:
        """Send messages of these fields. Each side gets objects of its own, as a store takes them over."""
        model, store = ([Message(**fields) for fields in batch] for _ in range(2))
        answers = self._each("send", (address(queue), model), (address(queue), store))
        if answers is not None:
            self.last_id = max(self.last_id, *answers[1].ids)

    def hand_out(
        self, queue: str, group: str, limit: int, lease: int, consumer: str = "", auto_ack: bool = False
    ) -> list[Held]:
        """Receive; the deliveries are kept in `held`."""
        where = address(queue)
        answers = self.both("receive", where, group, limit, lease, consumer=consumer, auto_ack=auto_ack)
        if answers is None:
            return []
        self._witness.handed_out((where, group), answers[1], self.driver.now, auto_ack)
        new = [Held(queue, group, _receipt(model), _receipt(store)) for model, store in zip(*answers, strict=True)]
        self.held = (self.held + new)[-RECEIPTS_KEPT:]
        return new

    def answer(
        self, verb: str, chosen: list[Held], queue: str | None = None, group: str | None = None, **more: Any
    ) -> None:
        """Answer some deliveries, in the queue and group of the first unless others are named."""
        where = address(queue or chosen[0].queue), group or chosen[0].group
        receipts = [held.model for held in chosen], [held.store for held in chosen]
        answers = self._each(verb, (*where, receipts[0]), (*where, receipts[1]), **more)
        if answers is not None and verb != "extend":
            for index, held in enumerate(chosen):
                if index not in answers[1]:
                    self._witness.let_go(where, held.store.id)

    def redrive(self, queue: str, ids: list[int] | None) -> None:
        self._witness.forget()
        self.both("redrive", address(queue), ids)

    def delete_queue(self, queue: str) -> None:
        last = self.both("stats", address(queue))
        if last is not None:
            self._deleted.append(last[1])
        self.both("delete_queue", address(queue))
        self._witness.forget(address(queue))

    def delete_group(self, queue: str, group: str) -> None:
        self.both("delete_group", address(queue), group)
        self._witness.forget(address(queue), group)

    def tick(self) -> None:
        """Tick both. The store must tell where the engine knows of something ready; telling too often is allowed."""
        now = self.driver.now
        told, expected = self.driver.tick().ready, self.model.tick(now).ready
        for where in set(expected) - set(told):
            groups = self.model.stats(where, now).groups
            assert not any(self.model.peek(where, group, 1, now) for group in groups), f"a tick did not tell of {where}"

    def check(self) -> None:
        """Compare all that can be seen, and count it."""
        now = self.driver.now
        found = self.driver.queues(None)
        assert found == self.model.queues(None)
        every: list[QueueStats] = []
        for where in found:
            stats = self.driver.call(self.driver.store.stats(where, now))
            assert stats == self.model.stats(where, now)
            by_group: dict[str, list[Peeked]] = {}
            for group in stats.groups:
                shown = self.driver.call(self.driver.store.browse(where, group, ALL, now))
                assert _plain(shown) == _plain(self.model.browse(where, group, ALL, now)), (where, group)
                self._witness.looked((where, group), shown, now)
                by_group[group] = shown
            check_counts(stats, by_group)
            every.append(stats)
        if self.plain:
            check_conservation([*every, *self._deleted])


def _receipt(delivery: Delivery) -> Receipt:
    return Receipt(delivery.id, delivery.epoch, delivery.generation)


def _outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except CrossdockError as error:
        return error


def _plain(value: Any) -> Any:
    """What two stores must agree on, as data. Epochs and generations are each side's own."""
    match value:
        case CrossdockError():
            return type(value).__name__, getattr(value, "message_id", None)
        case Delivery():
            return value.id, value.attempt, value.lease_until, value.consumer, _plain(value.message)
        case Peeked():
            return _plain(value.message), value.state, value.attempts, value.due, value.consumer, value.error
        case Message():
            sent = value.body, value.headers, value.priority, value.ordering_key, value.dedup_id
            return value.id, *sent, value.enqueued_at, value.deliver_at, value.expires_at
        case Mapping():
            return {key: _plain(each) for key, each in value.items()}
        case list():
            return [_plain(each) for each in value]
        case _:
            return value
