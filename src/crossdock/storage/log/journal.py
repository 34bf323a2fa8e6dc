"""The engine with its log: every command that changed something is in the log before anybody hears of it.

Plain and synchronous; the store adds the lock, the thread that commits, and the waiting. A verb first makes sure of
room on the disk, then does the command, then puts it into the log, which cannot fail any more.
"""

from collections.abc import Sequence

from crossdock.core.engine import Engine
from crossdock.core.errors import Failures, StoreUnavailable
from crossdock.core.limits import DEFAULT_LEASE_MS
from crossdock.core.model import Address, Delivery, Message, Plain, Receipt, SendResult, Settings
from crossdock.storage.wal.record import HEADER
from crossdock.storage.wal.segment import Place
from crossdock.storage.wal.wal import Run, Wal

from . import commands
from .bodies import Bodies
from .commands import encode, fields_of, pairs
from .gathering import BYTES_MAX, MESSAGES_MAX, RECORD_BYTES_MAX, Gathering
from .reserve import Reserve


class Journal:
    """The changing verbs of a store. `appended` counts the records, so that a caller sees whether one was written."""

    def __init__(self, engine: Engine, wal: Wal, bodies: Bodies) -> None:
        self.engine = engine
        self.wal = wal
        self.bodies = bodies
        self.reserve = Reserve(engine.census)
        self.appended = 0
        self._gathering: Gathering | None = None
        """Messages that engine and log have not got yet."""

    def opened(self, now: int, defaults: Settings) -> None:
        """The store was opened with these settings for queues that have none."""
        engine = self.engine
        command = encode(commands.Opened(now, commands.FORMAT, engine.generation, defaults))
        self._room(len(command), 0)
        engine.set_defaults(defaults)
        self._append(command)
        self.at(now, 0)

    def at(self, now: int, keep: int | None = None) -> int:
        """The time of a verb, after what is due by then was done. `keep`: see `Reserve`."""
        engine = self.engine
        if self._gathering is not None:
            self._end_gathering(self._gathering)
        now = max(now, engine.now)
        if now >= engine.due:
            command = encode(commands.Tick(now))
            self._room(len(command), self.reserve.for_answers if keep is None else keep)
            engine.run_due(now)
            self._append(command)
        return now

    def take(self) -> list[Run]:
        """What is to be committed next."""
        if self._gathering is not None:
            self._end_gathering(self._gathering)
        return self.wal.take()

    def make_do(self) -> bool:
        """See `Wal.make_do`. A segment that was begun has its first command, so that the one before it is whole."""
        if self._gathering is not None:
            self._end_gathering(self._gathering)
        self.reserve.count()
        begun = self.wal.make_do(self.reserve.for_all)
        if begun:
            self.engine.run_due(self.engine.now)
            self._append(encode(commands.Tick(self.engine.now)))
        return begun

    def _room(self, size: int, keep: int) -> None:
        """Make sure that a command of that size can be appended, with `keep` bytes left for others."""
        wal = self.wal
        position = wal.segment.position
        if position < wal.segment_bytes and position + HEADER.size + size + keep <= wal.segment.allocated:
            return
        try:
            wal.make_room(size, keep)
        except OSError as error:
            raise StoreUnavailable(f"there is no room for the log: {error.strerror}") from error

    def _append(self, command: bytes) -> None:
        self.appended += 1
        self.wal.append(command)

    # Messages

    def send(self, address: Address, messages: Sequence[Message], now: int) -> SendResult:
        """See Store."""
        reserve = self.reserve
        count = len(messages)
        now = self.at(now, reserve.for_all)
        bodies = [message.body for message in messages if message.__class__ is Plain]
        if len(bodies) == count:
            command = encode(commands.Send(now, self.engine.last_id, *address, bodies))
        else:
            fields = [fields_of(message) for message in messages]
            bodies = [each[0] for each in fields]
            command = encode(commands.SendAll(now, self.engine.last_id, *address, fields))
        self._room(len(command), reserve.for_all + reserve.of(count * self._readers(address)))
        result = self.engine.send(address, messages, now)
        self._append_bodies(command, address, messages, sum(map(len, bodies)))
        return result

    def _append_bodies(self, command: bytes, address: Address, messages: Sequence[Message], size: int) -> None:
        """Append the record of messages, and page their bodies where memory is full."""
        self.appended += 1
        self.reserve.sent(len(messages) * self._readers(address))
        offset = self.wal.append(command)
        if not self.bodies.fit(size):
            self.bodies.page(messages, Place(self.wal.segment.number, offset), command)

    def _readers(self, address: Address) -> int:
        """How often a message of the queue will be handed out, at the least."""
        return self.engine.group_count(address) or 1

    def gather(self, address: Address, message: Message, now: int) -> Gathering | None:
        """Send one message together with others, if it is a usual one: nothing but a short body, to a queue that takes
        every message. None, and nothing done, when it is not.
        """
        engine, gathering = self.engine, self._gathering
        size = len(message.body)
        if gathering is None or now >= engine.due or not gathering.takes(address, now, size):
            if message.__class__ is not Plain or size > BYTES_MAX or not engine.takes_all(address):
                return None
            gathering = self._begin_gathering(address, now)
        elif message.__class__ is not Plain:
            return None
        gathering.messages.append(message)
        gathering.bytes += size
        return gathering

    def _begin_gathering(self, address: Address, now: int) -> Gathering:
        """Begin to gather, with room for all that may come."""
        keep = self.reserve.for_all
        now = self.at(now, keep)
        self._room(RECORD_BYTES_MAX, keep + self.reserve.of(MESSAGES_MAX * self._readers(address)))
        gathering = self._gathering = Gathering(address, now)
        return gathering

    def _end_gathering(self, gathering: Gathering) -> None:
        """Give engine and log what was gathered. Neither can refuse it."""
        self._gathering = None
        messages = gathering.messages
        bodies = [message.body for message in messages]
        command = encode(commands.Send(gathering.now, self.engine.last_id, *gathering.address, bodies))
        self.engine.send(gathering.address, messages, gathering.now)
        self._append_bodies(command, gathering.address, messages, gathering.bytes)

    def receive(
        self,
        address: Address,
        group: str,
        limit: int,
        lease: int,
        now: int,
        consumer: str = "",
        auto_ack: bool = False,
        default_lease: int = DEFAULT_LEASE_MS,
    ) -> list[Delivery]:
        """See Store."""
        engine, reserve = self.engine, self.reserve
        known = engine.has_group(address, group)
        keep = reserve.for_answers if known else self._for_one_more(address)
        now = self.at(now, keep)
        command = encode(
            commands.Receive(now, engine.epoch, *address, group, limit, lease, consumer, auto_ack, default_lease)
        )
        self._room(len(command), keep)
        taken = engine.receive(address, group, limit, lease, now, consumer, auto_ack, default_lease)
        if taken or not known:
            self._append(command)
        if not known:
            reserve.count()
        return taken

    def _for_one_more(self, address: Address) -> int:
        """Room to keep when a group is made: it gets everything that is stored."""
        return self.reserve.for_all + self.reserve.of(self.engine.stored(address))

    def ack(self, address: Address, group: str, receipts: Sequence[Receipt], now: int) -> Failures:
        """See Store."""
        now = self.at(now, 0)
        answer = commands.Ack(now, *address, group, pairs(receipts))
        command = self._room_to_answer(answer, 0)
        return self._answered(answer, command, receipts, self.engine.ack(address, group, receipts, now))

    def nack(
        self,
        address: Address,
        group: str,
        receipts: Sequence[Receipt],
        now: int,
        jitter: float,
        delay: int | None = None,
        error: str = "",
    ) -> Failures:
        """See Store."""
        now = self.at(now)
        answer = commands.Nack(now, *address, group, pairs(receipts), jitter, delay, error)
        command = self._room_to_answer(answer, self.reserve.for_answers)
        failures = self.engine.nack(address, group, receipts, now, jitter, delay, error)
        return self._answered(answer, command, receipts, failures)

    def reject(self, address: Address, group: str, receipts: Sequence[Receipt], now: int, error: str = "") -> Failures:
        """See Store."""
        now = self.at(now, 0)
        answer = commands.Reject(now, *address, group, pairs(receipts), error)
        command = self._room_to_answer(answer, self.reserve.for_answers if error else 0)  # for a text no room was kept
        return self._answered(answer, command, receipts, self.engine.reject(address, group, receipts, now, error))

    def extend(self, address: Address, group: str, receipts: Sequence[Receipt], lease: int, now: int) -> Failures:
        """See Store."""
        now = self.at(now)
        answer = commands.Extend(now, *address, group, pairs(receipts), lease)
        command = self._room_to_answer(answer, self.reserve.for_answers)
        return self._answered(answer, command, receipts, self.engine.extend(address, group, receipts, lease, now))

    def _room_to_answer(self, answer: commands.Answer, keep: int) -> bytes:
        command = encode(answer)
        self._room(len(command), keep)
        return command

    def _answered(
        self, answer: commands.Answer, command: bytes, receipts: Sequence[Receipt], failures: Failures
    ) -> Failures:
        """Log an answer to deliveries, with the receipts that were good."""
        if not failures:
            self._append(command)
        elif len(failures) < len(receipts):
            answer.receipts = pairs(receipts, failures)
            self._append(encode(answer))
        return failures

    def delete_messages(self, address: Address, ids: Sequence[int] | None, now: int) -> int:
        """See Store."""
        now = self.at(now, 0)
        command = encode(commands.DeleteMessages(now, *address, None if ids is None else list(ids)))
        self._room(len(command), 0)
        deleted = self.engine.delete_messages(address, ids, now)
        if deleted:
            self._append(command)
        return deleted

    def redrive(self, address: Address, ids: Sequence[int] | None, now: int) -> int:
        """See Store."""
        now = self.at(now)
        command = encode(commands.Redrive(now, *address, None if ids is None else list(ids)))
        self._room(len(command), self.reserve.for_answers)
        moved = self.engine.redrive(address, ids, now)
        if moved:
            self._append(command)
        return moved

    # Queues and groups

    def create_queue(self, address: Address, settings: Settings, now: int) -> bool:
        """See Store."""
        now = self.at(now)
        command = encode(commands.CreateQueue(now, *address, settings))
        self._room(len(command), self.reserve.for_all)
        created = self.engine.create_queue(address, settings, now)
        if created:
            self._append(command)
        return created

    def update_queue(self, address: Address, settings: Settings, now: int) -> None:
        """See Store."""
        now = self.at(now)
        command = encode(commands.UpdateQueue(now, *address, settings))
        self._room(len(command), self.reserve.for_answers)
        self.engine.update_queue(address, settings, now)
        self._append(command)

    def delete_queue(self, address: Address, now: int) -> None:
        """See Store."""
        now = self.at(now, 0)
        command = encode(commands.DeleteQueue(now, *address))
        self._room(len(command), 0)
        self.engine.delete_queue(address, now)
        self._append(command)

    def create_group(self, address: Address, group: str, now: int) -> bool:
        """See Store."""
        now = self.at(now)
        command = encode(commands.CreateGroup(now, *address, group))
        self._room(len(command), self._for_one_more(address))
        created = self.engine.create_group(address, group, now)
        if created:
            self._append(command)
            self.reserve.count()
        return created

    def delete_group(self, address: Address, group: str, now: int) -> bool:
        """See Store."""
        now = self.at(now, 0)
        command = encode(commands.DeleteGroup(now, *address, group))
        self._room(len(command), 0)
        deleted = self.engine.delete_group(address, group, now)
        if deleted:
            self._append(command)
        return deleted
