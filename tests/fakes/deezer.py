"""A Deezer that knows a few albums: the public API as https://api.deezer.com answers it.

Where the shapes come from: the answers recorded in deezer-python's own tests (github.com/browniebroke/deezer-python,
tests/asyncio/cassettes: TestAsyncClient.test_get_album, TestAsyncAlbum.test_get_tracks, TestAsyncTrack…attributes,
TestAsyncPlaylist.test_get_tracks, TestAsyncArtist.test_get_albums and …get_top, TestAsyncClient.test_search_albums and
…search_playlists) and https://developers.deezer.com/api. What matters of them:

- an album's own `tracks.data` has neither `isrc` nor `track_position`; `/album/ID/tracks` has both
- tracks in playlists and searches have neither; `/track/ID` has everything, with `contributors` and their roles
- lists are `{"data": [], "total": n, "next": link}`, paged by `limit` and `index`
- `/track/isrc:CODE` is the track of that ISRC
- errors come as 200 `{"error": {"type", "message", "code"}}`: 800 "no data", 4 "Quota limit exceeded"
  (github.com/miraclx/freyr-js/issues/32); 600 for a search without words

    with FakeDeezer(albums=[Album(302127, "Discovery", "Daft Punk", [Track(3135553, "One More Time", 320)])]) as fake:
        settings = Settings(deezer_url=fake.url)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.fakes.answering import Answering, Asked, Reply


@dataclass(frozen=True)
class Track:
    id: int
    title: str
    duration: int = 200                 # s
    isrc: str = ""
    artists: tuple[str, ...] = ()       # when they are others than the album's; the first is the main one
    disc: int = 1
    explicit: bool = False


@dataclass(frozen=True)
class Album:
    id: int
    title: str
    artist: str
    tracks: tuple[Track, ...] | list[Track]
    date: str = "2001-03-07"
    genres: tuple[str, ...] = ("Dance",)
    type: str = "album"                 # album single ep compile


@dataclass(frozen=True)
class Playlist:
    id: int
    title: str
    tracks: tuple[int, ...] | list[int]
    creator: str = "Somebody"


def artist_id(name: str) -> int:
    return sum(ord(one) * 31 ** at for at, one in enumerate(name)) % 900_000 + 1


class FakeDeezer(Answering):
    """`tracklists`: whether /album/ID/tracks answers; `in_playlist`: tracks that an answer of a playlist holds."""

    def __init__(self, *, albums: Iterable[Album] = (), playlists: Iterable[Playlist] = (), tracklists: bool = True,
                 in_playlist: int = 400) -> None:
        super().__init__()
        self.albums = {one.id: one for one in albums}
        self.playlists = {one.id: one for one in playlists}
        self.tracks = {track.id: (album, number, track) for album in self.albums.values()
                       for number, track in enumerate(album.tracks, 1)}
        self.tracklists, self.in_playlist = tracklists, in_playlist

    # ---- answering -------------------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Reply:
        kind, _, rest = asked.path.strip("/").partition("/")
        if kind == "search":
            return self._search(rest or "track", asked.query)
        id, _, list_of = rest.partition("/")
        if kind == "track" and id.startswith("isrc:"):
            id = next((str(one) for one, (_, _, track) in self.tracks.items() if track.isrc == id[5:]), "0")
        known: dict[str, Any] = {"track": self.tracks, "album": self.albums, "playlist": self.playlists,
                                 "artist": self._artists()}.get(kind, {})
        if not id.isdigit() or int(id) not in known:
            return error(800, "DataException", "no data")
        if list_of:
            listed = self._listed(kind, int(id), list_of)
            return error(800, "DataException", "no data") if listed is None else self._page(listed, asked)
        made = {"track": self._track, "album": self._album, "playlist": self._playlist, "artist": self._artist}
        return reply(made[kind](int(id)))

    def _listed(self, kind: str, id: int, list_of: str) -> list[dict[str, Any]] | None:
        if kind == "album" and list_of == "tracks" and self.tracklists:
            return [self._row(track.id, numbers=True) for track in self.albums[id].tracks]
        if kind == "playlist" and list_of == "tracks":
            return [self._row(track, album=True) for track in self.playlists[id].tracks]
        name = self._artists().get(id, "")
        if kind == "artist" and list_of == "albums":
            return [{**self._album_row(one), "genre_id": 113, "fans": 1, "release_date": one.date,
                     "record_type": one.type, "explicit_lyrics": False}
                    for one in self.albums.values() if one.artist == name]
        if kind == "artist" and list_of == "top":
            return [self._row(id, album=True) for id, (album, _, _) in self.tracks.items() if album.artist == name]
        return None

    def _page(self, listed: list[dict[str, Any]], asked: Asked) -> Reply:
        index, limit = int(asked.query.get("index") or 0), int(asked.query.get("limit") or 25)
        answer: dict[str, Any] = {"data": listed[index:index + limit], "total": len(listed)}
        if index + limit < len(listed):
            answer["next"] = f"{self.url}{asked.path}?limit={limit}&index={index + limit}"
        return reply(answer)

    def _search(self, kind: str, query: dict[str, str]) -> Reply:
        words = re.findall(r"\w+", query.get("q", "").casefold())
        if not words:
            return error(600, "InvalidQueryException", "Wrong parameter")

        def fits(*texts: str) -> bool:
            return set(words) <= set(re.findall(r"\w+", " ".join(texts).casefold()))

        if kind == "track":
            found = [self._row(id, album=True) for id, (album, _, track) in self.tracks.items()
                     if fits(track.title, album.title, album.artist, *track.artists)]
        elif kind == "album":
            found = [{**self._album_row(one), "genre_id": 113, "nb_tracks": len(one.tracks), "record_type": one.type,
                      "explicit_lyrics": False, "artist": self._artist_row(one.artist)}
                     for one in self.albums.values() if fits(one.title, one.artist)]
        elif kind == "artist":
            found = [self._artist(id) for id, name in self._artists().items() if fits(name)]
        else:
            found = [{"id": one.id, "title": one.title, "public": True, "nb_tracks": len(one.tracks),
                      "link": f"https://www.deezer.com/playlist/{one.id}", **_pictures("picture", one.id),
                      "user": {"id": 1, "name": one.creator, "type": "user"}, "type": "playlist"}
                     for one in self.playlists.values() if fits(one.title, one.creator)]
        limit = int(query.get("limit") or 25)
        return reply({"data": found[:limit], "total": len(found)})

    # ---- things ----------------------------------------------------------------------------------------------------

    def _artists(self) -> dict[int, str]:
        return {artist_id(one.artist): one.artist for one in self.albums.values()}

    def _row(self, id: int, *, numbers: bool = False, album: bool = False) -> dict[str, Any]:
        """A track in a list."""
        of, number, track = self.tracks[id]
        row: dict[str, Any] = {
            "id": id, "readable": True, "title": track.title, "title_short": track.title, "title_version": "",
            "link": f"https://www.deezer.com/track/{id}", "duration": track.duration, "rank": 500_000,
            "explicit_lyrics": track.explicit, "explicit_content_lyrics": 0, "explicit_content_cover": 0,
            "preview": f"{self.url}/stream/c-{id}.mp3",
            "artist": self._artist_row(track.artists[0] if track.artists else of.artist), "type": "track",
        }
        if numbers:
            row |= {"isrc": track.isrc, "track_position": number, "disk_number": track.disc}
        if album:
            row["album"] = self._album_row(of)
        return row

    def _track(self, id: int) -> dict[str, Any]:
        of, _, track = self.tracks[id]
        names = track.artists or (of.artist,)
        return self._row(id, numbers=True) | {
            "share": f"https://www.deezer.com/track/{id}?utm_source=deezer", "release_date": of.date, "bpm": 123,
            "gain": -12.4, "available_countries": ["DE", "FR"],
            "contributors": [{**self._artist_row(name), "role": "Featured" if at else "Main"}
                             for at, name in enumerate(names)],
            "album": {**self._album_row(of), "release_date": of.date},
        }

    def _album(self, id: int) -> dict[str, Any]:
        one = self.albums[id]
        return self._album_row(one) | {
            "upc": "724384960650", "genre_id": 113,
            "genres": {"data": [{"id": 113, "name": name, "type": "genre"} for name in one.genres]},
            "label": "A label", "nb_tracks": len(one.tracks), "duration": sum(track.duration for track in one.tracks),
            "fans": 1, "rating": 0, "release_date": one.date, "record_type": one.type, "available": True,
            "explicit_lyrics": False, "contributors": [{**self._artist_row(one.artist), "role": "Main"}],
            "artist": self._artist_row(one.artist),
            "tracks": {"data": [self._row(track.id) for track in one.tracks]},
        }

    def _playlist(self, id: int) -> dict[str, Any]:
        one = self.playlists[id]
        rows = [self._row(track, album=True) for track in one.tracks]
        return {
            "id": id, "title": one.title, "description": "", "duration": sum(row["duration"] for row in rows),
            "public": True, "is_loved_track": False, "collaborative": False, "nb_tracks": len(rows), "fans": 1,
            "link": f"https://www.deezer.com/playlist/{id}", **_pictures("picture", id), "checksum": "0" * 32,
            "creation_date": "2017-05-17 22:49:49", "creator": {"id": 1, "name": one.creator, "type": "user"},
            "type": "playlist", "tracks": {"data": rows[:self.in_playlist]},
        }

    def _artist(self, id: int) -> dict[str, Any]:
        name = self._artists()[id]
        return self._artist_row(name) | {"nb_album": sum(one.artist == name for one in self.albums.values()),
                                         "nb_fan": 1, "radio": True}

    def _artist_row(self, name: str) -> dict[str, Any]:
        id = artist_id(name)
        return {"id": id, "name": name, "link": f"https://www.deezer.com/artist/{id}", **_pictures("picture", id),
                "tracklist": f"{self.url}/artist/{id}/top?limit=50", "type": "artist"}

    def _album_row(self, one: Album) -> dict[str, Any]:
        return {"id": one.id, "title": one.title, "link": f"https://www.deezer.com/album/{one.id}",
                **_pictures("cover", one.id), "tracklist": f"{self.url}/album/{one.id}/tracks", "type": "album"}


def _pictures(name: str, id: int) -> dict[str, str]:
    base = f"https://cdn-images.dzcdn.net/images/{name}/{id}"
    return {name: f"https://api.deezer.com/{name}/{id}/image",
            **{f"{name}_{size}": f"{base}/{pixels}x{pixels}-000000-80-0-0.jpg"
               for size, pixels in (("small", 56), ("medium", 250), ("big", 500), ("xl", 1000))}}


def reply(answer: Any) -> Reply:
    return Reply(200, json.dumps(answer).encode(), "application/json; charset=utf-8")


def error(code: int, type: str = "Exception", message: str = "Quota limit exceeded") -> Reply:
    """As Deezer says it: with status 200."""
    return reply({"error": {"type": type, "message": message, "code": code}})
