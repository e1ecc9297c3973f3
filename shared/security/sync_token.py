"""The sync token: one short text that tells a new device where the station is, who it is, and a secret to use once.

    sb1.<base64url( raw deflate( JSON ))>
    {"v": 1, "i": id, "f": the station's fingerprint, "s": the secret, 16 bytes in base64url, "n": the station's name,
     "e": base64url( nonce, 12 bytes | AES-256-GCM( key, raw deflate( JSON list of addresses, best first )))}
    key = HKDF-SHA256(secret, no salt, "soundsible endpoints 1")

Whoever has the whole token has the addresses too. They are sealed so that a token whose secret was cut off (in a log,
in a report of a crash) names none. Reading is for texts of strangers: whatever they hold, it costs little and ends in a
token or in WrongToken.

Programs prove that they have the secret without saying it, and the station answers so that only they can read it: the
second half of this module, the same for both sides.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
import secrets
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from shared.model.errors import BadInput, Gone

MARK = "sb1."
SECRET_BYTES = 16
MOST_ENDPOINTS = 8
LONGEST_TEXT = 700      # characters, as made: a QR code that a phone reads from across a table
LONGEST_NAME = 40
LONGEST_READ = 2_000    # characters of a text that is looked at; a link around it may add as many
UNPACKED_BYTES = 4_096  # of either JSON
NONCE_BYTES = 12
_SHORTEST_NONCE, _LONGEST_NONCE = 16, 64    # bytes, of who claims

_ID = re.compile(r"[a-z0-9]{1,40}")
_FINGERPRINT = re.compile(r"[A-Za-z0-9_-]{43}")
_URL = re.compile(r"https?://[!-~]{1,196}")


class WrongToken(BadInput):
    """Not a sync token, or none of this station."""

    code = "token_wrong"


class TokenUsed(Gone):
    code = "token_used"


class TokenExpired(Gone):
    code = "token_expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncToken:
    """What a token says."""

    id: str
    fingerprint: str                        # of the station's public key (identity.fingerprint_of)
    secret: bytes = field(repr=False)       # 16 bytes
    name: str                               # the station's
    endpoints: tuple[str, ...]              # http(s)://host[:port], best first


def make(*, id: str, fingerprint: str, secret: bytes, name: str, endpoints: Iterable[str]) -> str:
    """The text. Endpoints beyond the eighth, and those that would make it too long, are left out from the end."""
    kept = [one.rstrip("/") for one in endpoints]
    kept = [one for one in kept if is_base(one)][:MOST_ENDPOINTS]
    name = "".join(one for one in name if one.isprintable())[:LONGEST_NAME]
    while True:
        sealed = seal(endpoints_key(secret), _pack(kept))
        text = MARK + b64(_pack({"v": 1, "i": id, "f": fingerprint, "s": b64(secret), "n": name, "e": b64(sealed)}))
        if len(text) <= LONGEST_TEXT or not kept:
            return text
        kept.pop()


def read(text: str) -> SyncToken:
    """What `text`, a token or the link around one, says. Raises WrongToken. Costs some kilobytes, whatever it is."""
    token = _cut_out(text)
    try:
        said = _unpack(unb64(token[len(MARK):]))
        if not isinstance(said, dict) or said.get("v") != 1:
            raise _wrong()
        uid, fingerprint, name = said.get("i"), said.get("f"), said.get("n")
        if not (isinstance(uid, str) and _ID.fullmatch(uid) and isinstance(fingerprint, str)
                and _FINGERPRINT.fullmatch(fingerprint) and isinstance(name, str)):
            raise _wrong()
        secret = unb64(said.get("s"))
        if len(secret) != SECRET_BYTES:
            raise _wrong()
        endpoints = _unpack(unseal(endpoints_key(secret), unb64(said.get("e"))))
    except (ValueError, zlib.error, RecursionError):
        raise _wrong() from None
    if not isinstance(endpoints, list) or len(endpoints) > MOST_ENDPOINTS or not all(map(is_base, endpoints)):
        raise _wrong()
    shown = "".join(one for one in name if one.isprintable())[:LONGEST_NAME]
    return SyncToken(id=uid, fingerprint=fingerprint, secret=secret, name=shown, endpoints=tuple(endpoints))


def link(token: str, endpoint: str) -> str:
    """The address that a phone's camera opens. What stands behind # is never sent to any server."""
    return f"{endpoint.rstrip('/')}/pair#{token}"


