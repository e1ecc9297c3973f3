"""What belongs to one person, read whole and written in one go: playlists, favourites, ratings, plays.

Tracks are told by what they are (Identity), so that another library can find its own copy of them. Whose things they
are is part of every statement here.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection

from shared.database import Database, driver_cursor
from shared.model.person import Person
from shared.records import folding, revisions, visible
from shared.records.moments import make_uid
from shared.records.playlists import MOST_ENTRIES, must_fit
from shared.records.settling import chunks, name_of
from shared.records.tracks import recount_playlists

SAME_LENGTH_MS = 2_000  # so much may two copies of one recording differ
LATEST_AHEAD_S = 86_400.0  # a clock may be wrong by so much; plays beyond are not believed


class Identity(NamedTuple):
    """A track as every library can know it. Empty texts and 0: not known."""

    uid: str
    isrc: str
    mbid: str  # of the recording
    title: str
    artist: str
    album: str
    duration_ms: int


class Group(NamedTuple):
    """An album (`name`: its title) or an artist, who has no `artist`."""

    uid: str
    mbid: str
    name: str
    artist: str


class OwnPlaylist(NamedTuple):
    uid: str
    name: str
    visibility: str
    created_at: float
    updated_at: float
    comment: str
    track_ids: list[int]  # inner ones


@dataclass(slots=True)
class Mine:
    """All that belongs to one person, tracks by their inner ids. Moments in Unix seconds."""

    playlists: list[OwnPlaylist] = field(default_factory=list)
    favourites: list[tuple[int, float]] = field(default_factory=list)
    albums: list[tuple[Group, float]] = field(default_factory=list)
    artists: list[tuple[Group, float]] = field(default_factory=list)
    ratings: list[tuple[int, int]] = field(default_factory=list)
    plays: list[tuple[int, float, int | None]] = field(default_factory=list)
    tracks: dict[int, Identity] = field(default_factory=dict)


class NewPlaylist(NamedTuple):
    uid: str
    name: str
    visibility: str
    tracks: Sequence[int]  # places in Given.tracks
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What shall be taken in; tracks by their places in `tracks`. A moment of None is now."""

    tracks: Sequence[Identity]
    playlists: Sequence[NewPlaylist] = ()
    favourites: Sequence[tuple[int, float | None]] = ()
    albums: Sequence[tuple[Group, float | None]] = ()
    artists: Sequence[tuple[Group, float | None]] = ()
    ratings: Sequence[tuple[int, int]] = ()
    plays: Sequence[tuple[int, float, int | None]] = ()


@dataclass(slots=True)
class Taken:
    """What came of it. Counts are of what was new or became another; `not_found`: places of tracks not here."""

    playlists_made: int = 0
    playlists_updated: int = 0
    playlists_same: int = 0
    ratings: int = 0
    favourites: int = 0
    plays: int = 0
    not_found: list[int] = field(default_factory=list)


class _Undone(Exception):
    """Ends a rehearsal, so that nothing of it is kept."""


