"""The storages that were added: rows of config.json, their secrets opened with this machine's key."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from shared import settings as config
from shared.model.cloud import KINDS, Provider
from shared.model.errors import BadInput, BadSetting, Conflict, NotFound
from shared.model.units import Seconds
from shared.storage.sealing import KEY_BYTES, parse_recovery_key, recovery_key
from shared.vault import SealedElsewhere, Vault

log = logging.getLogger(__name__)

SECTION = "storages"
LAYOUT = ("music/", "covers/", "catalogue/", "backups/", "trash/")     # below the prefix
LOOK_EVERY_S: Seconds = 2.0
_TOOL = "python3 run.py tool storage"
_ROW = ("name", "kind", "endpoint", "region", "bucket", "key_id")

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_ENDPOINT = re.compile(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?::\d{1,5})?")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_DNS_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


class Providers:
    """The rows, opened. Cheap to ask, safe from any thread: the file is read again when it has changed."""

    def __init__(self, *, settings: config.Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._vault = Vault(settings.config_dir)
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._stamp: tuple[int, int, int] | None = None
        self._rows: list[dict[str, Any]] = []
        self._open: dict[str, Provider] = {}
        self._closed: dict[str, str] = {}

    def all(self) -> list[Provider]:
        """Those whose secrets open, in the order in which they were added.

        Raises BadSetting when config.json cannot be read; not once it could be.
        """
        self._look()
        return list(self._open.values())

    def named(self, name: str) -> Provider:
        """Raises NotFound with the names there are; SealedElsewhere with what to do."""
        self._look()
        found = self._open.get(name.lower())
        if found is None:
            if why := self._closed.get(name.lower()):
                raise SealedElsewhere(why)
            there = ", ".join([*self._open, *self._closed]) or "none yet"
            raise NotFound(f"There is no storage '{name}'. There is: {there}. Add one: {_TOOL} add r2|b2|s3|other")
        return found

    def default(self) -> Provider | None:
        """Where new copies go: the setting cloud_provider, else the first. None: there is none (of that name)."""
        self._look()
        if self._settings.cloud_provider:
            return self._open.get(self._settings.cloud_provider.lower())
        return next(iter(self._open.values()), None)

    def broken(self) -> list[tuple[str, str]]:
        """(name, why and what to do) of those whose secrets do not open on this machine, or that are damaged."""
        self._look()
        return list(self._closed.items())

    def rows(self) -> list[dict[str, Any]]:
        """All, opened or not, without secrets: name, kind, endpoint, region, bucket, prefix, sealed (bool), opens."""
        self._look()
        return [{
            "name": str(row.get("name")), "kind": str(row.get("kind")), "endpoint": str(row.get("endpoint")),
            "region": str(row.get("region")), "bucket": str(row.get("bucket")), "prefix": str(row.get("prefix") or ""),
            "sealed": bool(row.get("seal_key")), "opens": str(row.get("name")).lower() in self._open,
        } for row in self._rows]

    def row(self, name: str) -> dict[str, Any]:
        """One as it stands in config.json, its secrets sealed. Raises NotFound."""
        self._look()
        for row in self._rows:
            if str(row.get("name")).lower() == name.lower():
                return dict(row)
        raise NotFound(f"There is no storage '{name}'.")

    def add(self, provider: Provider, *, replace: bool = False) -> None:
        """Write it down, its secrets sealed. `replace` puts it in the place of the one of that name.

        Raises BadInput (syntax), Conflict (there is one of that name, or at that place), OSError (config.json cannot be
        written).
        """
        check(provider)
        row: dict[str, Any] = {
            "name": provider.name, "kind": provider.kind, "endpoint": provider.endpoint, "region": provider.region,
            "bucket": provider.bucket, "prefix": provider.prefix, "key_id": provider.key_id,
            "path_style": provider.path_style, "secret": {"sealed": self._vault.seal(provider.secret)},
        }
        if provider.seal_key is not None:
            row["seal_key"] = {"sealed": self._vault.seal(provider.seal_key.hex())}
        rows = self._read()
        self._refuse_shared_place(provider, rows)
        at = next((at for at, one in enumerate(rows) if _named(one) == provider.name), None)
        if at is None:
            rows.append(row)
        elif replace:
            rows[at] = row
        else:
            raise Conflict(f"There is a storage '{provider.name}' already. Enter its key again: {_TOOL} secret "
                           f"{provider.name}; or give the new one another --name.")
        self._write(rows)

    @staticmethod
    def _refuse_shared_place(provider: Provider, rows: list[dict[str, Any]]) -> None:
        """Two names for one place would each take the other's objects for left-overs."""
        for row in rows:
            if _named(row) == provider.name or (row.get("endpoint"), row.get("bucket")) != (
                    provider.endpoint, provider.bucket):
                continue
            shorter, longer = sorted((provider.prefix, str(row.get("prefix") or "")), key=len)
            if longer == shorter or any(longer.startswith(shorter + folder) for folder in LAYOUT):
                raise Conflict(f"The storage '{_named(row)}' keeps its things at this place already. Give the new one "
                               f"another bucket, or a folder of its own with --prefix.")

    def remove(self, name: str) -> None:
        """Forget it. What lies in the bucket stays there. Raises NotFound, OSError."""
        rows = self._read()
        kept = [row for row in rows if _named(row) != name.lower()]
        if len(kept) == len(rows):
            raise NotFound(f"There is no storage '{name}'.")
        self._write(kept)

    def recovery_key(self, name: str) -> str:
        """The seal key of one, to write down. Raises NotFound, SealedElsewhere, BadInput when it has none."""
        key = self.named(name).seal_key
        if key is None:
            raise BadInput(f"What goes to '{name}' is not encrypted, so there is no key to write down.")
        return recovery_key(key)

    # ---- the file --------------------------------------------------------------------------------------------------

    def _read(self) -> list[dict[str, Any]]:
        found = config.section(self._settings, SECTION)
        return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []

    def _write(self, rows: list[dict[str, Any]]) -> None:
        config.save_section(self._settings, SECTION, rows or None)
        with self._lock:
            self._looked_at, self._stamp = float("-inf"), None

    def _look(self) -> None:
        with self._lock:
            now = self._clock()
            if now - self._looked_at < LOOK_EVERY_S:
                return
            try:
                stat = self._settings.config_path.stat()
                stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            except OSError:
                stamp = (0, 0, 0)
            if stamp != self._stamp:
                try:
                    rows = self._read()
                except BadSetting as error:
                    if self._stamp is None:
                        raise
                    log.warning("The storages stay as they were: %s", error.message)   # somebody is editing it
                    self._stamp, self._looked_at = stamp, now
                    return
                self._rows = rows
                self._open, self._closed = {}, {}
                for row in self._rows:
                    self._take(row)
                self._stamp = stamp
            self._looked_at = now

    def _take(self, row: dict[str, Any]) -> None:
        name = _named(row)
        if name in self._open or name in self._closed:
            return
        try:
            self._open[name] = self._opened(row)
        except SealedElsewhere as error:
            also = ", with its recovery key" if row.get("seal_key") else ""
            self._closed[name] = (
                f"The key of the storage '{name}' cannot be opened on this machine. {error.message} That is: "
                f"{_TOOL} secret {name}{also}. (Or {_TOOL} remove {name} to do without; what lies in the bucket "
                "stays.)")
        except BadInput as error:
            self._closed[name] = (f"The storage '{name}' in {self._settings.config_path} is damaged: {error.message} "
                                  f"Take it out ({_TOOL} remove {name}) and add it again.")

    def _opened(self, row: dict[str, Any]) -> Provider:
        for field in _ROW:
            if not isinstance(row.get(field), str):
                raise BadInput(f"its {field} is no text.")
        made = Provider(
            name=_named(row), kind=row["kind"], endpoint=row["endpoint"], region=row["region"], bucket=row["bucket"],
            key_id=row["key_id"], prefix=str(row.get("prefix") or ""), path_style=bool(row.get("path_style", True)),
            secret=self._vault.open(_sealed(row, "secret")), seal_key=self._seal_key(row))
        check(made)
        return made

    def _seal_key(self, row: dict[str, Any]) -> bytes | None:
        if row.get("seal_key") is None:
            return None
        try:
            key = bytes.fromhex(self._vault.open(_sealed(row, "seal_key")))
        except ValueError:
            raise BadInput("its seal key is none.") from None
        return key

    def kept_seal_key(self, name: str) -> bytes | None:
        """The seal key of a row whose other secret may not open. Raises NotFound, SealedElsewhere."""
        return self._seal_key(self.row(name))


