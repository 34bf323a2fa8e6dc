"""The nouns: cheap, plain, and strict where they come from outside."""

import asyncio
import gc

import msgspec
import pytest

from crossdock.core.model import Delivery, Done, Message, Receipt, Settings


def test_a_delivery_serves_as_its_own_receipt() -> None:
    delivery = Delivery(1, 2, 3, Message(b"x"), 1, 1_000)
    assert isinstance(delivery, Receipt)
    assert (delivery.id, delivery.epoch, delivery.generation, delivery.consumer) == (1, 2, 3, "")


def test_messages_and_deliveries_are_not_tracked_by_the_collector() -> None:
    message = Message(b"x", {"a": "b"})
    assert not gc.is_tracked(message)
    assert not gc.is_tracked(Delivery(1, 2, 3, message, 1, 1_000))


@pytest.mark.parametrize(
    ("expires_at", "now", "expired"), [(0, 10**15, False), (10, 9, False), (10, 10, True), (10, 11, True)]
)
def test_a_message_expires_at_its_time(expires_at: int, now: int, expired: bool) -> None:
    assert Message(b"x", expires_at=expires_at).expired(now) is expired


def test_settings_are_frozen_and_refuse_unknown_fields() -> None:
    settings = Settings(lease=5)
    with pytest.raises(AttributeError):
        settings.lease = 6  # type: ignore[misc]
    with pytest.raises(msgspec.ValidationError, match="unknown field `color`"):
        msgspec.convert({"color": "red"}, Settings)
    with pytest.raises(msgspec.ValidationError, match="Invalid enum value 'stack'"):
        msgspec.convert({"kind": "stack"}, Settings)


def test_settings_are_written_without_their_defaults() -> None:
    assert msgspec.json.encode(Settings(max_attempts=0, paused=True)) == b'{"max_attempts":0,"paused":true}'
    assert msgspec.json.decode(b"{}", type=Settings) == Settings()


def test_done_is_awaited_without_suspending() -> None:
    step = Done([1, 2])

    async def wait() -> list[int]:
        return await step

    assert asyncio.run(wait()) == [1, 2]
    coroutine = wait()
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    assert end.value.value == [1, 2]
