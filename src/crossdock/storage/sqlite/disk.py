"""Room on the disk: sends stop while some is left, so that acks, and all that settles messages, go on (F16)."""

import os

import apsw

from crossdock.core.errors import StoreUnavailable

ROOM_KEPT_BYTES = 64 * 1024 * 1024
"""Enough for the largest batch, which is written to the WAL and then to the database, and for acks after it."""
ROOM_KEPT_SHARE = 20
"""Of a small disk only this part, one in so many, is kept."""


def check_room(connection: apsw.Connection) -> None:
    """Raise StoreUnavailable when the file and its disk have no more room than what is kept for acks."""
    file = connection.filename
    try:
        disk = os.statvfs(file)
    except OSError as error:
        raise StoreUnavailable(f"{file} cannot be used: {error.strerror}") from error
    left = disk.f_bavail * disk.f_frsize
    kept = min(ROOM_KEPT_BYTES, disk.f_blocks * disk.f_frsize // ROOM_KEPT_SHARE)
    if left >= kept:
        return
    left += connection.pragma("freelist_count") * connection.pragma("page_size")
    if left < kept:
        raise StoreUnavailable(f"the disk of {file} is full: {left} bytes are left, the last {kept} are kept for acks")
