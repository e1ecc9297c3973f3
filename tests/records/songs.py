"""Makes readings, batches and whole small libraries for the tests of the records; and checks that all is consistent."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from shared.database import Database, driver_cursor
from shared.model.cloud import Copy
from shared.model.scan import Batch, ChangedFile, Found, Known, MovedFile, NewFile, Picture
from shared.model.track import AudioFacts, Credit, Lyrics, Metadata, Reading
from shared.records.scans import BatchResult, Scans

TIME = 1_700_000_000_000_000_000
SIZE = 30_000_000  # of a file of Music's
SHA = "ab" * 32  # of the content of a copy, unless another one is told


def metadata(
    title: str | None = "Heroes",
    artist: str | None = "David Bowie",
    album: str | None = "Heroes",
    album_artist: str | None = "David Bowie",
    number: int | None = 1,
    **more: Any,
) -> Metadata:
    credits = more.pop("credits", None)
    if credits is None:
        credits = tuple(Credit(name) for name in ([artist] if artist else []))
        credits += tuple(Credit(name, "albumartist") for name in ([album_artist] if album_artist else []))
    return Metadata(
        title=title, artist=artist, album=album, album_artist=album_artist, credits=credits, track_number=number, **more
    )


def reading(
    tags: Metadata, *, duration_ms: int = 200_000, picture_bytes: int = 0, lyrics: tuple[Lyrics, ...] = ()
) -> Reading:
    return Reading(tags, AudioFacts("flac", "audio/flac", duration_ms, 900, 44_100, 16, 2), lyrics, picture_bytes)


def copy_of(uid: str, **changes: Any) -> Copy:
    """An exact copy of a file of Music's."""
    one = Copy(
        track_id=uid, provider="r2", key="music/ab/one.flac", size_bytes=SIZE, stored_bytes=SIZE, sha256=SHA,
        format="flac", mime_type="audio/flac", bitrate_kbps=900, compression="", source_sha256=SHA,
        source_size_bytes=SIZE, source_mtime_ns=TIME, etag="e1", sealed=False, verified_at=100.0, added_at=50.0,
    )  # fmt: skip
    return replace(one, **changes)


class Music:
    """One music folder as a scan would tell of it."""

    def __init__(self, database: Database, path: str = "/music") -> None:
        self.database = database
        self.scans = Scans(database=database)
        self.root = self.scans.add_root(path)
        self._inode = 0

    def found(self, path: str, *, size: int = SIZE, mtime: int = TIME) -> Found:
        self._inode += 1
        return Found(path, size, mtime, "1", str(self._inode))

    def batch(self, **parts: Any) -> Batch:
        return Batch(self.root.id, **parts)

    def add(
        self, path: str, tags: Metadata | None = None, *, pictures: list[Picture] | None = None, **facts: Any
    ) -> str:
        """A new file; the track's public id."""
        self.scans.apply(
            self.batch(new=[NewFile(self.found(path), reading(tags or metadata(), **facts))], pictures=pictures or [])
        )
        return self.uid(path)

    def add_all(self, files: dict[str, Metadata], **parts: Any) -> BatchResult:
        return self.scans.apply(
            self.batch(new=[NewFile(self.found(path), reading(tags)) for path, tags in files.items()], **parts)
        )

    def album(self, folder: str, title: str, artist: str | None, songs: int = 3, **more: Any) -> list[str]:
        """An album of `songs` tracks; their public ids."""
        files = {
            f"{folder}/{i:02}.flac": metadata(
                f"{title} song {i}",
                more.get("by", artist),
                title,
                artist,
                i,
                **{name: value for name, value in more.items() if name != "by"},
            )
            for i in range(1, songs + 1)
        }
        self.add_all(files)
        return [self.uid(path) for path in files]

    def retag(self, tags: dict[str, Metadata], *, mtime: int = TIME + 1) -> BatchResult:
        known = self.scans.known(self.root.id)
        return self.scans.apply(
            self.batch(
                changed=[
                    ChangedFile(known[path][0], self.found(path, mtime=mtime), reading(its))
                    for path, its in tags.items()
                ]
            )
        )

    def rename(self, paths: dict[str, str]) -> BatchResult:
        known = self.scans.known(self.root.id)
        return self.scans.apply(
            self.batch(moved=[MovedFile(known[old][0], self.found(new)) for old, new in paths.items()])
        )

    def lose(self, *paths: str) -> BatchResult:
        known = self.scans.known(self.root.id)
        return self.scans.apply(self.batch(missing=[known[path][0] for path in paths]))

    def bring_back(self, *paths: str) -> BatchResult:
        known = self.scans.known(self.root.id)
        return self.scans.apply(self.batch(returned=[known[path][0] for path in paths]))

    def uid(self, path: str) -> str:
        return str(
            self.one(
                "SELECT t.uid FROM tracks t JOIN files f ON f.track_id = t.id WHERE f.path = ? AND f.root_id = ?",
                path,
                self.root.id,
            )
        )

    def one(self, query: str, *values: Any) -> Any:
        with self.database.read() as conn:
            row = driver_cursor(conn).execute(query, values).fetchone()
            return row[0] if row else None

    def rows(self, query: str, *values: Any) -> list[Any]:
        with self.database.read() as conn:
            return driver_cursor(conn).execute(query, values).fetchall()


