from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EmptyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HealthResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: str
    def __init__(self, status: _Optional[str] = ...) -> None: ...

class CreateQueueRequest(_message.Message):
    __slots__ = ("queue_name",)
    QUEUE_NAME_FIELD_NUMBER: _ClassVar[int]
    queue_name: str
    def __init__(self, queue_name: _Optional[str] = ...) -> None: ...

class CreateQueueResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: str
    def __init__(self, status: _Optional[str] = ...) -> None: ...

class DeleteQueueRequest(_message.Message):
    __slots__ = ("queue_name",)
    QUEUE_NAME_FIELD_NUMBER: _ClassVar[int]
    queue_name: str
    def __init__(self, queue_name: _Optional[str] = ...) -> None: ...

class DeleteQueueResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: str
    def __init__(self, status: _Optional[str] = ...) -> None: ...

class EnqueueRequest(_message.Message):
    __slots__ = ("queue_name", "message", "encoding", "delay", "deduplication_id", "priority", "ttl", "ordering_key", "headers", "deliver_at")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    QUEUE_NAME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    DEDUPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    ORDERING_KEY_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    DELIVER_AT_FIELD_NUMBER: _ClassVar[int]
    queue_name: str
    message: str
    encoding: str
    delay: str
    deduplication_id: str
    priority: int
    ttl: str
    ordering_key: str
    headers: _containers.ScalarMap[str, str]
    deliver_at: int
    def __init__(self, queue_name: _Optional[str] = ..., message: _Optional[str] = ..., encoding: _Optional[str] = ..., delay: _Optional[str] = ..., deduplication_id: _Optional[str] = ..., priority: _Optional[int] = ..., ttl: _Optional[str] = ..., ordering_key: _Optional[str] = ..., headers: _Optional[_Mapping[str, str]] = ..., deliver_at: _Optional[int] = ...) -> None: ...

class EnqueueResponse(_message.Message):
    __slots__ = ("status", "queue_name", "message", "id")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_NAME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    status: str
    queue_name: str
    message: str
    id: int
    def __init__(self, status: _Optional[str] = ..., queue_name: _Optional[str] = ..., message: _Optional[str] = ..., id: _Optional[int] = ...) -> None: ...

class EnqueueBatchRequest(_message.Message):
    __slots__ = ("queue_name", "messages")
    QUEUE_NAME_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    queue_name: str
    messages: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, queue_name: _Optional[str] = ..., messages: _Optional[_Iterable[str]] = ...) -> None: ...

class EnqueueBatchResponse(_message.Message):
    __slots__ = ("status", "queue_name", "success_count", "ids")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_NAME_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_COUNT_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    status: str
    queue_name: str
    success_count: int
    ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, status: _Optional[str] = ..., queue_name: _Optional[str] = ..., success_count: _Optional[int] = ..., ids: _Optional[_Iterable[int]] = ...) -> None: ...

class DequeueRequest(_message.Message):
    __slots__ = ("queue_name", "group", "consumer_id", "lease", "wait", "auto_ack")
    QUEUE_NAME_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    AUTO_ACK_FIELD_NUMBER: _ClassVar[int]
    queue_name: str
    group: str
    consumer_id: str
    lease: str
    wait: str
    auto_ack: bool
    def __init__(self, queue_name: _Optional[str] = ..., group: _Optional[str] = ..., consumer_id: _Optional[str] = ..., lease: _Optional[str] = ..., wait: _Optional[str] = ..., auto_ack: _Optional[bool] = ...) -> None: ...

class DequeueMessage(_message.Message):
    __slots__ = ("payload", "receipt", "id", "encoding", "headers", "priority", "ordering_key", "deduplication_id", "enqueued_at", "deliver_at", "expires_at", "attempt", "lease_until")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    ORDERING_KEY_FIELD_NUMBER: _ClassVar[int]
    DEDUPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    ENQUEUED_AT_FIELD_NUMBER: _ClassVar[int]
    DELIVER_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    LEASE_UNTIL_FIELD_NUMBER: _ClassVar[int]
    payload: str
    receipt: str
    id: int
    encoding: str
    headers: _containers.ScalarMap[str, str]
    priority: int
    ordering_key: str
    deduplication_id: str
    enqueued_at: int
    deliver_at: int
    expires_at: int
    attempt: int
    lease_until: int
    def __init__(self, payload: _Optional[str] = ..., receipt: _Optional[str] = ..., id: _Optional[int] = ..., encoding: _Optional[str] = ..., headers: _Optional[_Mapping[str, str]] = ..., priority: _Optional[int] = ..., ordering_key: _Optional[str] = ..., deduplication_id: _Optional[str] = ..., enqueued_at: _Optional[int] = ..., deliver_at: _Optional[int] = ..., expires_at: _Optional[int] = ..., attempt: _Optional[int] = ..., lease_until: _Optional[int] = ...) -> None: ...

