"""Whatever bytes a method is sent, it answers in time, and never with a fault of the server.

Requests are made of the types that reflection tells, with values at and beyond every bound, and then some of
their bytes are changed. CROSSDOCK_CAMPAIGN=1 sends 200,000 rather than 1,500 to each store.
"""

import asyncio
import logging
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor as Field
from grpc import StatusCode, aio

from crossdock.storage.memory import MemoryStore
from crossdock.storage.sqlite import SqliteStore
from grpc_door import GrpcDoor

CALLS = 200_000 if os.environ.get("CROSSDOCK_CAMPAIGN") == "1" else 1_500
QUEUES = ("default", "q")
TEXTS = (
    *("", "q", "default", "q.dlq", "a/b", "\0", "é" * 9, "\U0001f600", "x" * 300, "1.1.1", "ffffffffffffffff.1.1"),
    *("base64", "10s", "-1s", "1h", "99999999h", "queue", "topic", "ready", "reject", "drop-oldest"),
)
INT32 = (0, 1, -1, 2, 100, 1000, 1001, 2**31 - 1, -(2**31))
INT64 = (0, 1, -1, 2, 3, 1000, 10**6, 4 * 10**12, 2**63 - 1, -(2**63))
VALUES: dict[int, tuple[Any, ...]] = {
    Field.TYPE_STRING: TEXTS,
    Field.TYPE_BYTES: (b"", b"a", b"\xff\0", bytes(range(256))),
    Field.TYPE_BOOL: (False, True),
    Field.TYPE_INT32: INT32,
    Field.TYPE_INT64: INT64,
    Field.TYPE_UINT64: (0, 1, 2**64 - 1),
}


def fill(message: Any, random: Random) -> Any:
    """Give some of the fields a value."""
    for field in message.DESCRIPTOR.fields:
        if random.random() < 0.35:
            continue
        values = getattr(message, field.name)
        many = range(random.randrange(3))
        if field.message_type is None and not field.is_repeated:
            setattr(message, field.name, random.choice(VALUES[field.type]))
        elif field.message_type is None:
            values.extend(random.choice(VALUES[field.type]) for _ in many)
        elif field.message_type.GetOptions().map_entry:
            values.update({random.choice(TEXTS): random.choice(TEXTS) for _ in many})
        elif field.is_repeated:
            for _ in many:
                fill(values.add(), random)
        else:
            values.SetInParent()
            fill(values, random)
    return message


def request_bytes(kind: Any, random: Random) -> bytes:
    """A request, sometimes with a byte changed or its end cut off."""
    data = bytearray(fill(kind(), random).SerializeToString())
    if data and random.random() < 0.1:
        data[random.randrange(len(data))] = random.randrange(256)
    if random.random() < 0.05:
        del data[random.randrange(len(data) + 1) :]
    return bytes(data)


async def call(door: GrpcDoor, path: str, random: Random) -> StatusCode:
    """Call a method; its status."""
    kind, _ = door.client.types(path)
    if not door.client.methods[path].client_streaming:
        unary = door.channel.unary_unary(f"/{path}")(request_bytes(kind, random), timeout=0.2)
        code: StatusCode = await unary.code()
        return code
    stream = door.channel.stream_stream(f"/{path}")(timeout=0.2)
    try:
        for _ in range(3):
            await stream.write(request_bytes(kind, random))
        await stream.done_writing()
        while await stream.read() is not aio.EOF:
            continue
    except (aio.AioRpcError, asyncio.InvalidStateError):  # written to a stream that had ended: the library's own error
        return StatusCode.OK
    ended: StatusCode = await stream.code()
    return ended


@pytest.mark.timeout(14_400 if CALLS > 10_000 else 60)
@pytest.mark.parametrize("store", ["memory", "sqlite"])
async def test_no_request_is_a_fault_of_the_server(
    store: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    random = Random(store)
    async with GrpcDoor(MemoryStore() if store == "memory" else SqliteStore(tmp_path / "queues.db")) as door:
        paths = [path for path in door.client.methods if not path.startswith("grpc.")]
        for number in range(CALLS):
            if number % 50 == 0:
                for queue in QUEUES:
                    await door.create(queue)
            path = random.choice(paths)
            code = await call(door, path, random)
            assert code not in (StatusCode.INTERNAL, StatusCode.UNKNOWN), path
        while door.broker.room.members or door.broker.members.rotations:
            await asyncio.sleep(0)
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR] == []
