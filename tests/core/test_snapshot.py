"""The engine's state as a stream, and an engine made of it: the same state, and the same answers from then on."""

from random import Random

import msgspec
import pytest

from crossdock.core.engine import Engine
from crossdock.core.engine.snapshot import EngineState, GroupState, Item, Messages
from crossdock.core.errors import QueueFull
from crossdock.core.model import Message, Settings

encode = msgspec.msgpack.encode
decode = msgspec.msgpack.Decoder(Item).decode
NAMES = ("a", "b", "c", "a.dlq")
GROUPS = ("g", "h")


class Player:
    """Plays the same made-up game with any engine: what it does depends on its random numbers alone."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = 1_000
        self.held: list[tuple[str, str, int]] = []

    def play(self, engines: list[Engine], steps: int) -> None:
        for _ in range(steps):
            self.step(engines)

    def step(self, engines: list[Engine]) -> None:
        random = self.random
        self.now += random.choice((0, 0, 1, 5, 40, 1_000))
        queue, group, limit = random.choice(NAMES[:3]), random.choice(GROUPS), random.randint(1, 3)
        address = ("default", queue)
        fields = {
            "priority": random.choice((0, 0, 0, -1, 3)),
            "delay": random.choice((0, 0, 30)),
            "ttl": random.choice((0, 0, 50, 5_000)),
            "ordering_key": random.choice((None, None, "k", "l")),
            "dedup_id": random.choice((None, None, None, "x", "y")),
        }
        if fields["ttl"] and fields["ttl"] <= fields["delay"]:
            fields["ttl"] = 0
        verb = random.choice(("send", "send", "receive", "receive", "settle", "settle", "tick", "group", "redrive"))
        lease, pick, how = random.choice((10, 100, 10_000)), random.random(), random.choice(("ack", "nack", "reject"))
        answers = [self._do(e, verb, address, group, limit, fields, lease, pick, how) for e in engines]
        assert all(repr(answer) == repr(answers[0]) for answer in answers)

    def _do(self, e, verb, address, group, limit, fields, lease, pick, how):  # type: ignore[no-untyped-def]
        now = self.now
        if verb == "send":
            try:
                return e.send(address, [Message(b"same", **fields) for _ in range(limit)], now)
            except QueueFull as error:
                return error
        if verb == "receive":
            return e.receive(address, group, limit, lease, now)
        if verb == "tick":
            return e.run_due(now)
        if verb == "group":
            return e.delete_group(address, group, now) if pick < 0.2 else e.create_group(address, group, now)
        if verb == "redrive":
            return e.redrive(("default", "a.dlq"), None, now)
        leased = e.browse(address, group, 100, now, state="leased")
        if not leased:
            return None
        chosen = leased[int(pick * len(leased))].message.id
        receipt = e._queues[address].groups[group].leased[chosen]
        if how == "ack":
            return e.ack(address, group, [receipt], now)
        if how == "nack":
            return e.nack(address, group, [receipt], now, 0.0, None, "boom")
        return e.reject(address, group, [receipt], now, "bad")


def new_engine() -> Engine:
    engine = Engine(generation=7)
    engine.create_queue(("default", "a"), Settings(max_attempts=2, backoff=20), 1_000)
    engine.create_queue(("default", "b"), Settings(ttl=300, dead_letter_expired=True), 1_000)
    engine.create_queue(("default", "c"), Settings(max_messages=5, overflow="drop-oldest"), 1_000)
    engine.create_queue(("default", "a.dlq"), Settings(), 1_000)
    return engine


def restored(engine: Engine) -> Engine:
    copy = Engine()
    copy.restore([decode(encode(item)) for item in engine.dump()])
    return copy


@pytest.mark.parametrize("seed", range(40))
def test_an_engine_goes_on_from_its_snapshot_as_if_nothing_had_happened(seed: int) -> None:
    player = Player(seed)
    engine = new_engine()
    player.play([engine], 60)
    copy = restored(engine)
    player.play([engine, copy], 120)
    again = restored(copy)
    player.play([engine, copy, again], 60)
    names = engine.queues(None)
    assert copy.queues(None) == again.queues(None) == names
    for address in names:
        looks = [
            (e.stats(address, player.now), [e.browse(address, group, 1_000, player.now) for group in GROUPS])
            for e in (engine, copy, again)
        ]
        assert repr(looks[0]) == repr(looks[1]) == repr(looks[2])


@pytest.mark.parametrize(
    "items",
    [
        [EngineState(1, 1, 1, 1), Messages([])],
        [EngineState(1, 1, 1, 1), GroupState("g", 0)],
    ],
)
def test_a_stream_that_makes_no_sense_is_refused(items: list[Item]) -> None:
    with pytest.raises(ValueError, match="outside of a queue"):
        Engine().restore(items)


def test_more_groups_than_a_number_of_the_stream_has_bits() -> None:
    engine = Engine()
    address = ("default", "q")
    engine.create_queue(address, Settings(), 1)
    for number in range(70):
        engine.create_group(address, f"g{number}", 1)
    engine.send(address, [Message(b"same")], 1)
    copy = restored(engine)
    for number in range(70):
        assert [each.id for each in copy.receive(address, f"g{number}", 10, 1_000, 2)] == [1]
