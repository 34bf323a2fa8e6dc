"""Every line of the Mini contract's sections Semantics, HTTP and Metrics, through a real socket, on each store.

The docstrings name the line. `config.yml` has its tests in tests/config, gRPC its own.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from crossdock.storage.base import Store
from crossdock.storage.memory import MemoryStore
from http_door import CONSUMER, GROUP, HttpDoor

HOUR, DAY = 3_600_000, 86_400_000


@pytest.fixture
async def mq(store: Store) -> AsyncIterator[HttpDoor]:
    async with HttpDoor(store) as door:
        await door.create()
        yield door


# Semantics


async def test_every_group_receives_every_message_once(mq: HttpDoor) -> None:
    """Every group receives every message once; inside a group one consumer holds a message at a time."""
    first = await mq.enqueue("a")
    one, two = await mq.take(group="g1"), await mq.take(group="g2")
    assert one["id"] == two["id"] == first
    assert (await mq.dequeue(group="g1")).status_code == 409
    assert (await mq.settle("ack", one, group="g1")).status_code == 200
    assert (await mq.dequeue(group="g1")).status_code == 204
    assert (await mq.dequeue(group="g2")).status_code == 409


async def test_group_exists_from_the_first_dequeue_and_starts_with_every_stored_message(mq: HttpDoor) -> None:
    """A group exists from the first dequeue that names it, and starts with every message (late groups included)."""
    for message in ("a", "b", "c"):
        await mq.enqueue(message)
    await mq.take(group="early")
    late = [(await mq.take(group="late"))["payload"] for _ in range(3)]
    assert late == ["a", "b", "c"]
    assert (await mq.get("q/stats")).json()["stats"]["groups"].keys() == {"early", "late"}


async def test_lease_has_a_fresh_receipt_and_ends(mq: HttpDoor) -> None:
    """A dequeued message is leased to consumer_id with a fresh opaque receipt; available again when it ends."""
    await mq.enqueue("a")
    first = await mq.take()
    (seen,) = (await mq.post("q/browse", {"group": GROUP})).json()["messages"]
    assert seen["state"] == "leased"
    assert seen["consumer_id"] == CONSUMER
    mq.clock.advance(2999)
    assert (await mq.dequeue()).status_code == 409
    mq.clock.advance(1)
    second = await mq.take()
    assert second["id"] == first["id"]
    assert second["receipt"] != first["receipt"]
    assert second["attempt"] == 2


@pytest.mark.parametrize("verb", ["ack", "nack", "renew", "reject"])
async def test_stale_receipt_changes_nothing(mq: HttpDoor, verb: str) -> None:
    """Ack, nack and renew need the current receipt: a stale one changes nothing. (F1)"""
    await mq.enqueue("a")
    stale = await mq.take()
    mq.clock.advance(3000)
    current = await mq.take()
    options = {"extend_sec": 60} if verb == "renew" else {}
    assert (await mq.settle(verb, stale, **options)).status_code == 409
    assert (await mq.settle("ack", current)).status_code == 200


async def test_nack_backs_off_exponentially_with_jitter(mq: HttpDoor) -> None:
    """Nack: next delivery after retry-interval * 2^(attempt-1) plus jitter."""
    await mq.create("b", backoff="10s", max_attempts=0)
    await mq.enqueue("a", queue="b")
    for attempt in range(1, 5):
        message = await mq.take("b")
        assert message["attempt"] == attempt
        assert (await mq.settle("nack", message, queue="b")).status_code == 200
        delay = 10_000 * 2 ** (attempt - 1)
        mq.clock.advance(delay - 1)
        assert (await mq.dequeue("b")).status_code == 204
        mq.clock.advance(delay // 10 + 1)


async def test_backoff_is_capped_at_a_day(mq: HttpDoor) -> None:
    """... capped at 24 h."""
    await mq.create("b", backoff="20h", max_attempts=0)
    await mq.enqueue("a", queue="b")
    await mq.settle("nack", await mq.take("b"), queue="b", delay=0)
    await mq.settle("nack", await mq.take("b"), queue="b")
    mq.clock.advance(DAY - 1)
    assert (await mq.dequeue("b")).status_code == 204
    mq.clock.advance(DAY // 10 + 1)
    assert (await mq.take("b"))["attempt"] == 3


async def test_dead_letter_after_max_retry_keeps_reason_and_group(mq: HttpDoor) -> None:
    """After max-retry deliveries it moves to the dead-letter queue with reason and group; other groups keep theirs."""
    message_id = await mq.enqueue({"n": 1})
    await mq.take(group="other")
    for _ in range(3):
        await mq.settle("nack", await mq.take(), delay=0, error="boom")
    assert (await mq.dequeue()).status_code == 204
    (letter,) = (await mq.get("q/dlq")).json()["messages"]
    assert letter["id"] == message_id
    assert letter["payload"] == {"n": 1}
    assert letter["reason"] == "attempts"
    assert letter["failed_group"] == GROUP
    assert letter["origin_queue"] == "q"
    assert letter["attempts"] == 3
    assert letter["error"] == "boom"
    mq.clock.advance(3000)
    assert (await mq.take(group="other"))["id"] == message_id


async def test_peek_shows_the_next_message_without_lease_or_effect(mq: HttpDoor) -> None:
    """Peek shows the next message a group would get, without lease or effect."""
    await mq.enqueue("second", priority=1)
    first = await mq.enqueue("first")
    before = (await mq.get("q/stats")).json()
    for _ in range(2):
        assert (await mq.post("q/peek", {"group": GROUP})).json()["message"]["id"] == first
    assert (await mq.get("q/stats")).json() == before
    assert (await mq.take())["attempt"] == 1


async def test_renew_extends_only_a_valid_lease(mq: HttpDoor) -> None:
    """Renew extends a lease only while it is valid."""
    await mq.enqueue("a")
    message = await mq.take()
    mq.clock.advance(2999)
    assert (await mq.settle("renew", message, extend_sec=10)).json() == {"status": "renewed"}
    mq.clock.advance(9999)
    assert (await mq.dequeue()).status_code == 409
    mq.clock.advance(1)
    expired = await mq.settle("renew", message, extend_sec=10)
    assert (expired.status_code, expired.json()) == (409, {"status": "lease expired"})


# HTTP


async def test_default_lease_is_three_seconds_and_queue_and_request_overrule_it(mq: HttpDoor) -> None:
    """Mini 3 s: each door has its own default, the queue's setting overrides it, the request overrides both."""
    await mq.create("b", lease="7s")
    for queue, options, lease in (("q", {}, 3000), ("b", {}, 7000), ("b", {"lease": "1m30s"}, 90_000)):
        await mq.enqueue("a", queue=queue)
        assert (await mq.take(queue, **options))["lease_until"] == mq.clock.now() + lease


