"""Certificates for tests, made here, and contexts that trust them."""

import datetime
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Certified:
    """A certificate for localhost, its key beside it, and a client's context that trusts it."""

    def __init__(self, folder, name="localhost"):
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        self.renew(name)

    def renew(self, name):
        """Another certificate with another key in the same files, one after the other."""
        key = ec.generate_private_key(ec.SECP256R1())
        who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.serial = made.serial_number
        self.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        self.key.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    def trusting(self):
        return ssl.create_default_context(cafile=str(self.certificate))


@pytest.fixture
def certified(tmp_path):
    folder = tmp_path / "certified"
    folder.mkdir()
    return Certified(folder)
