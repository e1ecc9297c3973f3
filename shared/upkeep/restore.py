"""Bring a library back from a backup. It is rehearsed first, always; nothing that is there now is deleted.

The archive is unpacked beside the library and read to its last byte, its database opened, checked and brought to this
program's version. Then it can be told what would come, what would go and what will be missing. Only after that, and
with no station on this home, the one takes the place of the other (upkeep.switch); what was there is set aside.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shlex
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from shared.database import Database
from shared.library import moves
from shared.library.presence import Presence
from shared.library.scan_lock import ScanLock
from shared.model.errors import BadSetting, Conflict, NotFound, SoundsibleError, Unprocessable
from shared.model.filepath import to_path, to_text
from shared.model.units import Bytes
from shared.model.work import Moved, Stopped
from shared.ports import Work, Workers
from shared.records import soundness, transplant
from shared.records.transplant import Contents
from shared.settings import Settings, usable
from shared.upkeep import archive, switch
from shared.upkeep.backup import COVER_PIXELS, TOOL, Storages
from shared.upkeep.depots import BucketDepot, Buckets, FolderDepot, Stored, depot, find
from shared.upkeep.switch import Piece
from shared.vault import SealedElsewhere, Vault

log = logging.getLogger(__name__)

STATION_LOCK, STATION_PATIENCE_S = "station.lock", 0.5
DRAW_TIMEOUT_S = 30.0
_ELSEWHERE = ("backup_to", "slskd_downloads", "download_cookies")     # settings that name places on one machine
_REACHING = ("webhook_urls", "allow_private_hosts", "backup_to", "host", "allowed_hosts")   # who is reached, by whom
_NEVER = ("owner",)     # of a first start alone
_SECRETS_ROW = ("secret", "seal_key")


class Folders(Protocol):
    """What of storage.access.Access is needed here."""

    def probe(self, root: str) -> str: ...
    def call(self, root: str, deed: Callable[[], Any]) -> Any: ...


class Kept(Protocol):
    """What of library.kept_covers.KeptCovers is needed here."""

    def add(self, data: bytes) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPlan:
    """A music folder of the backup. `state`: as storage.access tells (online, absent, …)."""

    path: str
    was: str | None         # what the backup calls it, when it is renamed
    state: str
    tracks: int
    size_bytes: Bytes
    in_cloud: int           # of its tracks have a copy in a storage that opens here


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A secret that does not open on this machine, and how to enter it."""

    name: str
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a restore would do. `present` is None where there is no library yet."""

    source: str
    name: str
    made_at: str | None
    program: str | None
    contents: Contents
    present: Contents | None
    present_trouble: str | None         # why the library that is here cannot be read
    same_station: bool
    upgraded_from: str | None           # the backup's schema, when it is an older one
    covers: int
    secrets: list[Again]
    folders: list[FolderPlan]
    settings: str                       # backup | kept | none: whose settings hold afterwards
    remarks: list[str]
    set_aside: str | None               # where what is here now would go
    running: str | None                 # why it cannot be done right now


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    restored: str
    contents: Contents
    set_aside: str | None
    secrets: list[Again]
    folders: list[FolderPlan]
    covers: int
    remarks: list[str]


@dataclass(slots=True)
class Staged:
    """A library that is ready to take the place of this one."""

    database: Path
    covers: Path | None = None                          # unpacked: kept/… and shown/…
    config: dict[str, Any] | None = None                # None: the settings stay
    folders: dict[str, str] = field(default_factory=dict)
    music: str | None = None                            # a music folder that is new, and made where it is not there
    rehearsal: Rehearsal | None = None


class Restore:
    """Used by the tool. `kept` and `workers` keep the covers of a backup; without them those are left out. `later`
    takes up what came to the storages after a backup was made (see rebuild.Later); without it that is left out."""

    def __init__(
        self, *, settings: Settings, providers: Storages, buckets: Buckets, access: Folders,
        kept: Kept | None = None, workers: Workers | None = None,
        later: Callable[[Database, Path, Work], list[str]] | None = None, clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._providers = providers
        self._buckets = buckets
        self._access = access
        self._kept = kept
        self._workers = workers
        self._later = later
        self._clock = clock
        self._lock: ScanLock | None = None

    # ---- looking

    def stored(self, source: str) -> tuple[str, list[Stored]]:
        """(where, the backups there, newest first). `source`: a folder or a storage's name, or one backup there."""
        where, _ = self._where(source)
        return where.title, where.list()

    def rehearse(
        self, source: str, *, folders: Mapping[str, str] | None = None, keep_settings: bool = False,
        backup_only: bool = False, work: Work,
    ) -> Staged:
        """Make everything ready, and tell what would happen. Then `apply` or `discard`.

        source      a backup's file, a folder of them (the newest), a storage's name, or NAME:BACKUP
        folders     music folders by another path: old → new
        backup_only leave what came to the storages after the backup was made

        Raises NotFound, Unprocessable (damaged, too new, wrong folder), DiskFull, CloudFailure, Conflict when another
        restore goes on, Stopped: then all is as it was.
        """
        staging = self.begin()
        try:
            where, name = self._where(source)
            stored = find(where, name)
            work.tell(Moved("fetching", 0, 1, 0, stored.size_bytes, stored.name))
            packed = where.fetch(stored, staging / "backup.tar.gz", work)
            unpacked = staging / "unpacked"
            unpacked.mkdir(mode=0o700)
            manifest = archive.unpack(
                packed, unpacked, (archive.DATABASE, archive.CONFIG, archive.KEPT, archive.SHOWN), work)
            if packed.parent == staging:
                packed.unlink()
            if not (unpacked / archive.DATABASE).is_file():
                raise Unprocessable(f"{stored.name} holds no library.")
            config = None if keep_settings else _config_in(unpacked / archive.CONFIG)
            staged = Staged(unpacked / archive.DATABASE, unpacked / "covers", config, dict(folders or {}))
            _refuse_strange(staged.database, stored.name)
            before = _schema(staged.database)
            later = None if backup_only else self._later
            rehearsed = self.look(staged, source=where.title, name=stored.name, work=work, later=later)
            staged.rehearsal = replace(
                rehearsed, made_at=manifest.made_at, program=manifest.program,
                upgraded_from=before if before != rehearsed.contents.schema else None,
                covers=sum(one.name.startswith("covers/") for one in manifest.members),
                settings="backup" if config is not None else "kept" if keep_settings else "none",
            )
            return staged
        except BaseException:
            self.discard()
            raise

    def begin(self) -> Path:
        """An empty staging folder, for who makes a library ready by other ways; ends with `apply` or `discard`.

        A switch that was cut off is finished first. Raises Conflict.
        """
        data = self._settings.data_dir
        self._lock = switch.lock(data)
        try:
            switch.settle_held(data)
            staging = data / switch.STAGING
            staging.mkdir(mode=0o700)
            return staging
        except BaseException:
            self._lock.release()
            self._lock = None
            raise

    def discard(self) -> None:
        """Leave everything as it is; a switch that is decided keeps what it needs to be finished."""
        if self._lock is not None:
            if not (self._settings.data_dir / switch.JOURNAL).exists():
                shutil.rmtree(self._settings.data_dir / switch.STAGING, ignore_errors=True)
            self._lock.release()
            self._lock = None

    def look(
        self, staged: Staged, *, source: str, name: str, work: Work,
        later: Callable[[Database, Path, Work], list[str]] | None = None,
    ) -> Rehearsal:
        """Check what is staged, bring it to this version, and hold it against what is here. Raises Unprocessable."""
        work.tell(Moved("checking the library"))
        library = Database(staged.database)
        try:
            library.prepare()
            if complaints := soundness.integrity(library) or soundness.unfit(library):
                raise Unprocessable(f"The library in {name} is damaged ({complaints[0]}). Take another backup.")
            said = later(library, (staged.covers or staged.database.parent) / "kept", work) if later is not None else []
            coming = transplant.contents(library)
            for old in staged.folders:
                if to_text(old) not in {one.path for one in coming.folders}:
                    raise Unprocessable(f"{old} is not one of the music folders in {name}; those are: "
                                        f"{', '.join(one.path for one in coming.folders) or 'none'}.")
        finally:
            library.close()
            for extra in staged.database.parent.glob(f"{staged.database.name}.before-*"):
                extra.unlink()      # the copy made before it was brought to this version: the backup is one
        present, trouble = self._present()
        told = staged.config
        merged, again = self._settings_after(staged)
        staged.config = merged
        opened = self._storages_after(merged)
        copies = _in_cloud(staged.database, opened)
        folders = [
            FolderPlan(
                path=to_path(path), was=to_path(one.path) if path != one.path else None,
                state=self._access.probe(to_path(path)), tracks=one.tracks, size_bytes=one.size_bytes,
                in_cloud=copies.get(one.path, 0),
            )
            for one in coming.folders
            for path in [to_text(staged.folders.get(to_path(one.path), to_path(one.path)))]
        ]
        aside = self._aside() if present is not None or trouble is not None else None
        return Rehearsal(
            source=source, name=name, made_at=None, program=None, contents=coming, present=present,
            present_trouble=trouble, same_station=present is not None and present.station == coming.station,
            upgraded_from=None, covers=0, secrets=again, folders=folders, settings="none",
            remarks=[*said, *self._remarks(merged, told)], set_aside=str(aside) if aside else None,
            running=self.running(),
        )

    def running(self) -> str | None:
        """Why nothing can be restored at this moment: a station runs on this home. None when none does."""
        data = self._settings.data_dir
        if not (data / STATION_LOCK).exists() or ScanLock(data, STATION_LOCK).is_free():
            return None
        at = Presence(data).address()
        port = f" (port {at[1]})" if at else ""
        return (f"A station runs on this home{port}. Stop it first (Ctrl-C where it runs, or as its service is "
                "stopped: systemctl --user stop soundsible, docker compose stop …), then run this again.")

    # ---- doing

    def apply(self, staged: Staged, *, work: Work) -> RestoreReport:
        """Put what was rehearsed in place. Raises Conflict when a station runs on this home or the library is in use,
        Stopped, DiskFull; then all is as it was. Cut off by a kill, it is as it was, or the next start finishes it."""
        rehearsal = staged.rehearsal
        assert rehearsal is not None and self._lock is not None
        data = self._settings.data_dir
        station = ScanLock(data, STATION_LOCK)
        try:
            if not station.acquire(patience_s=STATION_PATIENCE_S):
                raise Conflict(self.running() or "A station runs on this home. Stop it first.")
            try:
                covers = self._take_covers(staged, work)
                self._switch(staged, rehearsal, work)
            finally:
                station.release()
        finally:
            self.discard()
        self._furnish(staged, rehearsal.folders)
        return RestoreReport(
            restored=rehearsal.name, contents=rehearsal.contents, set_aside=rehearsal.set_aside,
            secrets=rehearsal.secrets, folders=rehearsal.folders, covers=covers, remarks=rehearsal.remarks,
        )

    def _furnish(self, staged: Staged, folders: Sequence[FolderPlan]) -> None:
        """Put the station's own folder into music folders that were named and are empty, so that nobody takes them for
        the places of unmounted disks: music comes back to them. What cannot be made is said when it is needed."""
        named = {*staged.folders.values(), staged.music}
        for one in folders:
            if one.path in named and (one.state == "empty" or (one.state == "absent" and one.path == staged.music)):
                try:
                    self._access.call(one.path, partial(os.makedirs, os.path.join(one.path, moves.HOME), exist_ok=True))
                except (OSError, SoundsibleError) as error:
                    log.info("the music folder %s is left as it is: %s", one.path, error)

    def _switch(self, staged: Staged, rehearsal: Rehearsal, work: Work) -> None:
        data, config = self._settings.data_dir, self._settings.config_path
        library = Database(staged.database)
        try:
            above = rehearsal.present.revision if rehearsal.present else 0
            transplant.settle_in(
                library, folders={to_text(old): to_text(new) for old, new in staged.folders.items()}, above=above)
        finally:
            library.close()
        transplant.stand_alone(staged.database)
        _sync_file(staged.database)
        live = self._settings.database_path
        transplant.retire(live)
        if work.stopped():
            raise Stopped
        aside = Path(rehearsal.set_aside) if rehearsal.set_aside else data / f"before-restore-{secrets.token_hex(4)}"
        pieces = [Piece(live=data / name, aside=aside / name, staged=None) for name in (
            f"{live.name}-wal", f"{live.name}-shm", "library.json", ".library.base.gz", ".library.state.json")]
        pieces.append(Piece(live=live, aside=aside / live.name, staged=staged.database))
        try:
            if staged.config is not None:
                config = config.resolve()
                if config.exists():
                    before = data / switch.STAGING / config.name
                    shutil.copyfile(config, before)
                    os.chmod(before, 0o600)
                    pieces.append(Piece(live=aside / config.name, aside=None, staged=before))
                coming = config.with_name(f".{config.name}.restored")     # the config may lie on another disk
                _write_json(coming, staged.config)
                pieces.append(Piece(live=config, aside=None, staged=coming))
            work.tell(Moved("putting it in place"))
        except OSError as error:
            raise archive.no_room(error, config) from error
        try:
            switch.decide(data, pieces)
        except OSError as error:
            raise SoundsibleError(
                f"The library could not be put in place all at once ({error}). Nothing is lost: run any tool command, "
                "or start the station, to finish it."
            ) from error

    # ---- covers

    def _take_covers(self, staged: Staged, work: Work) -> int:
        """What the backup holds of pictures is kept from now on. How many."""
        if self._kept is None or staged.covers is None or not staged.covers.is_dir():
            return 0
        taken = 0
        files = sorted((staged.covers / "kept").glob("*/*.jpg"))
        for number, path in enumerate(files):
            _go_on(work, Moved("keeping covers", number, len(files)))
            taken += self._add(path.read_bytes()) is not None
        shown = staged.covers / "shown"
        if self._workers is None or not shown.is_dir():
            return taken
        library = Database(staged.database)
        try:
            states = {one.was or one.path: one.state for one in staged.rehearsal.folders} if staged.rehearsal else {}
            wanted = [(picture, shown / f"{uid}.webp") for uid, picture, root, kept in transplant.pictured(library)
                      if kept is None and states.get(to_path(root)) != "online"]
            kept_now: list[tuple[int, str]] = []
            for number, (picture, path) in enumerate(wanted):
                _go_on(work, Moved("keeping covers", number, len(wanted)))
                if path.is_file() and (name := self._redrawn(path)):
                    kept_now.append((picture, name))
            transplant.keep_pictures(library, kept_now)
            return taken + len(kept_now)
        finally:
            library.close()

    def _redrawn(self, path: Path) -> str | None:
        assert self._workers is not None
        try:
            data: bytes = self._workers.run("shared.audio.artwork:for_embedding", path.read_bytes(),
                                            longest=COVER_PIXELS, timeout_s=DRAW_TIMEOUT_S)
        except (SoundsibleError, OSError):
            return None
        return self._add(data)

    def _add(self, data: bytes) -> str | None:
        assert self._kept is not None
        try:
            return self._kept.add(data)
        except SoundsibleError as error:
            if error.code == "disk_full":
                raise
            return None

    # ---- settings

    def _settings_after(self, staged: Staged) -> tuple[dict[str, Any] | None, list[Again]]:
        """The config.json that would hold: the backup's, with what opens here. What must be entered again."""
        if staged.config is None:
            return None, []
        here = _config_in(self._settings.config_path) or {}
        vault = Vault(self._settings.config_dir)
        again: list[Again] = []
        merged: dict[str, Any] = {}
        for name, value in staged.config.items():
            if name == "storages" or not usable(name, value) or name in _NEVER:
                continue        # with a value that cannot be the station would not start
            if isinstance(value, dict) and isinstance(value.get("sealed"), str) and not _opens(vault, value):
                if isinstance(here.get(name), dict) and _opens(vault, here[name]):
                    merged[name] = here[name]
                else:       # left out: with a secret that does not open the station would not start
                    again.append(Again(name=name, command=f"{TOOL} settings set {name}"))
                continue
            merged[name] = value
        if isinstance(merged.get("music"), list):
            merged["music"] = [staged.folders.get(str(one), one) for one in merged["music"]]
        rows = {str(row.get("name")): row for row in _rows(here)}
        storages = []
        for row in _rows(staged.config):
            name = str(row.get("name"))
            own = rows.pop(name, None)
            if own is not None and _row_opens(vault, own):      # its key may have changed since the backup
                storages.append(own)
            elif _row_opens(vault, row):
                storages.append(row)
            else:
                storages.append(row)
                again.append(Again(name=f"storage {name}", command=_storage_command(row)))
        storages += rows.values()       # those set up here, perhaps to fetch this very backup
        if storages:
            merged["storages"] = storages
        return merged, again

    def _storages_after(self, merged: dict[str, Any] | None) -> set[str]:
        """Names of the storages whose copies could be played from."""
        content = merged if merged is not None else _config_in(self._settings.config_path) or {}
        vault = Vault(self._settings.config_dir)
        return {str(row.get("name")) for row in _rows(content) if _row_opens(vault, row)}

    def _remarks(self, merged: dict[str, Any] | None, told: Mapping[str, Any] | None) -> list[str]:
        """What to know of the settings that would hold. `told`: those of the backup."""
        remarks = []
        here = _config_in(self._settings.config_path) or {}
        for name, value in (merged or {}).items():
            if (name.endswith("_url") or name in _REACHING) and value != here.get(name) and value not in ("", []):
                shown = "what is sealed in it" if isinstance(value, dict) else ", ".join(map(str, value)) if isinstance(
                    value, list) else str(value)
                remarks.append(f"The setting {name} becomes {shown[:200]}.")
        known = {str(row.get("name")) for row in _rows(here)}
        for row in _rows(merged or {}):
            if str(row.get("name")) not in known:
                remarks.append(f"The storage {row.get('name')} is set up: {row.get('bucket')} at "
                               f"{str(row.get('endpoint'))[:200]}.")
        if unusable := [name for name, value in (told or {}).items() if name != "storages" and not usable(name, value)]:
            remarks.append(f"Settings of the backup that cannot be used are left out: {', '.join(unusable)[:500]}.")
        for name in _ELSEWHERE:
            value = (merged or {}).get(name)
            if isinstance(value, str) and os.path.isabs(value) and not os.path.exists(value):
                remarks.append(f"The setting {name} is {value}, which is not on this machine: "
                               f"{TOOL} settings set {name} …")
        return remarks

    # ---- inside

    def _where(self, source: str) -> tuple[FolderDepot | BucketDepot, str]:
        names = [one["name"] for one in self._providers.rows()]
        path = Path(source).expanduser()
        if source not in names:
            if path.is_file():
                return _OneFile(path.absolute()), "latest"
            storage, colon, name = source.partition(":")
            if colon and storage in names:
                return depot(storage, provider=self._providers.named, names=names, buckets=self._buckets), name
            if archive.parse_name(path.name) is not None:
                raise NotFound(f"There is no backup {path}.")
        return depot(source, provider=self._providers.named, names=names, buckets=self._buckets), "latest"

    def _present(self) -> tuple[Contents | None, str | None]:
        """What is here now: (told, None), (None, why it cannot be read), (None, None) when there is nothing."""
        path = self._settings.database_path
        if not path.is_file():
            return None, None
        library = Database(path)
        try:
            return transplant.contents(library), None
        except Exception as error:  # whatever a damaged file makes SQLite say: it is to be replaced
            return None, getattr(error, "message", None) or str(error)
        finally:
            library.close()

    def _aside(self) -> Path:
        made = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        return self._settings.data_dir / f"before-restore-{made}-{secrets.token_hex(2)}"


