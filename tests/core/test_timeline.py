"""The timeline under delays, leases and expiry: everything comes out in time, and the dead do not pile up."""

from hypothesis import given
from hypothesis import strategies as st

from crossdock.core.engine.timeline import NEVER, Timeline


class Item:
    def __init__(self, due: int) -> None:
        self.due = due
        self.live = True

    def __repr__(self) -> str:
        return f"<due {self.due}>"


class Fired:
    """A timeline of items, and what it fired."""

    def __init__(self) -> None:
        self.times: list[int] = []
        self.timeline: Timeline[Item] = Timeline(lambda item: item.due, lambda item: item.live, self._work)

    def _work(self, items: list[Item], now: int) -> None:
        assert all(item.due <= now for item in items)
        self.times += [item.due for item in items]

    def add(self, *dues: int) -> list[Item]:
        items = [Item(due) for due in dues]
        for item in items:
            self.timeline.add(item)
        return items

    @property
    def size(self) -> int:
        return len(self.timeline._in_order) + len(self.timeline._rest)


def test_an_empty_timeline_is_never_due() -> None:
    fired = Fired()
    assert fired.timeline.next_due() == NEVER
    assert fired.timeline.pop_first() is None
    fired.timeline.fire(10**15)
    assert fired.times == []


def test_items_in_order_fire_at_their_time_and_not_before() -> None:
    fired = Fired()
    fired.add(10, 20, 20, 30)
    fired.timeline.fire(9)
    assert fired.times == []
    fired.timeline.fire(20)
    assert fired.times == [10, 20, 20]
    assert fired.timeline.next_due() == 30


def test_items_out_of_order_fire_at_their_time_and_not_before() -> None:
    fired = Fired()
    fired.add(30, 10, 20, 5, 40)
    assert fired.timeline.next_due() == 5
    fired.timeline.fire(5)
    fired.timeline.fire(29)
    assert fired.times == [5, 10, 20]
    fired.timeline.fire(1_000)
    assert sorted(fired.times) == [5, 10, 20, 30, 40]
    assert fired.timeline.next_due() == NEVER


def test_dead_items_do_not_fire_and_are_not_waited_for() -> None:
    fired = Fired()
    first, _, second = fired.add(10, 30, 5)
    first.live = second.live = False
    assert fired.timeline.next_due() == 30
    fired.timeline.fire(1_000)
    assert fired.times == [30]


def test_pop_first_takes_the_earliest_live_item() -> None:
    fired = Fired()
    items = fired.add(30, 40, 10, 20)
    items[2].live = False
    assert [fired.timeline.pop_first() for _ in range(4)] == [items[3], items[0], items[1], None]


def test_trim_keeps_memory_in_proportion_to_the_living() -> None:
    fired = Fired()
    kept = fired.add(*range(10_000, 10_010))
    for due in range(50_000):
        (item,) = fired.add(due if due % 2 else 100_000 + due)
        item.live = False
        fired.timeline.trim(len(kept))
        assert fired.size <= 2 * len(kept) + 65
    fired.timeline.fire(10**6)
    assert fired.times == [item.due for item in kept]


def test_trim_forgets_all_when_nobody_lives() -> None:
    fired = Fired()
    for item in fired.add(*[(due * 7919) % 1_000 for due in range(1_000)]):
        item.live = False
    fired.timeline.trim(0)
    assert fired.size == 0
    assert fired.timeline.next_due() == NEVER


def test_trim_loses_nobody() -> None:
    fired = Fired()
    items = fired.add(*[(due * 7919) % 1_000 for due in range(1_000)])
    for number, item in enumerate(items):
        item.live = number % 3 == 0
    living = sorted(item.due for item in items if item.live)
    fired.timeline.trim(len(living))
    assert fired.size == len(living)
    for now in range(1_000):
        fired.timeline.fire(now)
    assert fired.times == living


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.booleans(), st.booleans()),  # due, dies, a look at the time follows
        max_size=60,
    )
)
def test_what_fires_is_what_is_due_and_alive(script: list[tuple[int, bool, bool]]) -> None:
    fired = Fired()
    waiting: list[Item] = []
    now = 0
    for due, dies, look in script:
        waiting += fired.add(now + due)
        if dies:
            waiting.pop().live = False
        if look:
            now += 13
            expected = sorted(item.due for item in waiting if item.due <= now)
            waiting = [item for item in waiting if item.due > now]
            fired.times.clear()
            fired.timeline.trim(len(waiting))
            fired.timeline.fire(now)
            assert sorted(fired.times) == expected
            assert fired.timeline.next_due() == min((item.due for item in waiting), default=NEVER)


def test_an_item_whose_time_changed_and_that_was_added_again_falls_due_once_then() -> None:
    due = {"a": 1, "b": 2}
    fired: list[str] = []
    timeline: Timeline[str] = Timeline(
        lambda item: due[item], lambda item: True, lambda items, now: fired.extend(items)
    )
    timeline.add("a")
    timeline.add("b")
    due["a"] = 30
    timeline.add("a")
    assert timeline.next_due() == 2
    timeline.fire(5)
    assert fired == ["b"]
    assert timeline.next_due() == 30
    timeline.fire(30)
    assert fired == ["b", "a"]
