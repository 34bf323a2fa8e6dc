"""Names, ranges and keys: what passes, and what is refused before it can do harm (S5)."""

import pytest

from crossdock.core.errors import InvalidArgument
from crossdock.core.limits import KEY_CHARS_MAX, NAME_CHARS_MAX, check_key, check_name, check_range


@pytest.mark.parametrize(
    "name", ["a", "0", "_", "orders", "Orders.EU-1:high_prio", "a" * NAME_CHARS_MAX, "jobs.dlq", "a-", "a..b"]
)
def test_a_good_name_passes(name: str) -> None:
    assert check_name("queue", name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a" * (NAME_CHARS_MAX + 1),
        "a" * 1_000_000,
        " ",
        "a b",
        " a",
        "a ",
        "a\n",
        "\na",
        "a\0",
        "a\x1b[2J",
        "-a",
        ".a",
        ":a",
        "..",
        "../etc/passwd",
        "a/b",
        "a\\b",
        "a%2e",
        "a?b",
        "a#b",
        "a'--",
        'a"; DROP TABLE messages',
        "*",
        "$(id)",
        "é",
        "\u0430",  # Cyrillic
        "\uff41",  # full width
        "a\u202eb",
        "\ud800",
        "😀",
        None,
        5,
        True,
        b"orders",
        ["orders"],
    ],
    ids=lambda name: ascii(name)[:20],
)
def test_a_hostile_name_is_refused(name: object) -> None:
    with pytest.raises(InvalidArgument, match="queue must be 1 to 200 letters") as caught:
        check_name("queue", name)
    assert caught.value.field == "queue"
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(("value", "passes"), [(-1, False), (0, True), (1, True), (9, True), (10, True), (11, False)])
def test_a_range_includes_both_ends(value: int, passes: bool) -> None:
    if passes:
        assert check_range("limit", value, 0, 10) == value
    else:
        with pytest.raises(InvalidArgument, match=f"limit must be a whole number from 0 to 10 ms, got {value}"):
            check_range("limit", value, 0, 10, " ms")


@pytest.mark.parametrize("value", [True, False, 1.0, "1", None, float("nan"), [1], b"1", 2**200])
def test_only_whole_numbers_are_in_a_range(value: object) -> None:
    with pytest.raises(InvalidArgument, match="limit must be a whole number"):
        check_range("limit", value, 0, 10)


@pytest.mark.parametrize("key", ["k", "order 42", "ключ", "a" * KEY_CHARS_MAX, "'; --", "😀"])
def test_a_key_is_any_printable_text(key: str) -> None:
    assert check_key("dedup_id", key) == key


@pytest.mark.parametrize(
    "key",
    ["", "a" * (KEY_CHARS_MAX + 1), "a\nb", "\0", "\t", "\x7f", "\u202e", "\ud800", None, 7, b"k"],
    ids=lambda key: ascii(key)[:12],
)
def test_other_keys_are_refused(key: object) -> None:
    with pytest.raises(InvalidArgument, match=f"dedup_id must be 1 to {KEY_CHARS_MAX} printable characters"):
        check_key("dedup_id", key)
