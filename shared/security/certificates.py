"""The certificates with which the station answers HTTPS: those of its own authority, or one that its owner brings.

The authority is the station's own key (shared/security/identity.py) and is bound: it may speak for home networks, VPNs
and names that nobody on the internet can own, so that a stolen key opens no bank. The leaf holds every name and address
of this machine that fits, and is made anew by itself: when a third of its time is left, and when a name or an address
comes to be. Whatever is wrong with a certificate, the station goes on with the last good one, or with HTTP alone, and
says so.

Files, in the identity's folder: authority.crt, leaf.key, leaf.crt (the leaf, then the authority). Each is replaced in
one step; the leaf's key stays from leaf to leaf, so that key and leaf never part.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared import durable
from shared.model.errors import NotFound, SoundsibleError
from shared.model.units import Seconds
from shared.security.identity import KEY_FILE, TRACE_FILE, Identity, close_to_others

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

log = logging.getLogger(__name__)

AUTHORITY_FILE, LEAF_FILE, LEAF_KEY_FILE = TRACE_FILE, "leaf.crt", "leaf.key"

NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "127.0.0.0/8",
            "fc00::/7", "fe80::/10", "::1/128")
DOMAINS = ("local", "lan", "home", "home.arpa", "internal", "localhost", "fritz.box")
ALWAYS = (("localhost",), ("127.0.0.1", "::1"))
# A permitted name permits what is below it as well: a machine called "music" would let its authority speak for every
# site in .music. Letters with a digit or a hyphen can be no top-level domain; these words are none, either.
MACHINE_WORDS = frozenset({
    "archlinux", "casaos", "debian", "desktop", "diskstation", "docker", "fedora", "homeassistant", "homelab",
    "homeserver", "imac", "jellyfin", "laptop", "macbook", "macmini", "mediaserver", "musicserver", "nas",
    "navidrome", "nixos", "nuc", "openmediavault", "openwrt", "pi", "plex", "proxmox", "qnap", "raspberry",
    "raspberrypi", "raspi", "server", "soundsible", "synology", "thinkpad", "truenas", "ubuntu", "umbrel",
    "unraid", "workstation",
})

AUTHORITY_DAYS, LEAF_DAYS = 3650, 396   # Apple's devices take no leaf of more than 397 days
AUTHORITY_RENEWED_DAYS = 730
RENEWED_AT = 1 / 3                      # of its time left
BACKDATED = timedelta(days=1)           # for devices whose clock is behind
SOON_DAYS = 14                          # a certificate that the owner brings is missed this early
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)    # a clock before it is wrong: there was no Soundsible then
_LAST_DAY = datetime(2999, 12, 31, tzinfo=UTC)
NAMES_LIMIT = 64                        # in a leaf: today's, then those that were
LOOK_S: Seconds = 60.0
_OWN_FILE_LIMIT_BYTES = 256 * 1024
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")

Names = Callable[[], tuple[Iterable[str], Iterable[str]]]


class BadCertificate(SoundsibleError):
    """A certificate that cannot be used; the message says why and what to do."""

    code, http_status = "bad_certificate", 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What HTTPS is answered with. `warning`: it is used, and yet something is wrong with it."""

    certificate: Path
    key: Path
    own_authority: bool
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    begins: datetime
    ends: datetime
    serial: int
    warning: str = ""

    def covers(self, host: str) -> bool:
        """Whether a browser that asks for `host` (a name in lower case, or an address) is content."""
        if (ip := _ip(host)) is not None:
            return str(ip) in self.addresses
        return host in self.names or f"*.{host.partition('.')[2]}" in self.names


