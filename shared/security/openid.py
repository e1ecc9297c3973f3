"""Logging in through an OpenID Connect provider: the code flow with PKCE, state and nonce (OpenID Connect Core 1.0).

All that is known of the provider comes from its discovery document, which must be the issuer's own; its addresses are
https, or on this machine itself. The way there passes the same checks as every link (shared/outbound): of the home
network only the issuer's host, which the owner named, is reached. What a browser brings back is believed only when it
fits the sealed cookie of the journey it began, which is good once and for ten minutes; who the person is, when the
provider's signature, issuer, audience, nonce and times are right. Keys are kept for an hour, and asked for again when
one is unknown, once a minute at most.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import ipaddress
import json
import logging
import secrets
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shared.model.download import Failure
from shared.model.errors import Overloaded, Unprocessable
from shared.model.units import KIB, Seconds

if TYPE_CHECKING:
    from shared.outbound import Outbound

log = logging.getLogger(__name__)

JOURNEY_S = 600                 # from leaving for the provider to coming back
KEPT_S: Seconds = 3600.0        # a discovery document, and keys
AGAIN_S: Seconds = 60.0         # an unknown key has the keys asked for this seldom
LEEWAY_S = 60                   # that clocks may differ
AT_ONCE = 8                     # people who are being looked up; each holds a thread
LIMIT_BYTES = 256 * KIB         # of any answer
LONGEST = 16 * 1024             # characters of an id_token
TIMEOUT_S = (5.0, 10.0)
MOST_KEYS = 50
JOURNEYS = 10_000               # that came back, remembered so that none comes back twice
# Never "none", and nothing whose key both sides know.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_KINDS = {"R": "RSA", "P": "RSA", "ES": "EC", "Ed": "OKP"}


class LoginElsewhereFailed(Unprocessable):
    """The provider could not be asked, or what it said, or the browser brought, is not right."""

    code = "login_elsewhere_failed"


@dataclass(frozen=True, slots=True)
class Journey:
    """A browser's way to the provider and back. `link`: the id of the account that is to be connected; "" to log in."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom the provider vouches for. `identity` never changes and is never another's; the name may."""

    identity: str       # "issuer subject"
    username: str       # as the setting names the claim; "" when the provider does not say


class OpenId:
    """One provider, as the settings name it."""

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        client_secret: str = "",
        username_claim: str = "preferred_username",
        outbound: Callable[[], Outbound],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer.rstrip("/")
        self._client_id = client_id
        self._client_secret = client_secret
        self._username_claim = username_claim
        self._outbound = outbound
        self._clock = clock
        self._rooms = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        self._about: dict[str, Any] = {}
        self._about_until = 0.0
        self._keys: list[dict[str, Any]] = []
        self._keys_until = 0.0
        self._keys_at = float("-inf")
        self._back: OrderedDict[str, float] = OrderedDict()     # states that came back
        self._box: Any = None       # Fernet, with a key of this start: journeys do not outlive it

    @property
    def enabled(self) -> bool:
        return bool(self._issuer and self._client_id)

    @property
    def name(self) -> str:
        """The provider's host, for the button."""
        return urlsplit(self._issuer).hostname or self._issuer

    def identity_of(self, subject: str) -> str:
        """What is kept of somebody whom the provider calls `subject`. Asks the provider for its exact name. Raises
        LoginElsewhereFailed."""
        return _identity(self._discovered()["issuer"], subject)

    # ---- there -----------------------------------------------------------------------------------------------------

    def begin(self, redirect_uri: str, link: str = "") -> tuple[str, str]:
        """(where to send the browser, the journey sealed for its cookie). Raises LoginElsewhereFailed, Overloaded."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        about = self._discovered()
        journey = Journey(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48),
                          redirect_uri, link)
        url = prepare_grant_uri(
            about["authorization_endpoint"], self._client_id, "code", redirect_uri, "openid profile", journey.state,
            nonce=journey.nonce, code_challenge=create_s256_code_challenge(journey.verifier),
            code_challenge_method="S256",
        )
        return str(url), self._sealer().encrypt(json.dumps(asdict(journey)).encode()).decode("ascii")

    # ---- and back --------------------------------------------------------------------------------------------------

    def journey(self, cookie: str, state: str) -> Journey:
        """The journey that a browser comes back from, by its cookie and the `state` in the address. It is over by
        that. Raises LoginElsewhereFailed when it is another's, too old, or came back before."""
        from cryptography.fernet import InvalidToken

        try:
            told = json.loads(self._sealer().decrypt(cookie.encode("ascii", "replace"), ttl=JOURNEY_S))
            journey = Journey(**told)
        except (InvalidToken, ValueError, TypeError):
            raise LoginElsewhereFailed("This log-in took too long, or was begun in another browser. Begin again."
                                       ) from None
        if not hmac.compare_digest(journey.state.encode(), state.encode("utf-8", "surrogatepass")):
            raise LoginElsewhereFailed("This is the answer to another log-in than the one that was begun here.")
        with self._lock:
            now = self._clock()
            while self._back and next(iter(self._back.values())) < now - 2 * JOURNEY_S:
                self._back.popitem(last=False)
            if journey.state in self._back:
                raise LoginElsewhereFailed("This log-in was used already. Begin again.")
            self._back[journey.state] = now
            while len(self._back) > JOURNEYS:
                self._back.popitem(last=False)
        return journey

    def finish(self, journey: Journey, code: str, issuer: str = "") -> Vouched:
        """Who it is, asked of the provider with the code that the browser brought; `issuer` as the address says it
        (RFC 9207), "" when it does not. Raises LoginElsewhereFailed, Overloaded."""
        about = self._discovered()
        if (issuer or about.get("authorization_response_iss_parameter_supported") is True) and (
                issuer != about["issuer"]):
            raise LoginElsewhereFailed("The answer comes from another provider than the one that was asked.")
        if not self._rooms.acquire(timeout=5.0):
            raise Overloaded("Too many people are logging in right now; try again in a moment.", retry_after_s=5)
        try:
            return self._asked(about, journey, code)
        finally:
            self._rooms.release()

    def _asked(self, about: Mapping[str, Any], journey: Journey, code: str) -> Vouched:
        from authlib.oauth2.rfc6749.parameters import prepare_token_request

        form = {"client_id": self._client_id, "code": code, "code_verifier": journey.verifier}
        auth = None
        if self._client_secret:
            # RFC 8414: basic is what an absent list means.
            ways = about.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
            if "client_secret_basic" in ways or "client_secret_post" not in ways:
                from urllib.parse import quote

                auth = (quote(self._client_id, safe=""), quote(self._client_secret, safe=""))
            else:
                form["client_secret"] = self._client_secret
        body = prepare_token_request("authorization_code", redirect_uri=journey.redirect_uri, **form)
        granted = self._json("POST", about["token_endpoint"], data=body, auth=auth,
                             headers={"Content-Type": "application/x-www-form-urlencoded"})
        id_token, access_token = granted.get("id_token"), granted.get("access_token")
        if not isinstance(id_token, str) or len(id_token) > LONGEST:
            raise LoginElsewhereFailed(f"{self.name} gave no token that says who this is.")
        claims = self._checked(about, id_token, journey.nonce, access_token if isinstance(access_token, str) else "")
        subject, username = str(claims["sub"]), claims.get(self._username_claim)
        if username is None and isinstance(access_token, str) and about.get("userinfo_endpoint"):
            # Not all put it into the token. Who is known already needs no name, so a failure here is none.
            with contextlib.suppress(LoginElsewhereFailed):
                info = self._json("GET", about["userinfo_endpoint"],
                                  headers={"Authorization": f"Bearer {access_token}"})
                if info.get("sub") == subject:      # else it is about somebody else (Core 5.3.2)
                    username = info.get(self._username_claim)
        return Vouched(_identity(about["issuer"], subject), username if isinstance(username, str) else "")

    def _checked(self, about: Mapping[str, Any], id_token: str, nonce: str, access_token: str) -> Mapping[str, Any]:
        """The claims of a token that is right in everything. Raises LoginElsewhereFailed."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import import_key

        header = _header_of(id_token)
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise LoginElsewhereFailed(f"{self.name} signs in a way that is not taken here ({str(algorithm)[:20]}).")
        token = None
        for key in self._keys_for(about, str(algorithm), header.get("kid")):
            try:
                token = jwt.decode(id_token, import_key(key), algorithms=[str(algorithm)])
                break
            except (JoseError, ValueError, TypeError, KeyError):
                continue
        if token is None:
            raise LoginElsewhereFailed(f"What says who this is was not signed by {self.name}.")
        try:
            claims = CodeIDToken(
                token.claims, token.header, options={
                    "iss": {"essential": True, "value": about["issuer"]},
                    "aud": {"essential": True, "value": self._client_id},
                }, params={"nonce": nonce, "client_id": self._client_id, "access_token": access_token},
            )
            claims.validate(now=int(self._clock()), leeway=LEEWAY_S)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise LoginElsewhereFailed(f"What {self.name} says of this person is not right: {error}.") from None
        told = dict(token.claims)
        subject = told.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
            raise LoginElsewhereFailed(f"{self.name} does not say who this is.")
        return told

    # ---- what is known of the provider -----------------------------------------------------------------------------

    def _discovered(self) -> dict[str, Any]:
        """The discovery document, kept for an hour; an old one when the provider does not answer just then."""
        with self._lock:
            if self._about and self._clock() < self._about_until:
                return self._about
        _must_be_safe(self._issuer, self._issuer)
        try:
            about = self._json("GET", f"{self._issuer}/.well-known/openid-configuration")
        except LoginElsewhereFailed:
            if self._about:
                return self._about
            raise
        issuer = about.get("issuer")
        if not isinstance(issuer, str) or issuer.rstrip("/") != self._issuer:
            raise LoginElsewhereFailed(f"{self.name} says that it is another: {str(issuer)[:100]!r}. Check the setting "
                                       "oidc_issuer.")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            _must_be_safe(about.get(name), self._issuer)
        if about.get("userinfo_endpoint") is not None:
            _must_be_safe(about["userinfo_endpoint"], self._issuer)
        with self._lock:
            self._about, self._about_until = about, self._clock() + KEPT_S
        return about

    def _keys_for(self, about: Mapping[str, Any], algorithm: str, kid: Any) -> list[dict[str, Any]]:
        """Keys that may have signed with `algorithm`. An unknown `kid` has them asked for again."""
        now = self._clock()
        if now >= self._keys_until:
            self._fetch_keys(about)
        found = self._fitting(algorithm, kid)
        if not found and now - self._keys_at >= AGAIN_S:
            self._fetch_keys(about)
            found = self._fitting(algorithm, kid)
        return found

    def _fitting(self, algorithm: str, kid: Any) -> list[dict[str, Any]]:
        kind = next(kind for start, kind in _KINDS.items() if algorithm.startswith(start))
        return [
            key for key in self._keys
            if key.get("kty") == kind and key.get("use") in (None, "sig") and key.get("alg") in (None, algorithm)
            and (kid is None or key.get("kid") == kid)
        ]

    def _fetch_keys(self, about: Mapping[str, Any]) -> None:
        self._keys_at = self._clock()
        keys = self._json("GET", about["jwks_uri"]).get("keys")
        self._keys = [key for key in keys if isinstance(key, dict)][:MOST_KEYS] if isinstance(keys, list) else []
        self._keys_until = self._clock() + KEPT_S

    def _json(self, method: str, url: str, **given: Any) -> dict[str, Any]:
        """The JSON object that the provider answers. Raises LoginElsewhereFailed."""
        with self._lock:
            if self._context is None:
                self._context = ssl.create_default_context()    # knows the authorities of this machine, too
        session = self._outbound().session(timeout_s=TIMEOUT_S, limit_bytes=LIMIT_BYTES, context=self._context)
        given["headers"] = {"Accept": "application/json", **given.get("headers", {})}
        try:
            answer = session.request(method, url, allow_redirects=False, **given)
            found = session.read_json(answer)
        except Failure as failure:
            log.warning("the OpenID Connect provider cannot be asked: %s", failure.message)
            raise LoginElsewhereFailed(f"{self.name} cannot be asked: {failure.message}") from None
        if answer.status_code != 200 or not isinstance(found, dict):
            said = found.get("error") if isinstance(found, dict) else None
            log.warning("the OpenID Connect provider answers %s (%s)", answer.status_code, str(said)[:100])
            raise LoginElsewhereFailed(f"{self.name} refuses the log-in ({answer.status_code}"
                                       f"{f', {said[:60]}' if isinstance(said, str) and said.isprintable() else ''}).")
        return found

    def _sealer(self) -> Any:
        with self._lock:
            if self._box is None:
                from cryptography.fernet import Fernet

                self._box = Fernet(Fernet.generate_key())
            return self._box


def _identity(issuer: str, subject: str) -> str:
    return f"{issuer} {subject}"


def _header_of(token: str) -> dict[str, Any]:
    """The header of a JWT, believed in nothing."""
    try:
        head = token.split(".", 1)[0]
        found = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise LoginElsewhereFailed("What the provider gave is no token.")
    return found


def _must_be_safe(url: Any, issuer: str) -> None:
    """Raises LoginElsewhereFailed when an address is neither https nor, as the issuer itself, on this machine."""
    if isinstance(url, str) and len(url) < 2000 and url.isascii() and url.isprintable():
        parts = urlsplit(url)
        if parts.hostname and "@" not in parts.netloc and (
                parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname)
                                            and issuer.startswith("http://"))):
            return
    raise LoginElsewhereFailed("An OpenID Connect provider is asked over https alone (or on this machine): "
                               f"{str(url)[:100]!r} is not.")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
