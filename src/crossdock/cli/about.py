"""version and migrate."""

import platform
from typing import Annotated

from crossdock import __version__
from crossdock.broker.broker import Broker
from crossdock.broker.runtime import AsyncRuntime
from crossdock.config.config import DEFAULT_STORE
from crossdock.storage.urls import open_store

from .options import Printed, option
from .output import OK, Output


def version(*, output: Printed = None) -> int:
    """Print the versions of crossdock and Python."""
    Output(output).one({"crossdock": __version__, "python": platform.python_version()})
    return OK


async def migrate(
    *,
    store: Annotated[str, option("STORE", f"Store to bring up to date. Default: {DEFAULT_STORE}")] = DEFAULT_STORE,
    output: Printed = None,
) -> int:
    """Bring a store to the format of this version, and check it. A server does so too when it starts."""
    broker = Broker(open_store(store), AsyncRuntime())
    await broker.open()
    await broker.close()
    Output(output).one({"store": store, "up_to_date": True})
    return OK