async def test_health(mq: HttpDoor) -> None:
    """GET /health: 200 {"status":"ok"}; GET /healthz: always plain `ok`."""
    health = await mq.client.get("/health")
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    plain = await mq.client.get("/healthz")
    assert (plain.status_code, plain.text) == (200, "ok")


async def test_create(mq: HttpDoor) -> None:
    """POST create: 201 {"status":"created"}; creating again is not an error."""
    for _ in range(2):
        response = await mq.post("fresh/create")
        assert (response.status_code, response.json()) == (201, {"status": "created"})


async def test_delete(mq: HttpDoor) -> None:
    """DELETE delete: 200 {"status":"deleted"}; 404 unknown queue."""
    response = await mq.call("DELETE", "q/delete")
    assert (response.status_code, response.json()) == (200, {"status": "deleted"})
    assert (await mq.call("DELETE", "q/delete")).status_code == 404


@pytest.mark.parametrize("message", [None, True, 0, -1.5e300, "", "naïve ☃", [], [1, [2]], {}, {"a": {"b": None}}])
async def test_enqueue_echoes_and_delivers_any_json(mq: HttpDoor, message: object) -> None:
    """POST enqueue {"message": <any JSON>}: 202 {"status":"enqueued","message":<echo>}."""
    response = await mq.post("q/enqueue", {"message": message})
    assert (response.status_code, response.json()) == (202, {"status": "enqueued", "message": message})
    assert (await mq.take())["payload"] == message


