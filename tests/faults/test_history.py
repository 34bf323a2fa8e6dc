"""The history checker finds each kind of violation in a history made by hand, and nothing in a right one."""

from pathlib import Path
from typing import Any

import pytest

from crossdock import LeaseLost, StoreUnavailable, aio
from crossdock.testing.history import (
    NAME_HEADER,
    Delivered,
    Event,
    Fail,
    History,
    Invoke,
    Ok,
    Sent,
    Unknown,
    digest,
    read,
    seen,
)
from crossdock.testing.verdict import check

BODY = digest(b"body")


class Told:
    """A history in the making."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def call(self, verb: Any, end: type[Event] | None, **fields: Any) -> None:
        call = str(len(self.events))
        given = {name: fields.pop(name) for name in ("sent", "delivered") if name in fields and verb != "receive"}
        self.events.append(Invoke(call, verb, fields.pop("queue", "q"), fields.pop("group", ""), **given))
        if end is Ok:
            self.events.append(Ok(call, **fields))
        elif end is not None:
            self.events.append(end(call, "told"))  # type: ignore[call-arg, arg-type]

    def send(self, *names: str, end: type[Event] | None = Ok, ids: list[int] | None = None) -> "Told":
        sent = [Sent(name, BODY) for name in names]
        fields = {"ids": ids or list(range(1, len(names) + 1))} if end is Ok else {}
        self.call("send", end, sent=sent, **fields)
        return self

    def receive(self, *delivered: Delivered, queue: str = "q", group: str = "g") -> "Told":
        self.call("receive", Ok, queue=queue, group=group, delivered=list(delivered))
        return self

    def answer(self, verb: str, delivered: Delivered, end: type[Event] | None = Ok) -> "Told":
        self.call(verb, end, queue=delivered.queue, group=delivered.group, delivered=delivered)
        return self


def got(name: str = "m", fence: int = 1, attempt: int = 1, **fields: Any) -> Delivered:
    given = {"queue": "q", "group": "g", "digest": BODY, "id": 1} | fields
    return Delivered(name=name, attempt=attempt, fence=fence, **given)


def dead(name: str = "m", fence: int = 2, **fields: Any) -> Delivered:
    given = {"queue": "q.dlq", "group": "k", "origin_queue": "q", "origin_group": "g"} | fields
    return got(name, fence, **given)


RIGHT = {
    "acked": (Told().send("m").receive(got()).answer("ack", got()), []),
    "drained": (Told().send("m").receive(), [got()]),
    "drained as a dead letter": (Told().send("m").receive(got()).answer("reject", got()), [dead()]),
    "acked as a dead letter": (Told().send("m").receive(got()).receive(dead()).answer("ack", dead()), []),
    "the outcome of the ack is unknown, and it was not done": (
        Told().send("m").receive(got()).answer("ack", got(), None),
        [got(fence=2, attempt=2)],
    ),
    "the outcome of the ack is unknown, and it was done": (
        Told().send("m").receive(got()).answer("ack", got(), None),
        [],
    ),
    "the ack came too late": (
        Told().send("m").receive(got()).answer("ack", got(), Fail),
        [got(fence=2, attempt=2)],
    ),
    "told out of order": (
        Told().send("m").receive(got(fence=2, attempt=2)).answer("ack", got(fence=2, attempt=2)).receive(got()),
        [],
    ),
    "the send is unknown, and the message is not there": (Told().send("m", end=None).receive(), []),
    "a refused send was sent again": (Told().send("m", end=Fail).send("m").receive(), [got()]),
    "two groups, each by itself": (
        Told().send("m").receive(got()).answer("ack", got()).receive(group="h"),
        [got(group="h", fence=2)],
    ),
    "a later message of another key": (
        Told().send("m", "n").receive(got("n", 1, id=2, ordering_key="red")),
        [got("m", 2, ordering_key="blue"), got("n", 3, 2, id=2, ordering_key="red")],
    ),
}

ACKED = Told().send("m").receive(got()).answer("ack", got())

WRONG = {
    "accepted and never seen": ("lost", Told().send("m").receive(), [], ["m in q/g"]),
    "delivered, not acked and gone": ("lost", Told().send("m").receive(got()), [], ["m in q/g"]),
    "rejected and no dead letter": (
        "lost",
        Told().send("m").receive(got()).answer("reject", got()),
        [],
        ["m in q/g"],
    ),
    "the ack was refused and it is gone": (
        "lost",
        Told().send("m").receive(got()).answer("ack", got(), Fail),
        [],
        ["m in q/g"],
    ),
    "one group of two lost it": (
        "lost",
        Told().send("m").receive(got()).answer("ack", got()).receive(group="h"),
        [],
        ["m in q/h"],
    ),
    "nobody ever looked": ("lost", Told().send("m"), [], ["m in q/"]),
    "never sent": ("unexpected", Told().receive(), [got()], [str(got())]),
    "sent and refused": ("unexpected", Told().send("m", end=Fail).receive(), [got()], [str(got())]),
    "handed out after the ack": ("resurrected", ACKED, [got(fence=2, attempt=2)], [str(got(fence=2, attempt=2))]),
    "dead-lettered after the ack": ("resurrected", ACKED, [dead()], [str(dead())]),
    "acked with a stale receipt": (
        "resurrected",
        Told().send("m").receive(got()).receive(got(fence=2, attempt=2)).answer("ack", got()),
        [],
        [str(got(fence=2, attempt=2))],
    ),
    "handed out after the reject": (
        "resurrected",
        Told().send("m").receive(got()).answer("reject", got()),
        [got(fence=2, attempt=2)],
        [str(got(fence=2, attempt=2))],
    ),
    "another body": ("corrupt", Told().send("m").receive(), [got(digest="?")], [str(got())]),
    "another id": ("doubled", Told().send("m").receive(), [got(id=2)], ["m has the ids [1, 2]"]),
    "a repeated send was stored twice": (
        "doubled",
        Told().send("m", end=None).send("m", ids=[2]).receive(),
        [got(), got(fence=2, attempt=2, id=2)],
        ["m has the ids [1, 2]"],
    ),
    "the attempt fell": (
        "attempts_fell",
        Told().send("m").receive(got(attempt=3)),
        [got(fence=2, attempt=1)],
        [str(got(fence=2, attempt=1))],
    ),
    "the attempt did not rise": (
        "attempts_fell",
        Told().send("m").receive(got()),
        [got(fence=2)],
        [str(got(fence=2))],
    ),
    "one fence twice": (
        "fences_repeated",
        Told().send("m").receive(got()),
        [got(attempt=2)],
        [str(got()), str(got(attempt=2))],
    ),
    "out of the order of its key": (
        "overtaken",
        Told().send("m", "n").receive(),
        [got("n", 1, id=2, ordering_key="red"), got("m", 2, ordering_key="red")],
        [str(got("m", 2))],
    ),
}


@pytest.mark.parametrize("case", RIGHT)
def test_a_right_history_passes(case: str) -> None:
    told, drained = RIGHT[case]
    assert check(told.events, drained).violations == {}


@pytest.mark.parametrize("case", WRONG)
def test_a_violation_is_found(case: str) -> None:
    kind, told, drained, found = WRONG[case]
    assert check(told.events, drained).violations == {kind: found}


def test_what_is_legal_is_counted() -> None:
    told = Told().send("m").send("u", end=Unknown).send("v", end=None).send("r", end=Fail)
    told.receive(got(), got("u", id=2)).receive(got(fence=2, attempt=2), got(fence=3, group="h"), group="h")
    verdict = check(told.events, [got(fence=4, attempt=3)])
    assert (verdict.accepted, verdict.deliveries, verdict.recovered, verdict.duplicates) == (1, 5, 1, 2)
    assert str(verdict).startswith("1 sends accepted, 5 deliveries, 1 lost, 0 unexpected, 0 resurrected,")
    assert str(verdict).endswith("2 duplicates, 1 recovered")


async def test_real_calls_are_written_down_one_line_each(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with path.open("ab", buffering=0) as file:
        history = History(file.write, "p")
        async with aio.connect("memory://") as mq:
            queue = mq.queue("q").group("g")
            with history.call("send", "q", sent=[Sent("m", BODY)]) as call:
                call.ids = [await queue.send(b"body", headers={NAME_HEADER: "m"})]
            with history.call("receive", "q", "g") as call:
                (delivery,) = await queue.receive()
                call.delivered = [seen(delivery)]
            with history.call("ack", "q", "g", delivered=seen(delivery)):
                await delivery.ack()
            with pytest.raises(LeaseLost), history.call("ack", "q", "g", delivered=seen(delivery)):
                await delivery.ack()
            with pytest.raises(StoreUnavailable), history.call("receive", "q", "g"):
                raise StoreUnavailable("the outcome is unknown")
    lines = path.read_bytes().splitlines(keepends=True)
    events = read([*lines, b'{"event":"ok","ca'])
    assert len(events) == len(lines) == 10
    assert [type(event) for event in events[1::2]] == [Ok, Ok, Ok, Fail, Unknown]
    assert len({event.call for event in events}) == 5
    assert events[2:4] == [Invoke("p:2", "receive", "q", "g"), Ok("p:2", [], [got()])]
    assert check(events, []).violations == {}


async def test_a_dead_letter_is_known_by_what_it_was(tmp_path: Path) -> None:
    """Two groups fail one message: the second dead letter has a new id."""
    async with aio.connect(f"sqlite:///{tmp_path}/q.db") as mq:
        queue = mq.queue("q")
        for group in "gh":
            await queue.group(group).receive()
        message_id = await queue.send(b"body", headers={NAME_HEADER: "m"})
        for group in "gh":
            await (await queue.group(group).receive())[0].reject()
        letters = [seen(delivery) for delivery in await mq.queue("q.dlq").group("k").receive(2)]
    assert [(each.place, each.stream, each.id) for each in letters] == [
        (("q.dlq", "k"), ("q", "g"), message_id),
        (("q.dlq", "k"), ("q", "h"), message_id),
    ]
