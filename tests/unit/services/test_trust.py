"""The Java trust store holds what the PEM bundle holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from smartcity.services import trust
from smartcity.settings import load


def authority(name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    dated = builder.not_valid_before(now).not_valid_after(now + timedelta(days=2))
    return dated.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def names_in(store: Path) -> set[str]:
    loaded = pkcs12.load_pkcs12(store.read_bytes(), None)
    return {one.certificate.subject.rfc4514_string() for one in loaded.additional_certs}


def test_every_authority_that_parses_is_in_the_store(tmp_path: Path) -> None:
    broken = b"-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
    source = tmp_path / "bundle.pem"
    source.write_bytes(b"# a comment\n" + authority("one") + broken + authority("two"))
    store = trust.trust_store(source, tmp_path / "cache")
    assert store is not None
    assert names_in(store) == {"CN=one", "CN=two"}


def test_a_changed_bundle_makes_a_new_store_and_the_same_one_does_not(tmp_path: Path) -> None:
    source = tmp_path / "bundle.pem"
    source.write_bytes(authority("one"))
    first = trust.trust_store(source, tmp_path)
    assert first is not None
    made = first.stat().st_mtime_ns
    assert trust.trust_store(source, tmp_path) == first
    assert first.stat().st_mtime_ns == made
    source.write_bytes(authority("two"))
    assert trust.trust_store(source, tmp_path) != first


def test_the_setting_wins_then_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "bundle.pem"
    source.write_bytes(authority("one"))
    monkeypatch.setenv("SSL_CERT_FILE", str(source))
    named = load(cache_dir=tmp_path, java={"trust_store": tmp_path / "my.jks"})
    assert trust.java_trust_flags(named) == [f"-Djavax.net.ssl.trustStore={tmp_path / 'my.jks'}"]
    store, kind = trust.java_trust_flags(load(cache_dir=tmp_path))
    assert store.endswith(".p12")
    assert kind.endswith("PKCS12")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(source))
    assert trust.pem_source() == source


def test_an_empty_bundle_leaves_java_its_own_store(tmp_path: Path) -> None:
    source = tmp_path / "bundle.pem"
    source.write_text("nothing")
    assert trust.trust_store(source, tmp_path) is None
