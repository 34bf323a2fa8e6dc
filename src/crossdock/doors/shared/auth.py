"""Who may call: the API key."""

import hmac
from hashlib import sha256


class ApiKey:
    """A key that callers must send in `X-API-Key`; without one everybody may call."""

    def __init__(self, key: str | None) -> None:
        self._digest = sha256(key.encode()).digest() if key else None

    @property
    def needed(self) -> bool:
        """Whether callers must have the key."""
        return self._digest is not None

    def fits(self, given: bytes | None) -> bool:
        """Whether this is the key. Takes the same time for every wrong one."""
        return self._digest is not None and hmac.compare_digest(sha256(given or b"").digest(), self._digest)
