"""Members of a group share its messages, each in turn; another group gets all of them again."""

import crossdock

with crossdock.connect("memory://") as mq:
    orders = mq.queue("orders")
    packing, billing = orders.group("packing"), orders.group("billing")
    billing.create_group()  # Messages are kept for it from now on.
    anna, ben = packing.subscribe("anna"), packing.subscribe("ben")
    orders.send_many(f"order {number}" for number in range(1, 6))

    for _ in range(2):
        for name, member in (("anna", anna), ("ben", ben)):
            message = next(member)
            print(f"{name} packs {message.text()}")
            message.ack()

    print(f"anna goes home with {next(anna).text()} on the table")
    anna.close()
    message = next(ben)
    print(f"ben packs {message.text()}, which is attempt {message.attempt}")
    message.ack()

    for bill in billing.receive(max_messages=10):
        print(f"{bill.text()} is billed")
        bill.ack()
    print(f"{orders.stats().stored} orders left")
