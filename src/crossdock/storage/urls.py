"""From a URL to a store. A store's packages are imported when its URL asks for it."""

from crossdock.core.errors import InvalidArgument
from crossdock.core.model import Settings
from crossdock.core.policy import DEFAULTS

from .base import Store

_SQLITE = "sqlite:///"
_LOG = "log:///"


def open_store(url: str, defaults: Settings = DEFAULTS) -> Store:
    """A store for `url`, to be opened by its broker: `memory://`, `sqlite:///` and a file, or `log:///` and a folder.

    So `sqlite:///jobs.db` is a file in the working directory, and `sqlite:////var/lib/jobs.db` has an absolute path.
    `defaults` hold for queues without a setting of their own. Raises InvalidArgument.
    """
    if url == "memory://":
        from .memory import MemoryStore  # noqa: PLC0415

        return MemoryStore(defaults)
    if url.startswith("sqlite:"):
        path = url.removeprefix(_SQLITE)
        if path in ("", url) or path.startswith((":", "?")) or "\0" in path:
            raise InvalidArgument("store", url, "must name a file as in sqlite:///jobs.db or sqlite:////var/jobs.db")
        from .sqlite import SqliteStore  # noqa: PLC0415

        return SqliteStore(path, defaults)
    if url.startswith("log:"):
        path = url.removeprefix(_LOG)
        if path in ("", url) or path.startswith("?") or "\0" in path:
            raise InvalidArgument("store", url, "must name a folder as in log:///jobs or log:////var/jobs")
        from .log import LogStore  # noqa: PLC0415

        return LogStore(path, defaults)
    scheme = url.partition(":")[0]
    raise InvalidArgument("store", url, f"must begin with memory://, sqlite:/// or log:///, not {scheme}:")
