"""At /rest, too, a limited person is answered as by a station that has only what is in their folders.

The other station is made of a copy of the database from which everything else was taken away. Every call that tells
something is asked of both, with the ids of all there ever was, and must answer the same (tests/records/test_sights.py
holds the same of the records).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.database import driver_cursor
from shared.model.errors import NotFound
from shared.model.scan import NewFile, Picture
from shared.model.track import Lyrics
from shared.records.visible import Folders
from tests.holding.whole import Whole, whole
from tests.patience import often
from tests.records.songs import TIME, Music, metadata, reading

# (root, folder, title, artist, album, album artist, genre, year): what is seen and what is not has names, albums,
# artists, genres and years in common.
SONGS = (
    (0, "Kids", "Blue Moon", "Ana Torr", "Blue", "Ana Torr", "Rock", 1970),
    (0, "Kids", "Blue Train", "Ana Torr", "Blue", "Ana Torr", "Rock", 1970),
    (0, "Kids2", "Moon River", "Ben", "Blue", "Ana Torr", "Jazz", 1971),
    (0, "Kids2", "Heroes", "Ben", "Two Sides", "Ben", "Jazz", 2001),
    (0, "Kids/CD2", "Heroes", "Björk", "Two Sides", "Ben", "Rock", 2001),
    (0, "Pop", "Río", "Björk", None, None, None, None),
    (0, "Pop/Kids", "Bluebird", "The Ben Band", "Moon", None, "Pop", 1999),
    (1, "", "Blue Moon", "Ana Torr", "Other", "The Ben Band", "Rock", 1980),
    (1, "Kids", "Alone", "Nobody Else", "Alone", "Nobody Else", "Noise", 2010),
)
FOLDERS = [(root, path) for root, path in dict.fromkeys((one[0], one[1]) for one in SONGS)] + [(0, ""), (0, "Nothing")]
QUERIES = ("", '""', "b", "blue", "moon", "ben", "noise", "heroez", "alone", "torr")
OF_AN_ID = ("getSong", "getAlbum", "getArtist", "getMusicDirectory", "getArtistInfo", "getArtistInfo2", "getAlbumInfo",
            "getAlbumInfo2", "getSimilarSongs", "getSimilarSongs2", "getTopSongs", "getLyricsBySongId", "getCoverArt",
            "stream", "download", "getPlaylist", "getSonicSimilarTracks")
LISTS = ("getMusicFolders", "getIndexes", "getArtists", "getGenres", "getStarred", "getStarred2", "getPlaylists",
         "getPlayQueue", "getPlayQueueByIndex", "getBookmarks", "getNowPlaying", "getShares", "getScanStatus",
         "getPodcasts", "getNewestPodcasts", "getInternetRadioStations", "getLicense")
KINDS = ("newest", "alphabeticalByName", "alphabeticalByArtist", "frequent", "recent", "highest", "starred", "random")


class Half:
    """A station with everything, and a child's app password there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = made = whole(folder / "home", https=False, download_providers=(), download_catalogues=())
        station = made.station
        self.musics = [Music(station.database, f"/{name}") for name in ("music", "other")]
        for root, music in enumerate(self.musics):
            music.scans.apply(music.batch(
                new=[NewFile(music.found(f"{path}/{n:02} {title}.flac".lstrip("/")), reading(
                    metadata(title, artist, album, album_artist, n, year=year, genres=(genre,) if genre else ()),
                    lyrics=(Lyrics(f"words of {title} {n}", False),), duration_ms=100_000 + n))
                    for n, (its, path, title, artist, album, album_artist, genre, year) in enumerate(SONGS)
                    if its == root],
                pictures=[Picture(path, f"{path}/cover.jpg".lstrip("/"), 1000, TIME)
                          for its, path in FOLDERS if its == root and path not in ("", "Nothing")]))
        with station.database.transaction() as conn:
            driver_cursor(conn).execute("UPDATE albums SET added_at = 1000")
            driver_cursor(conn).execute("UPDATE tracks SET added_at = 1000")
        with station.database.read() as conn:
            self.ids = {kind: [row[0] for row in driver_cursor(conn).execute(f"SELECT uid FROM {kind}s ORDER BY id")]
                        for kind in ("track", "album", "artist")}
        self.child = station.accounts.who(made.tokens["child", "own"])
        self.touch()
        self.key = station.app_passwords.create(self.child, "x").secret

    def touch(self) -> None:
        """The child, while it still saw all, and others have listened, liked, rated, listed."""
        station, tracks = self.made.station, self.ids["track"]
        owner = station.accounts.who(self.made.tokens["owner", "own"])
        for person, some in ((self.child, tracks[::2]), (owner, tracks[1::2])):
            for n, uid in enumerate(some):
                station.listening.play(person, uid, 1_700_000_000.0 + 40 * n)
                station.listening.favourite(person, uid, True)
                station.listening.rate(person, uid, n % 5 + 1)
            for kind in ("album", "artist"):
                station.listening.favour(person, [(kind, uid) for uid in self.ids[kind]], True)
                for n, uid in enumerate(self.ids[kind]):
                    station.listening.rate_any(person, uid, n % 5 + 1)
        station.playlists.make(owner, "Everybody's", tracks[::-1], "shared")
        station.playlists.make(owner, "Ours", tracks[:5], "collaborative")
        station.playlists.make(owner, "Hers", tracks)
        station.playlists.make(self.child, "Mine", tracks)
        station.listening.save_queue(self.child, tracks, 4, 1000)
        for uid in tracks:
            station.bookmarks.set(self.child, uid, 2_000)
            station.now_playing.began(owner, f"an app {uid}", uid)

    def limit(self, folders: list[tuple[int, str]]) -> None:
        station = self.made.station
        Folders(database=station.database).set(
            self.child.user_id, [(self.musics[root].root.id, path) for root, path in folders])
        with station.database.transaction() as conn:
            driver_cursor(conn).execute("UPDATE users SET limited = 1 WHERE username = 'child'")

    def seen(self, folders: list[tuple[int, str]]) -> set[str]:
        """Told by the paths' parts."""
        told = [(root, path.split("/") if path else []) for root, path in folders]
        return {uid for uid, (root, path, *_) in zip(self.in_order(), SONGS, strict=True)
                if any(root == one and [*filter(None, path.split("/"))][:len(parts)] == parts for one, parts in told)}

    def in_order(self) -> list[str]:
        found = {}
        for root, music in enumerate(self.musics):
            for n, (its, path, title, *_) in enumerate(SONGS):
                if its == root:
                    found[n] = music.uid(f"{path}/{n:02} {title}.flac".lstrip("/"))
        return [found[n] for n in sorted(found)]

    def without_the_rest(self, folders: list[tuple[int, str]], folder: Path) -> Whole:
        """A station of what the child sees, who there sees all of it."""
        other = whole(folder, https=False, download_providers=(), download_catalogues=())
        station, path = other.station, other.station.settings.database_path
        station.database.close()
        for ending in ("", "-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        self.made.station.database.copy_to(path)
        station.database.prepare()
        seen = self.seen(folders)
        with station.database.transaction() as conn:
            cursor = driver_cursor(conn)
            cursor.execute("UPDATE files SET missing_since = 1 WHERE missing_since IS NULL")
            cursor.execute("UPDATE users SET limited = 0 WHERE username = 'child'")
        station.tracks.purge_missing([uid for uid in self.ids["track"] if uid not in seen])
        with station.database.transaction() as conn:
            cursor = driver_cursor(conn)
            cursor.execute("UPDATE files SET missing_since = NULL")
            roots = {self.musics[root].root.id for root, _ in folders}
            for one in self.musics:
                if one.root.id not in roots:
                    cursor.execute("UPDATE roots SET forgotten_at = 1 WHERE id = ?", (one.root.id,))
        owner = station.accounts.who(self.made.tokens["owner", "own"])
        for uid in self.ids["track"]:
            if uid in seen:
                station.now_playing.began(owner, f"an app {uid}", uid)
        return other


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Half]:
    made = Half(tmp_path_factory.mktemp("half"))
    yield made
    made.made.station.database.close()