class Certificates:
    """What HTTPS is answered with now, looked after by a thread of its own. Safe from any thread.

    identity   the station's key, also the authority's.
    names      (names, addresses) of this machine now; those that the authority may not speak for are left out.
    own        (certificate with its chain, key): the owner's, instead of the authority's.
    on_change  called when another certificate is to be used, in the thread that found out.
    title      what the station is called, for lists of authorities.
    """

    def __init__(
        self, *, identity: Identity, folder: Path, names: Names, own: tuple[Path, Path] | None = None,
        clock: Callable[[], float] = time.time, on_change: Callable[[], object] = lambda: None, title: str = "",
        enabled: bool = True,
    ) -> None:
        self._identity = identity
        self._folder = folder
        self._names = names
        self._own = own
        self._clock = clock
        self._on_change = on_change
        self._title = "".join(one for one in title if one.isprintable()).strip()[:60]
        self._enabled = enabled
        self._lock = threading.Lock()
        self._served: Served | None = None
        self._authority: x509.Certificate | None = None
        self._own_stamp: tuple[object, ...] | None = None
        self._own_served: Served | None = None
        self._own_wrong = ""
        self._own_chain = ""
        self._wrong = ""
        self._wake = threading.Event()
        self._over = False
        self._thread: threading.Thread | None = None

    # ---- for everybody

    def start(self) -> None:
        """Have a certificate, then keep looking. Never raises: without one the station answers HTTP alone."""
        if not self._enabled:
            return
        self.look()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="certificates", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(2.0)
            self._thread = None

    def look_soon(self) -> None:
        """Names or addresses may be others now."""
        self._wake.set()

    def files(self) -> tuple[Path, Path] | None:
        """(certificate with its chain, key) for HTTPS; None while there is none."""
        served = self._served
        return None if served is None else (served.certificate, served.key)

    @property
    def served(self) -> Served | None:
        return self._served

    @property
    def problem(self) -> str:
        """What is wrong at the moment, for the owner; "" when nothing is."""
        served = self._served
        return self._wrong or (served.warning if served is not None else "")

    def stand(self) -> None:
        """Know what is stored, for who only looks: nothing is made or repaired. Raises SoundsibleError with what is
        wrong; `served` is None when there is nothing yet."""
        now = self._now()
        if self._own is not None:
            own = check_own(*self._own)
            self._served = replace(own, warning=_wrong_with(own, now) or _chain_warning(own))
            return
        key = self._identity.stored()
        if key is not None:
            self._authority = self._read_authority(key)
        if self._authority is not None:
            self._served = self._read_leaf(self._authority)

    def lacks(self) -> list[str]:
        """Names and addresses of this machine that the certificate could be good for, and is not."""
        served = self._served
        if served is None or self._authority is None:
            return []
        names, addresses = self._fitting(*self._wanted(), self._authority)
        return [one for one in (*names, *addresses) if not served.covers(one)]

    def authority(self) -> bytes:
        """The authority's certificate (DER), to be installed on devices. Raises NotFound where none is needed."""
        from cryptography.hazmat.primitives.serialization import Encoding

        served, authority = self._served, self._authority
        if served is None:
            raise NotFound("This station does not answer HTTPS: there is nothing to install.")
        if not served.own_authority or authority is None:
            raise NotFound("This station has a certificate that its owner brought: there is nothing to install.")
        return authority.public_bytes(Encoding.DER)

    def describe(self) -> dict[str, Any]:
        """{https, own_authority, name, fingerprint, authority_sha256, authority_sha1, expires_at, names, addresses},
        all of it public."""
        from cryptography.hazmat.primitives.hashes import SHA1, SHA256

        served, authority = self._served, self._authority
        try:
            fingerprint = self._identity.shown()
        except SoundsibleError:
            fingerprint = ""
        own = served is not None and served.own_authority and authority is not None
        return {
            "https": served is not None,
            "own_authority": own,
            "name": self._title,
            "fingerprint": fingerprint,
            "authority_sha256": authority.fingerprint(SHA256()).hex(":").upper() if own and authority else "",
            # Windows shows no other when it asks; nobody finds a second certificate to a given SHA-1
            "authority_sha1": (authority.fingerprint(SHA1())    # nosec B303  # to be compared by eye
                               .hex(":").upper() if own and authority else ""),
            "expires_at": "" if served is None else served.ends.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "names": [] if served is None else list(served.names),
            "addresses": [] if served is None else list(served.addresses),
        }

    # ---- looking after them

    def look(self) -> None:
        """Make, renew or take up anew what needs it. Costs a few system calls when nothing does. Never raises."""
        with self._lock:
            before = self._served
            wrong = ""
            try:
                if self._own is not None:
                    wrong = self._look_at_own(self._own)
                if self._own_served is not None:
                    self._served = self._own_served
                else:
                    self._served = self._look_at_leaf()
            except SoundsibleError as error:
                wrong = f"{wrong} {error.message}".strip()
            except Exception as error:  # the edge of a thread; the last good certificate stays in use
                log.exception("looking after the certificates failed")
                wrong = f"{wrong} The station's certificate could not be looked after: {error}".strip()
            if wrong and wrong != self._wrong:
                log.error("%s", wrong)
            elif self._wrong and not wrong:
                log.info("The certificate is in order again.")
            self._wrong = wrong
            now = self._served
        if now is not None and now.warning and (before is None or before.warning != now.warning):
            log.warning("%s", now.warning)
        if now is not None and self._mark(now) != (None if before is None else self._mark(before)):
            try:
                self._on_change()
            except Exception:  # the edge of a thread
                log.exception("a new certificate could not be told of")

    @staticmethod
    def _mark(served: Served) -> tuple[object, ...]:
        """Differs when another certificate is served."""
        return served.certificate, served.serial

    def _run(self) -> None:
        while True:
            self._wake.wait(LOOK_S)
            self._wake.clear()
            if self._over:
                return
            self.look()

    # ---- the station's own

    def _look_at_leaf(self) -> Served:
        """The leaf that is good now. Raises SoundsibleError."""
        now, served = self._now(), self._served
        names, addresses = self._wanted()
        for path in (self._folder / LEAF_KEY_FILE, self._folder / KEY_FILE):
            if close_to_others(path):
                log.warning("Others on this machine could read %s; that is over now.", path)
        if served is not None and served.own_authority and self._authority is not None and self._good(
                served, self._fitting(names, addresses, self._authority), now) and served.certificate.exists():
            return served
        key = self._identity.key()
        found = self._read_authority(key)
        if now < BEGINNING:
            stored = self._read_leaf(found) if found is not None else None
            if stored is None or found is None:
                raise BadCertificate(
                    f"This machine's clock says {now:%Y-%m-%d}, which cannot be: no certificate can be made. Set it, "
                    "and let the system keep it (timedatectl set-ntp true); HTTPS then comes by itself.")
            self._authority = found
            return stored
        if found is None and (self._folder / AUTHORITY_FILE).exists():
            log.warning("%s is damaged or belongs to another key, and is made anew. Devices may have to install it "
                        "again (/trust).", self._folder / AUTHORITY_FILE)
        if found is None or found.not_valid_after_utc - now < timedelta(days=AUTHORITY_RENEWED_DAYS):
            found = self._make_authority(key, found, now)
        self._authority = found
        wanted = self._fitting(names, addresses, found)
        stored = self._read_leaf(found)
        if stored is not None and self._good(stored, wanted, now):
            return stored
        return self._make_leaf(key, found, wanted, stored, now)

    def _now(self) -> datetime:
        try:
            return datetime.fromtimestamp(self._clock(), UTC)
        except (OverflowError, OSError, ValueError):
            return datetime.fromtimestamp(0, UTC)

    def _wanted(self) -> tuple[list[str], list[str]]:
        names, addresses = self._names()
        return [*ALWAYS[0], *names], [*ALWAYS[1], *addresses]

    @staticmethod
    def _fitting(names: Iterable[str], addresses: Iterable[str],
                 authority: x509.Certificate) -> tuple[tuple[str, ...], tuple[str, ...]]:
        domains, networks = permitted(authority)
        return (tuple(dict.fromkeys(one for name in names if fits_name(one := name.lower().rstrip("."), domains))),
                tuple(dict.fromkeys(str(ip) for text in addresses
                                    if (ip := _ip(text)) is not None and fits_address(ip, networks))))

    @staticmethod
    def _good(leaf: Served, wanted: tuple[tuple[str, ...], tuple[str, ...]], now: datetime) -> bool:
        if now < BEGINNING:
            return True
        late = leaf.ends - (leaf.ends - leaf.begins) * RENEWED_AT
        return (leaf.begins <= now < late and set(wanted[0]) <= set(leaf.names)
                and set(wanted[1]) <= set(leaf.addresses))

    def _read_authority(self, key: EllipticCurvePrivateKey) -> x509.Certificate | None:
        """The stored one, unless it is damaged or another key's."""
        from cryptography import x509

        path = self._folder / AUTHORITY_FILE
        try:
            found = x509.load_pem_x509_certificate(path.read_bytes())
            found.verify_directly_issued_by(found)
            permitted(found)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadCertificate(f"{path} cannot be read: {error.strerror}. Check its permissions.") from error
        except Exception:   # whatever cryptography makes of what is none
            return None
        return found if found.public_key() == key.public_key() else None

    def _make_authority(self, key: EllipticCurvePrivateKey, old: x509.Certificate | None,
                        now: datetime) -> x509.Certificate:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.serialization import Encoding
        from cryptography.x509.oid import ExtendedKeyUsageOID

        path, public = self._folder / AUTHORITY_FILE, key.public_key()
        # Under the same name and key, devices that know the old one take leaves of the new one.
        subject = old.subject if old is not None else self._issuer_of_leaf(key) or self._subject(public)
        allowed: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_network(one)) for one in NETWORKS]
        allowed += [x509.DNSName(one) for one in DOMAINS]
        allowed += [x509.DNSName(one) for one in sorted({
            one.lower() for one in self._wanted()[0] if "." not in one and one not in DOMAINS and bare_is_safe(one)})]
        known = x509.SubjectKeyIdentifier.from_public_key(public)
        made = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(public)
            .serial_number(x509.random_serial_number()).not_valid_before(BEGINNING)
            .not_valid_after(min(now + timedelta(days=AUTHORITY_DAYS), _LAST_DAY))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.NameConstraints(permitted_subtrees=allowed, excluded_subtrees=None), critical=True)
            .add_extension(known, critical=False)
            .sign(key, hashes.SHA256())
        )
        text, first = made.public_bytes(Encoding.PEM), not path.exists()
        if not _written(path, text, over=not first) and (found := self._read_authority(key)) is not None:
            return found    # another process was quicker
        _written(path, text)
        return made

    def _subject(self, public: PublicKeyTypes) -> x509.Name:
        """A name that no other station's authority has; what lists show is its common name."""
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
        from cryptography.x509.oid import NameOID

        mark = _sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        title = self._title[:40].strip()     # a common name has 64 characters at most
        return x509.Name([
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Soundsible"),
            x509.NameAttribute(NameOID.DN_QUALIFIER, mark[:16]),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Soundsible on {title}" if title else "Soundsible"),
        ])

    def _issuer_of_leaf(self, key: EllipticCurvePrivateKey) -> x509.Name | None:
        """How the authority was called, should only the leaf be left of it."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

        with contextlib.suppress(Exception):
            leaf = x509.load_pem_x509_certificate((self._folder / LEAF_FILE).read_bytes())
            key.public_key().verify(leaf.signature, leaf.tbs_certificate_bytes, ECDSA(hashes.SHA256()))
            return leaf.issuer
        return None

    def _read_leaf(self, authority: x509.Certificate) -> Served | None:
        """The stored one with its key, unless it is damaged or of another authority."""
        from cryptography import x509

        path, key_path = self._folder / LEAF_FILE, self._folder / LEAF_KEY_FILE
        try:
            leaf, top = x509.load_pem_x509_certificates(path.read_bytes())[:2]
            key = _load_key(key_path.read_bytes())
            leaf.verify_directly_issued_by(authority)
            if key.public_key() != leaf.public_key() or top != authority:
                return None
            names, addresses = _names_in(leaf)
        except Exception:   # whatever it is, it is made anew
            return None
        return Served(certificate=path, key=key_path, own_authority=True, names=names, addresses=addresses,
                      begins=leaf.not_valid_before_utc, ends=leaf.not_valid_after_utc, serial=leaf.serial_number)

    def _make_leaf(self, key: EllipticCurvePrivateKey, authority: x509.Certificate,
                   wanted: tuple[tuple[str, ...], tuple[str, ...]], old: Served | None, now: datetime) -> Served:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.serialization import Encoding
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

        # Who goes back and forth between two networks does not need a new leaf each time.
        earlier = ((), ()) if old is None else self._fitting(old.names, old.addresses, authority)
        names = tuple(dict.fromkeys((*wanted[0], *earlier[0])))[:NAMES_LIMIT]
        addresses = tuple(dict.fromkeys((*wanted[1], *earlier[1])))[:NAMES_LIMIT]
        path, key_path = self._folder / LEAF_FILE, self._folder / LEAF_KEY_FILE
        leaf_key = self._leaf_key(key_path)
        begins = (now - BACKDATED).replace(microsecond=0)
        ends = min(begins + timedelta(days=LEAF_DAYS), authority.not_valid_after_utc)
        leaf = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Soundsible"),
                                     x509.NameAttribute(NameOID.COMMON_NAME, "Soundsible")]))
            .issuer_name(authority.subject).public_key(leaf_key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([
                *(x509.DNSName(one) for one in names),
                *(x509.IPAddress(ipaddress.ip_address(one)) for one in addresses)]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(leaf_key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        _written(path, leaf.public_bytes(Encoding.PEM) + authority.public_bytes(Encoding.PEM))
        log.info("The station has a new certificate for %s, good until %s.",
                 ", ".join((*names, *addresses)), f"{ends:%Y-%m-%d}")
        return Served(certificate=path, key=key_path, own_authority=True, names=names, addresses=addresses,
                      begins=begins, ends=ends, serial=leaf.serial_number)

    def _leaf_key(self, path: Path) -> EllipticCurvePrivateKey:
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        with contextlib.suppress(OSError, ValueError):
            found = _load_key(path.read_bytes())
            if isinstance(found, ec.EllipticCurvePrivateKey):
                return found
        made = ec.generate_private_key(ec.SECP256R1())
        text = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        if not path.exists() and not _written(path, text, over=False):
            return self._leaf_key(path)     # another process was quicker
        _written(path, text)
        return made

    # ---- the owner's

    def _look_at_own(self, own: tuple[Path, Path]) -> str:
        """Take it up when its files are others than last time; what is wrong, "" when nothing is."""
        now, stamp = self._now(), (_stamp(own[0]), _stamp(own[1]))
        if stamp != self._own_stamp:
            self._own_stamp = stamp
            try:
                self._own_served = check_own(*own)
                self._own_chain, self._own_wrong = _chain_warning(self._own_served), ""
            except BadCertificate as error:
                instead = ("the one before stays in use" if self._own_served is not None
                           else "the station's own certificate is used meanwhile")
                self._own_wrong = f"{error.message} Until then {instead}."
        if self._own_served is not None:
            self._own_served = replace(
                self._own_served, warning=_wrong_with(self._own_served, now) or self._own_chain)
        return self._own_wrong


# ---- what an authority may speak for ------------------------------------------------------------------------------


def bare_is_safe(name: str) -> bool:
    """Whether a name without a dot is surely no top-level domain, now or later."""
    name = name.lower()
    if not _NAME.fullmatch(name) or "." in name:
        return False
    return name in MACHINE_WORDS or (not name.startswith("xn--") and not name.isalpha())


IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


def permitted(authority: x509.Certificate) -> tuple[tuple[str, ...], tuple[IPNetwork, ...]]:
    """(domains, networks) that it may speak for. Raises cryptography's ExtensionNotFound when it is not bound."""
    from cryptography import x509

    trees = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    return (tuple(one.value for one in trees if isinstance(one, x509.DNSName)),
            tuple(one.value for one in trees if isinstance(one, x509.IPAddress)
                  and isinstance(one.value, ipaddress.IPv4Network | ipaddress.IPv6Network)))


