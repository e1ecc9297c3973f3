"""Talk to another station, knowing that it is the one that was meant.

It is known by its fingerprint. When a sync token is claimed, it proves itself: it answers so that only who has the
secret can read it, and signs that. Afterwards, over HTTPS, its certificate must come from the authority whose key has
that fingerprint; only where a station is reached through a certificate that every system trusts, that one counts. Over
plain HTTP it is asked for its fingerprint before the token is shown to it: that keeps a token from the wrong machine,
not from somebody who listens on the way; so HTTPS is tried first.

Only the addresses named are connected to, whatever they answer: no redirect is followed.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from shared.model.errors import SoundsibleError, Unprocessable
from shared.model.units import MIB, Bytes, Seconds
from shared.outbound import Hourglass, Outbound, Session, read_bytes
from shared.security import sync_token
from shared.security.identity import fingerprint_of, verify
from shared.security.sync_token import SyncToken, unb64

log = logging.getLogger(__name__)

TIMEOUT_S = (3.0, 15.0)         # to connect, and between two pieces of an answer
CLAIM_S: Seconds = 30.0         # for all addresses together, however they drip
ASK_S: Seconds = 90.0
ANSWER_BYTES: Bytes = 4 * MIB
AUTHORITY_BYTES: Bytes = 64 * 1024
_TOKEN = re.compile(r"[!-~]{1,200}")


class StationUnreachable(Unprocessable):
    """None of the other station's addresses leads to it now, or it answers something that cannot be used."""

    code, retryable = "station_unreachable", True


class StationRefuses(Unprocessable):
    """The other station does not take the token any more, or not for this."""

    code = "station_refuses"