class DequeueResponse(_message.Message):
    __slots__ = ("status", "message")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    status: str
    message: DequeueMessage
    def __init__(self, status: _Optional[str] = ..., message: _Optional[_Union[DequeueMessage, _Mapping]] = ...) -> None: ...

class AckRequest(_message.Message):
    __slots__ = ("queue_name", "group", "message_id", "receipt")
    QUEUE_NAME_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    queue_name: str
    group: str
    message_id: int
    receipt: str
    def __init__(self, queue_name: _Optional[str] = ..., group: _Optional[str] = ..., message_id: _Optional[int] = ..., receipt: _Optional[str] = ...) -> None: ...

class AckResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: str
    def __init__(self, status: _Optional[str] = ...) -> None: ...

class NackRequest(_message.Message):
    __slots__ = ("queue_name", "group", "message_id", "receipt", "delay", "error")
    QUEUE_NAME_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    queue_name: str
    group: str
    message_id: int
    receipt: str
    delay: str
    error: str
    def __init__(self, queue_name: _Optional[str] = ..., group: _Optional[str] = ..., message_id: _Optional[int] = ..., receipt: _Optional[str] = ..., delay: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...

class NackResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: str
    def __init__(self, status: _Optional[str] = ...) -> None: ...

class PeekRequest(_message.Message):
    __slots__ = ("queue_name", "group")
    QUEUE_NAME_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    queue_name: str
    group: str
    def __init__(self, queue_name: _Optional[str] = ..., group: _Optional[str] = ...) -> None: ...

class PeekResponse(_message.Message):
    __slots__ = ("status", "message")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    status: str
    message: DequeueMessage
    def __init__(self, status: _Optional[str] = ..., message: _Optional[_Union[DequeueMessage, _Mapping]] = ...) -> None: ...

class RenewRequest(_message.Message):
    __slots__ = ("queue_name", "group", "message_id", "receipt", "extend_sec")
    QUEUE_NAME_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    EXTEND_SEC_FIELD_NUMBER: _ClassVar[int]
    queue_name: str
    group: str
    message_id: int
    receipt: str
    extend_sec: int
    def __init__(self, queue_name: _Optional[str] = ..., group: _Optional[str] = ..., message_id: _Optional[int] = ..., receipt: _Optional[str] = ..., extend_sec: _Optional[int] = ...) -> None: ...

class RenewResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: str
    def __init__(self, status: _Optional[str] = ...) -> None: ...

class StatusRequest(_message.Message):
    __slots__ = ("queue_name",)
    QUEUE_NAME_FIELD_NUMBER: _ClassVar[int]
    queue_name: str
    def __init__(self, queue_name: _Optional[str] = ...) -> None: ...

class StatusResponse(_message.Message):
    __slots__ = ("status", "queue_status")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_STATUS_FIELD_NUMBER: _ClassVar[int]
    status: str
    queue_status: QueueStatus
    def __init__(self, status: _Optional[str] = ..., queue_status: _Optional[_Union[QueueStatus, _Mapping]] = ...) -> None: ...

class QueueStatus(_message.Message):
    __slots__ = ("queue_name", "total_messages", "acked_messages", "inflight_messages", "dlq_messages", "queue_type")
    QUEUE_NAME_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    ACKED_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    INFLIGHT_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    DLQ_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    QUEUE_TYPE_FIELD_NUMBER: _ClassVar[int]
    queue_name: str
    total_messages: int
    acked_messages: int
    inflight_messages: int
    dlq_messages: int
    queue_type: str
    def __init__(self, queue_name: _Optional[str] = ..., total_messages: _Optional[int] = ..., acked_messages: _Optional[int] = ..., inflight_messages: _Optional[int] = ..., dlq_messages: _Optional[int] = ..., queue_type: _Optional[str] = ...) -> None: ...