def fits_name(name: str, domains: Sequence[str]) -> bool:
    return bool(_NAME.fullmatch(name)) and any(name == one or name.endswith(f".{one}") for one in domains)


def fits_address(ip: IPAddress, networks: Sequence[IPNetwork]) -> bool:
    return any(ip.version == one.version and ip in one for one in networks)


# ---- a certificate that the owner brings ---------------------------------------------------------------------------


def check_own(certificate: Path, key: Path) -> Served:
    """The owner's certificate, ready for use. Raises BadCertificate with what is wrong and what to do about it."""
    from cryptography import x509

    text, key_text = _read_own(certificate, "certificate"), _read_own(key, "certificate_key")
    if b"-----BEGIN" not in text:
        raise BadCertificate(
            f"{certificate} (certificate) is no PEM file. Turn it into one: openssl x509 -inform DER -in FILE -out "
            "FILE.pem")
    try:
        chain = x509.load_pem_x509_certificates(text)
    except ValueError as error:
        raise BadCertificate(f"{certificate} (certificate) holds no certificate that can be read. Put the certificate "
                             "and its chain there, as PEM (certbot: fullchain.pem).") from error
    secret = _own_key(key, key_text)
    leaf = chain[0]
    if secret.public_key() != leaf.public_key():
        place = next((number for number, one in enumerate(chain) if one.public_key() == secret.public_key()), None)
        raise BadCertificate(
            f"{key} (certificate_key) is not the key of the certificate in {certificate} (certificate). Give the two "
            "that belong together (certbot: fullchain.pem and privkey.pem)." if place is None else
            f"In {certificate} (certificate) the station's certificate stands at place {place + 1}. Put it first, then "
            "those that signed it.")
    names, addresses = _names_in(leaf)
    if not names and not addresses:
        raise BadCertificate(f"The certificate in {certificate} (certificate) names no host (subjectAltName): no "
                             "browser takes it. Get one for the name under which the station is reached.")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as error:     # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or str(error)
        raise BadCertificate(f"{certificate} (certificate) and {key} (certificate_key) cannot be used for HTTPS: "
                             f"{str(reason).replace('_', ' ').lower()}. Get a new certificate.") from error
    return Served(certificate=certificate, key=key, own_authority=False, names=names, addresses=addresses,
                  begins=leaf.not_valid_before_utc, ends=leaf.not_valid_after_utc, serial=leaf.serial_number)


