"""docs/reference/grpc-api.md lists the methods and statuses that there are; the code is made of the definitions."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from crossdock.doors.grpc import GrpcListener
from crossdock.doors.grpc.errors import STATUSES
from crossdock.storage.memory import MemoryStore
from crossdock.wire.protos import broker_pb2, messagequeue_pb2, queue_pb2
from grpc_door import GrpcDoor

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "reference" / "grpc-api.md").read_text()
PROTOS = [broker_pb2, messagequeue_pb2, queue_pb2]


async def listener() -> GrpcListener:
    async with GrpcDoor(MemoryStore()) as door:
        return door.listener


async def test_methods_are_listed_and_protected_ones_marked() -> None:
    for service in (await listener())._services:
        section = PAGE.partition(f"## `{service.name}`\n")[2].partition("\n## ")[0]
        shown = dict(re.findall(r"^\| `(\w+)`( \*)? \|", section, re.MULTILINE))
        assert shown == {each.name: " *" if each.protected else "" for each in service.operations}, service.name


def test_statuses() -> None:
    shown = re.findall(r"^\| `(\w+)` \| `([A-Z_]+)` \|$", PAGE, re.MULTILINE)
    assert dict(shown) == {code: status.name for code, status in STATUSES.items()}


@pytest.mark.parametrize("module", PROTOS, ids=lambda module: module.__name__.rpartition(".")[2])
async def test_services_are_what_their_definitions_say(module: ModuleType) -> None:
    (definition,) = module.DESCRIPTOR.services_by_name.values()
    (service,) = [each for each in (await listener())._services if each.name == definition.full_name]
    served = {each.name: (each.request, each.response, each.streaming) for each in service.operations}
    assert served == {
        each.name: (
            getattr(module, each.input_type.name),
            getattr(module, each.output_type.name),
            each.client_streaming,
        )
        for each in definition.methods
    }


def descriptor(folder: Path, name: str) -> str:
    """What generated code says of a definition. The rest of it differs from one version of the compiler to the next."""
    (line,) = re.findall(r"^DESCRIPTOR = .+$", (folder / name).read_text(), re.MULTILINE)
    return str(line)


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    """`make protos` would change nothing."""
    spec = importlib.util.spec_from_file_location("protos", ROOT / "tools" / "protos.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.compile_protos(f"--python_out={tmp_path}", f"--pyi_out={tmp_path}") == 0
    made = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.py*"))
    there = (ROOT / "src").rglob("*_pb2.py*")
    assert made == sorted(
        path.relative_to(ROOT / "src").as_posix() for path in there if "__pycache__" not in path.parts
    )
    for name in made:
        if name.endswith(".py"):
            assert descriptor(tmp_path, name) == descriptor(ROOT / "src", name), "run `make protos`"
