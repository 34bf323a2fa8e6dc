"""What senders and receivers note down, and what it says about the queue between them."""

from array import array
from collections.abc import Iterable, Sequence

from msgspec import Struct

from .body import NUMBERS_MAX


class Tally(Struct):
    """Notes of some senders and receivers. Times are ns; only what was due after the warm-up is timed."""

    sent: dict[int, int]
    """Messages accepted, by sender."""
    seen: list["array[int]"]
    """What each receiver got, in order: sender * NUMBERS_MAX + number."""
    send_times: "array[int]"
    """From when a send was due until it was answered."""
    trip_times: "array[int]"
    """From when a message was due to be sent until a receiver had it."""
    timed_sent: int = 0
    timed_received: int = 0
    last_sent: int = 0
    last_received: int = 0
    """When the last of them was."""


def new_tally() -> Tally:
    """Notes of nobody yet."""
    return Tally({}, [], array("q"), array("q"))


def together(tallies: Iterable[Tally]) -> Tally:
    """The notes of all."""
    whole = new_tally()
    for each in tallies:
        whole.sent |= each.sent
        whole.seen += each.seen
        whole.send_times.extend(each.send_times)
        whole.trip_times.extend(each.trip_times)
        whole.timed_sent += each.timed_sent
        whole.timed_received += each.timed_received
        whole.last_sent = max(whole.last_sent, each.last_sent)
        whole.last_received = max(whole.last_received, each.last_received)
    return whole


class Findings(Struct, frozen=True):
    """What a queue did to the messages."""

    lost: int
    duplicate: int
    out_of_order: int
    """Messages that came to a receiver after a later one of the same sender."""


def check(sent: dict[int, int], seen: Sequence["array[int]"]) -> Findings:
    """Compare what was accepted with what was received."""
    arrivals = {sender: bytearray(count) for sender, count in sent.items()}
    duplicate = out_of_order = 0
    for received in seen:
        newest: dict[int, int] = {}
        for mark in received:
            sender, number = divmod(mark, NUMBERS_MAX)
            if arrivals[sender][number]:
                duplicate += 1
                continue
            arrivals[sender][number] = 1
            if number < newest.get(sender, -1):
                out_of_order += 1
            else:
                newest[sender] = number
    lost = sum(got.count(0) for got in arrivals.values())
    return Findings(lost, duplicate, out_of_order)