class Belongings:
    def __init__(self, *, database: Database) -> None:
        self._database = database

    # ---- out

    def of(self, person: Person, what: Iterable[str]) -> Mine:
        """The person's own things of the kinds `what` (playlists, favourites, ratings, plays); nothing of others'.

        What they do not see (in the trash, outside their folders) is left out. 100,000 plays take a second.
        """
        mine, wanted, me = Mine(), set(what), (person.user_id,)
        with self._database.read(person) as conn:
            cursor = driver_cursor(conn)
            if "playlists" in wanted:
                rows = cursor.execute(
                    "SELECT id, uid, name, visibility, created_at, updated_at, comment FROM playlists "
                    "WHERE user_id = ? ORDER BY created_at, id",
                    me,
                ).fetchall()
                for key, *told in rows:
                    entries = cursor.execute(
                        "SELECT e.track_id FROM playlist_entries e JOIN tracks t ON t.id = e.track_id "
                        "WHERE e.playlist_id = ? AND t.trashed_at IS NULL ORDER BY e.position",
                        (key,),
                    )
                    mine.playlists.append(OwnPlaylist._make([*told, [row[0] for row in entries]]))
            if "favourites" in wanted:
                mine.favourites = cursor.execute(
                    "SELECT l.track_id, l.favourite_at FROM track_listening l JOIN tracks t ON t.id = l.track_id "
                    "WHERE l.user_id = ? AND l.favourite_at IS NOT NULL AND t.trashed_at IS NULL "
                    "ORDER BY l.favourite_at, l.track_id",
                    me,
                ).fetchall()
                mine.albums = [(Group(*row[:4]), row[4]) for row in cursor.execute(
                    "SELECT a.uid, coalesce(a.mbid, ''), a.title, a.artist, l.favourite_at FROM album_listening l "
                    "JOIN albums a ON a.id = l.album_id WHERE l.user_id = ? AND l.favourite_at IS NOT NULL "
                    "AND a.track_count > 0 ORDER BY l.favourite_at, a.id", me)]  # fmt: skip
                mine.artists = [(Group(row[0], row[1], row[2], ""), row[3]) for row in cursor.execute(
                    "SELECT a.uid, coalesce(a.mbid, ''), a.name, l.favourite_at FROM artist_listening l "
                    "JOIN artists a ON a.id = l.artist_id WHERE l.user_id = ? AND l.favourite_at IS NOT NULL "
                    "AND a.track_count > 0 ORDER BY l.favourite_at, a.id", me)]  # fmt: skip
            if "ratings" in wanted:
                mine.ratings = cursor.execute(
                    "SELECT l.track_id, l.rating FROM track_listening l JOIN tracks t ON t.id = l.track_id "
                    "WHERE l.user_id = ? AND l.rating > 0 AND t.trashed_at IS NULL ORDER BY l.track_id",
                    me,
                ).fetchall()
            if "plays" in wanted:
                mine.plays = cursor.execute(
                    "SELECT p.track_id, p.played_at, p.played_ms FROM plays p JOIN tracks t ON t.id = p.track_id "
                    "WHERE p.user_id = ? AND t.trashed_at IS NULL ORDER BY p.played_at, p.id",
                    me,
                ).fetchall()
            named = {one for playlist in mine.playlists for one in playlist.track_ids}
            for listed in (mine.favourites, mine.ratings, mine.plays):
                named.update(row[0] for row in listed)
            for marks, part in chunks(sorted(named)):
                for key, *told in cursor.execute(
                    "SELECT t.id, t.uid, coalesce(t.isrc, ''), coalesce(t.recording_mbid, ''), t.title, t.artist, "
                    "coalesce(a.title, ''), t.duration_ms FROM tracks t LEFT JOIN albums a ON a.id = t.album_id "
                    f"WHERE t.id IN ({marks})",
                    part,
                ):
                    mine.tracks[key] = Identity(*told)
        return mine

    # ---- in

    def take(self, person: Person, given: Given, *, dry_run: bool = False) -> Taken:
        """Make it the person's own, all of it or, on an error, nothing. What is there already stays and is not doubled:
        a second time changes nothing. A playlist of theirs with that id or name gets the tracks that it lacks, at its
        end; ratings become those given. `dry_run` does the very same and keeps nothing of it."""
        taken = Taken()
        try:
            with self._database.transaction() as conn:
                _Taking(conn, person, given, taken).run()
                if dry_run:
                    raise _Undone
        except _Undone:
            pass
        return taken


