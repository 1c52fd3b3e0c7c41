"""A Java trust store that knows what this machine trusts, so that Ivy gets through a company's proxy or mirror.

Java reads no PEM files, and the bundled Java's own store knows only the public authorities; Python and OpenSSL take
SSL_CERT_FILE and the system's bundle. The same certificates are written once as PKCS#12, the format that Java reads.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from smartcity.settings import Settings

_MARK = b"-----BEGIN CERTIFICATE-----"
_END = b"-----END CERTIFICATE-----"


def java_trust_flags(settings: Settings) -> list[str]:
    """JVM flags that make it trust what this machine trusts; empty where Java's own store must do."""
    if settings.java.trust_store is not None:
        return [f"-Djavax.net.ssl.trustStore={settings.java.trust_store}"]
    source = pem_source()
    if source is None:
        return []
    store = trust_store(source, settings.cache_dir)
    return [f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStoreType=PKCS12"] if store else []


def pem_source() -> Path | None:
    """The PEM bundle that Python would trust: SSL_CERT_FILE, else REQUESTS_CA_BUNDLE, else OpenSSL's default."""
    candidates = (os.environ.get("SSL_CERT_FILE"), os.environ.get("REQUESTS_CA_BUNDLE"))
    for name in (*candidates, ssl.get_default_verify_paths().cafile):
        if name and Path(name).is_file():
            return Path(name)
    return None


def trust_store(source: Path, cache_dir: Path) -> Path | None:
    """The trust store made of the certificates in `source`, or None where it holds none.

    Named by the bundle's digest: a changed bundle makes a new store. Written without a password: it holds no secret.
    """
    text = source.read_bytes()
    store = cache_dir / f"trust-{hashlib.sha256(text).hexdigest()[:16]}.p12"
    if store.exists():
        return store
    certificates = certificates_in(text)
    if not certificates:
        return None
    cache_dir.mkdir(parents=True, exist_ok=True)
    partial = store.with_suffix(f".{os.getpid()}")
    partial.write_bytes(_serialize(certificates))
    partial.replace(store)
    return store


def certificates_in(text: bytes) -> list[Certificate]:
    """Every certificate of a PEM bundle that parses; one malformed authority must not cost all the others."""
    from cryptography.x509 import load_pem_x509_certificate

    certificates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some public authorities break RFC 5280 in their serial numbers
        for piece in text.split(_MARK)[1:]:
            try:
                certificates.append(load_pem_x509_certificate(_MARK + piece.split(_END)[0] + _END + b"\n"))
            except ValueError:
                continue
    return certificates


def _serialize(certificates: list[Certificate]) -> bytes:
    from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12

    named = [pkcs12.PKCS12Certificate(one, f"authority-{n}".encode()) for n, one in enumerate(certificates)]
    return pkcs12.serialize_java_truststore(named, NoEncryption())