def questions(half: Half) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every way to be told something. getAvatar, getUser and tokenInfo tell of people, not of music."""
    every = [uid for them in half.ids.values() for uid in them]
    yield from ((call, {}) for call in LISTS)
    with half.made.station.database.read() as conn:
        playlists = [row[0] for row in driver_cursor(conn).execute("SELECT uid FROM playlists")]
    yield from (("getPlaylist", {"id": uid}) for uid in playlists)
    for uid in (*every, "neverwas"):
        yield from ((call, {"id": uid}) for call in OF_AN_ID)
        yield "findSonicPath", {"startSongId": uid, "endSongId": uid}
        yield "getTranscodeStream", {"mediaId": uid, "mediaType": "song", "transcodeParams": "opus-96"}
    for root in (1, 2):
        yield "getMusicDirectory", {"id": root}
        for call in ("getArtists", "getIndexes", "getStarred2"):
            yield call, {"musicFolderId": root}
        yield "search3", {"query": "", "musicFolderId": root}
        yield "search3", {"query": "blue", "musicFolderId": root}
        yield "getRandomSongs", {"size": 500, "musicFolderId": root}
    for query in QUERIES:
        for size in (1, 20):
            yield "search3", {"query": query, "artistCount": size, "albumCount": size, "songCount": size}
        yield "search2", {"query": query}
        yield "search", {"any": query}
        yield "search", {"title": query, "newerThan": 1}
        yield "search3", {"query": query, "artistOffset": 1, "albumOffset": 1, "songOffset": 1}
    for kind in KINDS:
        yield "getAlbumList", {"type": kind, "size": 500}
        if kind != "random":
            yield "getAlbumList2", {"type": kind, "size": 1, "offset": 1}
    for genre in dict.fromkeys(one[6] for one in SONGS):
        yield "getSongsByGenre", {"genre": genre, "count": 500}
        yield "getAlbumList2", {"type": "byGenre", "genre": genre, "size": 500}
        yield "getRandomSongs", {"genre": genre, "size": 500}
    for year in (1970, 1999, 2001, 2010):
        yield "getAlbumList2", {"type": "byYear", "fromYear": year, "toYear": year}
        yield "getRandomSongs", {"fromYear": year, "toYear": year, "size": 500}
    yield "getRandomSongs", {"size": 500}
    for _, _, title, artist, *_ in SONGS:
        yield "getTopSongs", {"artist": artist}
        yield "getLyrics", {"artist": artist, "title": title}
        yield "getLyrics", {"title": title}


def told(made: Whole, key: str, call: str, given: dict[str, Any]) -> tuple[int, Any]:
    query = urlencode({"f": "json", "c": "x", "v": "1.16.1", "apiKey": key, **given})
    answer = made.ask("GET", f"/rest/{call}?{query}")
    try:
        return answer.status_code, json.loads(answer.data)
    except ValueError:      # an archive has moments in it
        return answer.status_code, len(answer.data)


def bare(call: str, given: dict[str, Any], answer: Any) -> Any:
    """Without what differs between two stations though nothing is told by it: moments of their own, chance, the
    numbers of links' signatures."""
    def clean(one: Any) -> Any:
        if isinstance(one, dict):
            return {name: clean(value) for name, value in one.items()
                    if name not in ("lastModified", "positionMs", "minutesAgo", "lastScan", "playerId")
                    and not name.endswith("ImageUrl")}
        return [clean(item) for item in one] if isinstance(one, list) else one

    answer = clean(answer)
    if call == "getRandomSongs" or given.get("type") == "random":
        inside = answer[1]["subsonic-response"]
        for part in inside.values():
            if isinstance(part, dict):
                for name, items in part.items():
                    if isinstance(items, list):
                        part[name] = sorted(items, key=lambda item: item["id"])
    return answer


