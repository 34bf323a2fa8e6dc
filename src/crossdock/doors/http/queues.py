"""Queues: create, change, delete, look at."""

from typing import Literal

from crossdock.wire.json_api import Status
from crossdock.wire.json_api_queues import (
    AllStatusShown,
    Counted,
    MessageIds,
    QueueNames,
    QueueSettings,
    SettingsChange,
    SettingsShown,
    SomeMessageIds,
    StatsShown,
    StatusShown,
    changed,
    settings_of,
    settings_shown,
    stats_shown,
    status_of,
)

from .answer import Answer, created, done, encode
from .door import Door
from .operation import API, QUEUE, Operation
from .request import Call

TAG = "queues"


class Queues:
    """The routes that manage queues."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._broker = door.broker

    def operations(self) -> list[Operation]:
        settings, counted, ids = {200: SettingsShown}, {200: Counted}, SomeMessageIds
        return [
            Operation("GET", API + "/queues", self.names, TAG, {200: QueueNames}),
            Operation("GET", API + "/status/all", self.all_status, TAG, {200: AllStatusShown}),
            Operation("POST", QUEUE + "/create", self.create, TAG, {201: Status}, request=QueueSettings, optional=True),
            Operation("DELETE", QUEUE + "/delete", self.delete, TAG, {200: Status}),
            Operation("GET", QUEUE + "/status", self.status, TAG, {200: StatusShown}, protected=False),
            Operation("GET", QUEUE + "/stats", self.stats, TAG, {200: StatsShown}),
            Operation("GET", QUEUE + "/settings", self.settings, TAG, settings),
            Operation("PUT", QUEUE + "/settings", self.replace_settings, TAG, settings, request=QueueSettings),
            Operation("PATCH", QUEUE + "/settings", self.change_settings, TAG, settings, request=SettingsChange),
            Operation("POST", QUEUE + "/purge", self.purge, TAG, counted),
            Operation("POST", QUEUE + "/redrive", self.redrive, TAG, counted, request=MessageIds),
            Operation("POST", QUEUE + "/messages/delete", self.delete_messages, TAG, counted, request=ids),
        ]

    async def create(self, call: Call[QueueSettings]) -> Answer:
        """Create a queue.

        One that exists stays as it is; the header `X-Created` of the answer tells.
        """
        return created(await self._broker.create_queue(call.address, settings_of(call.request)))

    async def delete(self, call: Call[None]) -> Answer:
        """Delete a queue with everything in it."""
        await self._broker.delete_queue(call.address)
        return done("deleted")

    async def status(self, call: Call[None]) -> Answer:
        """Show a queue in short."""
        stats = await self._broker.stats(call.address)
        return Answer(200, encode(StatusShown("ok", status_of(stats, self._queue_type))))

    async def all_status(self, call: Call[None]) -> Answer:
        """Show every queue in short."""
        found = {stats.name: status_of(stats, self._queue_type) async for stats in self._door.all_stats()}
        return Answer(200, encode(AllStatusShown("ok", found)))

    async def names(self, call: Call[None]) -> Answer:
        """List the queues."""
        return Answer(200, encode(QueueNames("ok", await self._broker.queues(self._door.namespace))))

    async def stats(self, call: Call[None]) -> Answer:
        """Show a queue in full."""
        return Answer(200, encode(StatsShown("ok", stats_shown(await self._broker.stats(call.address)))))

    async def settings(self, call: Call[None]) -> Answer:
        """Show the settings of a queue."""
        stats = await self._broker.stats(call.address)
        return Answer(200, encode(SettingsShown("ok", settings_shown(stats.settings))))

    async def replace_settings(self, call: Call[QueueSettings]) -> Answer:
        """Replace the settings of a queue."""
        settings = settings_of(call.request)
        await self._broker.update_queue(call.address, settings)
        return Answer(200, encode(SettingsShown("ok", settings_shown(settings))))

    async def change_settings(self, call: Call[SettingsChange]) -> Answer:
        """Change some settings of a queue.

        `{"paused": true}` stops the deliveries, `{"paused": false}` lets them go on.
        """
        stats = await self._broker.stats(call.address)
        settings = changed(stats.settings, call.request)
        await self._broker.update_queue(call.address, settings)
        return Answer(200, encode(SettingsShown("ok", settings_shown(settings))))

    async def purge(self, call: Call[None]) -> Answer:
        """Delete every message of a queue."""
        return Answer(200, encode(Counted("purged", await self._broker.delete_messages(call.address))))

    async def delete_messages(self, call: Call[SomeMessageIds]) -> Answer:
        """Delete messages, for every group."""
        count = await self._broker.delete_messages(call.address, call.request.message_ids)
        return Answer(200, encode(Counted("deleted", count)))

    async def redrive(self, call: Call[MessageIds]) -> Answer:
        """Of a dead-letter queue: move messages back to where they came from; all when none is named."""
        count = await self._broker.redrive(call.address, call.request.message_ids or None)
        return Answer(200, encode(Counted("redriven", count)))

    @property
    def _queue_type(self) -> Literal["memory", "file"]:
        return "memory" if self._broker.store.abilities.level == "memory" else "file"
