"""Messages that wait for their time, and one that does not wait for ever."""

import time
from datetime import UTC, datetime, timedelta

import crossdock

with crossdock.connect("memory://") as mq:
    reminders = mq.queue("reminders")
    reminders.send("leave the house", at=datetime.now(UTC) + timedelta(seconds=1))
    reminders.send("put on shoes", delay="300ms")
    reminders.send("service the coffee machine", delay=timedelta(days=365))
    reminders.send("catch the early bus", ttl="50ms")
    reminders.send("finish the coffee")
    print(f"{reminders.stats().delayed} are delayed")

    time.sleep(0.1)  # The early bus leaves.
    for _ in range(3):
        for message in reminders.receive(wait="10s"):
            print(message.text())
            message.ack()

    stats = reminders.stats()
    print(f"{stats.totals.expired} expired, {stats.delayed} is delayed until next year")