class _Taking:
    """One import, inside its transaction."""

    def __init__(self, conn: Connection, person: Person, given: Given, taken: Taken) -> None:
        self._conn, self._cursor = conn, driver_cursor(conn)
        self._person, self._me, self._given, self._taken = person, person.user_id, given, taken
        self._now = time.time()
        self._revision: int | None = None
        self._here: list[int | None] = []
        self._lists = self._places = 0  # the person's playlists, and places in them together

    def run(self) -> None:
        self._here = match(self._conn, self._person, self._given.tracks)
        self._taken.not_found = [place for place, found in enumerate(self._here) if found is None]
        self._playlists()
        self._favourites()
        self._groups("album", self._given.albums)
        self._groups("artist", self._given.artists)
        self._ratings()
        self._plays()

    @property
    def _moved(self) -> int:
        """The revision of this change; moved at the first one."""
        if self._revision is None:
            self._revision = revisions.bump(self._conn, library_too=False)
        return self._revision

    def _playlists(self) -> None:
        own: dict[str, tuple[int, str]] = {}
        named: dict[str, list[str]] = defaultdict(list)
        for key, uid, name, places in self._cursor.execute(
            "SELECT id, uid, name, track_count FROM playlists WHERE user_id = ? ORDER BY id", (self._me,)
        ):
            self._lists, self._places = self._lists + 1, self._places + places
            own[uid] = (key, name)
            named[name].append(uid)
        used = {one.uid for one in self._given.playlists if one.uid in own}
        for one in self._given.playlists:
            found = [here for place in one.tracks if (here := self._here[place]) is not None][:MOST_ENTRIES]
            if one.tracks and not found:
                continue  # nothing of it is here
            uid = one.uid if one.uid in own else next((uid for uid in named[one.name] if uid not in used), None)
            if uid is None:
                self._make_playlist(one, found)
            else:
                used.add(uid)
                self._fill_playlist(own[uid][0], found)

    def _make_playlist(self, one: NewPlaylist, track_ids: list[int]) -> None:
        self._lists += 1
        row = self._cursor.execute(
            "INSERT INTO playlists (uid, user_id, name, sort_key, visibility, created_at, updated_at, added_rev, "
            "changed_rev, comment) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (make_uid(), self._me, one.name, folding.sort_key(one.name), one.visibility, self._now, self._now,
             self._moved, self._moved, one.comment),
        ).fetchone()  # fmt: skip
        self._append(row[0], 0, track_ids)
        self._taken.playlists_made += 1

    def _fill_playlist(self, key: int, track_ids: list[int]) -> None:
        rows = self._cursor.execute(
            "SELECT track_id, position FROM playlist_entries WHERE playlist_id = ? ORDER BY position", (key,)
        ).fetchall()
        there = {row[0] for row in rows}
        missing = [one for one in dict.fromkeys(track_ids) if one not in there][: max(0, MOST_ENTRIES - len(rows))]
        if not missing:
            self._taken.playlists_same += 1
            return
        self._append(key, rows[-1][1] + 1 if rows else 0, missing)
        self._cursor.execute("UPDATE playlists SET updated_at = ? WHERE id = ?", (self._now, key))
        self._taken.playlists_updated += 1

    def _append(self, key: int, position: int, track_ids: list[int]) -> None:
        self._places += len(track_ids)
        must_fit(self._lists, self._places)
        self._cursor.executemany(
            "INSERT INTO playlist_entries (playlist_id, position, track_id) VALUES (?, ?, ?)",
            [(key, place, one) for place, one in enumerate(track_ids, position)],
        )
        recount_playlists(self._conn, [key], self._moved)

    def _favourites(self) -> None:
        wanted = {
            here: at for place, at in self._given.favourites if (here := self._here[place]) is not None
        }  # fmt: skip
        self._favour("track", wanted)

    def _groups(self, kind: str, given: Sequence[tuple[Group, float | None]]) -> None:
        wanted: dict[int, float | None] = {}
        for group, at in given:
            found = self._group(kind, group)
            if found is not None:
                wanted[found] = at
        self._favour(kind, wanted)

    def _group(self, kind: str, group: Group) -> int | None:
        """The album or artist that is meant: by id, by MusicBrainz id, by name. What the person does not see is passed
        over at each, else what is found would tell of it."""
        for column, value in (("uid", group.uid), ("mbid", group.mbid)):
            row = value and self._cursor.execute(
                f"SELECT id FROM {kind}s WHERE {column} = ? AND track_count > 0", (value,)
            ).fetchone()
            if row and self._sees(kind, row[0]):
                return int(row[0])
        name, artist = ("title", "artist") if kind == "album" else ("name", "name")
        rows = self._cursor.execute(
            f"SELECT id, {name}, {artist} FROM {kind}s WHERE search_key = ? AND track_count > 0 ORDER BY id LIMIT 100",
            (name_of(group.name).search_key,),
        ).fetchall()
        for key, its_name, its_artist in rows:
            if folding.same(its_name) == folding.same(group.name) and (
                kind == "artist" or folding.fold(its_artist) == folding.fold(group.artist)
            ) and self._sees(kind, key):
                return int(key)
        return None

    def _sees(self, kind: str, key: int) -> bool:
        return visible.sees(self._conn, self._person, kind, key)

    def _favour(self, kind: str, wanted: dict[int, float | None]) -> None:
        if not wanted:
            return
        there = {row[0] for row in self._cursor.execute(
            f"SELECT {kind}_id FROM {kind}_listening WHERE user_id = ? AND favourite_at IS NOT NULL", (self._me,)
        )}  # fmt: skip
        new = {one: at for one, at in wanted.items() if one not in there}
        if new:
            revision = self._moved
            self._cursor.executemany(
                f"INSERT INTO {kind}_listening (user_id, {kind}_id, favourite_at, changed_rev) VALUES (?, ?, ?, ?) "
                f"ON CONFLICT (user_id, {kind}_id) DO UPDATE SET favourite_at = excluded.favourite_at, "
                "changed_rev = excluded.changed_rev",
                [(self._me, one, self._now if at is None else min(at, self._now), revision)
                 for one, at in new.items()],
            )  # fmt: skip
            self._taken.favourites += len(new)

    def _ratings(self) -> None:
        wanted = {here: rating for place, rating in self._given.ratings if (here := self._here[place]) is not None}
        if not wanted:
            return
        there = dict(self._cursor.execute(
            "SELECT track_id, rating FROM track_listening WHERE user_id = ? AND rating > 0", (self._me,)
        ).fetchall())  # fmt: skip
        new = {one: rating for one, rating in wanted.items() if there.get(one, 0) != rating}
        if new:
            revision = self._moved
            self._cursor.executemany(
                "INSERT INTO track_listening (user_id, track_id, rating, changed_rev) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (user_id, track_id) DO UPDATE SET rating = excluded.rating, "
                "changed_rev = excluded.changed_rev",
                [(self._me, one, rating, revision) for one, rating in new.items()],
            )
            self._taken.ratings += len(new)

    def _plays(self) -> None:
        """A play is the same one when its track began at the same millisecond."""
        wanted = [(here, at, ms) for place, at, ms in self._given.plays
                  if (here := self._here[place]) is not None and 0 <= at <= self._now + LATEST_AHEAD_S]  # fmt: skip
        if not wanted:
            return
        there = {(row[0], round(row[1] * 1000)) for row in self._cursor.execute(
            "SELECT track_id, played_at FROM plays WHERE user_id = ? AND played_at BETWEEN ? AND ?",
            (self._me, min(at for _, at, _ in wanted) - 1, max(at for _, at, _ in wanted) + 1),
        )}  # fmt: skip
        new: list[tuple[int, float, int | None]] = []
        for here, at, ms in wanted:
            moment = round(at * 1000)
            if not any((here, moment + off) in there for off in (0, -1, 1)):
                there.add((here, moment))
                new.append((here, at, ms))
        if not new:
            return
        self._cursor.executemany(
            "INSERT INTO plays (user_id, track_id, played_at, played_ms) VALUES (?, ?, ?, ?)",
            [(self._me, *one) for one in new],
        )
        self._count(new)
        self._taken.plays += len(new)

    def _count(self, new: list[tuple[int, float, int | None]]) -> None:
        """Plays count for the track, its album and its artists, as `Listening.play` has it."""
        heard: dict[str, dict[int, list[float]]] = {"track": {}, "album": {}, "artist": {}}
        of_track: dict[int, list[tuple[str, int]]] = defaultdict(list)
        for marks, part in chunks({one for one, _, _ in new}):
            for track, album in self._cursor.execute(
                f"SELECT id, album_id FROM tracks WHERE album_id IS NOT NULL AND id IN ({marks})", part
            ):
                of_track[track].append(("album", album))
            for track, artist in self._cursor.execute(
                f"SELECT DISTINCT track_id, artist_id FROM credits WHERE role = 'artist' AND track_id IN ({marks})",
                part,
            ):
                of_track[track].append(("artist", artist))
        for track, at, _ in new:
            for kind, thing in (("track", track), *of_track[track]):
                heard[kind].setdefault(thing, []).append(at)
        revision = self._moved
        for kind, things in heard.items():
            self._cursor.executemany(
                f"INSERT INTO {kind}_listening (user_id, {kind}_id, play_count, last_played_at, changed_rev) "
                f"VALUES (?, ?, ?, ?, ?) ON CONFLICT (user_id, {kind}_id) DO UPDATE SET "
                f"play_count = {kind}_listening.play_count + excluded.play_count, "
                f"last_played_at = max(coalesce({kind}_listening.last_played_at, 0), excluded.last_played_at), "
                "changed_rev = excluded.changed_rev",
                [(self._me, thing, len(moments), max(moments), revision) for thing, moments in things.items()],
            )


