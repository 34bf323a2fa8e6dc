from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Message(_message.Message):
    __slots__ = ("body", "headers", "priority", "delay", "ttl", "dedup_id", "ordering_key", "deliver_at", "id", "enqueued_at", "expires_at")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    BODY_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    DEDUP_ID_FIELD_NUMBER: _ClassVar[int]
    ORDERING_KEY_FIELD_NUMBER: _ClassVar[int]
    DELIVER_AT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    ENQUEUED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    headers: _containers.ScalarMap[str, str]
    priority: int
    delay: int
    ttl: int
    dedup_id: str
    ordering_key: str
    deliver_at: int
    id: int
    enqueued_at: int
    expires_at: int
    def __init__(self, body: _Optional[bytes] = ..., headers: _Optional[_Mapping[str, str]] = ..., priority: _Optional[int] = ..., delay: _Optional[int] = ..., ttl: _Optional[int] = ..., dedup_id: _Optional[str] = ..., ordering_key: _Optional[str] = ..., deliver_at: _Optional[int] = ..., id: _Optional[int] = ..., enqueued_at: _Optional[int] = ..., expires_at: _Optional[int] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("message", "receipt", "attempt", "lease_until")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    LEASE_UNTIL_FIELD_NUMBER: _ClassVar[int]
    message: Message
    receipt: str
    attempt: int
    lease_until: int
    def __init__(self, message: _Optional[_Union[Message, _Mapping]] = ..., receipt: _Optional[str] = ..., attempt: _Optional[int] = ..., lease_until: _Optional[int] = ...) -> None: ...

class SendRequest(_message.Message):
    __slots__ = ("queue", "messages")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    queue: str
    messages: _containers.RepeatedCompositeFieldContainer[Message]
    def __init__(self, queue: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[Message, _Mapping]]] = ...) -> None: ...

class SendResponse(_message.Message):
    __slots__ = ("ids", "duplicates")
    IDS_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[int]
    duplicates: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, ids: _Optional[_Iterable[int]] = ..., duplicates: _Optional[_Iterable[int]] = ...) -> None: ...

class ReceiveRequest(_message.Message):
    __slots__ = ("queue", "group", "limit", "lease", "wait", "consumer", "auto_ack")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    AUTO_ACK_FIELD_NUMBER: _ClassVar[int]
    queue: str
    group: str
    limit: int
    lease: int
    wait: int
    consumer: str
    auto_ack: bool
    def __init__(self, queue: _Optional[str] = ..., group: _Optional[str] = ..., limit: _Optional[int] = ..., lease: _Optional[int] = ..., wait: _Optional[int] = ..., consumer: _Optional[str] = ..., auto_ack: _Optional[bool] = ...) -> None: ...

class ReceiveResponse(_message.Message):
    __slots__ = ("deliveries",)
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    def __init__(self, deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ...) -> None: ...

