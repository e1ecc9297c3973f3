"""What `doctor` looks at beside the library itself: clock, storages, cache, backups, and what was cut off or failed."""

from __future__ import annotations

import http.client
import os
import shutil
import ssl
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from setup_tool.cli import PROGRAM
from setup_tool.findings import Check
from shared.model.errors import SoundsibleError

if TYPE_CHECKING:
    from shared.model.cloud import Provider
    from shared.settings import Settings
    from shared.station import Station

ANSWER_S = 6.0
LITTLE_SKEW_S, MUCH_SKEW_S = 60.0, 600.0    # S3 refuses at 900
CERTIFICATE_DAYS = 14
DAY_S = 86_400.0
CHECKED_WITHIN_S = 3 * DAY_S                # a nightly self-check that is older did not run
BACKUP_LATE_S = {"daily": 2 * DAY_S, "weekly": 9 * DAY_S}
FAILED_WITHIN_S = 7 * DAY_S
AT_ONCE = 4
_DATE_COMMAND = "Set it, and let the system keep it (timedatectl set-ntp true)."


# ---- keys --------------------------------------------------------------------------------------------------------


def keys(settings: Settings) -> Iterator[Check]:
    """This machine's key, with which secrets in config.json are sealed."""
    from shared.settings import section
    from shared.vault import KEY_FILE, Vault, machine_identity

    path = settings.config_dir / KEY_FILE
    sealed = '"sealed"' in _text(settings.config_path)
    if not path.exists():
        if sealed:
            yield Check(name="keys", state="fail", message=f"config.json holds secrets, but their key {path} is gone.",
                        remedy=f"Put {KEY_FILE} back from where you keep it; or enter the secrets again: {PROGRAM} "
                               f"storage secret NAME, {PROGRAM} settings set NAME")
        return
    if Vault(settings.config_dir).changing:
        yield Check(name="keys", state="warn", message="A change of the key was cut off: there are two. Nothing is "
                    "lost.", remedy=f"Stop the station and finish it: {PROGRAM} rekey --yes")
        return
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Check(name="keys", state="warn", message=f"Others on this machine can read the key {path}.",
                    remedy=f"chmod 600 '{path}'")
        return
    bound = "and this machine" if machine_identity() else "alone: this machine has no identity of its own"
    storages = section(settings, "storages") or []
    held = f", {len(storages)} storages among them" if len(storages) > 1 else ""
    yield Check(name="keys", state="ok", message=f"Secrets are sealed with {path} {bound}{held}.")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError):
        return ""


# ---- the clock ---------------------------------------------------------------------------------------------------


def clock(station: Station) -> Iterator[Check]:
    """Whether this machine's clock can be right, going by what the library knows to have happened already."""
    from shared.records.health import latest

    now, seen = time.time(), latest(station.database)
    if seen > now + MUCH_SKEW_S:
        yield Check(name="clock", state="fail", remedy=_DATE_COMMAND,
                    message=f"This machine's clock says {_moment(now)}, but the library has seen {_moment(seen)}.")
    else:
        yield Check(name="clock", state="ok", message=f"It is {_moment(now)} by this machine's clock.")


# ---- storages ----------------------------------------------------------------------------------------------------


def storages(station: Station, *, write: bool) -> Iterator[Check]:
    """Each storage is tried; `write`: also by writing, reading and removing an object of a few kB."""
    providers, settings = station.storages, station.settings
    for name, why in providers.broken():
        yield Check(name="storage", state="fail", message=f"{name}: {why}",
                    remedy=f"Enter its key again: {PROGRAM} storage secret {name}")
    names = [row["name"] for row in providers.rows()]
    if settings.cloud_provider and settings.cloud_provider.lower() not in [name.lower() for name in names]:
        yield Check(name="storage", state="fail", message=f"New copies should go to {settings.cloud_provider}, but "
                                                          "there is no storage of that name.",
                    remedy=f"{PROGRAM} settings set cloud_provider NAME, or {PROGRAM} storage add")
    if settings.cloud_copy != "off" and not names:
        yield Check(name="storage", state="warn", message="Copies should be made by themselves (cloud_copy), but there "
                                                          "is no storage.",
                    remedy=f"{PROGRAM} storage add r2|b2|s3|other, or {PROGRAM} settings set cloud_copy off")
    opened = providers.all()
    if opened:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for found in threads.map(lambda one: list(_storage(one, write)), opened):
                yield from found
    for name, totals in sorted(station.copies.totals()["providers"].items()):
        if name not in names:
            yield Check(name="copies", state="warn",
                        message=f"{totals['copies']:,} copies lie in {name}, which is not set up here.",
                        remedy=f"Add it again under that name: {PROGRAM} storage add KIND --name {name}")
        if totals["broken"]:
            yield Check(name="copies", state="warn", message=f"{totals['broken']:,} copies in {name} do not count: "
                                                             "their objects are gone or damaged.",
                        remedy=f"Send those again whose files are here: {PROGRAM} upload")


