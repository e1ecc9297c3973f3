"""Make a backup: library, settings, playlists and covers in one verified archive, in a folder or a bucket.

The library is copied while others use it, as one moment of it; the copy is checked before it goes anywhere. The archive
is read back and held against its own manifest before it gets its name, and only then do older ones go. A kill at any
moment leaves the older backups and no file that looks like one and is not; what it left is cleared by the next run.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec

from shared import __version__
from shared.database import Database
from shared.library import manifest_work
from shared.library.playlist_files import encoded, file_stem, free_name, m3u8
from shared.library.scan_lock import ScanLock
from shared.model.cloud import Provider
from shared.model.errors import Conflict, NotFound, SoundsibleError, Unprocessable
from shared.model.person import Person
from shared.model.units import Bytes
from shared.model.work import Moved, Stopped
from shared.ports import Work
from shared.records import notes as records
from shared.records import soundness, transplant
from shared.records.moments import shown
from shared.records.notes import Notes
from shared.records.people import People
from shared.records.playlists import Playlists
from shared.records.tracks import Tracks
from shared.settings import Settings
from shared.upkeep import archive
from shared.upkeep.depots import BucketDepot, Buckets, FolderDepot, Stored, depot

TOOL = "python3 run.py tool"
COVER_PIXELS = 600
LOCK = "backup.lock"
PATIENCE_S = 0.3
ABOUT = [
    "Secrets in config.json (storage keys, API keys) are sealed with the key of the machine they were entered on: on "
    "another machine they are entered again.",
    "library.db holds password hashes and who listens to what: keep this file to yourselves.",
    "The music itself is not in here.",
    "Nor is the key of the station (config/identity): on another machine it is another one, and devices pair again.",
]


class Storages(Protocol):
    """What of storage.providers.Providers is needed here."""

    def all(self) -> list[Provider]: ...
    def named(self, name: str) -> Provider: ...
    def rows(self) -> list[dict[str, Any]]: ...


class Pictures(Protocol):
    """What of library.covers.Covers is needed here."""

    def get(self, uid: str, size: int) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """What was made, or (dry_run) would be. Sizes in bytes; `size_bytes` of a dry run is before compression."""

    dry_run: bool = False
    name: str
    place: str
    size_bytes: Bytes
    sha256: str | None = None
    members: int = 0
    covers: int = 0
    contents: dict[str, Any] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)    # older ones, beyond backup_keep
    warnings: list[str] = field(default_factory=list)


class Backup:
    """Made by the tool. `covers` draws what is shown of the music folders' pictures; without it only those are taken
    that the station keeps for good."""

    def __init__(
        self, *, database: Database, settings: Settings, providers: Storages, buckets: Buckets,
        covers: Pictures | None = None, clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._settings = settings
        self._providers = providers
        self._buckets = buckets
        self._covers = covers
        self._clock = clock
        self._notes = Notes(database=database)

    # ---- looking

    def stored(self, to: str = "") -> tuple[str, list[Stored]]:
        """(where, the backups there, newest first). `to`: a folder or a storage's name; else as the setting says.
        Raises Unprocessable when neither says where, CloudFailure."""
        where = self.depot(to)
        return where.title, where.list()

    def last(self) -> dict[str, Any]:
        """{at, name, place, size_bytes} of the last that succeeded; {failed_at, message} when a later one did not."""
        return self._notes.get(records.BACKUP)

    def depot(self, to: str = "") -> FolderDepot | BucketDepot:
        to = to or self._settings.backup_to
        if not to:
            raise Unprocessable(f"Say where the backup goes: {TOOL} backup FOLDER, or the name of a storage; or once "
                                f"and for all: {TOOL} settings set backup_to FOLDER.")
        return depot(to, provider=self._providers.named, names=[one["name"] for one in self._providers.rows()],
                     buckets=self._buckets)

    # ---- making

    def plan(self, to: str = "", *, covers: bool = True, keep: int | None = None) -> BackupReport:
        """What `run` would do now; nothing is written, no picture is drawn."""
        where = self.depot(to)
        found = transplant.contents(self._database)
        there = where.list()
        name, _ = _free_name(found.station, self._clock(), there)
        files = list(self._kept_files()) if covers else []
        size = self._database_bytes() + sum(path.stat().st_size for _, path in files)
        pictures = transplant.pictured(self._database) if covers and self._covers is not None else []
        return BackupReport(
            dry_run=True, name=name, place=where.title, size_bytes=size,
            covers=len(files) + sum(kept is None for _, _, _, kept in pictures), contents=_shown(found),
            removed=self._too_old(there, found.station, keep, making=1),
        )

    def run(self, to: str = "", *, covers: bool = True, keep: int | None = None, work: Work) -> BackupReport:
        """Make one. Raises Conflict when one is being made, Unprocessable when the library is damaged, DiskFull,
        CloudFailure, Stopped: then nothing there has changed."""
        lock = ScanLock(self._settings.data_dir, LOCK)
        if not lock.acquire(patience_s=PATIENCE_S):
            raise Conflict("A backup is being made already. Try again when it is done.")
        staging = self._settings.cache_dir / "backup"
        own = not to and bool(self._settings.backup_to)     # a slip of who asks for one is no backup that failed
        try:
            where = None if own else self.depot(to)
        except BaseException:
            lock.release()
            raise
        try:
            shutil.rmtree(staging, ignore_errors=True)      # of one that was killed
            staging.mkdir(parents=True, mode=0o700)
            report = self._make(where or self.depot(), staging, covers, keep, work)
            self._notes.put(records.BACKUP, {"at": self._clock(), "name": report.name, "place": report.place,
                                             "size_bytes": report.size_bytes, "warnings": report.warnings})
            return report
        except Stopped:
            raise
        except SoundsibleError as error:
            self._note_failure(error.message)
            raise
        except OSError as error:
            told = archive.no_room(error, staging)
            self._note_failure(told.message)
            raise told from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            lock.release()

    def _make(self, where: FolderDepot | BucketDepot, staging: Path, covers: bool, keep: int | None, work: Work
              ) -> BackupReport:
        now = self._clock()
        found = transplant.contents(self._database)
        name, now = _free_name(found.station, now, where.list())
        part = where.place_for(name, staging)
        warnings: list[str] = []
        try:
            archive.require_room(staging, 2 * self._database_bytes())
            work.tell(Moved("copying the library"))
            found, members = self._library(staging / "library", work)
            if covers:
                members += self._kept_files()
                members += self._shown_pictures(staging / archive.SHOWN, work, warnings)
            measured = archive.measure(members, work, "reading")
            archive.require_room(part.parent, sum(one.size_bytes for one in measured))
            manifest = archive.Manifest(
                version=archive.VERSION, program=__version__, station=found.station, made_at=shown(now),
                contents=_shown(found), notes=ABOUT, members=measured,
            )
            archive.write(part, manifest, [path for _, path in members], work)
            if archive.verify(part, work) != manifest:
                raise Unprocessable("The backup was not written as it was meant. Look after the disk it is on.")
            sha256 = _sha256(part)
            stored = where.publish(part, name, sha256, work)
        finally:
            part.unlink(missing_ok=True)
        removed = self._too_old(where.list(), found.station, keep, but=stored.name)
        where.remove(removed)
        return BackupReport(
            name=stored.name, place=where.title, size_bytes=stored.size_bytes, sha256=sha256, members=len(measured),
            covers=sum(one.name.startswith("covers/") for one in measured), contents=manifest.contents,
            removed=removed, warnings=warnings,
        )

    # ---- what goes in

    def _library(self, folder: Path, work: Work) -> tuple[transplant.Contents, list[tuple[str, Path]]]:
        """The library as it is at this moment, whole, and what is told of it for people. Raises Unprocessable."""
        folder.mkdir(mode=0o700)
        path = self._database.copy_to(folder / archive.DATABASE)
        _go_on(work, Moved("checking the library"))
        copy = Database(path)
        try:
            complaints = soundness.integrity(copy)
            if complaints:
                raise Unprocessable(f"The library's database is damaged ({complaints[0]}): nothing was backed up and "
                                    "no older backup was removed. Run tool doctor, or restore the last backup.")
            manifest_work.export(str(path), str(folder), None)
            found = transplant.contents(copy)
            playlists = list(self._playlists(copy, folder / archive.PLAYLISTS))
        finally:
            copy.close()
        transplant.stand_alone(path)    # and is not opened again: its bytes stay as they are
        config = self._settings.config_path
        if config.is_file():
            shutil.copyfile(config, folder / archive.CONFIG)
        names = [name for name in (archive.DATABASE, archive.CONFIG, archive.LIBRARY) if (folder / name).is_file()]
        return found, [*((name, folder / name) for name in names), *playlists]

    def _playlists(self, library: Database, folder: Path) -> Iterator[tuple[str, Path]]:
        """Everybody's, for other programs and in our own words."""
        listed, tracks = Playlists(database=library), Tracks(database=library)
        people: set[str] = set()
        for row in People(database=library).users():
            person = Person(user_id=row.id, id=row.uid, username=row.username, role="owner")
            own = free_name(file_stem(row.username), "", people)
            taken: set[str] = set()
            for playlist in self._own(listed, person):
                name = free_name(file_stem(playlist.name), "", taken)
                (folder / own).mkdir(parents=True, exist_ok=True, mode=0o700)
                entries = []
                for track in playlist.tracks:
                    try:
                        file = tracks.file_of(track.id)
                    except NotFound:
                        continue
                    entries.append((track.duration_ms, track.artist, track.title, os.path.join(file.root, file.path)))
                for suffix, content in (
                    (".m3u8", encoded("".join(m3u8(playlist.name, entries)))),
                    (".json", msgspec.json.format(msgspec.json.encode(playlist), indent=1)),
                ):
                    (folder / own / f"{name}{suffix}").write_bytes(content)
                    yield f"{archive.PLAYLISTS}/{own}/{name}{suffix}", folder / own / f"{name}{suffix}"

    def _own(self, listed: Playlists, person: Person) -> Iterator[Any]:
        cursor = None
        while True:
            page = listed.list(person, limit=500, cursor=cursor)
            for one in page.items:
                if one.owner == person.username:
                    yield listed.get(person, one.id)
            cursor = page.next_cursor
            if cursor is None:
                return

    def _kept_files(self) -> Iterator[tuple[str, Path]]:
        """What lies in data/covers under a name of ours."""
        for path in sorted((self._settings.data_dir / "covers").glob("[0-9a-f][0-9a-f]/*.jpg")):
            if len(path.stem) == 64 and path.is_file():
                yield f"{archive.KEPT}/{path.parent.name}/{path.name}", path

    def _shown_pictures(self, folder: Path, work: Work, warnings: list[str]) -> Iterator[tuple[str, Path]]:
        """One of each picture that is shown and not kept for good, as it is drawn for players."""
        if self._covers is None:
            return
        wanted = [uid for uid, _, _, kept in transplant.pictured(self._database) if kept is None]
        folder.mkdir(parents=True, mode=0o700)
        silent = 0
        for number, uid in enumerate(wanted):
            _go_on(work, Moved("drawing covers", number, len(wanted)))
            try:
                drawn = self._covers.get(uid, COVER_PIXELS)
                shutil.copyfile(drawn.path, folder / f"{uid}.webp")
            except (SoundsibleError, OSError):
                silent += 1
                continue
            yield f"{archive.SHOWN}/{uid}.webp", folder / f"{uid}.webp"
        if silent:
            warnings.append(f"{silent:,} {'cover' if silent == 1 else 'covers'} could not be drawn, and so not backed "
                            "up: the files do not answer, or hold no picture.")

    # ---- inside

    def _too_old(self, there: Sequence[Stored], station: str, keep: int | None, *, but: str = "", making: int = 0
                 ) -> list[str]:
        """Names of this station's backups beyond those that are kept; never the one just made."""
        keep = self._settings.backup_keep if keep is None else keep
        own = [one.name for one in there if one.station == station and one.name != but]
        return own[max(0, keep - (1 if but else making)):]

    def _database_bytes(self) -> int:
        path = self._settings.database_path
        return sum(one.stat().st_size for one in (path, path.with_name(path.name + "-wal")) if one.exists())

    def _note_failure(self, message: str) -> None:
        try:
            self._notes.put(records.BACKUP, {**self._notes.get(records.BACKUP), "failed_at": self._clock(),
                                             "message": message})
        except SoundsibleError:     # the database is what failed; the error that is raised tells of it
            return


def _free_name(station: str, now: float, there: Sequence[Stored]) -> tuple[str, float]:
    """A name that no backup has, and the moment it tells."""
    taken = {one.name.removesuffix(".sealed") for one in there}
    while (name := archive.name_for(station, now)) in taken:
        now += 1
    return name, now


def _shown(found: transplant.Contents) -> dict[str, Any]:
    return asdict(found)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _go_on(work: Work, moved: Moved) -> None:
    work.tell(moved)
    if work.stopped():
        raise Stopped

