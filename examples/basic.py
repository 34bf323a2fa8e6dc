"""Send messages, receive them, and answer each: done, again, or never."""

import crossdock

with crossdock.connect("memory://") as mq:
    orders = mq.queue("orders", max_attempts=2, backoff=0)
    orders.send({"item": "tea", "pieces": 2})
    orders.send_many([{"item": "cake", "pieces": 1}, {"item": "unicorn", "pieces": 1}])

    for message in orders.receive(max_messages=10):
        order = message.json()
        if order["item"] == "unicorn":
            message.reject("there are none")
        elif order["item"] == "cake":
            message.nack(error="the oven is cold")
        else:
            print(f"packed {order['pieces']} {order['item']}")
            message.ack()

    for message in orders.receive(wait="5s"):
        print(f"attempt {message.attempt}: packed {message.json()['item']}")
        message.ack()

    for letter in mq.queue("orders.dlq").receive():
        print(f"given up: {letter.json()['item']}, {letter.headers['x-error']}")
        letter.ack()

    stats = orders.stats()
    print(f"{stats.totals.sent} sent, {stats.totals.acked} acked, {stats.stored} left")
