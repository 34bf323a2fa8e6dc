"""Folders that files of a store lie in."""

import os
from pathlib import Path

_NETWORK_FILE_SYSTEMS = frozenset(
    {"afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"}
)
_MOUNTS = Path("/proc/mounts")


def make_folder(folder: Path) -> None:
    """Make the folder and its parents last: a file is only as durable as the path to it (F14)."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def network_file_system(folder: Path) -> str:
    """Which network file system a folder lies on, "" when on none that the system names as such."""
    if not _MOUNTS.exists():
        return ""
    place = folder.resolve()
    best, kind = "", ""
    for line in _MOUNTS.read_text(errors="replace").splitlines():
        _, mount, mount_kind = line.split(" ")[:3]
        mount = mount.replace("\\040", " ")
        if place.is_relative_to(mount) and len(mount) >= len(best):
            best, kind = mount, mount_kind
    return kind if kind in _NETWORK_FILE_SYSTEMS else ""
