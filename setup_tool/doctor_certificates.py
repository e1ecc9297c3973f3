"""What `doctor` looks at for HTTPS: the station's key, its authority and leaf, or the certificate its owner brings."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from setup_tool.cli import PROGRAM
from setup_tool.findings import Check
from shared.model.errors import SoundsibleError

if TYPE_CHECKING:
    from shared.security.certificates import Certificates
    from shared.settings import Settings

NAME = "https"


def certificates_of(settings: Settings) -> Certificates:
    """The station's certificates, to be looked at: nothing is made or repaired unless that is asked of them."""
    from shared.discovery.finding import Finding
    from shared.security.certificates import Certificates
    from shared.security.hosts import own_names
    from shared.security.identity import Identity

    folder, finding = settings.config_dir / "identity", Finding(settings=settings)
    first = settings.certificate or settings.certificate_key
    return Certificates(
        identity=Identity(folder=folder), folder=folder,
        names=lambda: (sorted(own_names(allowed=settings.allowed_hosts) | finding.names()),
                       [one.ip for one in finding.addresses()]),
        own=None if first is None else (first, settings.certificate_key or first), enabled=settings.https,
    )


def https(settings: Settings) -> Iterator[Check]:
    """Whether the station answers HTTPS, with what, for how long, and what keeps it from that."""
    from setup_tool.rooms import as_running
    from shared.security.identity import KEY_FILE

    if not settings.https:
        yield Check(name=NAME, state="note", message="HTTPS is off: players cannot be installed like an app.",
                    remedy=f"{PROGRAM} settings unset https, then start the station again")
        return
    settings = as_running(settings)
    folder = settings.config_dir / "identity"
    yield from _open_to_others([folder / KEY_FILE, folder / "leaf.key",
                                *([settings.certificate_key] if settings.certificate_key else [])])
    if settings.certificate or settings.certificate_key:
        yield from _identity(settings)
        yield from _own(settings)
    else:
        yield from _authority(settings)


def _open_to_others(keys: list[Path]) -> Iterator[Check]:
    for path in keys:
        with suppress(OSError):
            if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                yield Check(name=NAME, state="warn", message=f"Others on this machine can read the key {path}.",
                            remedy=f"chmod 600 '{path}'")


def _identity(settings: Settings) -> Iterator[Check]:
    """The key by which paired devices know the station, where it is not asked for anyway."""
    from shared.security.identity import Identity, IdentityLost

    try:
        Identity(folder=settings.config_dir / "identity").stored()
    except IdentityLost as error:
        yield Check(name=NAME, state="fail", message=error.message, remedy=_anew(settings))


def _anew(settings: Settings) -> str:
    folder = settings.config_dir / "identity"
    return (f"Put the folder back from a copy of yours (a backup does not hold it). For a new one: rm -r '{folder}', "
            f"start the station, then {PROGRAM} trust and {PROGRAM} pair for each device")


def _own(settings: Settings) -> Iterator[Check]:
    certificates = certificates_of(settings)
    try:
        certificates.stand()
    except SoundsibleError as error:
        yield Check(name=NAME, state="fail",
                    message=f"{error.message} Until then the station answers with a certificate of its own.",
                    remedy=f"Put it right, or do without: {PROGRAM} settings unset certificate, {PROGRAM} settings "
                           "unset certificate_key")
        return
    served = certificates.served
    assert served is not None
    if served.warning:
        over = served.ends <= datetime.now(UTC)
        yield Check(name=NAME, state="fail" if over else "warn", message=served.warning,
                    remedy="Renew it (certbot renew, or as you got it), with its whole chain. The station takes it "
                           "up by itself.")
    host = urlsplit(settings.public_url).hostname or ""
    if settings.public_url.startswith("https:") and not settings.trusted_proxies and not served.covers(host):
        yield Check(name=NAME, state="warn", message=f"The certificate is not for {host}, which public_url names.",
                    remedy=f"Get one that holds {host}, or correct it: {PROGRAM} settings set public_url ADDRESS")
    if not served.warning:
        yield Check(name=NAME, state="ok", message=f"HTTPS with your certificate for {_list([*served.names])}, good "
                                                   f"until {served.ends:%Y-%m-%d}.")


def _authority(settings: Settings) -> Iterator[Check]:
    from setup_tool.rooms import running
    from shared.security.certificates import AUTHORITY_FILE, BEGINNING
    from shared.security.identity import IdentityLost

    certificates = certificates_of(settings)
    if time.time() < BEGINNING.timestamp():
        yield Check(name=NAME, state="fail",
                    message="This machine's clock cannot be right: no certificate can be made.",
                    remedy="Set it, and let the system keep it (timedatectl set-ntp true).")
        return
    try:
        certificates.stand()
    except IdentityLost as error:
        yield Check(name=NAME, state="fail", message=error.message, remedy=_anew(settings))
        return
    served, told = certificates.served, certificates.describe() if certificates.served is not None else {}
    if served is None:
        path = settings.config_dir / "identity" / AUTHORITY_FILE
        if path.exists():
            yield Check(name=NAME, state="warn", message=f"The certificates beside {path} are damaged or incomplete.",
                        remedy="Start the station (again): it makes them anew.")
        else:
            yield Check(name=NAME, state="ok", message="HTTPS with a certificate of its own, made at the first start.")
        return
    if served.ends <= datetime.now(UTC) or served.begins > datetime.now(UTC):
        yield Check(name=NAME, state="warn" if running(settings) is None else "fail",
                    message=f"The station's certificate was good from {served.begins:%Y-%m-%d} to "
                            f"{served.ends:%Y-%m-%d}.",
                    remedy="Start the station (again): it makes a new one by itself. Look at this machine's clock, "
                           "too.")
        return
    if missing := certificates.lacks():
        yield Check(name=NAME, state="note", message=f"The certificate does not hold {_list(missing)} yet.",
                    remedy="The running station puts that right within a minute; else it does at its start.")
    host = urlsplit(settings.public_url).hostname or ""
    if settings.public_url.startswith("https:") and not settings.trusted_proxies and not served.covers(host):
        yield Check(name=NAME, state="warn",
                    message=f"The station's own authority cannot speak for {host}, which public_url names.",
                    remedy="Bring a certificate for it (certificate, certificate_key), or name the proxy that has one "
                           "(trusted_proxies).")
    yield Check(name=NAME, state="ok",
                message=f"HTTPS with the station's own certificate, good until {served.ends:%Y-%m-%d}; its authority's "
                        f"SHA-256 is {told['authority_sha256']}.")


def _list(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