# ---- which track of this library is meant ------------------------------------------------------------------------


class _Candidate(NamedTuple):
    id: int
    title: str
    artist: str
    album: str
    duration_ms: int


def match(conn: Connection, person: Person, wanted: Sequence[Identity]) -> list[int | None]:
    """For each, the inner id of the track that `person` has here, or None.

    By its public id (the same library), its ISRC, its recording's MusicBrainz id; else by title and artist as they
    sound alike when folded and a length that differs by at most SAME_LENGTH_MS. Of several the one from the same album,
    then the nearest in length. Costs 20 to 50 µs each.
    """
    found: list[int | None] = [None] * len(wanted)
    cursor = driver_cursor(conn)
    for column, key_of in (
        ("uid", lambda one: one.uid),
        ("isrc", lambda one: one.isrc),
        ("recording_mbid", lambda one: one.mbid),
        ("sort_key", lambda one: folding.fold(one.title) if one.title and one.artist else ""),
    ):
        left = {place: key for place, one in enumerate(wanted) if found[place] is None and (key := key_of(one))}
        if not left:
            continue
        candidates: dict[str, list[_Candidate]] = defaultdict(list)
        for marks, part in chunks(sorted(set(left.values()))):
            for key, *told in cursor.execute(
                f"SELECT t.{column}, t.id, t.title, t.artist, coalesce(a.title, ''), t.duration_ms FROM tracks t "
                f"LEFT JOIN albums a ON a.id = t.album_id WHERE t.{column} IN ({marks}) AND t.trashed_at IS NULL",
                part,
            ):
                candidates[key].append(_Candidate(*told))
        if person.limited:
            seen = visible.seen_of(conn, person, [one.id for some in candidates.values() for one in some])
            candidates = defaultdict(list, {key: [one for one in some if one.id in seen]
                                            for key, some in candidates.items()})  # fmt: skip
        if column == "sort_key":
            left, candidates = _by_name(wanted, left, candidates)
        for place, key in left.items():
            found[place] = _best(wanted[place], candidates.get(key, ()))
    return found


