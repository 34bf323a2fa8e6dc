"""The members of groups on a server that one transport has."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from crossdock.core.model import Receipt

from .remote_member import RemoteMember


class RemoteMembers:
    """Tells them of answers, and closes them together."""

    def __init__(self) -> None:
        self._members: set[RemoteMember] = set()

    def add(self, member: RemoteMember) -> None:
        """Keep a member until `discard`."""
        self._members.add(member)

    def discard(self, member: RemoteMember) -> None:
        """Forget a member that is closed."""
        self._members.discard(member)

    def answered(self, receipts: Sequence[Receipt]) -> None:
        """These receipts were answered, whatever came of it."""
        for member in self._members:
            member.answered(receipts)

    async def close(self, grace: int) -> None:
        """Close all. They have up to `grace` ms to answer what they were given, before it is given back."""
        if grace:
            for member in tuple(self._members):
                await member.end()
            with suppress(TimeoutError):
                async with asyncio.timeout(grace / 1000):
                    for member in tuple(self._members):
                        await member.drained()
        for member in tuple(self._members):
            await member.close()
