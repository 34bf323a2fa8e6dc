"""An order and the message about it become true together, or not at all.

The program's table is in the file of the queues. What it sends with `connection=` is part of its own transaction.
"""

import tempfile
from pathlib import Path

import apsw

import crossdock


def place(db: apsw.Connection, orders: crossdock.Queue, item: str, pieces: int) -> None:
    """Store an order and tell whoever ships it, in one transaction."""
    with db:
        db.execute("INSERT INTO orders (item, pieces) VALUES (?, ?)", (item, pieces))
        number = db.last_insert_rowid()
        orders.send({"order": number, "item": item}, connection=db)
        if pieces < 1:
            raise ValueError(f"an order of {pieces} {item}")


def main(folder: Path) -> None:
    with crossdock.connect(f"sqlite:///{folder}/shop.db") as mq:
        orders = mq.queue("orders")
        db = apsw.Connection(f"{folder}/shop.db")
        db.transaction_mode = "IMMEDIATE"  # `with db` begins a transaction that writes from the start
        db.execute("CREATE TABLE orders (number INTEGER PRIMARY KEY, item TEXT, pieces INTEGER)")

        for item, pieces in (("tea", 2), ("cake", 0), ("milk", 1)):
            try:
                place(db, orders, item, pieces)
            except ValueError as error:
                print(f"rolled back: {error}")

        for item, pieces in db.execute("SELECT item, pieces FROM orders ORDER BY number"):
            print(f"stored: {pieces} {item}")
        for message in orders.receive(max_messages=10):
            print(f"to ship: {message.json()['item']}")
            message.ack()
        db.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(temporary))