class Peer:
    """One other station. `endpoints` are tried in order; `token` is what it gave."""

    def __init__(self, *, endpoints: Sequence[str], fingerprint: str, name: str = "", token: str = "") -> None:
        # Where a token is shown, nobody should be able to listen, if that can be had.
        self._endpoints = sorted(endpoints, key=lambda one: bool(token) and not one.startswith("https:"))
        self._fingerprint, self._token = fingerprint, token
        self._name = name or "The other station"

    def with_token(self, token: str) -> Peer:
        """The same one, with what it gave."""
        return Peer(endpoints=self._endpoints, fingerprint=self._fingerprint, name=self._name, token=token)

    def ask(self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None,
            limit_bytes: Bytes = ANSWER_BYTES) -> bytes:
        """What the first address that leads to it answers. Raises StationUnreachable, StationRefuses."""
        with Hourglass(ASK_S) as time_left:
            for endpoint in self._endpoints:
                if time_left.over:
                    break
                try:
                    with self._session(endpoint, limit_bytes, time_left) as session:
                        if not self._is_it(session, endpoint):
                            continue
                        answer = session.request(
                            method, endpoint + path, params=query, json=body, allow_redirects=False,
                            headers={"Authorization": f"Bearer {self._token}", "Accept": "application/json"})
                        status, text = answer.status_code, read_bytes(answer, limit_bytes)
                except (SoundsibleError, OSError, ValueError, RecursionError) as error:
                    log.info("another station does not answer at %s: %s", endpoint, error)
                    continue
                return self._judged(status, text)
        raise StationUnreachable(f"{self._name} cannot be reached now: none of its addresses leads to it.")

    def ask_json(self, method: str, path: str, **wishes: Any) -> Any:
        try:
            return msgspec.json.decode(self.ask(method, path, **wishes))    # takes no half characters, json does
        except (ValueError, RecursionError):
            raise StationUnreachable(f"{self._name} answers something that cannot be read.") from None

    def claim(self, token: SyncToken, *, name: str) -> dict[str, Any]:
        """Use the other station's sync token and become a device of it, called `name`; its plain answer.

        The secret is proved and not said. Raises StationUnreachable, StationRefuses.
        """
        key, refused = sync_token.pairing_key(token.secret), ""
        with Hourglass(CLAIM_S) as time_left:
            for endpoint in self._endpoints:
                if time_left.over:
                    break
                nonce = sync_token.new_nonce()
                proof = sync_token.proof_of(key, id=token.id, nonce=nonce, name=name, fingerprint=self._fingerprint)
                try:
                    with self._session(endpoint, AUTHORITY_BYTES, time_left) as session:
                        answer = session.request("POST", f"{endpoint}/api/pairing/claim", allow_redirects=False,
                                                 json={"id": token.id, "nonce": nonce, "proof": proof, "name": name,
                                                       "station": True})
                        status, text = answer.status_code, read_bytes(answer, AUTHORITY_BYTES)
                    if status in (200, 201):
                        return self._opened(json.loads(text), token, key, nonce)
                    refused = _message(text) if status in (400, 409, 410, 429) else refused
                except (SoundsibleError, OSError, ValueError, KeyError, TypeError, AttributeError,
                        RecursionError) as error:
                    log.info("another station cannot be claimed at %s: %s", endpoint, type(error).__name__)
        if refused:
            raise StationRefuses(f"{self._name} refuses the sync token: {refused}")
        raise StationUnreachable(f"{self._name} cannot be reached from here: none of the addresses in the sync token "
                                 "leads to it. Are both on the same network?")

    # ---- is it the one -----------------------------------------------------------------------------------------------

    def _opened(self, answer: Any, token: SyncToken, key: bytes, nonce: str) -> dict[str, Any]:
        """What the answer to a proof says, when it is signed by the station that the token is of. Raises ValueError."""
        public_key, sealed, server_nonce = (
            answer["station"]["public_key"], answer["sealed"], answer["server_nonce"])
        if fingerprint_of(public_key) != self._fingerprint:
            raise ValueError("another station answers")
        message = sync_token.grant_message(id=token.id, nonce=nonce, server_nonce=server_nonce,
                                           fingerprint=self._fingerprint, sealed=sealed)
        if not verify(public_key, message, unb64(answer["signature"])):
            raise ValueError("its signature is wrong")
        told = json.loads(sync_token.unseal(sync_token.grant_key(key, nonce, server_nonce), unb64(sealed)))
        given = told.get("token") if isinstance(told, dict) else None
        if not isinstance(given, str) or not _TOKEN.fullmatch(given):
            raise ValueError("it gives no token")
        return dict(told)

    def _is_it(self, session: Session, endpoint: str) -> bool:
        """Whether this station answers there, as far as can be told before the token is shown."""
        answer = session.request("GET", f"{endpoint}/trust/state", allow_redirects=False)
        text = read_bytes(answer, AUTHORITY_BYTES)
        told = json.loads(text) if answer.status_code == 200 else {}
        return isinstance(told, dict) and told.get("fingerprint") == self._fingerprint

    def _session(self, endpoint: str, limit_bytes: Bytes, time_left: Hourglass) -> Session:
        parts = urlsplit(endpoint)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        outbound = Outbound([f"[{parts.hostname}]:{port}"], opened=time_left.watch)
        context = self._pinned(outbound, str(parts.hostname), port) if parts.scheme == "https" else None
        return outbound.session(timeout_s=TIMEOUT_S, limit_bytes=limit_bytes, context=context)

    def _pinned(self, outbound: Outbound, host: str, port: int) -> ssl.SSLContext | None:
        """A TLS context that trusts the station's own authority alone; None when it shows none, so that what every
        system trusts counts."""
        pem = _authority_of(outbound, host, port)
        if pem is None or not _is_authority_of(pem, self._fingerprint):
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=pem)
        return context

    def _judged(self, status: int, text: bytes) -> bytes:
        if status == 401:
            raise StationRefuses(f"{self._name} does not know this station any more. Pair it again.")
        if status >= 400:
            raise StationRefuses(f"{self._name} does not do that: {_message(text) or status}")
        if status >= 300:
            raise StationUnreachable(f"{self._name} answers something that cannot be read.")
        return text


def _authority_of(outbound: Outbound, host: str, port: int) -> str | None:
    """The certificate that a station says is its authority's, from whoever answers. Nothing is believed of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE     # what comes is held against the fingerprint
    for family, kind, protocol, _, address in outbound.addresses(host, port):
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError), \
                socket.socket(family, kind, protocol) as plain:
            plain.settimeout(TIMEOUT_S[0])
            plain.connect(address)
            outbound.opened(plain)
            asked = http.client.HTTPConnection(host, port)
            asked.sock = context.wrap_socket(plain, server_hostname=host)
            try:
                asked.request("GET", "/trust/authority.pem")
                answer = asked.getresponse()
                text = answer.read(AUTHORITY_BYTES) if answer.status == 200 else b""
                return text.decode("ascii") or None
            finally:
                asked.close()
    return None


def _is_authority_of(pem: str, fingerprint: str) -> bool:
    """Whether exactly one certificate stands there, of the key with that fingerprint, signed by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        (found,) = x509.load_pem_x509_certificates(pem.encode("ascii"))
        public = found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        found.verify_directly_issued_by(found)
        return fingerprint_of(sync_token.b64(public)) == fingerprint
    except Exception as error:  # certificates of strangers: cryptography raises in many ways
        log.info("a certificate cannot be read: %s", type(error).__name__)
        return False


def _message(text: bytes) -> str:
    """The sentence of an error answer: short, one line, printable."""
    with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
        said = str(json.loads(text)["error"]["message"])
        return "".join(one for one in " ".join(said.split()) if one.isprintable())[:300]
    return ""
