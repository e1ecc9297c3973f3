"""A library made again from what a bucket tells of itself, and what came to a bucket after a backup was made.

The catalogue in the bucket tells tracks with their ids, tags and covers. What is told is held against what lies there;
what lies there and is not told of (a station that died between an object and its piece of the catalogue) is fetched and
its tags are read by workers. People, playlists and listening are in backups alone: one in the same bucket is better,
and is said to be there.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from shared.cloud import catalogue, layout
from shared.cloud.catalogue import Entry
from shared.database import Database
from shared.library import kept_covers
from shared.library.naming import Template
from shared.model.cloud import CloudFailure, Copy, Provider, StoredObject
from shared.model.errors import NotFound, SoundsibleError
from shared.model.filepath import to_path, to_text
from shared.model.track import EXTENSIONS, Reading
from shared.model.work import Moved, Stopped
from shared.ports import Work, Workers
from shared.records import transplant
from shared.records.artworks import Artworks
from shared.records.copies import Copies
from shared.records.moments import make_uid
from shared.records.rebuilding import Adopted, Rebuilding
from shared.records.telling import ToldTrack
from shared.settings import Settings
from shared.upkeep.backup import Storages
from shared.upkeep.depots import BucketDepot, Buckets
from shared.upkeep.restore import Restore, Staged

if TYPE_CHECKING:
    from shared.storage.s3 import Bucket

log = logging.getLogger(__name__)

READ_TIMEOUT_S, DRAW_TIMEOUT_S = 60.0, 30.0
_HEX = frozenset("0123456789abcdef")
_ID = re.compile(r"[a-z0-9]{1,40}")


@dataclass(slots=True, kw_only=True)
class Told:
    """A track as the bucket tells of it, with those of its copies that lie there."""

    track: ToldTrack
    copies: list[Copy] = field(default_factory=list)
    cover: str | None = None


@dataclass(slots=True, kw_only=True)
class Found:
    """What is in one bucket."""

    told: dict[str, Told]               # by the track's id
    keys: set[str]                      # of all music that lies there
    strangers: list[StoredObject]       # music that nobody tells of
    stations: set[str]
    lost: int                           # copies that are told of and do not lie there
    remarks: list[str]


class Rebuild:
    """Used by the tool. `restore` puts in place what is made here."""

    def __init__(
        self, *, settings: Settings, providers: Storages, buckets: Buckets, restore: Restore, workers: Workers,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._providers = providers
        self._buckets = buckets
        self._restore = restore
        self._workers = workers
        self._clock = clock

    def rehearse(
        self, place: str, *, music: Path, folders: Mapping[str, str] | None = None, work: Work
    ) -> Staged:
        """Make the library that the storage `place` tells of, beside the one that is here. Then Restore.apply, or
        Restore.discard.

        music       the music folder that tracks belong to and come back to when they are fetched
        folders     for tracks of several music folders: theirs as told → where they lie now

        Raises NotFound (no such storage, nothing in it), CloudFailure, Conflict, DiskFull, Stopped.
        """
        provider = self._providers.named(place)
        bucket = self._buckets(provider)
        staging = self._restore.begin()
        try:
            found = look(bucket, provider, work)
            if not found.told and not found.strangers:
                raise NotFound(f"There is no music of a Soundsible in {place}: neither a catalogue nor objects below "
                               f"{provider.prefix}{layout.MUSIC}.")
            staged = Staged(staging / "library.db", staging / "covers", music=str(music))
            library = Database(staged.database)
            try:
                library.prepare()
                if len(found.stations) == 1:
                    transplant.adopt_station(library, next(iter(found.stations)))
                adopting = Adopting(library, now=self._clock())
                adopting.take(found.told.values(), placed(found.told.values(), music, folders or {}))
                covers = bring_covers(library, bucket, provider, found.told.values(), staging / "covers" / "kept", work)
                remarks = [*found.remarks, *self._read_strangers(
                    library, adopting, bucket, provider, found.strangers, music, staging, work)]
                Rebuilding(database=library).settle()
            finally:
                library.close()
            told = self._restore.look(staged, source=place, name=f"what lies in {place}", work=work)
            newest = next(iter(BucketDepot(provider, self._buckets).list()), None)
            if newest is not None:
                made = time.strftime("%Y-%m-%d %H:%M", time.localtime(newest.made_at))
                remarks.insert(0, (
                    f"There is a backup of {made} in {place}. It has people, playlists, plays and favourites too, "
                    f"which nothing else in a bucket tells: python3 run.py tool restore --from {place}"))
            else:
                remarks.insert(0, "People, playlists, plays and favourites are in backups alone; there is none here.")
            staged.rehearsal = replace(told, covers=covers, remarks=[*remarks, *told.remarks])
            return staged
        except BaseException:
            self._restore.discard()
            raise

    # ---- what nobody tells of

    def _read_strangers(
        self, library: Database, adopting: Adopting, bucket: Bucket, provider: Provider,
        strangers: Sequence[StoredObject], music: Path, staging: Path, work: Work,
    ) -> list[str]:
        """Fetch each, read its tags, and make a track of it. What is to be said of those it could not be done for."""
        template, unread = Template(self._settings.download_template), 0
        total, done = sum(one.size_bytes for one in strangers), 0
        pictures: dict[str, str] = {}
        for number, one in enumerate(strangers):
            _go_on(work, Moved("fetching what is not told of", number, len(strangers), done, total, one.key, unread))
            path = staging / "stranger"
            try:
                made = self._stranger(bucket, provider, one, path, template)
                if made is None:
                    unread += 1
                    continue
                adopting.take([made], {made.track.root: (to_text(str(music)), "")})
                if name := self._drawn(path, made, staging / "covers" / "kept"):
                    pictures[made.track.uid] = name
            finally:
                path.unlink(missing_ok=True)
                done += one.size_bytes
        if pictures:
            Artworks(database=library).attach(pictures)
        return [f"{unread:,} objects below {layout.MUSIC} could not be read and were left out."] if unread else []

    def _stranger(self, bucket: Bucket, provider: Provider, one: StoredObject, path: Path, template: Template
                  ) -> Told | None:
        """None: it is no music, or not what it should be."""
        sealed = one.key.endswith(".sealed")
        told = (bucket.head(one.key) or one).metadata
        try:
            if sealed:
                if provider.seal_key is None:
                    return None
                from shared.storage.sealing import Sealer

                closed = path.with_name("stranger.sealed")
                try:
                    bucket.fetch(one.key, closed)
                    sha256 = Sealer(provider.seal_key).open_file(closed, path)
                finally:
                    closed.unlink(missing_ok=True)
            else:
                bucket.fetch(one.key, path)
                with open(path, "rb") as file:
                    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except CloudFailure as failure:
            if failure.reason in ("not_there", "corrupted"):
                return None
            raise
        stem = PurePosixPath(one.key).name.partition(".")[0]
        compression = told.get("compression", "")
        by_name = stem if not sealed and not compression and _is_hash(stem) else sha256
        if sha256 != by_name or sha256 != told.get("sha256", sha256):
            return None
        [reading] = self._workers.run("shared.library.reading:read_many", [(str(path), False)],
                                      timeout_s=READ_TIMEOUT_S)
        if not isinstance(reading, Reading):
            return None
        size, mtime_ns = path.stat().st_size, round(one.modified_at * 1e9)
        source = told.get("source-sha256") or (stem if compression and _is_hash(stem) else sha256)
        facts, uid = reading.facts, make_uid()
        suffix = layout.suffix_of("" if sealed or compression else one.key, facts.format)
        track = ToldTrack(
            uid=uid, metadata=reading.metadata, facts=facts, root=_STRANGERS, size_bytes=size, mtime_ns=mtime_ns,
            path=to_text(template.path(reading.metadata, suffix)), added_at=one.modified_at, lyrics=reading.lyrics,
        )
        copy = Copy(
            track_id=uid, provider=provider.name, key=one.key, size_bytes=size, stored_bytes=one.size_bytes,
            sha256=sha256, format=facts.format, mime_type=facts.mime_type, bitrate_kbps=facts.bitrate_kbps,
            compression=compression, source_sha256=source, source_size_bytes=size, source_mtime_ns=mtime_ns,
            etag=one.etag, sealed=sealed, verified_at=self._clock(), added_at=one.modified_at,
        )
        return Told(track=track, copies=[copy], cover=None if not reading.picture_bytes else "")

    def _drawn(self, path: Path, made: Told, folder: Path) -> str | None:
        """The picture inside a fetched file, put into `folder`; its name."""
        if made.cover is None:
            return None
        try:
            drawn: dict[str, Any] = self._workers.run(
                "shared.library.kept_covers:draw", "embedded", str(path), str(folder),
                timeout_s=DRAW_TIMEOUT_S)
            return str(drawn["sha256"])
        except (SoundsibleError, OSError):
            return None


_STRANGERS = "\x00strangers"


# ---- what came after a backup --------------------------------------------------------------------------------------


class Later:
    """What the storages of this machine tell that a backup does not know yet: tracks and copies that came after it.

    here    the music folders of this machine, as texts. A bucket's word alone makes no folder a music folder, into
            which its tracks would come back.
    """

    def __init__(self, *, providers: Storages, buckets: Buckets, here: Callable[[], Collection[str]] = tuple,
                 clock: Callable[[], float] = time.time) -> None:
        self._providers = providers
        self._buckets = buckets
        self._here = here
        self._clock = clock

    def __call__(self, library: Database, covers: Path, work: Work) -> list[str]:
        """Take it up into `library`, pictures into `covers`; what is to be said. A storage that does not answer keeps
        nobody from restoring. Raises Stopped."""
        said = []
        for provider in self._providers.all():
            try:
                bucket = self._buckets(provider)
                found = look(bucket, provider, work)
                rebuilding = Rebuilding(database=library)
                unknown = rebuilding.unknown(list(found.told))
                new = [one for uid, one in found.told.items() if uid in unknown]
                places, remarks = self._places(library, new)
                Adopting(library, now=self._clock()).take(found.told.values(), places)
                new = [one for one in new if one.track.root in places]
                bring_covers(library, bucket, provider, new, covers, work)
                said += remarks
                if new:
                    rebuilding.settle()
                    said.append(f"{len(new):,} tracks came to {provider.name} after this backup; they are taken up "
                                "too.")
                below = f"{provider.prefix}{layout.MUSIC}"
                gone = sum(key.startswith(below) and key not in found.keys
                           for key, _ in Copies(database=library).keys(provider.name))
                if gone:
                    said.append(f"{gone:,} copies that this backup knows of do not lie in {provider.name} (any more). "
                                "If that is most of them, it is another bucket under the same name.")
            except CloudFailure as failure:
                said.append(f"What came to {provider.name} after this backup is not known: {failure.message} Restore "
                            "again when it answers, before a clean-up takes for left over what is not known here.")
        return said


    def _places(self, library: Database, new: Sequence[Told]) -> tuple[dict[str, tuple[str, str]], list[str]]:
        """As `placed`: those of music folders that the backup or this machine knows stay there, the others come below
        the backup's first one. And what is to be said of these."""
        folders = [one.path for one in transplant.contents(library).folders]
        known, said = {*folders, *self._here()}, []
        places = {one.track.root: (one.track.root, "") for one in new if one.track.root in known}
        strangers = sorted({one.track.root for one in new} - known)
        for number, root in enumerate(strangers, 1):
            if folders:
                name = PurePosixPath(root.replace("\\", "/")).name.lstrip(".") or "music"
                places[root] = (folders[0], f"{name}/" if len(strangers) == 1 else f"{name} {number}/")
            where = f"come below {to_path(folders[0])}" if folders else "are left out"
            said.append(f"Tracks of {to_path(root)!r}, which is no music folder of this backup or machine, {where}.")
        return places, said


