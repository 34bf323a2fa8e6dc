"""The package as a reader meets it: what it exports, what it promises by name, and the example in its docstring."""

import doctest

import pytest

import crossdock
from crossdock import CrossdockError, InvalidArgument, aio


def test_exports_are_pinned() -> None:
    assert crossdock.__all__ == [
        "AccessDenied",
        "Connection",
        "CrossdockError",
        "DedupConflict",
        "Delivery",
        "InvalidArgument",
        "LeaseLost",
        "Message",
        "MessageExpired",
        "MessageNotFound",
        "Queue",
        "QueueClosed",
        "QueueFull",
        "QueueNotFound",
        "RateLimited",
        "Received",
        "Reject",
        "StoreFailed",
        "StoreUnavailable",
        "Subscription",
        "Topic",
        "Worker",
        "aio",
        "connect",
    ]
    assert aio.__all__ == ["Connection", "Delivery", "Queue", "Subscription", "Topic", "connect"]
    for module in (crossdock, aio):
        assert all(hasattr(module, name) for name in module.__all__)


def test_both_flavours_have_the_same_verbs() -> None:
    for name in ("Connection", "Delivery", "Queue", "Subscription", "Topic"):
        blocking, asynchronous = getattr(crossdock, name), getattr(aio, name)
        assert {n for n in dir(blocking) if n[0] != "_"} - {"run", "transport"} == {
            n for n in dir(asynchronous) if n[0] != "_"
        } - {"transport"}


def test_every_error_is_a_crossdock_error() -> None:
    errors = [getattr(crossdock, name) for name in crossdock.__all__]
    errors = [error for error in errors if isinstance(error, type) and issubclass(error, Exception)]
    errors.remove(crossdock.Reject)  # raised by handlers, never by crossdock
    assert len(errors) == 13
    assert all(issubclass(error, CrossdockError) for error in errors)


def test_the_example_in_the_docstring_runs() -> None:
    failed, tried = doctest.testmod(crossdock)
    assert (failed, tried) == (0, 2)


@pytest.mark.parametrize(
    "url", ["", "memory", "memory:", "memory://x", "redis://localhost", "sqlite://", "sqlite:///", "ftp://x", "jobs.db"]
)
@pytest.mark.parametrize("connect", [crossdock.connect, aio.connect], ids=["blocking", "asyncio"])
def test_an_unknown_url_is_refused(connect: object, url: str) -> None:
    with pytest.raises(InvalidArgument, match="store must") as caught:
        connect(url)  # type: ignore[operator]
    assert (caught.value.field, caught.value.value) == ("store", url)
