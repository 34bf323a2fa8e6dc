"""Decisions about messages: retries, dead letters, acceptance, cycles."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.core.errors import InvalidArgument, MessageExpired
from crossdock.core.limits import ATTEMPTS_MAX, BACKOFF_MS_MAX
from crossdock.core.model import Message, Settings
from crossdock.core.policy import (
    Origin,
    Rules,
    accept,
    body_digest,
    check_cycle,
    check_same_kind,
    dead_letter_headers,
    dead_letter_name,
    origin_of,
    retry_delay,
    strip_dead_letter_headers,
)

# Retries (F7)


@pytest.mark.parametrize(
    ("backoff", "attempt", "delay"),
    [
        (0, 1, 0),
        (0, 50, 0),
        (1_000, 1, 1_000),
        (1_000, 2, 2_000),
        (1_000, 3, 4_000),
        (30_000, 12, 30_000 * 2**11),
        (30_000, 13, BACKOFF_MS_MAX),
        (1, 41, BACKOFF_MS_MAX),
        (BACKOFF_MS_MAX, 1, BACKOFF_MS_MAX),
        (BACKOFF_MS_MAX, ATTEMPTS_MAX, BACKOFF_MS_MAX),
        (30_000, 10**9, BACKOFF_MS_MAX),
    ],
)
def test_the_delay_doubles_up_to_the_cap(backoff: int, attempt: int, delay: int) -> None:
    assert retry_delay(backoff, attempt, 0.0) == delay


@given(st.integers(0, BACKOFF_MS_MAX), st.integers(1, 10**12), st.floats(0, 1, exclude_max=True))
def test_jitter_adds_up_to_a_tenth(backoff: int, attempt: int, jitter: float) -> None:
    plain = retry_delay(backoff, attempt, 0.0)
    delay = retry_delay(backoff, attempt, jitter)
    assert plain <= delay <= plain * 1.1
    assert isinstance(delay, int)


@given(st.integers(1, BACKOFF_MS_MAX), st.integers(1, 100))
def test_a_later_attempt_never_waits_less(backoff: int, attempt: int) -> None:
    assert retry_delay(backoff, attempt + 1, 0.0) >= retry_delay(backoff, attempt, 0.0)


# Rules


def test_unset_settings_take_the_defaults() -> None:
    rules = Rules("jobs", Settings(), Settings(max_attempts=7, backoff=5, ttl=9, dedup_window=11, lease=13))
    assert (rules.max_attempts, rules.backoff, rules.ttl, rules.dedup_window, rules.lease) == (7, 5, 9, 11, 13)
    assert (rules.dead_letter, rules.max_messages, rules.max_bytes) == ("jobs.dlq", None, None)


def test_zero_is_a_setting_and_not_unset() -> None:
    settings = Settings(max_attempts=0, backoff=0, ttl=0, dedup_window=0)
    rules = Rules("jobs", settings, Settings(max_attempts=7, backoff=5, ttl=9, dedup_window=11))
    assert (rules.max_attempts, rules.backoff, rules.ttl, rules.dedup_window) == (0, 0, 0, 0)


def test_a_dead_letter_queue_keeps_trying_and_has_no_dead_letter_queue() -> None:
    rules = Rules("jobs.dlq", Settings())
    assert (rules.max_attempts, rules.dead_letter) == (0, "")
    told = Rules("jobs.dlq", Settings(max_attempts=2, dead_letter="graveyard"))
    assert (told.max_attempts, told.dead_letter) == (2, "graveyard")


@pytest.mark.parametrize(
    ("max_attempts", "attempts", "used"),
    [(3, 2, False), (3, 3, True), (3, 4, True), (1, 1, True), (0, 1, False), (0, 10**9, False)],
)
def test_attempts_are_used_up_at_the_limit(max_attempts: int, attempts: int, used: bool) -> None:
    assert Rules("q", Settings(max_attempts=max_attempts)).used_up(attempts) is used


def test_kind_never_changes() -> None:
    check_same_kind(Settings(), Settings(max_attempts=5))
    with pytest.raises(InvalidArgument, match="kind must stay 'queue', got 'topic'"):
        check_same_kind(Settings(), Settings(kind="topic"))


# Dead letters (F6)


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("jobs", Settings(), "jobs.dlq"),
        ("jobs", Settings(dead_letter="graveyard"), "graveyard"),
        ("jobs", Settings(dead_letter=""), ""),
        ("jobs.dlq", Settings(), ""),
        ("jobs.dlq", Settings(dead_letter="graveyard"), "graveyard"),
    ],
)
def test_name_of_the_dead_letter_queue(name: str, settings: Settings, expected: str) -> None:
    assert dead_letter_name(name, settings) == expected


@pytest.mark.parametrize(
    ("name", "dead_letter", "others"),
    [
        ("a", "a", {}),
        ("a.dlq", "a", {}),
        ("a.dlq", "a.dlq", {}),
        ("a", "b", {"b": "a"}),
        ("a", "b", {"b": "c", "c": "a"}),
        ("a", "b", {"b": "c", "c": "b"}),
        ("x.dlq", "a", {"a": "x"}),
    ],
)
def test_a_chain_that_comes_back_is_refused(name: str, dead_letter: str, others: dict[str, str]) -> None:
    settings = {other: Settings(dead_letter=target) for other, target in others.items()}
    with pytest.raises(InvalidArgument, match="dead_letter must not lead back to queue") as caught:
        check_cycle(name, Settings(dead_letter=dead_letter), settings.get)
    assert caught.value.value == dead_letter


def test_a_chain_that_ends_is_accepted() -> None:
    names = [f"q{number}" for number in range(50)]
    others = {one: Settings(dead_letter=two) for one, two in pairwise(names)}
    check_cycle("start", Settings(dead_letter="q0"), others.get)
    assert dead_letter_name("q49", Settings()) == "q49.dlq"


def test_headers_of_a_dead_letter_tell_its_story() -> None:
    headers = dead_letter_headers({"trace": "1"}, "jobs", "workers", "attempts", "boom", 3)
    assert headers == {
        "trace": "1",
        "x-origin-queue": "jobs",
        "x-origin-group": "workers",
        "x-reason": "attempts",
        "x-error": "boom",
        "x-attempts": "3",
    }


def test_headers_of_an_earlier_death_do_not_stay() -> None:
    first = dead_letter_headers({"trace": "1"}, "jobs", "workers", "rejected", "boom", 3, origin_id=9)
    again = dead_letter_headers(first, "other", "g", "expired", "", 0)
    assert again == {
        "trace": "1",
        "x-origin-queue": "other",
        "x-origin-group": "g",
        "x-reason": "expired",
        "x-attempts": "0",
    }


@pytest.mark.parametrize("headers", [None, {}, {"trace": "1"}, {"trace": "1", "other": ""}])
def test_stripping_gives_back_what_was_there(headers: dict[str, str] | None) -> None:
    before = None if headers is None else dict(headers)
    marked = dead_letter_headers(headers, "jobs", "g", "attempts", "boom", 3, origin_id=9)
    assert strip_dead_letter_headers(marked) == (headers or None)
    assert headers == before


def test_origin_is_what_the_headers_say() -> None:
    headers = dead_letter_headers(None, "jobs", "workers", "attempts", "", 3)
    assert origin_of(Message(b"", headers, id=5)) == Origin("jobs", "workers", 5)
    renamed = dead_letter_headers(None, "jobs", "workers", "attempts", "", 3, origin_id=4)
    assert origin_of(Message(b"", renamed, id=5)) == Origin("jobs", "workers", 4)


@pytest.mark.parametrize(
    "headers",
    [
        None,
        {},
        {"x-origin-queue": "jobs"},
        {"x-attempts": "1"},
        *(
            {"x-origin-queue": "jobs", "x-attempts": "1", "x-origin-id": forged}
            for forged in ["", "0", "-1", "+1", "1.5", "abc", " 1", "1\n", "٣", "9" * 19, "9" * 100_000]
        ),
    ],
    ids=lambda headers: ascii(headers)[-20:],
)
def test_forged_headers_name_no_origin(headers: dict[str, str] | None) -> None:
    assert origin_of(Message(b"", headers, id=5)) is None


# Acceptance

NOW = 1_000_000


@pytest.mark.parametrize(
    ("message", "ttl", "deliver_at", "expires_at"),
    [
        (Message(b""), 0, NOW, 0),
        (Message(b"", delay=5), 0, NOW + 5, 0),
        (Message(b"", deliver_at=NOW + 7), 0, NOW + 7, 0),
        (Message(b"", deliver_at=NOW - 7), 0, NOW, 0),
        (Message(b"", ttl=10), 0, NOW, NOW + 10),
        (Message(b""), 20, NOW, NOW + 20),
        (Message(b"", ttl=10), 20, NOW, NOW + 10),
        (Message(b"", ttl=10, delay=9), 0, NOW + 9, NOW + 10),
    ],
)
def test_acceptance_fills_in_the_times(message: Message, ttl: int, deliver_at: int, expires_at: int) -> None:
    accept(message, Rules("q", Settings(ttl=ttl)), NOW)
    assert (message.enqueued_at, message.deliver_at, message.expires_at) == (NOW, deliver_at, expires_at)


@pytest.mark.parametrize(
    ("message", "ttl"),
    [
        (Message(b"", ttl=10, delay=10), 0),
        (Message(b"", ttl=10, delay=11), 0),
        (Message(b"", ttl=10, deliver_at=NOW + 10), 0),
        (Message(b"", delay=20), 20),
    ],
)
def test_a_message_that_could_never_be_delivered_is_refused(message: Message, ttl: int) -> None:
    with pytest.raises(MessageExpired, match=r"ttl of \d+ ms ends before the message is due"):
        accept(message, Rules("q", Settings(ttl=ttl)), NOW)


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_a_digest_tells_bodies_apart(one: bytes, other: bytes) -> None:
    assert len(body_digest(one)) == 8
    assert (body_digest(one) == body_digest(other)) is (one == other)
