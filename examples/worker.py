"""A worker: a function handles the messages of a queue, and the queue keeps what it could not handle.

It ends by itself. A worker on a store that lasts would run by `crossdock worker worker:worker` until Ctrl-C, which logs
every attempt.
"""

import asyncio
import logging

import crossdock

worker = crossdock.Worker(crossdock.aio.connect("memory://"))


@worker.handler("orders", retry="10ms")
def ship(message: crossdock.Received) -> None:
    item = message.json()["item"]
    print(f"attempt {message.attempt} to ship {item}")
    if item == "cake" and message.attempt == 1:
        raise ConnectionError("the bakery does not answer")
    if item == "unicorn":
        raise crossdock.Reject("there are none")
    worker.wait_for(worker.connection.queue("mails").send(f"{item} is on its way"))


@worker.handler("mails", concurrency=10)
async def mail(message: crossdock.Received) -> None:
    print(f"mail: {message.text()}")
    if message.text().startswith("cake"):
        worker.stop()


async def main() -> None:
    async with worker.connection as mq:
        await mq.queue("orders").send_many([{"item": item} for item in ("cake", "unicorn")])
        await worker.serve()
        for letter in await mq.queue("orders.dlq").receive():
            print(f"dead: {letter.json()['item']}, {letter.headers['x-error']}")


if __name__ == "__main__":
    logging.disable()
    asyncio.run(main())