@settings(max_examples=often(1), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(folders=[(0, "Kids")])
@example(folders=[(0, ""), (1, "Kids")])
@given(st.lists(st.sampled_from(FOLDERS), max_size=3, unique=True))
def test_a_limited_person_is_answered_as_by_a_station_without_the_rest(
    half: Half, tmp_path_factory: pytest.TempPathFactory, folders: list[tuple[int, str]]
) -> None:
    half.limit(folders)
    other = half.without_the_rest(folders, tmp_path_factory.mktemp("other"))
    try:
        for call, given_ in questions(half):
            hers, theirs = (bare(call, given_, list(told(made, half.key, call, given_)))
                            for made in (half.made, other))
            assert hers == theirs, (call, given_)
    finally:
        other.station.database.close()


def test_a_link_to_a_picture_shows_no_more_than_who_was_given_it_sees(
    half: Half, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such links need no login; the album lies in two folders, each with a picture of its own."""
    shown: list[str] = []

    def look(uid: str, size: int, *, person: Any = None, form: str = "webp") -> Any:
        found = half.made.station.albums.artwork_of(uid, person=person)
        shown.append(found.path if found else "")
        raise NotFound("Nothing is drawn here.")

    monkeypatch.setattr(half.made.station.covers, "get", look)
    album = next(uid for uid in half.ids["album"] if len(pictures_of(half, uid)) == 2)
    for folder in ("Kids", "Kids2"):
        half.limit([(0, folder)])
        for call, part, uid in (("getAlbumInfo2", "albumInfo", album), ("getArtistInfo2", "artistInfo2", album)):
            _, answer = told(half.made, half.key, call, {"id": uid})
            link = urlsplit(answer["subsonic-response"][part]["largeImageUrl"]).path
            assert half.made.ask("GET", link).status_code == 404
            assert shown.pop() == f"{folder}/cover.jpg", call
            half.limit([(0, "Pop")])
            half.made.ask("GET", link)
            assert shown.pop() == "", call      # no more than they see now
            half.limit([(0, folder)])
            assert half.made.ask("GET", link.replace("~", "-")).status_code == 404 and not shown


def pictures_of(half: Half, album: str) -> set[str]:
    """Where the songs of an album lie."""
    with half.made.station.database.read() as conn:
        return {row[0].rpartition("/")[0] for row in driver_cursor(conn).execute(
            "SELECT f.path FROM files f JOIN tracks t ON t.id = f.track_id JOIN albums a ON a.id = t.album_id "
            "WHERE a.uid = ? AND f.path LIKE 'Kids%'", (album,))} & {"Kids", "Kids2"}
