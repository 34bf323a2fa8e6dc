"""S1: every verb with every permission, in the caller's namespace and in a foreign one, which answers as if missing."""

from collections.abc import Awaitable, Callable

import pytest

from crossdock.broker import Broker
from crossdock.broker.access import EVERYTHING, LOCAL, Permission, Principal
from crossdock.core.errors import AccessDenied, CrossdockError, QueueNotFound
from crossdock.core.model import Address, Message, Receipt, Settings
from desk import bodies, send

GONE = Receipt(10**6, 1, 1)
OWN: Address = ("own", "q")
FOREIGN: Address = ("foreign", "q")
MISSING: Address = ("foreign", "missing")

Verb = Callable[[Broker, Address, Principal], Awaitable[object]]

VERBS: dict[str, tuple[Permission, Verb]] = {
    "send": ("send", lambda broker, at, who: broker.send(at, [Message(b"x")], who)),
    "receive": ("receive", lambda broker, at, who: broker.receive(at, who=who)),
    "receive waiting": ("receive", lambda broker, at, who: broker.receive(at, wait=1_000, who=who)),
    "ack": ("receive", lambda broker, at, who: broker.ack(at, "default", [GONE], who)),
    "nack": ("receive", lambda broker, at, who: broker.nack(at, "default", [GONE], who=who)),
    "reject": ("receive", lambda broker, at, who: broker.reject(at, "default", [GONE], who=who)),
    "extend": ("receive", lambda broker, at, who: broker.extend(at, "default", [GONE], 1_000, who)),
    "create_group": ("receive", lambda broker, at, who: broker.create_group(at, "g", who)),
    "delete_group": ("manage", lambda broker, at, who: broker.delete_group(at, "g", who)),
    "create_queue": ("manage", lambda broker, at, who: broker.create_queue(at, who=who)),
    "update_queue": ("manage", lambda broker, at, who: broker.update_queue(at, Settings(), who)),
    "delete_messages": ("manage", lambda broker, at, who: broker.delete_messages(at, who=who)),
    "redrive": ("manage", lambda broker, at, who: broker.redrive(at, who=who)),
    "delete_queue": ("manage", lambda broker, at, who: broker.delete_queue(at, who)),
    "queues": ("read", lambda broker, at, who: broker.queues(at[0], who)),
    "stats": ("read", lambda broker, at, who: broker.stats(at, who)),
    "peek": ("read", lambda broker, at, who: broker.peek(at, who=who)),
    "browse": ("read", lambda broker, at, who: broker.browse(at, who=who)),
    "message": ("read", lambda broker, at, who: broker.message(at, 1, who)),
}

PRINCIPALS = {
    "nothing": Principal("nobody", {}),
    "empty": Principal("empty", {"own": frozenset()}),
    "read-only": Principal("reader", {"own": frozenset({"read"})}),
    "send-only": Principal("sender", {"own": frozenset({"send"})}),
    "worker": Principal("worker", {"own": frozenset({"receive"})}),
    "manager": Principal("manager", {"own": frozenset({"manage"})}),
    "owner": Principal("owner", {"own": EVERYTHING}),
    "sender and reader": Principal("mixed", {"own": frozenset({"send"}), "*": frozenset({"read"})}),
    "root": Principal("root", {"*": EVERYTHING}),
}


@pytest.fixture(autouse=True)
async def queues(broker: Broker) -> None:
    for at in (OWN, FOREIGN):
        await broker.create_queue(at)
        await send(broker, "secret", queue=at)


async def answer(verb: Verb, broker: Broker, at: Address, who: Principal) -> CrossdockError | None:
    """What kept the call out; None when the caller was let through, whatever came of it."""
    try:
        await verb(broker, at, who)
    except (AccessDenied, QueueNotFound) as error:
        return error
    except CrossdockError:
        return None
    return None


@pytest.mark.parametrize("name", VERBS)
@pytest.mark.parametrize("role", PRINCIPALS)
@pytest.mark.parametrize("at", [OWN, FOREIGN], ids=lambda at: at[0])
async def test_each_verb_asks_for_its_permission(broker: Broker, name: str, role: str, at: Address) -> None:
    permission, verb = VERBS[name]
    who = PRINCIPALS[role]
    granted = who.permissions(at[0])
    before = await broker.stats(FOREIGN), await broker.stats(OWN)
    error = await answer(verb, broker, at, who)
    if permission in granted:
        assert error is None
    elif granted:
        assert isinstance(error, AccessDenied)
        assert str(error) == f"{who.name} may not {permission} in namespace {at[0]!r}"
    else:
        assert isinstance(error, QueueNotFound)
    if error is not None:
        assert (await broker.stats(FOREIGN), await broker.stats(OWN)) == before


@pytest.mark.parametrize("name", VERBS)
@pytest.mark.parametrize("role", ["nothing", "empty", "read-only", "owner"])
async def test_a_foreign_queue_answers_as_a_missing_one(broker: Broker, name: str, role: str) -> None:
    _, verb = VERBS[name]
    foreign = await answer(verb, broker, FOREIGN, PRINCIPALS[role])
    missing = await answer(verb, broker, MISSING, PRINCIPALS[role])
    assert isinstance(foreign, QueueNotFound)
    assert isinstance(missing, QueueNotFound)
    assert foreign.code == missing.code
    assert str(foreign).replace("'q'", "'missing'") == str(missing)


async def test_a_bad_argument_does_not_tell_of_a_foreign_queue(broker: Broker) -> None:
    stranger = PRINCIPALS["owner"]
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: broker.send(FOREIGN, [], stranger),
        lambda: broker.receive(FOREIGN, limit=-1, who=stranger),
        lambda: broker.ack(FOREIGN, "default", [], stranger),
        lambda: broker.peek(FOREIGN, limit=0, who=stranger),
        lambda: broker.create_queue(("foreign", "bad name"), who=stranger),
    ]
    for call in calls:
        with pytest.raises(QueueNotFound):
            await call()


async def test_the_embedding_program_may_do_everything(broker: Broker) -> None:
    assert LOCAL.permissions("any") == EVERYTHING
    assert bodies(await broker.receive(FOREIGN)) == ["secret"]


async def test_a_receipt_of_another_namespace_opens_nothing(broker: Broker) -> None:
    (held,) = await broker.receive(FOREIGN)
    failures = await broker.ack(OWN, "default", [held], PRINCIPALS["owner"])
    assert {index: error.code for index, error in failures.items()} == {0: "message_not_found"}
    assert (await broker.stats(FOREIGN)).leased == 1
