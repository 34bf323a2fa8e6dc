"""The HTTP door: the JSON API under /api/v1, health, metrics, OpenAPI and its pages."""

from .app import create_app, create_metrics_app
from .listener import HttpListener

__all__ = ["HttpListener", "create_app", "create_metrics_app"]
