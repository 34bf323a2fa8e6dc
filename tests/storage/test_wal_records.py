"""Records among bytes that may be anything: cut, flipped, forged, and on the edges of what is read at once."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.storage.wal import record
from crossdock.storage.wal.record import (
    HEADER,
    MAGIC,
    RECORD_BYTES_MAX,
    buffered,
    end_of_data,
    frame,
    read_record,
    records,
    stray_records,
)

SALT = 7
SAMPLES = [b"", b"x", bytes(40), MAGIC * 9, b"\xff" * 200, frame(b"inner", 1, 0, SALT + 1)]


def reader(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, size: data[offset : offset + size]


def series(payloads: list[bytes], salt: int = SALT) -> bytes:
    return b"".join(frame(payload, number, 0, salt) for number, payload in enumerate(payloads, 1))


@pytest.mark.parametrize("payload", SAMPLES, ids=range(len(SAMPLES)))
def test_a_record_is_whole_or_none(payload: bytes) -> None:
    """F12: at every byte where a write may end, and with every bit that may flip."""
    whole = frame(payload, 9, 3, SALT)
    assert read_record(reader(whole), 0, SALT) == (0, 9, 5, payload)
    assert read_record(reader(b"before" + whole + b"after"), 6, SALT) == (6, 9, 5, payload)
    assert [size for size in range(len(whole)) if read_record(reader(whole[:size]), 0, SALT)] == []
    padded = [whole[:size] + bytes(len(whole)) for size in range(len(whole)) if any(whole[size:])]
    assert [torn for torn in padded if read_record(reader(torn), 0, SALT)] == [], "the rest of a segment is zero"
    flipped = [whole[:n] + bytes([whole[n] ^ 1 << bit]) + whole[n + 1 :] for n in range(len(whole)) for bit in range(8)]
    assert [damaged for damaged in flipped if read_record(reader(damaged), 0, SALT)] == []
    assert read_record(reader(whole), 0, SALT + 1) is None


def test_a_length_that_cannot_be_is_not_read() -> None:
    asked = []

    def read(offset: int, size: int) -> bytes:
        asked.append(size)
        return HEADER.pack(MAGIC, 0, RECORD_BYTES_MAX + 1, 0, 1)[:size]

    assert read_record(read, 0, SALT) is None
    assert asked == [HEADER.size]


def test_records_end_where_the_numbering_does() -> None:
    data = frame(b"a", 5, 0, SALT) + frame(b"b", 6, 1, SALT) + frame(b"again", 6, 0, SALT)
    assert [each.payload for each in records(reader(data), 0, 5, SALT)] == [b"a", b"b"]
    assert list(records(reader(data), 0, 4, SALT)) == []
    assert [each.sequence for each in stray_records(reader(data), 0, len(data), SALT)] == [5, 6, 6]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(SAMPLES), max_size=6), st.binary(max_size=30), st.integers(0, 50), st.integers(1, 90))
def test_what_is_read_at_once_makes_no_difference(
    monkeypatch: pytest.MonkeyPatch, payloads: list[bytes], rest: bytes, zeros: int, size: int
) -> None:
    """The edges of reads fall into magics, headers, payloads and zeros."""
    data = series(payloads) + rest + bytes(zeros)
    monkeypatch.setattr(record, "READ_BYTES", size)
    assert [each.payload for each in records(reader(data), 0, 1, SALT)] == payloads
    found = [each.sequence for each in stray_records(reader(data), 0, len(data), SALT)]
    assert found == list(range(1, len(payloads) + 1))
    assert end_of_data(reader(data), 0, len(data)) == len(data.rstrip(b"\0"))
    read = buffered(reader(data))
    for offset in (0, 10, 3, len(data) - 1, len(data), 0):
        assert read(max(offset, 0), 25) == data[max(offset, 0) :][:25]


@given(
    st.lists(st.binary(max_size=60), min_size=1, max_size=6),
    st.integers(0),
    st.binary(min_size=1, max_size=12),
    st.binary(max_size=40),
)
def test_bytes_that_are_overwritten_never_make_another_record(
    payloads: list[bytes], place: int, noise: bytes, rest: bytes
) -> None:
    """F12: what is read is a beginning of what was written, up to the damage at least."""
    whole = series(payloads)
    place %= len(whole)
    damaged = (whole[:place] + noise + whole[place + len(noise) :])[: len(whole)] + rest
    found = [each.payload for each in records(reader(damaged), 0, 1, SALT)]
    untouched = [each for each in records(reader(whole), 0, 1, SALT) if each.end <= place]
    assert len(untouched) <= len(found)
    assert found == payloads[: len(found)]
