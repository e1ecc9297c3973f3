"""An OpenID Connect provider as its documents have it (Core 1.0, Discovery 1.0, RFC 6749, 7636, 9207), in a thread.

People log in at once as whoever `person` is. A test can have it lie: in the document, in the claims, with other keys.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from tests.fakes.answering import Answering, Asked, Reply

CLIENT, SECRET = "soundsible-at-home", "s3cret & more:%"


class Oidc(Answering):
    def __init__(self) -> None:
        super().__init__()
        self.keys: list[Any] = [_first_key()]
        self.algorithm = "RS256"
        self.person: dict[str, Any] = {"sub": "248289761001", "preferred_username": "anna"}
        self.claims: dict[str, Any] = {}        # over those of a right token; None takes one away
        self.document: dict[str, Any] = {}      # likewise over the discovery document
        self.info: dict[str, Any] | None = None
        self.header: dict[str, Any] | None = None       # of the id_token
        self.make_token: Any = None             # claims → id_token, in place of a signed one
        self.clock = time.time
        self.codes: dict[str, dict[str, str]] = {}

    def log_in(self, url: str) -> dict[str, str]:
        """What a browser does with the address that it is sent to: the query with which it comes back."""
        query = {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
        assert url.startswith(f"{self.url}/authorize?")
        assert query["response_type"] == "code" and "openid" in query["scope"].split()
        assert query["client_id"] == CLIENT and query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(12)
        self.codes[code] = query
        return {"code": code, "state": query["state"], "iss": self.issuer}

    @property
    def issuer(self) -> str:
        return self.url

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/.well-known/openid-configuration":
            return _json(_over({
                "issuer": self.issuer, "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token", "jwks_uri": f"{self.url}/keys",
                "userinfo_endpoint": f"{self.url}/userinfo", "response_types_supported": ["code"],
                "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
            }, self.document))
        if asked.path == "/keys":
            return _json(KeySet(self.keys).as_dict(private=False))
        if asked.path == "/token":
            return self._token(asked)
        if asked.path == "/userinfo":
            assert asked.headers["authorization"] == "Bearer the-access-token"
            return _json({**self.person, **(self.info or {})})
        return Reply(404)

    def _token(self, asked: Asked) -> Reply:
        form = asked.form
        kind, _, given = asked.headers.get("authorization", "").partition(" ")
        name, _, secret = base64.b64decode(given).decode().partition(":")
        if kind != "Basic" or (unquote(name), unquote(secret)) != (CLIENT, SECRET):
            return _json({"error": "invalid_client"}, 401)
        begun = self.codes.pop(form.get("code", ""), None)      # good once
        challenge = base64.urlsafe_b64encode(
            hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if (form.get("grant_type") != "authorization_code" or begun is None
                or begun["redirect_uri"] != form.get("redirect_uri") or begun["code_challenge"] != challenge):
            return _json({"error": "invalid_grant"}, 400)
        now = int(self.clock())
        access_token = "the-access-token"
        half = hashlib.sha256(access_token.encode()).digest()[:16]
        claims = _over({
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": begun["nonce"],
            "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(), **self.person,
        }, self.claims)
        make = self.make_token or (lambda told: self.signed(told))
        return _json({"access_token": access_token, "token_type": "Bearer", "id_token": make(claims)})

    def signed(self, claims: dict[str, Any], key: Any = None, **header: Any) -> str:
        key = key or self.keys[-1]
        head = self.header or {"alg": self.algorithm, "kid": key.kid, **header}
        return str(jwt.encode(head, claims, key, algorithms=[head["alg"]]))


@cache
def _first_key() -> Any:
    return RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}, auto_kid=False)


@cache
def another_key() -> Any:
    """One that the provider does not have, by the name of one that it has."""
    return RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}, auto_kid=False)


def elliptic() -> Any:
    return ECKey.generate_key("P-256", {"kid": "two", "use": "sig"}, auto_kid=False)


def unsigned(claims: dict[str, Any], algorithm: str = "none") -> str:
    def part(told: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()

    return f"{part({'alg': algorithm, 'kid': 'one'})}.{part(claims)}."


def signed_with_what_everybody_knows(claims: dict[str, Any], key: Any) -> str:
    """HS256 with the public key as the shared secret: the oldest trick with JWTs."""
    return str(jwt.encode({"alg": "HS256", "kid": "one"}, claims, OctKey.import_key(key.as_pem(private=False)),
                          algorithms=["HS256"]))


def _over(told: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**told, **changes}.items() if value is not None}


def _json(told: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(told).encode())