def _read_own(path: Path, setting: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_OWN_FILE_LIMIT_BYTES)
    except FileNotFoundError:
        raise BadCertificate(f"There is no file {path}. Check the setting {setting}.") from None
    except OSError as error:
        raise BadCertificate(f"{path} ({setting}) cannot be read: {error.strerror}. Give the station's user the right "
                             "to read it.") from error


def _own_key(path: Path, text: bytes) -> PrivateKeyTypes:
    try:
        return _load_key(text)
    except TypeError:
        raise BadCertificate(f"{path} (certificate_key) is locked with a password. Give the key without one: openssl "
                             "pkey -in FILE -out FILE.open (and chmod 600 it).") from None
    except Exception:   # whatever cryptography makes of what is none; its words may hold pieces of the key
        raise BadCertificate(f"{path} (certificate_key) holds no private key that can be read. Give the certificate's "
                             "key, as PEM (certbot: privkey.pem).") from None


def _wrong_with(own: Served, now: datetime) -> str:
    days = (own.ends - now).total_seconds() / 86_400
    where = f"The certificate in {own.certificate}"
    if now >= own.ends:
        return (f"{where} ran out on {own.ends:%Y-%m-%d}: browsers warn of it. Renew it; the station takes it up by "
                "itself.")
    if now < own.begins:
        return (f"{where} is good only from {own.begins:%Y-%m-%d} on, and this machine's clock says {now:%Y-%m-%d}. "
                "Set the clock, or get another certificate.")
    if days < SOON_DAYS:
        return f"{where} runs out in {days:.0f} days. Renew it; the station takes it up by itself."
    return ""