class Settlement(_message.Message):
    __slots__ = ("tag", "receipts", "ack", "nack", "reject", "extend")
    TAG_FIELD_NUMBER: _ClassVar[int]
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    NACK_FIELD_NUMBER: _ClassVar[int]
    REJECT_FIELD_NUMBER: _ClassVar[int]
    EXTEND_FIELD_NUMBER: _ClassVar[int]
    tag: int
    receipts: _containers.RepeatedScalarFieldContainer[str]
    ack: Ack
    nack: Nack
    reject: Reject
    extend: Extend
    def __init__(self, tag: _Optional[int] = ..., receipts: _Optional[_Iterable[str]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., nack: _Optional[_Union[Nack, _Mapping]] = ..., reject: _Optional[_Union[Reject, _Mapping]] = ..., extend: _Optional[_Union[Extend, _Mapping]] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Nack(_message.Message):
    __slots__ = ("delay", "error")
    DELAY_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    delay: int
    error: str
    def __init__(self, delay: _Optional[int] = ..., error: _Optional[str] = ...) -> None: ...

class Reject(_message.Message):
    __slots__ = ("error",)
    ERROR_FIELD_NUMBER: _ClassVar[int]
    error: str
    def __init__(self, error: _Optional[str] = ...) -> None: ...

class Extend(_message.Message):
    __slots__ = ("lease",)
    LEASE_FIELD_NUMBER: _ClassVar[int]
    lease: int
    def __init__(self, lease: _Optional[int] = ...) -> None: ...

class Settled(_message.Message):
    __slots__ = ("tag", "failures", "problem")
    TAG_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    tag: int
    failures: _containers.RepeatedCompositeFieldContainer[Failure]
    problem: Problem
    def __init__(self, tag: _Optional[int] = ..., failures: _Optional[_Iterable[_Union[Failure, _Mapping]]] = ..., problem: _Optional[_Union[Problem, _Mapping]] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("index", "message_id", "code", "error")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    index: int
    message_id: int
    code: str
    error: str
    def __init__(self, index: _Optional[int] = ..., message_id: _Optional[int] = ..., code: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("code", "error")
    CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    code: str
    error: str
    def __init__(self, code: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...

class SettleRequest(_message.Message):
    __slots__ = ("queue", "group", "settlement")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENT_FIELD_NUMBER: _ClassVar[int]
    queue: str
    group: str
    settlement: Settlement
    def __init__(self, queue: _Optional[str] = ..., group: _Optional[str] = ..., settlement: _Optional[_Union[Settlement, _Mapping]] = ...) -> None: ...

class SettleResponse(_message.Message):
    __slots__ = ("settled",)
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    settled: Settled
    def __init__(self, settled: _Optional[_Union[Settled, _Mapping]] = ...) -> None: ...

class SubscribeRequest(_message.Message):
    __slots__ = ("start", "credit", "settle")
    class Start(_message.Message):
        __slots__ = ("queue", "group", "consumer", "lease", "auto_ack")
        QUEUE_FIELD_NUMBER: _ClassVar[int]
        GROUP_FIELD_NUMBER: _ClassVar[int]
        CONSUMER_FIELD_NUMBER: _ClassVar[int]
        LEASE_FIELD_NUMBER: _ClassVar[int]
        AUTO_ACK_FIELD_NUMBER: _ClassVar[int]
        queue: str
        group: str
        consumer: str
        lease: int
        auto_ack: bool
        def __init__(self, queue: _Optional[str] = ..., group: _Optional[str] = ..., consumer: _Optional[str] = ..., lease: _Optional[int] = ..., auto_ack: _Optional[bool] = ...) -> None: ...
    START_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    SETTLE_FIELD_NUMBER: _ClassVar[int]
    start: SubscribeRequest.Start
    credit: int
    settle: _containers.RepeatedCompositeFieldContainer[Settlement]
    def __init__(self, start: _Optional[_Union[SubscribeRequest.Start, _Mapping]] = ..., credit: _Optional[int] = ..., settle: _Optional[_Iterable[_Union[Settlement, _Mapping]]] = ...) -> None: ...

class SubscribeResponse(_message.Message):
    __slots__ = ("started", "deliveries", "settled")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    started: bool
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    settled: _containers.RepeatedCompositeFieldContainer[Settled]
    def __init__(self, started: _Optional[bool] = ..., deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ..., settled: _Optional[_Iterable[_Union[Settled, _Mapping]]] = ...) -> None: ...

class Settings(_message.Message):
    __slots__ = ("kind", "lease", "max_attempts", "backoff", "ttl", "dead_letter", "dead_letter_expired", "dedup_window", "max_messages", "max_bytes", "overflow", "paused")
    KIND_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    DEAD_LETTER_FIELD_NUMBER: _ClassVar[int]
    DEAD_LETTER_EXPIRED_FIELD_NUMBER: _ClassVar[int]
    DEDUP_WINDOW_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    OVERFLOW_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    kind: str
    lease: int
    max_attempts: int
    backoff: int
    ttl: int
    dead_letter: str
    dead_letter_expired: bool
    dedup_window: int
    max_messages: int
    max_bytes: int
    overflow: str
    paused: bool
    def __init__(self, kind: _Optional[str] = ..., lease: _Optional[int] = ..., max_attempts: _Optional[int] = ..., backoff: _Optional[int] = ..., ttl: _Optional[int] = ..., dead_letter: _Optional[str] = ..., dead_letter_expired: _Optional[bool] = ..., dedup_window: _Optional[int] = ..., max_messages: _Optional[int] = ..., max_bytes: _Optional[int] = ..., overflow: _Optional[str] = ..., paused: _Optional[bool] = ...) -> None: ...

class QueueSettings(_message.Message):
    __slots__ = ("queue", "settings")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    queue: str
    settings: Settings
    def __init__(self, queue: _Optional[str] = ..., settings: _Optional[_Union[Settings, _Mapping]] = ...) -> None: ...

class QueueName(_message.Message):
    __slots__ = ("queue",)
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    queue: str
    def __init__(self, queue: _Optional[str] = ...) -> None: ...

class GroupName(_message.Message):
    __slots__ = ("queue", "group")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    queue: str
    group: str
    def __init__(self, queue: _Optional[str] = ..., group: _Optional[str] = ...) -> None: ...

class Created(_message.Message):
    __slots__ = ("created",)
    CREATED_FIELD_NUMBER: _ClassVar[int]
    created: bool
    def __init__(self, created: _Optional[bool] = ...) -> None: ...

class Deleted(_message.Message):
    __slots__ = ("deleted",)
    DELETED_FIELD_NUMBER: _ClassVar[int]
    deleted: bool
    def __init__(self, deleted: _Optional[bool] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListQueuesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class QueueNames(_message.Message):
    __slots__ = ("queues",)
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    queues: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, queues: _Optional[_Iterable[str]] = ...) -> None: ...

class GroupStats(_message.Message):
    __slots__ = ("ready", "delayed", "leased")
    READY_FIELD_NUMBER: _ClassVar[int]
    DELAYED_FIELD_NUMBER: _ClassVar[int]
    LEASED_FIELD_NUMBER: _ClassVar[int]
    ready: int
    delayed: int
    leased: int
    def __init__(self, ready: _Optional[int] = ..., delayed: _Optional[int] = ..., leased: _Optional[int] = ...) -> None: ...

class Totals(_message.Message):
    __slots__ = ("sent", "delivered", "acked", "nacked", "returned", "dead", "expired", "dropped", "purged", "redriven", "duplicates")
    SENT_FIELD_NUMBER: _ClassVar[int]
    DELIVERED_FIELD_NUMBER: _ClassVar[int]
    ACKED_FIELD_NUMBER: _ClassVar[int]
    NACKED_FIELD_NUMBER: _ClassVar[int]
    RETURNED_FIELD_NUMBER: _ClassVar[int]
    DEAD_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    PURGED_FIELD_NUMBER: _ClassVar[int]
    REDRIVEN_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    sent: int
    delivered: int
    acked: int
    nacked: int
    returned: int
    dead: int
    expired: int
    dropped: int
    purged: int
    redriven: int
    duplicates: int
    def __init__(self, sent: _Optional[int] = ..., delivered: _Optional[int] = ..., acked: _Optional[int] = ..., nacked: _Optional[int] = ..., returned: _Optional[int] = ..., dead: _Optional[int] = ..., expired: _Optional[int] = ..., dropped: _Optional[int] = ..., purged: _Optional[int] = ..., redriven: _Optional[int] = ..., duplicates: _Optional[int] = ...) -> None: ...

class Stats(_message.Message):
    __slots__ = ("name", "settings", "stored", "bytes", "ready", "delayed", "leased", "dead", "oldest", "groups", "totals")
    class GroupsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: GroupStats
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[GroupStats, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    STORED_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    DELAYED_FIELD_NUMBER: _ClassVar[int]
    LEASED_FIELD_NUMBER: _ClassVar[int]
    DEAD_FIELD_NUMBER: _ClassVar[int]
    OLDEST_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    name: str
    settings: Settings
    stored: int
    bytes: int
    ready: int
    delayed: int
    leased: int
    dead: int
    oldest: int
    groups: _containers.MessageMap[str, GroupStats]
    totals: Totals
    def __init__(self, name: _Optional[str] = ..., settings: _Optional[_Union[Settings, _Mapping]] = ..., stored: _Optional[int] = ..., bytes: _Optional[int] = ..., ready: _Optional[int] = ..., delayed: _Optional[int] = ..., leased: _Optional[int] = ..., dead: _Optional[int] = ..., oldest: _Optional[int] = ..., groups: _Optional[_Mapping[str, GroupStats]] = ..., totals: _Optional[_Union[Totals, _Mapping]] = ...) -> None: ...

class PeekRequest(_message.Message):
    __slots__ = ("queue", "group", "limit")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    queue: str
    group: str
    limit: int
    def __init__(self, queue: _Optional[str] = ..., group: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class BrowseRequest(_message.Message):
    __slots__ = ("queue", "group", "limit", "after", "descending", "state")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    DESCENDING_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    queue: str
    group: str
    limit: int
    after: int
    descending: bool
    state: str
    def __init__(self, queue: _Optional[str] = ..., group: _Optional[str] = ..., limit: _Optional[int] = ..., after: _Optional[int] = ..., descending: _Optional[bool] = ..., state: _Optional[str] = ...) -> None: ...

class Peeked(_message.Message):
    __slots__ = ("message", "state", "attempts", "due", "consumer", "error")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    DUE_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    message: Message
    state: str
    attempts: int
    due: int
    consumer: str
    error: str
    def __init__(self, message: _Optional[_Union[Message, _Mapping]] = ..., state: _Optional[str] = ..., attempts: _Optional[int] = ..., due: _Optional[int] = ..., consumer: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...

class PeekedMessages(_message.Message):
    __slots__ = ("messages",)
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[Peeked]
    def __init__(self, messages: _Optional[_Iterable[_Union[Peeked, _Mapping]]] = ...) -> None: ...

class GetMessageRequest(_message.Message):
    __slots__ = ("queue", "id")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    queue: str
    id: int
    def __init__(self, queue: _Optional[str] = ..., id: _Optional[int] = ...) -> None: ...

class MessageIds(_message.Message):
    __slots__ = ("queue", "ids", "all")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    queue: str
    ids: _containers.RepeatedScalarFieldContainer[int]
    all: bool
    def __init__(self, queue: _Optional[str] = ..., ids: _Optional[_Iterable[int]] = ..., all: _Optional[bool] = ...) -> None: ...

class Count(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...