def _storage(provider: Provider, write: bool) -> Iterator[Check]:
    from shared.storage.s3 import Bucket

    bucket = Bucket(provider, timeout_s=ANSWER_S, attempts=1)
    try:
        failed = next((one for one in bucket.trial(write=write) if not one.ok), None)
    except SoundsibleError as error:
        yield Check(name="storage", state="fail", message=f"{provider.name}: {error.message}",
                    remedy=f"{PROGRAM} storage test {provider.name}")
        return
    finally:
        bucket.close()
    if failed is not None:
        yield Check(name="storage", state="fail", message=f"{provider.name}: {failed.message}",
                    remedy=f"{PROGRAM} storage test {provider.name} tells more; what plays from there waits meanwhile.")
        return
    heard = _ask(provider.endpoint)
    skew = heard.skew_s
    if skew is not None and abs(skew) >= LITTLE_SKEW_S:
        yield Check(name="clock", state="fail" if abs(skew) >= MUCH_SKEW_S else "warn", remedy=_DATE_COMMAND,
                    message=f"This machine's clock is {_span(abs(skew))} {'ahead of' if skew > 0 else 'behind'} "
                            f"{provider.name}'s; at 15 minutes it refuses everything.")
    if heard.certificate_days is not None and heard.certificate_days < CERTIFICATE_DAYS:
        yield Check(name="storage", state="warn",
                    message=f"{provider.name}: its certificate runs out in {max(0, heard.certificate_days):.0f} days.",
                    remedy="If the server is yours, renew it; else wait for its owner to.")
    secret = ", encrypted" if provider.seal_key is not None else ""
    tried = "was written to and read" if write else "answers"
    plain = "" if provider.endpoint.startswith("https:") or _is_near(provider.endpoint) else (
        " without TLS: everybody on the way can read along")
    yield Check(name="storage", state="warn" if plain else "ok",
                message=f"{provider.name}: the bucket {provider.bucket} {tried}{secret}{plain}.",
                remedy="Give its https:// address: storage add again under the same name." if plain else None)


class _Heard(NamedTuple):
    skew_s: float | None            # this machine's clock is so much ahead
    certificate_days: float | None  # until the certificate runs out