def _chain_warning(own: Served) -> str:
    """Something to say when devices cannot find the way from the certificate to an authority they know."""
    from cryptography import x509

    try:
        chain = x509.load_pem_x509_certificates(own.certificate.read_bytes())
    except (OSError, ValueError):
        return ""
    last = chain[0]
    for _ in chain:
        above = next((one for one in chain if one.subject == last.issuer and one != last), None)
        if above is None:
            break
        last = above
    if last.issuer == last.subject or _known_authority(last.issuer):
        return ""
    return (f"The chain in {own.certificate} is not complete: what signed its last certificate "
            f"({_common_name(last.issuer)}) is missing, and phones will refuse it. Put the whole chain there (certbot: "
            "fullchain.pem instead of cert.pem).")


def _known_authority(name: x509.Name) -> bool:
    """Whether this machine knows an authority of that name; True when it knows none at all and so cannot tell."""
    trusting = ssl.create_default_context()
    if not trusting.get_ca_certs():
        with contextlib.suppress(ImportError, OSError):
            import certifi

            trusting.load_verify_locations(certifi.where())
    wanted, known = sorted(str(one.value) for one in name), trusting.get_ca_certs()
    return not known or any(wanted == sorted(pair[1] for part in one["subject"] for pair in part) for one in known)