def known_of(music: Music, path: str) -> Known:
    return music.scans.known_file([music.scans.known(music.root.id)[path][0]])[0]


def changed(tags: Metadata, **fields: Any) -> Metadata:
    return replace(tags, **fields)


def inconsistencies(database: Database) -> list[str]:
    """What is not as it should be, told by counting everything anew. An empty list is a whole library."""
    wrong: list[str] = []
    with database.read() as conn:
        cursor = driver_cursor(conn)

        def every(query: str) -> list[Any]:
            return cursor.execute(query).fetchall()

        if (said := every("PRAGMA integrity_check")) != [("ok",)]:
            wrong.append(f"integrity: {said}")
        wrong += [f"foreign key: {row}" for row in every("PRAGMA foreign_key_check")]
        for table in ("track_words", "album_words", "artist_words"):
            things = table.replace("_words", "s")
            indexed = Counter(row[0] for row in every(f"SELECT rowid FROM {table}"))
            there = Counter(row[0] for row in every(f"SELECT id FROM {things}"))
            if indexed != there:
                wrong.append(f"{table}: {indexed - there} too many, {there - indexed} lacking")
        tracks = every("SELECT id, album_id, duration_ms, disc_number, trashed_at IS NULL, album_sort_key FROM tracks")
        visible = {row[0]: row for row in tracks if row[4]}
        counts: Counter[int] = Counter(row[1] for row in visible.values() if row[1] is not None)
        durations: Counter[int] = Counter()
        discs: dict[int, set[int]] = {}
        for row in visible.values():
            if row[1] is not None:
                durations[row[1]] += row[2]
                discs.setdefault(row[1], set()).add(row[3] or 1)
        albums = every(
            "SELECT id, uid, track_count, duration_ms, disc_count, sort_key, artist_sort_key, title FROM albums"
        )
        sort_keys = {row[0]: f"{row[5]}\x1f{row[6]}" for row in albums}
        for row in albums:
            expected = (counts[row[0]], durations[row[0]], len(discs.get(row[0], ())))
            if (row[2], row[3], row[4]) != expected:
                wrong.append(f"album {row[7]}: {row[2:5]} instead of {expected}")
        for row in visible.values():
            if row[1] is not None and row[5] != sort_keys[row[1]]:
                wrong.append(f"track {row[0]} sorts as {row[5]!r}, its album as {sort_keys[row[1]]!r}")
        by_artist: dict[int, set[int]] = {}
        for track_id, artist_id in every(
            "SELECT track_id, artist_id FROM credits WHERE role IN ('artist', 'albumartist')"
        ):
            if track_id in visible:
                by_artist.setdefault(artist_id, set()).add(track_id)
        album_artists = Counter(
            row[0]
            for row in every(
                "SELECT DISTINCT artist_id, album_id FROM album_credits c JOIN albums a ON a.id = c.album_id "
                "WHERE a.track_count > 0"
            )
        )
        artists = every("SELECT id, uid, track_count, album_count, name FROM artists")
        for row in artists:
            expected_counts = (len(by_artist.get(row[0], ())), album_artists[row[0]])
            if (row[2], row[3]) != expected_counts:
                wrong.append(f"artist {row[4]}: {row[2:4]} instead of {expected_counts}")
        by_genre = Counter(
            genre for track, genre in every("SELECT track_id, genre_id FROM track_genres") if track in visible
        )
        genre_albums = Counter(
            row[0]
            for row in every(
                "SELECT genre_id FROM album_genres g JOIN albums a ON a.id = g.album_id WHERE a.track_count > 0"
            )
        )
        for row in every("SELECT id, track_count, album_count, name FROM genres"):
            if (row[1], row[2]) != (by_genre[row[0]], genre_albums[row[0]]):
                wrong.append(f"genre {row[3]}: {row[1:3]} instead of {(by_genre[row[0]], genre_albums[row[0]])}")
        removed = {(row[0], row[1]) for row in every("SELECT kind, uid FROM removed")}
        for row in albums:
            if (("album", row[1]) in removed) != (row[2] == 0):
                wrong.append(f"album {row[7]} has {row[2]} tracks and removed is {('album', row[1]) in removed}")
        for row in artists:
            if ("artist", row[1]) in removed and row[2] + row[3] > 0:
                wrong.append(f"artist {row[4]} is shown and removed")
        for (uid,) in every("SELECT uid FROM tracks WHERE trashed_at IS NULL"):
            if ("track", uid) in removed:
                wrong.append(f"track {uid} is shown and removed")
        for playlist_id, count, duration in every("SELECT id, track_count, duration_ms FROM playlists"):
            entries = [
                row[0]
                for row in cursor.execute("SELECT track_id FROM playlist_entries WHERE playlist_id = ?", (playlist_id,))
                if row[0] in visible
            ]
            if (count, duration) != (len(entries), sum(visible[one][2] for one in entries)):
                wrong.append(f"playlist {playlist_id}: {count} tracks instead of {len(entries)}")
    return wrong
