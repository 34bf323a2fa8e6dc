"""The lives of one log store on a simulated disk, one after the other, and callers that write down what they see.

Everything runs in the caller's thread, as the store's parts are plain functions; the history is that of
`crossdock.testing.history`. A message is named by its body.
"""

import errno
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from random import Random

from crossdock.core.errors import StoreUnavailable
from crossdock.core.model import ORIGIN_GROUP, ORIGIN_ID, ORIGIN_QUEUE, Delivery, Message, Plain, Receipt, Settings
from crossdock.core.policy import DEFAULTS
from crossdock.storage.log.compaction import compact
from crossdock.storage.log.journal import Journal
from crossdock.storage.log.opening import clear_away, clear_unfinished, open_journal, read_log
from crossdock.storage.wal.wal import is_full
from crossdock.testing.disk import PowerLost, SimulatedDisk
from crossdock.testing.history import Delivered, Event, Fail, Invoke, Ok, Sent, Verb, digest
from crossdock.testing.verdict import Verdict, check

JOBS, LETTERS = ("default", "jobs"), ("default", "jobs.dlq")
READERS = {JOBS: ("a", "b"), LETTERS: ("keeper",)}
LEASE = 300
SIZES = (0, 10, 10, 40, 300, 700)
OPERATIONS_MAX = 60
"""How many operations on the disk a life lasts at most."""


class Broken(Exception):
    """The disk failed in a commit: this life is over (F15)."""