def check(provider: Provider) -> None:
    """Whether its fields can be those of a storage. Raises BadInput with what is wrong and how it should look."""
    if not _NAME.fullmatch(provider.name):
        raise BadInput(f"'{provider.name}' cannot be a storage's name: use small letters, digits, dots and hyphens, "
                       f"40 at most.")
    if provider.kind not in KINDS:
        raise BadInput(f"There is no kind of storage '{provider.kind}'. There is: {', '.join(KINDS)}.")
    if not _ENDPOINT.fullmatch(provider.endpoint):
        raise BadInput(f"The endpoint '{provider.endpoint}' is none: it looks like https://host or https://host:port, "
                       f"without a path.")
    if not _BUCKET.fullmatch(provider.bucket) or ".." in provider.bucket:
        raise BadInput(f"'{provider.bucket}' cannot be a bucket's name: 3 to 63 small letters, digits, hyphens and "
                       f"dots. The bucket's name stands alone, without an address.")
    if not provider.path_style and not _DNS_BUCKET.fullmatch(provider.bucket):
        raise BadInput(f"The bucket '{provider.bucket}' cannot stand in a host's name. Add it with --path-style.")
    if not _REGION.fullmatch(provider.region):
        raise BadInput(f"'{provider.region}' cannot be a region; it looks like eu-central-1.")
    if not re.fullmatch(r"[!-.0-~]+", provider.key_id):
        raise BadInput("The key ID is empty or has a blank or a slash in it; copy it once more.")
    if not re.fullmatch(r"[!-~]+", provider.secret):
        raise BadInput("The secret key is empty or has a blank in it; copy it once more.")
    parts = provider.prefix.split("/")
    if provider.prefix and (parts[-1] or any(one in ("", ".", "..") or not one.isprintable() for one in parts[:-1])):
        raise BadInput(f"'{provider.prefix}' cannot be a prefix: it looks like soundsible/ or home/music/.")
    if len(provider.prefix.encode()) > 300:
        raise BadInput("The prefix is too long: 300 bytes at most.")
    if provider.seal_key is not None and len(provider.seal_key) != KEY_BYTES:
        raise BadInput("its seal key is none.")


def clean_prefix(text: str) -> str:
    """A prefix as a person gives it, as it stands before keys: "" or ending in "/"."""
    text = text.strip().strip("/")
    return f"{text}/" if text else ""


def _named(row: dict[str, Any]) -> str:
    return str(row.get("name") or "").lower()


def _sealed(row: dict[str, Any], field: str) -> str:
    found = row.get(field)
    if not isinstance(found, dict) or not isinstance(found.get("sealed"), str):
        raise BadInput(f"its {field} is not sealed.")
    return str(found["sealed"])


__all__ = ["Providers", "check", "clean_prefix", "parse_recovery_key", "recovery_key"]
