"""Doing the commands of the log again."""

from collections.abc import Callable, Sequence
from typing import Any

from crossdock.core.engine import Engine
from crossdock.core.errors import StoreUnavailable
from crossdock.core.model import Message, Plain, Receipt
from crossdock.storage.wal.segment import Place

from . import commands
from .bodies import Bodies


class Replay:
    """Applies commands to an engine. Raises StoreUnavailable where one does not fit, and then the log is damaged."""

    def __init__(self, engine: Engine, bodies: Bodies) -> None:
        self._engine = engine
        self._bodies = bodies
        self.opened: commands.Opened | None = None
        """The latest opening."""

    def apply(self, command: commands.Command, place: Place) -> None:
        """Do a command again."""
        try:
            if isinstance(command, commands.Send):
                self._send(command, [Plain(body) for body in command.bodies], place)
            elif isinstance(command, commands.SendAll):
                self._send(command, [Message(*fields) for fields in command.messages], place)
            else:
                _REST[type(command)](self, command)
        except Exception as error:
            # Not only refusals: an engine that is not the one of the log may fail in any way.
            raise StoreUnavailable(f"the log does not fit the engine at {place}: {error!r}") from error

    def _send(self, command: commands.Send | commands.SendAll, messages: Sequence[Message], place: Place) -> None:
        self._expect(command.before, self._engine.last_id)
        size = sum(len(message.body) for message in messages)
        self._engine.send((command.namespace, command.queue), messages, command.now)
        if not self._bodies.fit(size):
            self._bodies.page(messages, place, None)

    def receive(self, c: commands.Receive) -> None:
        self._expect(c.before, self._engine.epoch)
        self._engine.receive(
            (c.namespace, c.queue), c.group, c.limit, c.lease, c.now, c.consumer, c.auto_ack, c.default_lease
        )

    def answer(self, c: commands.Answer) -> None:
        address = c.namespace, c.queue
        receipts = [Receipt(message_id, epoch, self._engine.generation) for message_id, epoch in c.receipts]
        if isinstance(c, commands.Ack):
            failures = self._engine.ack(address, c.group, receipts, c.now)
        elif isinstance(c, commands.Nack):
            failures = self._engine.nack(address, c.group, receipts, c.now, c.jitter, c.delay, c.error)
        elif isinstance(c, commands.Reject):
            failures = self._engine.reject(address, c.group, receipts, c.now, c.error)
        else:
            failures = self._engine.extend(address, c.group, receipts, c.lease, c.now)
        for failure in failures.values():
            raise failure

    def open(self, c: commands.Opened) -> None:
        if c.format != commands.FORMAT:
            raise StoreUnavailable(
                f"the log is of format {c.format}, this version reads {commands.FORMAT}: "
                "run `crossdock migrate` with the version that wrote it"
            )
        self._engine.generation = c.generation
        if self.opened is None or c.defaults != self.opened.defaults:
            self._engine.set_defaults(c.defaults)
        self.opened = c

    @staticmethod
    def _expect(before: int, now: int) -> None:
        if before != now:
            raise StoreUnavailable(f"it expects {before} where the engine has {now}")

    def create_queue(self, c: commands.CreateQueue) -> None:
        self._engine.create_queue((c.namespace, c.queue), c.settings, c.now)

    def update_queue(self, c: commands.UpdateQueue) -> None:
        self._engine.update_queue((c.namespace, c.queue), c.settings, c.now)

    def delete_queue(self, c: commands.DeleteQueue) -> None:
        self._engine.delete_queue((c.namespace, c.queue), c.now)

    def create_group(self, c: commands.CreateGroup) -> None:
        self._engine.create_group((c.namespace, c.queue), c.group, c.now)

    def delete_group(self, c: commands.DeleteGroup) -> None:
        self._engine.delete_group((c.namespace, c.queue), c.group, c.now)

    def delete_messages(self, c: commands.DeleteMessages) -> None:
        self._engine.delete_messages((c.namespace, c.queue), c.ids, c.now)

    def redrive(self, c: commands.Redrive) -> None:
        self._engine.redrive((c.namespace, c.queue), c.ids, c.now)

    def tick(self, c: commands.Tick) -> None:
        self._engine.run_due(c.now)


_REST: dict[type, Callable[[Replay, Any], None]] = {
    commands.Opened: Replay.open,
    commands.Receive: Replay.receive,
    commands.Ack: Replay.answer,
    commands.Nack: Replay.answer,
    commands.Reject: Replay.answer,
    commands.Extend: Replay.answer,
    commands.Tick: Replay.tick,
    commands.CreateQueue: Replay.create_queue,
    commands.UpdateQueue: Replay.update_queue,
    commands.DeleteQueue: Replay.delete_queue,
    commands.CreateGroup: Replay.create_group,
    commands.DeleteGroup: Replay.delete_group,
    commands.DeleteMessages: Replay.delete_messages,
    commands.Redrive: Replay.redrive,
}
