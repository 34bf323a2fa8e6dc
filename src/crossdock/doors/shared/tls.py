"""TLS of every door: one certificate, one lowest version."""

import ssl
from pathlib import Path


def tls_context(cert: str | Path, key: str | Path | None) -> ssl.SSLContext:
    """A server's context for the certificate chain and key in these PEM files. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    return context
