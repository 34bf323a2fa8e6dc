"""F15: a server whose disk fails to sync acknowledges nothing more and ends; what it acknowledged before is there."""

from collections.abc import Callable
from pathlib import Path

from served import STOP_SECONDS, Served

FAILS_WHEN_TOLD = """
import errno, os
sync = os.fdatasync
def fdatasync(descriptor):
    if os.path.exists("fail"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    sync(descriptor)
os.fdatasync = fdatasync
"""


def test_a_server_ends_when_its_disk_fails(serve: Callable[..., Served], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(FAILS_WHEN_TOLD)
    store = ("--store", "log:///log", "--http", "127.0.0.1:0")
    served = serve(*store, PYTHONPATH=str(tmp_path))
    assert served.post("q/create").is_success
    assert served.post("q/enqueue", {"message": 1}).is_success
    (tmp_path / "fail").touch()
    failed = served.post("q/enqueue", {"message": 2})
    assert (failed.status_code, failed.json()["code"]) == (503, "store_failed")
    (tmp_path / "fail").unlink()  # a sync would succeed again, but nobody may believe it
    assert served.process.wait(STOP_SECONDS) == 1
    assert "the log cannot be written: " in served.rest()
    again = serve(*store)
    answer = {"group": "g", "consumer_id": "c", "lease": "1m"}
    assert again.post("q/dequeue", answer).json()["message"]["payload"] == 1