async def test_enqueue_refuses_malformed_and_unknown(mq: HttpDoor) -> None:
    """POST enqueue: 400 malformed; 404 unknown queue."""
    malformed = await mq.client.post("/api/v1/q/enqueue", content=b'{"message":')
    assert malformed.status_code == 400
    assert malformed.json()["error"] == "body must be valid JSON"
    unknown = await mq.post("nowhere/enqueue", {"message": 1})
    assert (unknown.status_code, unknown.json()["error"]) == (404, "queue 'nowhere' does not exist")


async def test_dequeue(mq: HttpDoor) -> None:
    """POST dequeue: 200 {"status":"dequeued","message":{"id","receipt","payload"}}."""
    message_id = await mq.enqueue({"order": 42})
    body = (await mq.dequeue()).json()
    assert body.keys() == {"status", "message"}
    assert body["status"] == "dequeued"
    assert body["message"]["id"] == message_id
    assert isinstance(body["message"]["receipt"], str)
    assert body["message"]["payload"] == {"order": 42}


@pytest.mark.parametrize("missing", ["group", "consumer_id"])
async def test_dequeue_requires_group_and_consumer(mq: HttpDoor, missing: str) -> None:
    """POST dequeue {"group","consumer_id"}: both required."""
    request = {"group": GROUP, "consumer_id": CONSUMER}
    del request[missing]
    response = await mq.post("q/dequeue", request)
    assert (response.status_code, response.json()["error"]) == (400, f"{missing} is required")


async def test_dequeue_of_nothing(mq: HttpDoor) -> None:
    """POST dequeue: 204 empty; 409 when messages exist but every one is leased; 404 unknown queue."""
    empty = await mq.dequeue()
    assert (empty.status_code, empty.content) == (204, b"")
    await mq.enqueue("a")
    await mq.take()
    contended = await mq.dequeue()
    assert (contended.status_code, contended.json()) == (409, {"status": "message is being processed"})
    assert (await mq.dequeue("nowhere")).status_code == 404


async def test_dequeue_is_empty_when_messages_are_only_delayed(mq: HttpDoor) -> None:
    """204 empty: a message that is not due is not being processed."""
    await mq.enqueue("a", delay="5s")
    assert (await mq.dequeue()).status_code == 204


@pytest.mark.parametrize("verb", ["ack", "nack"])
async def test_ack_and_nack(mq: HttpDoor, verb: str) -> None:
    """POST ack, nack: 200 {"status":"<verb> ok"}; 409 lease no longer held; 404 unknown message."""
    await mq.enqueue("a")
    await mq.take(group="other")
    message = await mq.take()
    done = await mq.settle(verb, message)
    assert (done.status_code, done.json()) == (200, {"status": f"{verb} ok"})
    again = await mq.settle(verb, message)
    assert (again.status_code, again.json()["code"]) == (409, "lease_lost")
    unknown = await mq.settle(verb, {"id": 999, "receipt": message["receipt"]})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "message_not_found")


