"""Receipts as text: three hexadecimal numbers, `id.epoch.generation`. Opaque to clients."""

import re

from .errors import InvalidArgument
from .model import Receipt

_RECEIPT = re.compile(r"([0-9a-f]{1,16})\.([0-9a-f]{1,16})\.([0-9a-f]{1,16})")


def receipt_text(receipt: Receipt) -> str:
    """The token a remote consumer gets."""
    return f"{receipt.id:x}.{receipt.epoch:x}.{receipt.generation:x}"


def parse_receipt(text: str) -> Receipt:
    """The receipt of a token. Raises InvalidArgument for what `receipt_text` cannot have written."""
    match = _RECEIPT.fullmatch(text)
    if match is None:
        raise InvalidArgument("receipt", text, "must be a receipt that a delivery carried")
    message_id, epoch, generation = (int(part, 16) for part in match.groups())
    if max(message_id, epoch, generation) >= 2**63:
        raise InvalidArgument("receipt", text, "must be a receipt that a delivery carried")
    return Receipt(message_id, epoch, generation)
