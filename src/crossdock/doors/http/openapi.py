"""The OpenAPI 3.1 document, made from the routes and their types."""

from collections.abc import Iterable, Sequence
from typing import Any, get_args

from msgspec import Struct
from msgspec.json import schema, schema_components

from crossdock.wire.json_api import Problem

from .answer import Answer, encode
from .operation import BYTES_MAX, Operation, public
from .request import Call

DESCRIPTION = """One message queue behind many doors.

A queue keeps a message until every consumer group is done with it. A dequeue leases it to one consumer of the group;
the `receipt` of the delivery acks, nacks or renews it until the lease ends. Durations are numbers of seconds or text
such as `"1m30s"`; points in time are milliseconds since the epoch. A message that is not JSON travels as base64 text
with `"encoding": "base64"`. Every response carries `X-Request-ID`."""

ERRORS = {
    400: "A value breaks a rule; the text names it",
    401: "The API key is missing or wrong",
    403: "Not allowed",
    404: "There is no such queue, message or group",
    409: "The lease is no longer held, or another body was sent under the deduplication id",
    413: "The body is too large",
    429: "Too many requests; `Retry-After` says when to come again",
    500: "A fault of the server; its log has the request id",
    503: "The server is stopping, or its store cannot answer",
    507: "The queue is full",
}
REF = "#/components/schemas/{name}"


class OpenApi:
    """The route that serves the document."""

    def __init__(self, version: str, secured: bool) -> None:
        self._version = version
        self._secured = secured
        self._answer: Answer | None = None
        self._described: Sequence[Operation] = ()

    def describe(self, operations: Sequence[Operation]) -> None:
        """Say what the document is about. It is made when first asked for."""
        self._described = operations

    def operations(self) -> list[Operation]:
        return [public("/openapi.json", self.document, "service", {200: "application/json"})]

    async def document(self, call: Call[None]) -> Answer:
        """The OpenAPI document of this API."""
        if self._answer is None:
            self._answer = Answer(200, encode(document(self._described, self._version, self._secured)))
        return self._answer


def document(operations: Sequence[Operation], version: str, secured: bool) -> dict[str, Any]:
    """The document as plain data."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.template, {})[operation.method.lower()] = _operation(operation, secured)
    _, schemas = schema_components(_types(operations), ref_template=REF)
    errors = {str(status): _answer(text, _content(Problem)) for status, text in ERRORS.items()}
    components: dict[str, Any] = {"schemas": schemas, "responses": errors}
    if secured:
        components["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "crossdock", "version": version, "description": DESCRIPTION},
        "servers": [{"url": "."}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": components,
    }


def _types(operations: Iterable[Operation]) -> list[Any]:
    """Every type that a request or an answer has."""
    found = [Problem]
    for operation in operations:
        for kind in (operation.request, *operation.responses.values()):
            if kind is not None and not isinstance(kind, str):
                found.extend(get_args(kind) or (kind,))
    return list(dict.fromkeys(found))


def _operation(operation: Operation, secured: bool) -> dict[str, Any]:
    summary, _, text = (operation.handle.__doc__ or "").strip().partition("\n")
    made: dict[str, Any] = {
        "operationId": f"{operation.method.lower()}_{operation.template.strip('/').replace('/', '_')}",
        "tags": [operation.tag],
        "summary": summary.removesuffix("."),
        "parameters": _parameters(operation),
        "responses": {str(status): _success(kind) for status, kind in operation.responses.items()},
    }
    if text.strip():
        made["description"] = " ".join(text.split())
    if operation.request is not None:
        made["requestBody"] = {"required": not operation.optional, "content": _content(operation.request)}
    if secured:
        made["security"] = [{"key": []}] if operation.protected else []
    for status in _errors(operation):
        made["responses"].setdefault(str(status), {"$ref": f"#/components/responses/{status}"})
    return made


def _errors(operation: Operation) -> Iterable[int]:
    """The errors that an operation may answer with."""
    yield 500
    if operation.limited:
        yield from (400, 429, 503)
    if operation.protected:
        yield from (401, 403)
    if "{queue}" in operation.template:
        yield 404
    if operation.request is not None:
        yield 413
    if operation.tag == "deliveries" or operation.bytes_max != BYTES_MAX:
        yield 409
    if operation.bytes_max != BYTES_MAX:
        yield 507


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, kind in (("queue", "string"), ("message_id", "integer")):
        if f"{{{name}}}" in operation.template:
            found.append({"name": name, "in": "path", "required": True, "schema": {"type": kind}})
    if operation.query is not None:
        (described,) = schema(operation.query)["$defs"].values()
        for name, shape in described["properties"].items():
            found.append({"name": name, "in": "query", "required": False, "schema": shape})
    return found


def _success(kind: Any) -> dict[str, Any]:
    if kind is None:
        return {"description": "There is nothing"}
    if isinstance(kind, str):
        return _answer("Text", {kind: {"schema": {"type": "string"}}})
    first: type[Struct] = (get_args(kind) or (kind,))[0]
    return _answer((first.__doc__ or "").strip().partition("\n")[0], _content(kind))


def _answer(text: str, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": text,
        "headers": {"X-Request-ID": {"schema": {"type": "string"}}},
        "content": content,
    }


def _content(kind: Any) -> dict[str, Any]:
    refs = [{"$ref": REF.format(name=each.__name__)} for each in get_args(kind) or (kind,)]
    return {"application/json": {"schema": refs[0] if len(refs) == 1 else {"oneOf": refs}}}