@pytest.mark.parametrize("verb", ["ack", "nack"])
@pytest.mark.parametrize("receipt", ["", "bogus", "1.1", "1.1.1.1", "ffffffffffffffff.1.1", "2.1.1", "another epoch"])
async def test_receipt_of_no_delivery_is_not_held(mq: HttpDoor, verb: str, receipt: str) -> None:
    """409 lease no longer held: the receipt is opaque, so any other text is a stale one."""
    message_id = await mq.enqueue("a")
    message = await mq.take()
    if receipt == "another epoch":
        number, epoch, generation = message["receipt"].split(".")
        receipt = f"{number}.{int(epoch, 16) + 1:x}.{generation}"
    assert (await mq.settle(verb, {"id": message_id, "receipt": receipt})).status_code == 409
    assert (await mq.settle("ack", message)).status_code == 200


async def test_receipt_of_another_message_is_not_held(mq: HttpDoor) -> None:
    """Ack needs the current receipt of that message."""
    await mq.enqueue("a")
    await mq.enqueue("b")
    one, two = await mq.take(), await mq.take()
    assert (await mq.settle("ack", {"id": one["id"], "receipt": two["receipt"]})).status_code == 409
    assert (await mq.status())["inflight_messages"] == 2


async def test_peek(mq: HttpDoor) -> None:
    """POST peek {"group"}: 200 {"status":"ok","message":{"id","receipt":"","payload"}}; 204 empty."""
    assert (await mq.post("q/peek", {"group": GROUP})).status_code == 204
    message_id = await mq.enqueue([1])
    response = await mq.post("q/peek", {"group": GROUP})
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "message": {"id": message_id, "receipt": "", "payload": [1]}}


async def test_renew(mq: HttpDoor) -> None:
    """POST renew {"group","message_id","receipt","extend_sec"}: 200 renewed; 409 {"status":"lease expired"}."""
    await mq.enqueue("a")
    message = await mq.take()
    renewed = await mq.settle("renew", message, extend_sec=10)
    assert (renewed.status_code, renewed.json()) == (200, {"status": "renewed"})
    mq.clock.advance(10_000)
    expired = await mq.settle("renew", message, extend_sec=10)
    assert (expired.status_code, expired.json()) == (409, {"status": "lease expired"})


async def test_status(mq: HttpDoor, store: Store) -> None:
    """GET status: {"status":"ok","queue_status":{queue_type, total, acked, inflight, dlq}}; 404 unknown queue."""
    for message in range(3):
        await mq.enqueue(message)
    await mq.settle("ack", await mq.take())
    await mq.settle("reject", await mq.take())
    await mq.take()
    response = await mq.get("q/status")
    assert response.status_code == 200
    expected = {
        "queue_type": "memory" if isinstance(store, MemoryStore) else "file",
        "total_messages": 1,
        "acked_messages": 1,
        "inflight_messages": 1,
        "dlq_messages": 1,
    }
    assert response.json() == {"status": "ok", "queue_status": expected}
    assert (await mq.get("nowhere/status")).status_code == 404


PROTECTED = ["create", "enqueue", "dequeue", "ack", "nack", "renew", "enqueue/batch", "dlq/redrive", "dlq/delete"]


async def test_starred_routes_need_the_key(store: Store) -> None:
    """`*` needs header X-API-Key; 401 {"error":"Unauthorized"}. Peek, status, health and metrics do not."""
    async with HttpDoor(store, api_key="s3cret") as mq:
        for key in ({}, {"x-api-key": "wrong"}, {"x-api-key": ""}, {"x-api-key": "s3cret "[:-2]}):
            for route in PROTECTED:
                response = await mq.post(f"q/{route}", {}, headers=key)
                assert (response.status_code, response.json()) == (401, {"error": "Unauthorized"}), route
            assert (await mq.call("DELETE", "q/delete", headers=key)).status_code == 401
        key = {"x-api-key": "s3cret"}
        assert (await mq.post("q/create", headers=key)).status_code == 201
        assert (await mq.post("q/enqueue", {"message": 1}, headers=key)).status_code == 202
        assert (await mq.post("q/peek", {"group": GROUP})).status_code == 200
        assert (await mq.get("q/status")).status_code == 200
        for path in ("/health", "/healthz", "/metrics", "/openapi.json", "/docs"):
            assert (await mq.client.get(path)).status_code == 200, path


