"""How the JSON API's application hands over a response whole, to the listener that serves it."""

Headers = list[tuple[bytes, bytes]]

RESPOND = "crossdock.respond"
"""The ASGI extension that takes status, headers and body, and tells whether the client was there to get them.

It passes `send` by: what wraps `send` between listener and app must take it out of the scope.
"""
