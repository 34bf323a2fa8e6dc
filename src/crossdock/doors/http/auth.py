"""Who may call: the API key."""

import hmac
from hashlib import sha256


class ApiKey:
    """A key that callers must send in `X-API-Key`; without one everybody may call."""

    def __init__(self, key: str | None) -> None:
        self._digest = sha256(key.encode()).digest() if key else None

    def fits(self, given: bytes | None) -> bool:
        """Whether a request with this header may go on. Takes the same time for every wrong key."""
        if self._digest is None:
            return True
        return hmac.compare_digest(sha256(given or b"").digest(), self._digest)