@pytest.mark.parametrize("path", ["/health", "/api/v1/q/status", "/api/v1/nowhere/status", "/no/such/route"])
async def test_request_id_is_the_callers_or_generated(mq: HttpDoor, path: str) -> None:
    """Every response carries X-Request-ID, the caller's or a generated one."""
    given = await mq.client.get(path, headers={"x-request-id": "abc-1 2/3"})
    assert given.headers["x-request-id"] == "abc-1 2/3"
    made = {(await mq.client.get(path)).headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3
    for insane in ("x" * 129, "ümlaut".encode(), "tab\there"):
        response = await mq.client.get(path, headers={"x-request-id": insane})
        assert response.headers["x-request-id"] not in (insane, "")
        assert len(response.headers["x-request-id"]) < 30


async def test_over_the_rate_limit(store: Store) -> None:
    """Over the rate limit: 429 {"error":"Too many requests"}; the bucket fills again."""
    async with HttpDoor(store, rate=1) as mq:
        await mq.create()
        assert (await mq.get("q/status")).status_code == 200
        refused = await mq.get("q/status")
        assert (refused.status_code, refused.json()) == (429, {"error": "Too many requests"})
        assert refused.headers["retry-after"] == "1"
        assert (await mq.client.get("/health")).status_code == 200
        mq.clock.advance(1000)
        assert (await mq.get("q/status")).status_code == 200


# Also offered


async def test_delay(mq: HttpDoor) -> None:
    """`delay` (Go duration) on enqueue."""
    await mq.enqueue("late", delay="1m30s")
    mq.clock.advance(89_999)
    assert (await mq.dequeue()).status_code == 204
    mq.clock.advance(1)
    assert (await mq.take())["payload"] == "late"


async def test_deduplication(mq: HttpDoor) -> None:
    """`deduplication_id` (window 1 h): 409 {"error":"duplicate message","id":<the first one's>}."""
    first = await mq.enqueue("a", deduplication_id="order-1")
    await mq.settle("ack", await mq.take())
    mq.clock.advance(HOUR - 1)
    duplicate = await mq.post("q/enqueue", {"message": "a", "deduplication_id": "order-1"})
    assert (duplicate.status_code, duplicate.json()) == (409, {"error": "duplicate message", "id": first})
    other = await mq.post("q/enqueue", {"message": "b", "deduplication_id": "order-1"})
    assert (other.status_code, other.json()["code"]) == (409, "dedup_conflict")
    mq.clock.advance(1)
    assert await mq.enqueue("a", deduplication_id="order-1") != first


async def test_batch_partial_success(mq: HttpDoor) -> None:
    """POST enqueue/batch partialSuccess: the others are stored; a duplicate is one of failed_messages."""
    await mq.enqueue("seen", deduplication_id="d")
    messages = [
        {"message": 0},
        {"message": 1, "delay": "soon"},
        {"message": "seen", "deduplication_id": "d"},
        {"message": 3, "delay": "5s"},
    ]
    response = await mq.post("q/enqueue/batch", {"mode": "partialSuccess", "messages": messages})
    body = response.json()
    assert response.status_code == 202
    assert body.keys() == {"status", "success_count", "failure_count", "failed_messages"}
    assert (body["status"], body["success_count"], body["failure_count"]) == ("enqueued", 2, 2)
    bad, duplicate = body["failed_messages"]
    assert bad == {"index": 1, "message": 1, "error": bad["error"]}
    assert bad["error"].startswith("delay must be a duration")
    assert duplicate == {"index": 2, "message": "seen", "error": "duplicate message"}
    assert (await mq.status())["total_messages"] == 3


@pytest.mark.parametrize("second", [{"message": 1, "ttl": "never"}, {"message": "seen", "deduplication_id": "d"}])
async def test_batch_stop_on_failure(mq: HttpDoor, second: dict[str, object]) -> None:
    """POST enqueue/batch stopOnFailure: what comes after the first failure is not tried."""
    await mq.enqueue("seen", deduplication_id="d")
    messages = [{"message": 0}, second, {"message": 2}]
    body = (await mq.post("q/enqueue/batch", {"mode": "stopOnFailure", "messages": messages})).json()
    assert (body["success_count"], body["failure_count"]) == (1, 1)
    assert [failed["index"] for failed in body["failed_messages"]] == [1]
    assert (await mq.status())["total_messages"] == 2


@pytest.mark.parametrize("mode", ["partialSuccess", "stopOnFailure"])
async def test_batch_without_failure(mq: HttpDoor, mode: str) -> None:
    """POST enqueue/batch: 202 {"status":"enqueued","success_count","failure_count","failed_messages":[]}."""
    messages = [{"message": number} for number in range(100)]
    body = (await mq.post("q/enqueue/batch", {"mode": mode, "messages": messages})).json()
    assert body == {"status": "enqueued", "success_count": 100, "failure_count": 0, "failed_messages": []}
    assert (await mq.post("nowhere/enqueue/batch", {"mode": mode, "messages": messages})).status_code == 404


async def test_peek_options(mq: HttpDoor) -> None:
    """peek `options {limit<=100, cursor, order asc|desc, preview}`: `messages: [...]`, each with inserted_at."""
    ids = [await mq.enqueue(f"message {number}") for number in range(5)]

    async def peek(**options: object) -> list[dict[str, object]]:
        response = await mq.post("q/peek", {"group": GROUP, "options": options})
        body = response.json()
        assert (response.status_code, body["status"]) == (200, "ok")
        found: list[dict[str, object]] = body["messages"]
        return found

    everything = await peek()
    assert [each["id"] for each in everything] == ids
    assert all(each["inserted_at"] == "2023-11-14T22:13:20.000Z" and each["receipt"] == "" for each in everything)
    assert [each["id"] for each in await peek(limit=2, cursor=ids[1])] == ids[2:4]
    assert [each["id"] for each in await peek(order="desc", limit=2)] == [ids[4], ids[3]]
    assert [each["id"] for each in await peek(order="desc", cursor=ids[1])] == [ids[0]]
    await mq.enqueue({"text": "x" * 500})
    assert (await peek(preview=True, cursor=ids[4]))[0]["payload"] == '{"text":"' + "x" * 52 + "..."
    assert (await mq.post("q/peek", {"group": GROUP, "options": {"limit": 101}})).status_code == 400


async def test_status_of_all(mq: HttpDoor) -> None:
    """GET status/all: {"status":"ok","all_queue_map":{name: queue_status}}."""
    await mq.create("other")
    await mq.enqueue("a")
    body = (await mq.get("status/all")).json()
    assert body["status"] == "ok"
    assert body["all_queue_map"] == {"q": await mq.status("q"), "other": await mq.status("other")}


async def test_one_message(mq: HttpDoor) -> None:
    """GET queues/{queue}/messages/{id}; 404 unknown message."""
    message_id = await mq.enqueue({"a": 1}, headers={"k": "v"}, priority=2)
    body = (await mq.get(f"queues/q/messages/{message_id}")).json()
    assert body["status"] == "ok"
    assert body["message"]["payload"] == {"a": 1}
    assert body["message"]["headers"] == {"k": "v"}
    assert body["message"]["priority"] == 2
    assert (await mq.get("queues/q/messages/999")).status_code == 404
    assert (await mq.get("queues/nowhere/messages/1")).status_code == 404


async def test_dead_letters(mq: HttpDoor) -> None:
    """GET dlq, GET dlq/{id}, POST dlq/redrive and dlq/delete {"message_ids":[...]} (all of them when empty)."""
    assert (await mq.get("q/dlq")).json() == {"status": "ok", "messages": []}
    assert (await mq.get("q/dlq/1")).status_code == 404
    assert (await mq.post("q/dlq/redrive", {"message_ids": []})).json() == {"status": "redriven", "count": 0}
    ids = [await mq.enqueue(number) for number in range(5)]
    for _ in ids:
        await mq.settle("reject", await mq.take(), error="bad")
    assert [each["id"] for each in (await mq.get("q/dlq")).json()["messages"]] == ids
    page = (await mq.get("q/dlq", params={"limit": 2, "cursor": ids[1], "order": "asc"})).json()["messages"]
    assert [each["id"] for each in page] == ids[2:4]
    letter = (await mq.get(f"q/dlq/{ids[0]}")).json()["message"]
    assert (letter["payload"], letter["reason"], letter["error"]) == (0, "rejected", "bad")
    redriven = await mq.post("q/dlq/redrive", {"message_ids": [ids[0]]})
    assert redriven.json() == {"status": "redriven", "count": 1}
    assert (await mq.take())["id"] == ids[0]
    assert (await mq.post("q/dlq/delete", {"message_ids": [ids[1]]})).json() == {"status": "deleted", "count": 1}
    assert (await mq.post("q/dlq/redrive", {"message_ids": []})).json()["count"] == 3
    assert (await mq.post("q/dlq/delete", {"message_ids": []})).json()["count"] == 0
    for path in ("nowhere/dlq", "nowhere/dlq/1"):
        assert (await mq.get(path)).status_code == 404


async def test_dead_letters_delete_all(mq: HttpDoor) -> None:
    """POST dlq/delete: all of them when empty."""
    for number in range(3):
        await mq.enqueue(number)
        await mq.settle("reject", await mq.take())
    assert (await mq.post("q/dlq/delete", {})).json() == {"status": "deleted", "count": 3}
    assert (await mq.status())["dlq_messages"] == 0


# Crossdock's own extensions


async def test_enqueue_takes_priority_ttl_ordering_key_and_headers(mq: HttpDoor) -> None:
    """enqueue also takes priority, ttl, ordering_key, headers."""
    await mq.enqueue("later", priority=5)
    await mq.enqueue("brief", ttl="10s", headers={"trace": "1"})
    await mq.enqueue("k1", ordering_key="k", priority=-1)
    await mq.enqueue("k2", ordering_key="k", priority=-1)
    first, second = await mq.take(), await mq.take()
    assert (first["payload"], first["ordering_key"], first["priority"]) == ("k1", "k", -1)
    assert (second["payload"], second["headers"]) == ("brief", {"trace": "1"})
    assert second["expires_at"] == mq.clock.now() + 10_000
    mq.clock.advance(10_000)
    left = [(await mq.take())["payload"] for _ in range(2)]
    assert left == ["k1", "later"]


async def test_dequeue_takes_limit_and_lease(mq: HttpDoor) -> None:
    """dequeue also takes limit, lease; with `limit` the answer holds `messages`."""
    for number in range(5):
        await mq.enqueue(number)
    body = (await mq.dequeue(limit=3, lease=60)).json()
    assert body.keys() == {"status", "messages"}
    assert [each["payload"] for each in body["messages"]] == [0, 1, 2]
    assert body["messages"][0]["lease_until"] == mq.clock.now() + 60_000
    assert body["messages"][0]["enqueued_at"] == mq.clock.now()
    assert len((await mq.dequeue(limit=1)).json()["messages"]) == 1


async def test_dequeue_waits(mq: HttpDoor) -> None:
    """dequeue also takes wait: the answer comes with the message."""
    waiting = asyncio.create_task(mq.dequeue(wait="20s"))
    await mq.until_waiting()
    await mq.enqueue("a")
    response = await waiting
    assert response.json()["message"]["payload"] == "a"


async def test_batch_ack_nack_reject_renew(mq: HttpDoor) -> None:
    """batch ack/nack/renew: several {message_id, receipt}, with a result for each."""
    for number in range(6):
        await mq.enqueue(number)
    taken = (await mq.dequeue(limit=6)).json()["messages"]
    refs = [{"message_id": each["id"], "receipt": each["receipt"]} for each in taken]
    renewed = await mq.post("q/renew/batch", {"group": GROUP, "messages": refs, "extend_sec": 60})
    assert renewed.json() == {"status": "renewed", "success_count": 6, "failure_count": 0, "failed_messages": []}
    mq.clock.advance(59_000)
    bad = [{"message_id": refs[1]["message_id"], "receipt": refs[0]["receipt"]}, {"message_id": 99, "receipt": "x"}]
    acked = (await mq.post("q/ack/batch", {"group": GROUP, "messages": [bad[0], refs[0], bad[1], refs[1]]})).json()
    assert (acked["status"], acked["success_count"], acked["failure_count"]) == ("ack ok", 2, 2)
    failed = [(each["index"], each["message_id"], each["code"]) for each in acked["failed_messages"]]
    assert failed == [(0, refs[1]["message_id"], "lease_lost"), (2, 99, "message_not_found")]
    nacked = await mq.post("q/nack/batch", {"group": GROUP, "messages": refs[2:4], "delay": "1h", "error": "later"})
    assert (nacked.json()["status"], nacked.json()["success_count"]) == ("nack ok", 2)
    rejected = await mq.post("q/reject/batch", {"group": GROUP, "messages": refs[4:], "error": "never"})
    assert (rejected.json()["status"], rejected.json()["success_count"]) == ("reject ok", 2)
    status = await mq.status()
    assert (status["acked_messages"], status["inflight_messages"], status["dlq_messages"]) == (2, 0, 2)


async def test_create_takes_settings_and_kind(mq: HttpDoor) -> None:
    """create also takes the queue's settings and `kind: queue|topic`."""
    await mq.create("t", kind="topic", lease="1m30s", max_attempts=7, dedup_window=0.25, dead_letter="")
    shown = (await mq.get("t/settings")).json()
    expected = {"kind": "topic", "lease": "1m30s", "max_attempts": 7, "dedup_window": "250ms", "dead_letter": ""}
    assert shown == {"status": "ok", "settings": expected}
    await mq.enqueue("kept by nobody", queue="t")
    assert (await mq.dequeue("t")).status_code == 204
    await mq.enqueue("kept", queue="t")
    assert (await mq.take("t"))["payload"] == "kept"


async def test_openapi_and_docs(mq: HttpDoor) -> None:
    """OpenAPI 3.1 at /openapi.json, browsable docs at /docs."""
    document = (await mq.client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/{queue}/enqueue" in document["paths"]
    page = await mq.client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")


# Metrics


async def test_metrics(mq: HttpDoor) -> None:
    """Counters mq_*_total and gauges mq_*_messages; label `queue`. GET /metrics: Prometheus text."""
    for number in range(4):
        await mq.enqueue(number)
    await mq.settle("ack", await mq.take())
    await mq.settle("nack", await mq.take())
    await mq.settle("reject", await mq.take())
    await mq.take()
    response = await mq.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = set(response.text.splitlines())
    expected = {
        ("mq_enqueue_total", "counter"): 4,
        ("mq_dequeue_total", "counter"): 4,
        ("mq_ack_total", "counter"): 1,
        ("mq_nack_total", "counter"): 1,
        ("mq_total_messages", "gauge"): 2,
        ("mq_in_flight_messages", "gauge"): 1,
        ("mq_dlq_messages", "gauge"): 1,
    }
    for (name, kind), value in expected.items():
        assert f"# TYPE {name} {kind}" in lines
        assert f'{name}{{queue="q"}} {value}.0' in lines