class _OneFile(FolderDepot):
    """A backup wherever it lies and whatever it is called."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.parent)
        self._path = path

    def list(self) -> list[Stored]:
        name = archive.parse_name(self._path.name)
        if self._path.name.endswith(".sealed"):
            raise Unprocessable(f"{self._path.name} is encrypted. Restore it from its storage: --from NAME:"
                                f"{self._path.name}.")
        station, made_at = (name.station, name.made_at) if name else ("", 0.0)
        return [Stored(name=self._path.name, station=station, made_at=made_at,
                       size_bytes=self._path.stat().st_size, sealed=False)]


def _refuse_strange(path: Path, name: str) -> None:
    """Before anything else is asked of a database that comes from elsewhere. Raises Unprocessable."""
    library = Database(path)
    try:
        found = soundness.strange(library)
    finally:
        library.close()
    if found:
        raise Unprocessable(f"The library in {name} was not made by Soundsible alone: {found[0]}. Take another backup.")


def _schema(path: Path) -> str | None:
    library = Database(path)
    try:
        return transplant.schema(library)
    finally:
        library.close()


def _in_cloud(path: Path, storages: set[str]) -> dict[str, int]:
    library = Database(path)
    try:
        return transplant.playable_from(library, sorted(storages))
    finally:
        library.close()


def _config_in(path: Path) -> dict[str, Any] | None:
    """None when there is none, or it cannot be read."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _rows(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = config.get("storages")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _opens(vault: Vault, value: Any) -> bool:
    if not (isinstance(value, dict) and isinstance(value.get("sealed"), str)):
        return False
    try:
        vault.open(value["sealed"])
    except (SealedElsewhere, BadSetting):
        return False
    return True


def _row_opens(vault: Vault, row: Mapping[str, Any]) -> bool:
    return all(_opens(vault, row[name]) for name in _SECRETS_ROW if row.get(name) is not None) and "secret" in row


def _storage_command(row: Mapping[str, Any]) -> str:
    """How a storage's secrets are entered again; all else of its row came with the settings."""
    sealed = " --recovery-key KEY" if row.get("seal_key") else ""
    return f"{TOOL} storage secret {shlex.quote(str(row.get('name')))}{sealed}"


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())


def _sync_file(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _go_on(work: Work, moved: Moved) -> None:
    work.tell(moved)
    if work.stopped():
        raise Stopped