def _cut_out(text: str) -> str:
    """The token in a text that somebody pasted: alone, or behind the # of a link."""
    if len(text) > 2 * LONGEST_READ:
        raise _wrong()
    token = "".join(text.split()).rpartition("#")[2]
    if len(token) > LONGEST_READ or not token.startswith(MARK) or not token.isascii():
        raise _wrong()
    return token


def _wrong() -> WrongToken:
    return WrongToken("This is not a sync token, or a part of it is missing. Copy the whole text, or scan the code.")


def is_base(url: object) -> bool:
    """Whether it is an address of a station: scheme, host and port, and nothing else."""
    if not isinstance(url, str) or not _URL.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and f"{parts.scheme}://{parts.netloc}" == url and "@" not in parts.netloc and (
            parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _pack(value: Any) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return packer.compress(text) + packer.flush()


def _unpack(data: bytes) -> Any:
    """The JSON in a raw deflate stream of a few kilobytes. Raises ValueError, zlib.error, RecursionError."""
    unpacker = zlib.decompressobj(-15)
    text = unpacker.decompress(data, UNPACKED_BYTES)
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("it does not end where it should")
    return json.loads(text.decode("utf-8"))


# ---- proving the secret, and an answer for nobody else ---------------------------------------------------------------


def pairing_key(secret: bytes) -> bytes:
    """What the station keeps of the secret, and what proofs are made with; 32 bytes."""
    return _derive(secret, b"soundsible pairing 1")


def endpoints_key(secret: bytes) -> bytes:
    return _derive(secret, b"soundsible endpoints 1")


def grant_key(key: bytes, nonce: str, server_nonce: str) -> bytes:
    """What the answer to a proof is sealed with; `key` is the pairing_key, since the station keeps no secret."""
    return _derive(key, b"soundsible grant 1", salt=nonce_of(nonce) + nonce_of(server_nonce))


def proof_of(key: bytes, *, id: str, nonce: str, name: str, fingerprint: str) -> str:
    """HMAC-SHA256 in base64url: that who asks knows the secret, for this name and this station alone."""
    said = "\0".join(("claim", id, nonce, name, fingerprint)).encode("utf-8", "replace")
    return b64(hmac.digest(key, said, "sha256"))


def grant_message(*, id: str, nonce: str, server_nonce: str, fingerprint: str, sealed: str) -> bytes:
    """What the station signs when it answers a proof."""
    return b"soundsible grant 1\0" + "\0".join((id, nonce, server_nonce, fingerprint, sealed)).encode("ascii")


def challenge_message(challenge: str) -> bytes:
    """What the station signs when it answers a plain claim that brought a challenge. Raises BadInput."""
    return b"soundsible claim 1\0" + nonce_of(challenge, "challenge")


def new_nonce() -> str:
    return b64(secrets.token_bytes(_SHORTEST_NONCE))


def nonce_of(text: str, field: str = "nonce") -> bytes:
    """The bytes of a nonce or challenge. Raises BadInput."""
    with_bytes = b""
    if len(text) <= 2 * _LONGEST_NONCE:
        try:
            with_bytes = unb64(text)
        except ValueError:
            with_bytes = b""
    if not _SHORTEST_NONCE <= len(with_bytes) <= _LONGEST_NONCE:
        raise BadInput(f"The field {field!r} takes 16 to 64 random bytes in base64url.", field=field)
    return with_bytes


def seal(key: bytes, data: bytes) -> bytes:
    """nonce | AES-256-GCM."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, None)


def unseal(key: bytes, sealed: bytes) -> bytes:
    """Raises ValueError when it was sealed with another key, or changed."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if len(sealed) < NONCE_BYTES + 16:
        raise ValueError("too short")
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
    except InvalidTag:
        raise ValueError("sealed with another key") from None


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64(text: object) -> bytes:
    """The bytes of a base64url text, written in the one way there is. Raises ValueError."""
    if not isinstance(text, str) or not text.isascii():
        raise ValueError("no base64url")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if b64(data) != text:
        raise ValueError("not as it would be written")
    return data


def _derive(secret: bytes, purpose: bytes, salt: bytes | None = None) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=purpose).derive(secret)