class Lineage:
    """What a seed makes of a store. `tally` counts what happened."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.disk = SimulatedDisk(self.random.random)
        self.segment_bytes = self.random.choice((512, 1024, 4096))
        self.memory_bytes = self.random.choice((0, 100, 2_000))
        self.now = 1_000
        self.events: list[Event] = [
            Invoke(f"{queue}/{group}", "receive", queue[1], group) for queue in READERS for group in READERS[queue]
        ]
        """They begin with the groups, which are made before the first send."""
        self.tally: Counter[str] = Counter()
        self._calls = self._names = 0
        self._is_set_up = False
        self._held: list[tuple[Delivered, Receipt]] = []
        """Deliveries whose consumers are not done with them, and live on when the store dies."""
        self._unknown: list[list[Message]] = []
        """Batches with dedup ids whose senders will never get an answer."""
        self._under_way: list[list[Message]] = []
        """Those whose senders wait for one."""
        self._answers: list[Callable[[], Event]] = []
        """What the callers are told once the commit is done."""
        self._compacted = 0
        """Number of the newest snapshot."""

    # Lives

    def live(self, operations: int) -> None:
        """One life, until the power fails."""
        self.disk.lose_power_after(operations)
        try:
            journal = self.open()
            while True:
                self.step(journal)
        except PowerLost:
            self.die()

    def endure(self, steps: int, *kinds: str) -> int:
        """Many steps on a disk of which operations of these kinds fail now and then; in the end the power fails.

        Returns how many failed.
        """
        journal: Journal | None = None
        failed = 0
        for _ in range(steps):
            code = self.random.choice((errno.EIO, errno.ENOSPC))
            self.disk.fail(self.random.choice(kinds), self.random.randint(1, 9), code)
            try:
                if journal is None:
                    journal = self.open()
                self.step(journal)
            except (Broken, OSError, StoreUnavailable):
                journal = None
                failed += self.disk.failed
                self.die(0.5)
        failed += self.disk.failed
        self.die(1)
        return failed

    def die(self, loss: float = 0.85) -> None:
        """The next life begins: with that probability after a loss of power, else after the death of the process."""
        self._unknown += self._under_way
        self._under_way, self._answers = [], []
        if self.random.random() < loss:
            self.disk = self.disk.after_loss()
            self.tally["losses"] += 1
        else:
            self.disk = self.disk.after_exit()
            self.tally["deaths"] += 1

    def open(self) -> Journal:
        """As `storage.log.life` does it."""
        self.tally["openings begun"] += 1
        for _ in clear_unfinished(self.disk):
            self.tally["snapshots unfinished"] += 1
        state = read_log(self.disk, self.memory_bytes)
        self.tally["tails cut"] += state.recovery.cut_bytes > 0
        self.tally["snapshots read"] += state.snapshot > 0
        journal = open_journal(self.disk, state, self.now, DEFAULTS, self.segment_bytes)
        clear_away(self.disk, state.snapshot, state.needed)
        self._compacted = state.snapshot
        self.tally["openings"] += 1
        return journal

    def step(self, journal: Journal) -> None:
        """A few callers share a commit; the power may fail at any point of it."""
        self.now += self.random.choice((0, 0, 1, 5, 40))
        if not self._is_set_up:
            self._set_up(journal)
        for _ in range(self.random.choice((1, 1, 2, 4))):
            self._call(journal)
        if self.random.random() < 0.1:
            self.compact(journal)
        self.commit(journal)

    def commit(self, journal: Journal) -> None:
        """As the committer does it."""
        try:
            journal.wal.commit(journal.take())
        except OSError as error:
            raise Broken from error
        journal.bodies.written(journal.wal.is_written)
        self._is_set_up = True
        self._under_way = []
        answers, self._answers = self._answers, []
        self.events += [answer() for answer in answers]
        self.tally["commits"] += 1
        try:
            journal.wal.prepare(journal.reserve.for_all)
        except OSError as error:
            if not is_full(error):
                raise Broken from error
            self.tally["disk full"] += 1

    def compact(self, journal: Journal) -> None:
        """As the compactor does it."""
        segment = journal.wal.written.number
        if segment > max(self._compacted, 1):
            try:
                clear_away(self.disk, segment, compact(self.disk, segment))
            except OSError:
                self.tally["compactions failed"] += 1
            else:
                self._compacted = segment
                self.tally["compactions"] += 1

    def _set_up(self, journal: Journal) -> None:
        for queue, groups in READERS.items():
            journal.create_queue(queue, Settings(lease=LEASE, max_attempts=3 if queue == JOBS else 0), self.now)
            for group in groups:
                journal.create_group(queue, group, self.now)

    # Callers

    def _call(self, journal: Journal) -> None:
        (act,) = self.random.choices((self._send, self._receive, self._answer, self._wait), (40, 25, 45, 2))
        try:
            act(journal)
        except StoreUnavailable as refusal:
            self.events.append(Fail(str(self._calls), str(refusal)))
            self.tally["refused"] += 1

    def _invoke(self, verb: Verb, queue: str, group: str = "", **about: object) -> str:
        self._calls += 1
        call = str(self._calls)
        self.events.append(Invoke(call, verb, queue, group, **about))  # type: ignore[arg-type]
        return call

    def _wait(self, journal: Journal) -> None:
        self.now += LEASE

    def _message(self) -> Message:
        random = self.random
        self._names += 1
        name = str(self._names)
        body = name.encode() + b"|" + random.randbytes(random.choice(SIZES))
        if random.random() < 0.6:
            return Plain(body)
        key = random.choice((None, None, "red", "blue"))
        return Message(
            body,
            headers={"about": name},
            priority=0 if key else random.choice((0, -1, 5)),
            delay=0 if key else random.choice((0, 0, 30)),
            dedup_id=name if random.random() < 0.5 else None,
            ordering_key=key,
        )

    def _send(self, journal: Journal) -> None:
        if self._unknown and self.random.random() < 0.5:
            messages = self._unknown.pop(0)
        else:
            messages = [self._message() for _ in range(self.random.choice((1, 1, 1, 4)))]
        sent = [Sent(name_of(message.body), digest(message.body)) for message in messages]
        call = self._invoke("send", JOBS[1], sent=sent)
        if all(message.dedup_id is not None for message in messages):
            again = [Message(m.body, m.headers, m.priority, 0, 0, m.dedup_id, m.ordering_key) for m in messages]
            self._under_way.append(again)
        gathering = journal.gather(JOBS, messages[0], self.now) if len(messages) == 1 else None
        ids = [] if gathering else journal.send(JOBS, messages, self.now).ids

        def told() -> Event:
            self.tally["accepted"] += len(messages)
            return Ok(call, ids=[messages[0].id] if gathering else ids)

        self._answers.append(told)

    def _receive(self, journal: Journal) -> None:
        queue = self.random.choice((JOBS, JOBS, JOBS, LETTERS))
        self.receive(journal, queue, self.random.choice(READERS[queue]), self.random.choice((1, 1, 4)))

    def receive(self, journal: Journal, queue: tuple[str, str], group: str, limit: int) -> None:
        call = self._invoke("receive", queue[1], group)
        taken = journal.receive(queue, group, limit, 0, self.now)

        def told() -> Event:
            delivered = []
            for delivery in taken:
                with suppress(OSError):  # a body that cannot be read: the message is set aside until its lease ends
                    delivered.append(seen(journal, queue[1], group, delivery))
                    self._held.append((delivered[-1], delivery))
            self.tally["delivered"] += len(delivered)
            return Ok(call, delivered=delivered)

        self._answers.append(told)

    def _answer(self, journal: Journal) -> None:
        if not self._held:
            return
        held = self._held.pop(self.random.randrange(len(self._held)))
        delivered, receipt = held
        queue, group = ("default", delivered.queue), delivered.group
        verbs: tuple[Verb, ...] = ("ack", "nack", "extend") if queue == LETTERS else ("ack", "nack", "extend", "reject")
        (verb,) = self.random.choices(verbs, (70, 15, 10, 10)[: len(verbs)])
        call = self._invoke(verb, delivered.queue, group, delivered=delivered)
        if verb == "ack":
            failures = journal.ack(queue, group, [receipt], self.now)
        elif verb == "nack":
            failures = journal.nack(queue, group, [receipt], self.now, 0.5, self.random.choice((0, 50)), "again")
        elif verb == "reject":
            failures = journal.reject(queue, group, [receipt], self.now, "no good")
        else:
            failures = journal.extend(queue, group, [receipt], 2 * LEASE, self.now)
            self._held.append(held)
        refusal = None if not failures else repr(failures[0])
        self._answers.append(lambda: Ok(call) if refusal is None else Fail(call, refusal))
        self.tally[verb] += refusal is None

    # The end

    def drain(self) -> list[Delivered]:
        """Everything that is left, for every group of every queue; each is acked."""
        journal = self.open()
        if not self._is_set_up:
            return []
        begun = len(self.events)
        self.now += 3_600_000  # every lease and delay has ended
        for _ in range(1_000):
            found = 0
            for queue, groups in READERS.items():
                for group in groups:
                    before = len(self._held)
                    self.receive(journal, queue, group, 100)
                    self.commit(journal)
                    mine = [receipt for _, receipt in self._held[before:]]
                    assert journal.ack(queue, group, mine, self.now) == {}
                    self.commit(journal)
                    found += len(mine)
            if not found:
                break
        assert journal.engine.census()[:2] == (0, 0), "messages are stored that no group gets"
        journal.wal.close()
        end, self.events = self.events[begun:], self.events[:begun]
        return [delivered for event in end if isinstance(event, Ok) for delivered in event.delivered]

    def judge(self) -> Verdict:
        """What the lives and what they left prove."""
        drained = self.drain()
        return check(self.events, drained)


def name_of(body: bytes) -> str:
    return body.partition(b"|")[0].decode(errors="replace")


def seen(journal: Journal, queue: str, group: str, delivery: Delivery) -> Delivered:
    """A delivery as its consumer sees it."""
    message = journal.bodies.filled(delivery.message, journal.wal.read)
    headers = message.headers or {}
    return Delivered(
        queue,
        group,
        name_of(message.body),
        digest(message.body),
        int(headers.get(ORIGIN_ID, message.id)),
        delivery.attempt,
        delivery.epoch,
        message.ordering_key,
        headers.get(ORIGIN_QUEUE, ""),
        headers.get(ORIGIN_GROUP, ""),
    )


def reused_ids(events: list[Event]) -> list[str]:
    """Ids that more than one message had, of those that anybody was told (F24)."""
    calls = {event.call: event for event in events if isinstance(event, Invoke)}
    names: dict[int, str] = {}
    found = []
    for event in events:
        if isinstance(event, Ok):
            told = [(sent.name, id) for sent, id in zip(calls[event.call].sent, event.ids, strict=False)]
            told += [(delivered.name, delivered.id) for delivered in event.delivered]
            found += [f"{id}: {names[id]}, {name}" for name, id in told if names.setdefault(id, name) != name]
    return found