def folders_here(settings: Settings) -> set[str]:
    """The music folders of this machine, as texts: of its settings, and of the library that is here and readable."""
    folders = {to_text(str(path)) for path in settings.music}
    if settings.database_path.is_file():
        library = Database(settings.database_path)
        try:
            folders |= {one.path for one in transplant.contents(library).folders}
        except Exception as error:  # whatever a damaged file makes SQLite say: it is to be replaced
            log.info("the library that is here tells of no music folders: %s", error)
        finally:
            library.close()
    return folders


def bring_covers(
    library: Database, bucket: Bucket, provider: Provider, told: Iterable[Told], folder: Path, work: Work
) -> int:
    """Fetch the pictures of these tracks into `folder`, each once, and have them shown. How many. One that is not
    there, or is not what its name says, is left out."""
    wanted = {one.track.uid: one.cover for one in told if one.cover and _is_hash(one.cover)}
    names = list(dict.fromkeys(wanted.values()))
    there: set[str] = set()
    for number, name in enumerate(names):
        _go_on(work, Moved("fetching covers", number, len(names)))
        try:
            data = _opened(provider, b"".join(bucket.read(layout.cover_key(provider, name))))
        except CloudFailure as failure:
            if failure.reason not in ("not_there", "corrupted"):
                raise
            continue
        if hashlib.sha256(data).hexdigest() == name:
            kept_covers.write(data, str(folder))
            there.add(name)
    if there:
        Artworks(database=library).attach({uid: name for uid, name in wanted.items() if name in there})
    return len(there)


