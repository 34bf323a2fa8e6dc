"""Who may do what where. Checked in the broker, so that no door can forget it."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from crossdock.core.errors import AccessDenied, QueueNotFound

Permission = Literal["send", "receive", "manage", "read"]
"""send; receive and settle; create, change, delete, purge, redrive; look (peek, stats, list)."""

EVERYTHING: frozenset[Permission] = frozenset({"send", "receive", "manage", "read"})


class Principal(Struct, frozen=True):
    """A caller, and its permissions by namespace; the namespace `*` stands for all."""

    name: str
    grants: Mapping[str, frozenset[Permission]]

    def permissions(self, namespace: str) -> frozenset[Permission]:
        """What the principal may do in `namespace`."""
        return self.grants.get(namespace, frozenset()) | self.grants.get("*", frozenset())


LOCAL = Principal("local", {"*": EVERYTHING})
"""The embedding program itself: may do everything."""


def check_access(who: Principal, namespace: str, queue: str, permission: Permission) -> None:
    """Raise AccessDenied without the permission; QueueNotFound in a namespace where the caller may do nothing.

    A foreign queue answers as a missing one does, so that names do not leak.
    """
    if who is LOCAL:
        return
    granted = who.permissions(namespace)
    if permission in granted:
        return
    if not granted:
        raise QueueNotFound(queue)
    raise AccessDenied(f"{who.name} may not {permission} in namespace {namespace!r}")
