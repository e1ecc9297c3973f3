"""Certificates for the tests of this room: an authority outside, and TLS spoken without a network."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def sans(*hosts: str) -> x509.SubjectAlternativeName:
    found: list[x509.GeneralName] = []
    for one in hosts:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(one)))
        except ValueError:
            found.append(x509.DNSName(one))
    return x509.SubjectAlternativeName(found)


@dataclass
class Signed:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self, password: bytes | None = None) -> bytes:
        how = NoEncryption() if password is None else BestAvailableEncryption(password)
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


def sign(
    by: Signed | None, *hosts: str, name: str = "a host", ca: bool = False, begins: datetime | None = None,
    days: float = 90, key: ec.EllipticCurvePrivateKey | None = None,
) -> Signed:
    """A certificate for `hosts` signed by `by`, or by itself."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    begins = begins or NOW - timedelta(days=1)
    made: Any = (
        x509.CertificateBuilder().subject_name(named(name))
        .issuer_name(by.certificate.subject if by else named(name)).public_key(own.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
            (by.key if by else own).public_key()), critical=False)
    )
    if not ca:
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    made = made.add_extension(x509.KeyUsage(
        digital_signature=not ca, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=ca, crl_sign=ca, encipher_only=False, decipher_only=False), critical=True)
    if hosts:
        made = made.add_extension(sans(*hosts), critical=False)
    return Signed(made.sign((by.key if by else own), hashes.SHA256()), own)


def handshake(certificate: Path, key: Path, authority: bytes, host: str) -> None:
    """Speak TLS as a browser would that trusts `authority` (DER or PEM text) and asks for `host`, at NOW's time or
    later. Raises ssl.SSLCertVerificationError."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.verify_flags |= ssl.VERIFY_X509_STRICT
    asking.load_verify_locations(cadata=authority)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(to_client, to_server, server_hostname=host)
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    done: set[int] = set()
    for _ in range(10):
        for place, one in enumerate((client, server)):
            try:
                one.do_handshake()
                done.add(place)
            except ssl.SSLWantReadError:
                pass
        if len(done) == 2:
            return
    raise AssertionError("the handshake did not end")