# ---- what is there -------------------------------------------------------------------------------------------------


def look(bucket: Bucket, provider: Provider, work: Work) -> Found:
    """The catalogue, held against what lies in the bucket. Raises CloudFailure, Stopped."""
    work.tell(Moved("reading the catalogue"))
    library = catalogue.read(bucket, provider, work)
    remarks = []
    if library.unreadable:
        remarks.append(f"{len(library.unreadable):,} pieces of the catalogue could not be read "
                       f"({library.unreadable[0][1]}); what they told of is read from the files themselves.")
    objects: dict[str, StoredObject] = {}
    for one in bucket.list(f"{provider.prefix}{layout.MUSIC}"):
        objects[one.key] = one
        if not len(objects) % 1000:
            _go_on(work, Moved("looking at what lies there", len(objects)))
    now, lost = time.time(), 0
    told: dict[str, Told] = {}
    for entry in library.entries:
        if not _ID.fullmatch(entry.track.uid):
            continue
        there = objects.get(entry.copy.key)
        if there is None or there.size_bytes != entry.copy.stored_bytes:
            lost += 1
            continue
        copy = _copy(entry, there, now)
        if copy is None:
            lost += 1
            continue
        one_told = told.setdefault(entry.track.uid, Told(track=entry.track))
        one_told.copies.append(copy)
        one_told.cover = one_told.cover or entry.cover
    if lost:
        remarks.append(f"{lost:,} copies that the catalogue tells of do not lie there (any more).")
    known = {entry.copy.key for entry in library.entries}
    strangers = [one for key, one in sorted(objects.items()) if key not in known]
    return Found(told=told, keys=set(objects), strangers=strangers, stations=library.stations, lost=lost,
                 remarks=remarks)