def _common_name(name: x509.Name) -> str:
    from cryptography.x509.oid import NameOID

    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


# ---- small things --------------------------------------------------------------------------------------------------


def _written(path: Path, text: bytes, *, over: bool = True) -> bool:
    """Write a key or a certificate whole; False when another is there (and not `over`). Raises BadCertificate."""
    try:
        if over and path.exists() and path.read_bytes() == text:
            return True
        durable.write(path, text, mode=0o600 if path.suffix == ".key" else 0o644, over=over)
        durable.sync_folder(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise BadCertificate(f"{path} cannot be written: {error.strerror}. Check that folder's permissions and the "
                             "room on its disk.") from error
    return True


def _ip(text: str) -> IPAddress | None:
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return ip.ipv4_mapped or ip if isinstance(ip, ipaddress.IPv6Address) else ip


def _names_in(certificate: x509.Certificate) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return (), ()
    return (tuple(one.lower() for one in found.get_values_for_type(x509.DNSName)),
            tuple(str(one) for one in found.get_values_for_type(x509.IPAddress)))


def _load_key(text: bytes) -> PrivateKeyTypes:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(text, None)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        encipher_only=False, decipher_only=False,
    )


def _sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Tells whether a file is another one now; also behind links, as certbot's are."""
    with contextlib.suppress(OSError):
        facts = os.stat(path)
        return facts.st_ino, facts.st_size, facts.st_mtime_ns
    return None