def _ask(endpoint: str) -> _Heard:
    """What an endpoint tells of its time and its certificate; nothing where it does not say."""
    parts = urlsplit(endpoint)
    secure = parts.scheme == "https"
    asking: http.client.HTTPConnection = (
        http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=ANSWER_S,
                                    context=ssl.create_default_context())
        if secure else http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_S))
    days = skew = None
    with suppress(OSError, ValueError, TypeError, http.client.HTTPException):
        asking.connect()
        if isinstance(asking.sock, ssl.SSLSocket):
            certificate = asking.sock.getpeercert() or {}
            days = (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / DAY_S
        before = time.time()
        asking.request("HEAD", "/")
        said = asking.getresponse().getheader("Date")
        if said:
            # The header has whole seconds; the answer may have taken some itself.
            told = parsedate_to_datetime(said).timestamp()
            skew = 0.0 if before - 1 <= told <= time.time() + 1 else time.time() - told
    with suppress(OSError):
        asking.close()
    return _Heard(skew, days)


def _is_near(endpoint: str) -> bool:
    """An address of this machine or network, where plain HTTP is usual."""
    import ipaddress

    host = urlsplit(endpoint).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith((".local", ".lan", ".home.arpa", ".internal"))


def certificates() -> Iterator[Check]:
    """Whether this machine knows anybody whom it could believe."""
    from shared.settings import child_environment

    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        path = child_environment().get(name)
        if path and not os.path.exists(path):
            yield Check(name="certificates", state="fail", message=f"{name} names {path}, which is not there.",
                        remedy=f"Unset {name}, or put the certificate authorities there.")
            return
    known = ssl.create_default_context().cert_store_stats()["x509_ca"]
    where = ssl.get_default_verify_paths()
    if known or (where.capath and os.path.isdir(where.capath) and os.listdir(where.capath)):
        return
    with suppress(ImportError, OSError):
        import certifi

        if os.path.getsize(certifi.where()):
            return
    yield Check(name="certificates", state="fail", message="This machine knows no certificate authority: no service "
                                                           "outside can be trusted.",
                remedy="Install them (Debian: apt install ca-certificates).")


# ---- the cache ---------------------------------------------------------------------------------------------------


def cache(station: Station) -> Iterator[Check]:
    from setup_tool.show import count, size

    totals = station.cache.totals()
    folder = station.settings.cache_dir / "tracks"
    if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
        yield Check(name="tracks", state="warn", message=f"The cache of tracks {folder} cannot be written.",
                    remedy="Give this user the right to write there; until then music from the cloud is not kept.")
        return
    if not totals["files"] and not station.storages.rows():
        return
    home = folder if folder.exists() else station.settings.cache_dir
    free = shutil.disk_usage(home).free
    if totals["limit_bytes"] - totals["bytes"] > free:
        yield Check(name="tracks", state="note",
                    message=f"The cache of tracks may take {size(totals['limit_bytes'])}, but only {size(free)} are "
                            "free on its disk; it takes what there is.",
                    remedy=f"{PROGRAM} settings set track_cache_bytes {size(max(0, free + totals['bytes']) // 2)}"
                           .replace(" GB", "GB").replace(" MB", "MB"))
    yield Check(name="tracks", state="ok", message=f"{count(totals['files'], 'track')} from the cloud kept here, "
                                                   f"{size(totals['bytes'])} of {size(totals['limit_bytes'])}.")


# ---- upkeep ------------------------------------------------------------------------------------------------------


def upkeep(station: Station) -> Iterator[Check]:
    """The last self-check, the last backup, and what was cut off or failed."""
    from shared.records.notes import BACKUP, SELF_CHECK, Notes

    notes = Notes(database=station.database)
    yield from _self_check(station, notes.get(SELF_CHECK))
    yield from _backup(station.settings, notes.get(BACKUP))
    yield from _cut_off(station)
    yield from _failed(station)


def _self_check(station: Station, last: dict[str, object]) -> Iterator[Check]:
    at = last.get("checked_at")
    if not isinstance(at, int | float):
        return      # a new library
    problems = last.get("problems")
    if last.get("ok") is False and isinstance(problems, list):
        for one in problems[:3]:
            if isinstance(one, dict):
                yield Check(name="check", state="fail", message=f"{one.get('message')} (found {_moment(at)})",
                            remedy=str(one.get("remedy") or f"{PROGRAM} doctor --self-check"))
    elif station.settings.self_check and time.time() - at > CHECKED_WITHIN_S:
        yield Check(name="check", state="warn", message=f"The last nightly self-check was {_moment(at)}.",
                    remedy=f"Let the station run at {station.settings.upkeep_at}, or: {PROGRAM} doctor --self-check")
    else:
        yield Check(name="check", state="ok", message=f"The last self-check ({_moment(at)}) found nothing wrong.")


def _backup(settings: Settings, last: dict[str, object]) -> Iterator[Check]:
    at, failed = last.get("at"), last.get("failed_at")
    every = settings.backup_every
    if isinstance(failed, int | float) and (not isinstance(at, int | float) or failed > at):
        yield Check(name="backup", state="fail" if every != "off" else "warn",
                    message=f"The backup of {_moment(failed)} failed: {last.get('message')}",
                    remedy=f"Mend that, then: {PROGRAM} backup")
    if every != "off" and not settings.backup_to:
        yield Check(name="backup", state="warn", message=f"Backups shall be made {every}, but nothing says where to.",
                    remedy=f"{PROGRAM} settings set backup_to FOLDER (or the name of a storage)")
        return
    if not isinstance(at, int | float):
        yield Check(name="backup", state="note", message="No backup has been made yet.",
                    remedy=f"{PROGRAM} backup FOLDER; by itself: {PROGRAM} settings set backup_every daily")
    elif every != "off" and time.time() - at > BACKUP_LATE_S[every]:
        yield Check(name="backup", state="warn",
                    message=f"Backups shall be made {every}; the last is of {_moment(at)}.",
                    remedy=f"Let the station run at {settings.upkeep_at}, or: {PROGRAM} backup")
    else:
        yield Check(name="backup", state="ok", message=f"The last backup is of {_moment(at)}, in {last.get('place')}.")


def _cut_off(station: Station) -> Iterator[Check]:
    from setup_tool.workshop import Workshop

    for step in Workshop(station).journal.cut_off()[:5]:
        what = "was being undone and was cut off" if step.state == "undoing" else "was cut off"
        yield Check(name="upkeep", state="warn",
                    message=f"{step.command} of {_moment(step.created_at)} {what}; nothing is lost.",
                    remedy=f"Run it again, or take back what it did: {PROGRAM} {step.command} --undo {step.id}")


def _failed(station: Station) -> Iterator[Check]:
    from shared.records.errands import Errands

    errands = Errands(database=station.database)
    for one in errands.recent(time.time() - FAILED_WITHIN_S):
        if one.state != "failed":
            continue
        since = errands.last(one.kind)
        if since is not None and (since.finished_at or "") > (one.finished_at or ""):
            continue        # it succeeded later
        yield Check(name="errands", state="warn", message=f"The station could not do this: {one.kind}. "
                                                          f"{one.message or 'Its log tells more.'}",
                    remedy="Mend what it says; then ask for it again in the player, or with the tool.")
        return      # the latest tells enough


def services(station: Station) -> Iterator[Check]:
    """Services outside that did not answer when they were last needed. Asks nobody."""
    for row in station.stored_breakers.load():
        if row.state == "open" and row.operation != "resolve" and row.last_failure and (
                time.time() - row.last_failure < DAY_S):
            yield Check(name="services", state="note",
                        message=f"{row.name} did not answer when it was last asked ({_moment(row.last_failure)}): "
                                f"{row.last_error or 'no reason given'}",
                        remedy="It is asked again by itself; nothing needs to be done unless it stays so.")


def _moment(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
    except (OverflowError, OSError, ValueError):
        return "a time that cannot be"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"
