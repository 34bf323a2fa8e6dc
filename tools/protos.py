"""Make the Python code of the protobuf messages. Needs grpcio-tools; `make protos` runs it."""

import sys
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

SOURCE = Path(__file__).parent.parent / "src"
PROTOS = sorted((SOURCE / "crossdock" / "wire" / "protos").glob("*.proto"))


def compile_protos(*outputs: str) -> int:
    """Run the compiler over all definitions; returns its exit code.

    The names of the files, as they are registered in a process, begin with the package, so as to meet no other's.
    """
    bundled = Path(grpc_tools.__file__).parent / "_proto"
    return protoc.main(["protoc", f"-I{SOURCE}", f"-I{bundled}", *outputs, *map(str, PROTOS)])


if __name__ == "__main__":
    sys.exit(compile_protos(f"--python_out={SOURCE}", f"--pyi_out={SOURCE}"))
