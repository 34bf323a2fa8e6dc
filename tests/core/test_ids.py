"""Receipts as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.core.errors import InvalidArgument
from crossdock.core.ids import parse_receipt, receipt_text
from crossdock.core.model import Delivery, Message, Receipt

NUMBER = st.integers(0, 2**63 - 1)


@given(NUMBER, NUMBER, NUMBER)
def test_a_receipt_survives_the_way_through_text(message_id: int, epoch: int, generation: int) -> None:
    receipt = Receipt(message_id, epoch, generation)
    assert parse_receipt(receipt_text(receipt)) == receipt


def test_a_delivery_writes_its_own_receipt() -> None:
    delivery = Delivery(26, 5, 255, Message(b"x"), 1, 1_000)
    assert receipt_text(delivery) == "1a.5.ff"


@given(NUMBER, NUMBER)
def test_different_hand_outs_have_different_receipts(one: int, other: int) -> None:
    texts = {receipt_text(Receipt(7, one, 1)), receipt_text(Receipt(7, other, 1))}
    assert len(texts) == (1 if one == other else 2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "1.2",
        "1.2.3.4",
        "1.2.",
        ".2.3",
        "1.2.3 ",
        " 1.2.3",
        "1.2.3\n",
        "1.2.3\0",
        "-1.2.3",
        "1.-2.3",
        "+1.2.3",
        "0x1.2.3",
        "1_0.2.3",
        "A.B.C",
        "g.1.1",
        "\uff11.2.3",
        "1,2,3",
        "1e5.g.1",
        "8000000000000000.1.1",
        "1.8000000000000000.1",
        "1.1.ffffffffffffffff",
        "10000000000000000.1.1",
        "1" * 10_000,
        "1.2.3; DROP TABLE messages",
        "../../etc/passwd",
        "ünïcode",
    ],
    ids=lambda text: repr(text)[:24],
)
def test_hostile_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="receipt must be a receipt that a delivery carried") as caught:
        parse_receipt(text)
    assert caught.value.field == "receipt"


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        receipt = parse_receipt(text)
    except InvalidArgument:
        return
    assert min(receipt.id, receipt.epoch, receipt.generation) >= 0
    assert max(receipt.id, receipt.epoch, receipt.generation) < 2**63
