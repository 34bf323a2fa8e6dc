"""Names of the metadata that calls carry beside their messages."""

CODE = "x-error-code"
"""Trailing, of a call that failed: the stable code of the error, see `core.errors`."""
REQUEST_ID = "x-request-id"
"""Of a request: the id that its caller gives it. Trailing, of a call that failed: the id in the log of the server."""
API_KEY = "x-api-key"
"""Of a request: the key that protected methods ask for."""
