"""Who this station is, for good: one P-256 key, by which devices know it again wherever they meet it.

The key is made when somebody first asks who the station is, and never over another. It also signs the station's own
certificates. Losing it loses every pairing: so a key that is gone, while traces of it stand, is explained and not
quietly made anew.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import logging
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from shared import durable
from shared.model.errors import BadInput, SoundsibleError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

log = logging.getLogger(__name__)

KEY_FILE = "station.key"
TRACE_FILE = "authority.crt"        # signed by the key: that it stands without the key says that there was one
SIGNATURE_BYTES = 64
_HALF = SIGNATURE_BYTES // 2
_KEY_FILE_LIMIT_BYTES = 16 * 1024
_LEFT_S = 600.0         # what a killed process left of a file it wrote is nobody's after so long

AFTERWARDS = ("Devices then have to be paired again, and those that trust this station's certificate have to install "
              "the new one (/trust).")


class IdentityLost(SoundsibleError):
    """The station's key is gone or cannot be read; the message says what to do."""

    code, http_status = "identity_lost", 503


class Identity:
    """The key in `folder`, made on first need. Every answer may raise IdentityLost. Safe from any thread."""

    def __init__(self, *, folder: Path) -> None:
        self.folder = folder
        self._path = folder / KEY_FILE
        self._lock = threading.Lock()
        self._key: EllipticCurvePrivateKey | None = None
        self._public = ""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key (DER, SubjectPublicKeyInfo) in base64url: 43 characters."""
        return fingerprint_of(self.public_key)

    @property
    def public_key(self) -> str:
        """The public key (DER, SubjectPublicKeyInfo) in base64url."""
        self.key()
        return self._public

    def sign(self, data: bytes) -> bytes:
        """ECDSA with SHA-256 over `data`: r and s, 32 bytes each, as WebCrypto has it.

        The key is the authority's, too: what could be a certificate is not signed here. Raises ValueError.
        """
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

        if _is_der_sequence(data):
            raise ValueError("a DER sequence is not signed for anybody")
        r, s = decode_dss_signature(self.key().sign(data, ECDSA(hashes.SHA256())))
        return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")

    def stored(self) -> EllipticCurvePrivateKey | None:
        """The private key as it stands, for this room alone; None when there never was one. Nothing is made or
        repaired. Raises IdentityLost."""
        try:
            if self._path.exists():
                return self._read()
        except OSError as error:
            raise self._unreadable(error) from error
        if (self.folder / TRACE_FILE).exists():
            raise self._gone()
        return None

    def shown(self) -> str:
        """The fingerprint for who only looks: "" when there never was a key. Nothing is made or repaired. Raises
        IdentityLost."""
        if not self._public:
            key = self.stored()
            if key is None:
                return ""
            self._public = _text_of(key.public_key())
        return fingerprint_of(self._public)

    def made(self) -> bool:
        """Whether the key's file is there; asking makes nothing."""
        return self._path.exists()

    def key(self) -> EllipticCurvePrivateKey:
        """The private key, for this room alone. Makes it when there never was one. Raises IdentityLost."""
        with self._lock:
            if self._key is None:
                try:
                    if not self._path.exists():
                        self._make()
                    if close_to_others(self._path):
                        log.warning("Others on this machine could read %s; that is over now.", self._path)
                    key = self._read()
                except OSError as error:
                    raise self._unreadable(error) from error
                clear_parts(self.folder)
                self._public = _text_of(key.public_key())
                self._key = key
            return self._key

    def _make(self) -> None:
        if (self.folder / TRACE_FILE).exists():
            raise self._gone()
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = ec.generate_private_key(ec.SECP256R1())
        with contextlib.suppress(FileExistsError):      # another process was quicker: its key counts
            durable.write(self._path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), over=False)
            durable.sync_folder(self.folder)

    def _gone(self) -> IdentityLost:
        return IdentityLost(
            f"The station's key {self._path} is gone. Put it back from where you keep it; or remove the folder "
            f"{self.folder} and start again for a new one. {AFTERWARDS}")

    def _unreadable(self, error: OSError) -> IdentityLost:
        return IdentityLost(
            f"The station's key {self._path} cannot be read or made: {error.strerror or error}. Check that folder's "
            "permissions and the room on its disk.")

    def _read(self) -> EllipticCurvePrivateKey:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        with self._path.open("rb") as file:
            text = file.read(_KEY_FILE_LIMIT_BYTES)
        try:
            key = load_pem_private_key(text, None)
            if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
                return key
        except (ValueError, TypeError, UnsupportedAlgorithm):
            pass
        raise IdentityLost(
            f"{self._path} is no key of a station, or is damaged. Put it back from where you keep it; or remove the "
            f"folder {self.folder} and start again for a new one. {AFTERWARDS}"
        )


def clear_parts(folder: Path) -> None:
    """Remove what killed processes left in `folder` of files that they were writing."""
    with contextlib.suppress(OSError):
        for part in folder.glob(".*.part"):
            with contextlib.suppress(OSError):
                if time.time() - part.stat().st_mtime > _LEFT_S:
                    part.unlink()


def close_to_others(path: Path) -> bool:
    """See to it that only this user may read `path`; whether others could before. Never raises."""
    if os.name != "posix":
        return False
    try:
        if not path.stat().st_mode & 0o077:
            return False
        path.chmod(0o600)
    except OSError:
        return False
    return True


def verify(public_key: str, data: bytes, signature: bytes) -> bool:
    """Whether `signature` (r and s, 64 bytes) over `data` was made with the key behind `public_key`. Never raises."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    if len(signature) != SIGNATURE_BYTES:
        return False
    r, s = int.from_bytes(signature[:_HALF], "big"), int.from_bytes(signature[_HALF:], "big")
    try:
        _key_of(public_key).verify(encode_dss_signature(r, s), data, ECDSA(hashes.SHA256()))
    except (BadInput, InvalidSignature, ValueError):
        return False
    return True


def fingerprint_of(public_key: str) -> str:
    """The fingerprint of another station's public key. Raises BadInput when it is none."""
    _key_of(public_key)
    return _base64url(hashlib.sha256(_bytes_of(public_key)).digest())


def _is_der_sequence(data: bytes) -> bool:
    if len(data) < 2 or data[0] != 0x30:
        return False
    if data[1] < 0x80:
        return len(data) == 2 + data[1]
    size = data[1] & 0x7F
    return 0 < size <= 4 and len(data) == 2 + size + int.from_bytes(data[2:2 + size], "big")


def _key_of(public_key: str) -> EllipticCurvePublicKey:
    """Only a P-256 key, and only in the one way it is written: what has one fingerprint is one key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(_bytes_of(public_key))
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1) and (
                _text_of(key) == public_key):
            return key
    except (ValueError, TypeError, UnsupportedAlgorithm):
        pass
    raise BadInput("This is no public key of a station.")


def _text_of(key: EllipticCurvePublicKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return _base64url(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _bytes_of(text: str) -> bytes:
    if len(text) > 256 or not text.isascii():
        raise BadInput("This is no public key of a station.")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise BadInput("This is no public key of a station.") from None
