"""The gRPC door: queue.v1.QueueService, messagequeue.MessageQueue, crossdock.v1.Broker, health and reflection."""

from .listener import GrpcListener

__all__ = ["GrpcListener"]
