"""What a store machine does to a store: small values, so that they meet."""

from typing import Any

from hypothesis import strategies as st

from crossdock.core.model import Settings

GROUPS = ("g", "h")

queues = st.sampled_from(("a", "a", "a", "b", "b", "c", "a.dlq"))
groups = st.sampled_from(GROUPS)
limits = st.sampled_from((1, 1, 2, 10))
leases = st.sampled_from((10, 50, 1_000))
pauses = st.sampled_from((1, 5, 10, 49, 100, 1_000, 30_000))
rarely = st.integers(0, 3).map(lambda number: number == 0)
"""True for what would else cut every history short. It shortens to True."""
picks = st.lists(st.integers(0, 11), min_size=1, max_size=4)
"""Receipts or messages by age: 0 is the newest one."""

_errors = st.sampled_from(("", "boom"))
answers: st.SearchStrategy[tuple[str, dict[str, Any]]] = st.one_of(
    st.tuples(st.just("ack"), st.just({})),
    st.tuples(
        st.just("nack"),
        st.fixed_dictionaries(
            {"delay": st.sampled_from((0, None, 10, 60)), "jitter": st.sampled_from((0.0, 0.5)), "error": _errors}
        ),
    ),
    st.tuples(st.just("reject"), st.fixed_dictionaries({"error": _errors})),
    st.tuples(st.just("extend"), st.fixed_dictionaries({"lease": leases})),
)

_plain_message = st.fixed_dictionaries(
    {"body": st.sampled_from((b"1", b"22", b"55555", b""))},
    optional={
        "headers": st.sampled_from(({"k": "v"}, {"x-error": "forged", "k": ""})),
        "priority": st.sampled_from((-1, 1)),
        "delay": st.sampled_from((10, 60)),
        "ttl": st.sampled_from((200, 90, 20)),
        "ordering_key": st.sampled_from("kl"),
    },
)
_deduplicated = st.fixed_dictionaries(
    {"body": st.sampled_from((b"1", b"1", b"1", b"22")), "dedup_id": st.sampled_from("xy")},
    optional={"delay": st.just(10), "ordering_key": st.just("k")},
)
batches: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.one_of(_plain_message, _plain_message, _deduplicated), min_size=1, max_size=4
)


def settings(*kinds: str) -> st.SearchStrategy[Settings]:
    """Settings of a queue of one of these kinds."""
    return st.builds(
        Settings,
        kind=st.sampled_from(kinds),
        max_attempts=st.sampled_from((None, 0, 1, 2)),
        backoff=st.sampled_from((None, 10)),
        ttl=st.sampled_from((None, None, None, 100)),
        dead_letter=st.sampled_from((None, None, "", "a", "c")),
        dead_letter_expired=st.booleans(),
        dedup_window=st.sampled_from((None, 50)),
        max_messages=st.sampled_from((None, None, None, 2, 4)),
        max_bytes=st.sampled_from((None, None, None, 8)),
        overflow=st.sampled_from(("reject", "drop-oldest")),
        paused=st.sampled_from((False, False, False, False, False, True)),
    )
