"""`debug: true`: producers, consumers and a monitor inside the server, so that there is something to look at."""

import asyncio
import logging

from crossdock.broker.broker import Broker
from crossdock.core.model import DEFAULT_GROUP, Address, Message, Settings

QUEUE = "debug"
PRODUCERS = 2
CONSUMERS = 2
PRODUCE_SECONDS = 1.0
MONITOR_SECONDS = 5.0
NACK_EVERY = 10
"""Each consumer nacks one message in so many, to show a retry."""
WAIT_MS = 60_000
SETTINGS = Settings(max_messages=10_000, overflow="drop-oldest", backoff=1_000)

_log = logging.getLogger("crossdock.debug")


async def run(broker: Broker, namespace: str) -> None:
    """Produce, consume and report until cancelled."""
    address = (namespace, QUEUE)
    await broker.create_queue(address, SETTINGS)
    async with asyncio.TaskGroup() as tasks:
        for number in range(PRODUCERS):
            tasks.create_task(_produce(broker, address, f"producer-{number}"))
        for number in range(CONSUMERS):
            tasks.create_task(_consume(broker, address, f"consumer-{number}"))
        tasks.create_task(_monitor(broker, address))


async def _produce(broker: Broker, address: Address, name: str) -> None:
    number = 0
    while True:
        number += 1
        result = await broker.send(address, [Message(f'{{"from":"{name}","number":{number}}}'.encode())])
        _log.info("sent", extra={"producer": name, "message_id": result.ids[0]})
        await asyncio.sleep(PRODUCE_SECONDS)


async def _consume(broker: Broker, address: Address, name: str) -> None:
    taken = 0
    while True:
        for delivery in await broker.receive(address, wait=WAIT_MS, consumer=name):
            taken += 1
            settle = broker.nack if taken % NACK_EVERY == 0 else broker.ack
            failures = await settle(address, DEFAULT_GROUP, [delivery])
            outcome = "lease lost" if failures else "nacked" if settle == broker.nack else "acked"
            _log.info(outcome, extra={"consumer": name, "message_id": delivery.id, "attempt": delivery.attempt})


async def _monitor(broker: Broker, address: Address) -> None:
    while True:
        await asyncio.sleep(MONITOR_SECONDS)
        for name in await broker.queues(address[0]):
            stats = await broker.stats((address[0], name))
            counts = {"ready": stats.ready, "delayed": stats.delayed, "leased": stats.leased, "dead": stats.dead}
            _log.info("status", extra={"queue": name, "stored": stats.stored} | counts)