def _copy(entry: Entry, there: StoredObject, now: float) -> Copy | None:
    """The copy as it is now; None when another object lies at its place."""
    if there.etag == entry.copy.etag:
        return replace(entry.copy, verified_at=now, broken=None)
    # Named by content: the same key holds the same bytes, whatever ETag a provider gives it (copied in the bucket).
    return replace(entry.copy, etag=there.etag, broken=None)


def placed(told: Iterable[Told], music: Path, folders: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """A music folder as told → (the music folder it becomes, the folder below it). The largest one becomes `music`
    itself, the others folders in it, unless `folders` says otherwise. Pure."""
    counts = Counter(one.track.root for one in told)
    places: dict[str, tuple[str, str]] = {}
    taken: set[str] = set()
    for root, _ in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        mapped = folders.get(to_path(root))
        if mapped is not None:
            places[root] = (to_text(mapped), "")
        elif not any(place == (to_text(str(music)), "") for place in places.values()):
            places[root] = (to_text(str(music)), "")
        else:
            name = PurePosixPath(root.replace("\\", "/")).name or "music"
            below, number = name, 2
            while below.casefold() in taken:
                below, number = f"{name} {number}", number + 1
            taken.add(below.casefold())
            places[root] = (to_text(str(music)), f"{below}/")
    return places


class Adopting:
    """Writes told tracks and their copies into a library that is being made ready."""

    def __init__(self, library: Database, *, now: float) -> None:
        self._rebuilding = Rebuilding(database=library)
        self._copies = Copies(database=library)
        self._now = now
        self._taken: dict[str, set[str]] = {}       # music folder → paths, folded: some file systems know no case

    def take(self, told: Iterable[Told], places: Mapping[str, tuple[str, str]]) -> int:
        """Make those whose ids are free, and note the copies of all. How many tracks were made."""
        given = list(told)
        unknown = self._rebuilding.unknown([one.track.uid for one in given])
        by_root: dict[str, list[Adopted]] = {}
        for one in given:
            track = one.track
            if track.uid not in unknown or track.root not in places:
                continue
            root, below = places[track.root]
            exact = next((copy.sha256 for copy in one.copies if copy.exact), None)
            by_root.setdefault(root, []).append(Adopted(
                uid=track.uid, reading=Reading(track.metadata, track.facts, track.lyrics),
                path=self._free(root, f"{below}{track.path}", track.facts.format), size_bytes=track.size_bytes,
                mtime_ns=track.mtime_ns,
                sha256=exact or next((copy.source_sha256 for copy in one.copies), None), added_at=track.added_at))
        for root, adopted in by_root.items():
            self._rebuilding.adopt(root, adopted, now=self._now)
        self._copies.put([copy for one in given for copy in one.copies])
        return sum(len(adopted) for adopted in by_root.values())

    def _free(self, root: str, path: str, format: str) -> str:
        """`path`, safe and not taken: what a bucket tells is not believed to stay in its folder, nor to be a name of
        music. No part of it is hidden, and it ends as music does; so nothing that some other program would run or
        read comes back from a bucket."""
        parts = [part.lstrip(".") for part in path.replace(os.sep, "/").split("/") if "\x00" not in part]
        path = "/".join(part for part in parts if part.strip()) or "unnamed"
        if os.path.splitext(path)[1].lower() not in EXTENSIONS:
            path += layout.suffix_of("", format) or ".mp3"
        if root not in self._taken:
            self._taken[root] = {one.casefold() for one in self._rebuilding.paths(root)}
        taken = self._taken[root]
        stem, suffix = os.path.splitext(path)
        number = 2
        while path.casefold() in taken:
            path, number = f"{stem} ({number}){suffix}", number + 1
        taken.add(path.casefold())
        return path


def _opened(provider: Provider, data: bytes) -> bytes:
    if provider.seal_key is None:
        return data
    from shared.storage.sealing import Sealer

    return Sealer(provider.seal_key).open_bytes(data)


def _is_hash(text: str) -> bool:
    return len(text) == 64 and set(text) <= _HEX


def _go_on(work: Work, moved: Moved) -> None:
    work.tell(moved)
    if work.stopped():
        raise Stopped
