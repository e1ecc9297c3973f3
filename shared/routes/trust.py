"""Let devices trust the station: the page that walks through it, the files it needs, and the word that it worked.

Open to everybody: an authority's certificate is no secret, and who asks for it is not logged in yet. The page comes
over HTTP, where it can be changed on the way; so it shows what to compare with what the station's terminal shows.
"""

from __future__ import annotations

import base64
import hashlib
import plistlib
import re
import textwrap
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from flask import Blueprint, Response, request

from shared.routes.operation import Door
from shared.routes.player import Files, sent
from shared.security.hosts import is_address, split_host
from shared.security.proxies import PROXY

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from shared.security.certificates import Certificates

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'{there}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DER_TYPE, PEM_TYPE = "application/x-x509-ca-cert", "application/x-pem-file"
PROFILE_TYPE = "application/x-apple-aspen-config"
HERE = "/trust/here"
HTTP_PORT = 80
_FILES = {"trust.css", "trust.js"}
_CAN_BE_NAMED = re.compile(r"[a-z0-9.-]+")      # by a policy: no IPv6, no underscores


class Trust(msgspec.Struct, kw_only=True):
    """How the station answers HTTPS. `own_authority`: devices have to install its certificate (/trust); then
    `authority_sha256` and `authority_sha1` are its fingerprints as systems show them. `fingerprint`: of the station's
    public key. `names` and `addresses`: what the certificate is good for; of names in .local those that are announced,
    and the one that was asked for. `secure`: this was asked over HTTPS. `proxied`: a reverse proxy handed the request
    on; the certificate at this address is the proxy's, and none of this."""

    https: bool
    own_authority: bool
    name: str
    fingerprint: str
    authority_sha256: str
    authority_sha1: str
    expires_at: str | None
    names: list[str]
    addresses: list[str]
    secure: bool
    proxied: bool


def door(*, certificates: Certificates, announced: Callable[[], Collection[str]]) -> Door:
    """announced: the names by which the network knows the station at this moment."""
    door = Door("trust")

    @door.get("/trust/state", allows="open", outside=True, answers={200: Trust})
    def trust() -> Trust:
        """How the station answers HTTPS, and what a device has to install for it."""
        told = certificates.describe()
        asked = split_host(request.host)
        found = {*announced(), asked[0] if asked else ""}
        told["names"] = [one for one in told["names"] if not one.endswith(".local") or one in found]
        return Trust(**{**told, "expires_at": told["expires_at"] or None}, secure=request.scheme == "https",
                     proxied=PROXY in request.environ)

    return door


def blueprint(*, folder: Path, certificates: Certificates) -> Blueprint:
    """folder: the project's web/trust/."""
    pages = Blueprint("trust_pages", "shared.routes.trust")
    files = Files(folder)

    def send(name: str, **headers: str) -> Response:
        return sent(files.get(name), headers)

    @pages.get("/trust")
    def page() -> Response:
        return send("index.html", **{"Content-Security-Policy": policy_for(request.host)})

    for one in sorted(_FILES):
        pages.add_url_rule(f"/trust/{one}", one.partition(".")[2], lambda name=one: send(name))

    @pages.get("/trust/authority.crt")
    def authority_der() -> Response:
        return _download(certificates.authority(), DER_TYPE, "soundsible.crt")

    @pages.get("/trust/authority.pem")
    def authority_pem() -> Response:
        return _download(pem(certificates.authority()), PEM_TYPE, "soundsible.pem")

    @pages.get("/trust/soundsible.mobileconfig")
    def apple_profile() -> Response:
        told = certificates.describe()
        made = profile(certificates.authority(), title=told["name"], fingerprint=told["fingerprint"])
        return _download(made, PROFILE_TYPE, "soundsible.mobileconfig")

    @pages.get(HERE)
    def here() -> Response:
        """Nothing at all, which a page may ask for over HTTPS from its HTTP twin to see whether that works."""
        return Response(status=204, headers={
            "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "cross-origin"})

    return pages


def policy_for(host: str) -> str:
    """The page's policy when it was asked for at `host`: it may ask its HTTPS twin, and nobody else."""
    parts = split_host(host)
    if parts is None:
        return POLICY.format(there="")
    name, port = parts
    if not _CAN_BE_NAMED.fullmatch(name):
        return POLICY.format(there=" https:" if is_address(name) or "_" in name else "")
    return POLICY.format(there=f" https://{name}:{port or HTTP_PORT}")


def pem(der: bytes) -> bytes:
    """A certificate as text."""
    lines = textwrap.wrap(base64.b64encode(der).decode("ascii"), 64)
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""]).encode("ascii")


def profile(der: bytes, *, title: str, fingerprint: str) -> bytes:
    """The authority as a profile for Apple's devices, the same each time: so a second installation replaces the
    first instead of standing beside it. `fingerprint`: of the station's key."""
    station = uuid.uuid5(uuid.NAMESPACE_URL, f"soundsible:{fingerprint}")
    made = uuid.uuid5(station, hashlib.sha256(der).hexdigest())
    identifier = f"org.soundsible.trust.{station}"
    shown = f"Soundsible on {title}" if title else "Soundsible"
    return plistlib.dumps({
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": identifier,
        "PayloadUUID": str(made).upper(),
        "PayloadDisplayName": shown,
        "PayloadOrganization": "Soundsible",
        "PayloadDescription": "Lets this device trust your own music station. It can speak for home networks and VPNs "
                              "only, never for a website.",
        "PayloadRemovalDisallowed": False,
        "PayloadContent": [{
            "PayloadType": "com.apple.security.root",
            "PayloadVersion": 1,
            "PayloadIdentifier": f"{identifier}.authority",
            "PayloadUUID": str(uuid.uuid5(made, "authority")).upper(),
            "PayloadDisplayName": shown,
            "PayloadCertificateFileName": "soundsible.cer",
            "PayloadContent": der,
        }],
    })


def _download(body: bytes, kind: str, name: str) -> Response:
    """Shown, not saved, where a system opens such files itself (Safari, Firefox)."""
    return Response(body, content_type=kind, headers={
        "Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "no-cache"})
