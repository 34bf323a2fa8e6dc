"""The lowest number comes first; among equals, whoever came first."""

import crossdock

URGENT, USUAL, WHENEVER = 0, 5, 9

with crossdock.connect("memory://") as mq:
    tickets = mq.queue("tickets")
    tickets.send("dust the lamps", priority=WHENEVER)
    tickets.send("answer the mail", priority=USUAL)
    tickets.send("the roof leaks", priority=URGENT)
    tickets.send_many(
        [
            crossdock.Message("order paper", priority=USUAL),
            crossdock.Message("the cellar burns", priority=URGENT),
        ]
    )
    for done, ticket in enumerate(tickets.subscribe("janitor"), start=1):
        print(f"{ticket.priority}  {ticket.text()}")
        ticket.ack()
        if done == 2:
            tickets.send("the fire brigade rings", priority=URGENT - 1)
        if done == 6:
            break