def _by_name(
    wanted: Sequence[Identity], left: dict[int, str], candidates: dict[str, list[_Candidate]]
) -> tuple[dict[int, str], dict[str, list[_Candidate]]]:
    """The same, by folded title and artist, each folded once; only what is as long."""
    named: dict[str, list[_Candidate]] = defaultdict(list)
    for some in candidates.values():
        for it in some:
            named[_name_of(it.title, it.artist)].append(it)
    keys: dict[int, str] = {}
    fitting: dict[str, list[_Candidate]] = {}
    for place in left:
        one = wanted[place]
        name = _name_of(one.title, one.artist)
        key = f"{name}\0{one.duration_ms}"
        if key not in fitting:
            fitting[key] = [
                it
                for it in named.get(name, ())
                if not (one.duration_ms and it.duration_ms) or _apart(one, it) <= SAME_LENGTH_MS
            ]
        keys[place] = key
    return keys, fitting


def _name_of(title: str, artist: str) -> str:
    return f"{folding.fold(title)}\0{folding.fold(artist)}"


def _best(one: Identity, candidates: Iterable[_Candidate]) -> int | None:
    album = folding.fold(one.album)
    best = min(candidates, key=lambda it: (folding.fold(it.album) != album, _apart(one, it), it.id), default=None)
    return None if best is None else best.id


def _apart(one: Identity, it: _Candidate) -> int:
    return abs(one.duration_ms - it.duration_ms)


def in_order(mine: Mine) -> Iterator[tuple[int, Identity]]:
    """The tracks of `mine`, in the order in which they are first named."""
    named: dict[int, Any] = {}
    for playlist in mine.playlists:
        named.update(dict.fromkeys(playlist.track_ids))
    for listed in (mine.favourites, mine.ratings, mine.plays):
        named.update(dict.fromkeys(row[0] for row in listed))
    for one in named:
        if one in mine.tracks:
            yield one, mine.tracks[one]
