"""A topic: every subscriber gets every message sent while it is subscribed."""

import asyncio

from crossdock import aio


async def read(name: str, news: aio.Subscription, lines: list[str]) -> None:
    """Read the news until the paper closes."""
    async for message in news:
        lines.append(f"{name} reads {message.text()!r}")
        await message.ack()
        if message.text() == "good night":
            break


async def main() -> None:
    async with aio.connect("memory://") as mq:
        news = mq.topic("news")
        await news.create()
        await news.send("nobody hears this")

        pages: dict[str, list[str]] = {"alice": [], "bob": []}
        readers = [read(name, await news.subscribe(name), lines) for name, lines in pages.items()]
        print(f"subscribers: {', '.join(await news.subscribers())}")

        await news.send_many(["it rains", "good night"])
        await asyncio.gather(*readers)
        for lines in pages.values():
            print("\n".join(lines))

        await news.unsubscribe("bob")
        await news.send("good morning")
        print(f"waiting for {', '.join(await news.subscribers())}: {(await news.stats()).ready} message")


asyncio.run(main())
