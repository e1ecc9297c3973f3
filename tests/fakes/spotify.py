"""A Spotify that knows a few albums: Web API and token, as spotipy 2.26 asks for them.

Where the shapes come from: https://developer.spotify.com/documentation/web-api/reference (get-track, get-an-album,
get-an-albums-tracks, get-playlist, get-playlists-items, get-an-artists-albums, search), the migration guide of
February 2026 there (development mode: `/playlists/ID/items` with `item` instead of `/tracks` with `track`, batch
end points and artists' top tracks gone, searches answer ten at most; external_ids stayed, changelog of March 2026) and
the answers recorded in github.com/joostlek/python-spotify, tests/fixtures (album_tracks, playlist_items_2, search,
rate_limit, playlist_not_found). What matters of them:

- an album's tracks are simplified: no `external_ids`, no `album`
- pages are `{"href", "items", "limit", "next", "offset", "previous", "total"}`
- a playlist may hold episodes, local files and nulls
- errors are `{"error": {"status", "message"}}`; those of the token `{"error": "invalid_client", "error_description"}`

    with FakeSpotify(albums=[Album("6akEvsycLGftJxYudPjmqK", "Discovery", ["Daft Punk"], [Track(…)])]) as fake:
        settings = Settings(spotify_url=fake.url, spotify_client_id=fake.id, spotify_client_secret=fake.secret)
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.fakes.answering import Answering, Asked, Reply


@dataclass(frozen=True)
class Track:
    id: str
    name: str
    duration_ms: int = 200_000
    isrc: str = ""
    artists: tuple[str, ...] = ()       # when they are others than the album's
    disc: int = 1
    explicit: bool = False


@dataclass(frozen=True)
class Album:
    id: str
    name: str
    artists: tuple[str, ...] | list[str]
    tracks: tuple[Track, ...] | list[Track]
    date: str = "2001-03-12"
    type: str = "album"                 # album single compilation


@dataclass(frozen=True)
class Playlist:
    id: str
    name: str
    tracks: tuple[str, ...] | list[str]     # ids; "episode", "local" and "null" stand for those
    owner: str = "somebody"


class FakeSpotify(Answering):
    """`development`: the application is in development mode. `page`: rows an answer holds by itself."""

    id, secret, token = "an-id", "a-secret", "a-token-of-the-fake"

    def __init__(self, *, albums: Iterable[Album] = (), playlists: Iterable[Playlist] = (), development: bool = True,
                 page: int = 50) -> None:
        super().__init__()
        self.albums = {one.id: one for one in albums}
        self.playlists = {one.id: one for one in playlists}
        self.tracks = {track.id: (album, number, track) for album in self.albums.values()
                       for number, track in enumerate(album.tracks, 1)}
        self.development, self.page = development, page
        self.private: set[str] = set()      # playlists that applications may not read

    # ---- answering -------------------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/api/token":
            return self._token(asked)
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            return error(401, "Invalid access token")
        if not asked.path.startswith("/v1/"):
            return error(404, "Service not found")
        kind, _, rest = asked.path.removeprefix("/v1/").strip("/").partition("/")
        id, _, list_of = rest.partition("/")
        if kind == "search":
            return self._search(asked.query)
        if not id:
            return error(403, "Forbidden") if self.development else error(400, "no batches in this fake")
        made = {"tracks": self._a_track, "albums": self._an_album, "playlists": self._a_playlist,
                "artists": self._an_artist}.get(kind)
        if made is None:
            return error(404, "Service not found")
        return made(id, list_of.strip("/"), asked)

    def _token(self, asked: Asked) -> Reply:
        said = base64.b64encode(f"{self.id}:{self.secret}".encode()).decode()
        if asked.headers.get("authorization") != f"Basic {said}" or asked.form != {"grant_type": "client_credentials"}:
            return reply({"error": "invalid_client", "error_description": "Invalid client secret"}, 400)
        return reply({"access_token": self.token, "token_type": "Bearer", "expires_in": 3600})

    def _a_track(self, id: str, list_of: str, asked: Asked) -> Reply:
        return reply(self._track(id)) if id in self.tracks and not list_of else error(404, "Resource not found")

    def _an_album(self, id: str, list_of: str, asked: Asked) -> Reply:
        if id not in self.albums:
            return error(404, "Resource not found")
        rows = [self._simple(track.id) for track in self.albums[id].tracks]
        if list_of == "tracks":
            return reply(self._page(rows, asked))
        return reply(self._album(self.albums[id]) | {
            "genres": [], "label": "A label", "popularity": 0, "external_ids": {"upc": "724384960650"},
            "copyrights": [], "tracks": self._page(rows, asked, most=self.page)})

    def _a_playlist(self, id: str, list_of: str, asked: Asked) -> Reply:
        if id not in self.playlists:
            return error(404, "Resource not found")
        one = self.playlists[id]
        if id in self.private and (list_of or not self.development):
            return error(403, "Forbidden") if self.development else error(404, "Resource not found")
        name, inner = ("items", "item") if self.development else ("tracks", "track")

        def row(track: str) -> dict[str, Any]:
            return {"added_at": "2025-07-29T21:11:55Z", "added_by": {"id": one.owner, "type": "user"},
                    "is_local": track == "local", "primary_color": None, inner: self._within(track)}

        if list_of:
            if list_of == name or (list_of == "items" and not self.development):
                return reply(self._page(one.tracks, asked, made=row))
            return error(403 if self.development else 404, "Forbidden")
        about = {
            "collaborative": False, "description": "", "external_urls": _urls("playlist", id), "id": id,
            "href": f"{self.url}/v1/playlists/{id}", "images": _images(id), "name": one.name,
            "owner": {"display_name": one.owner, "id": one.owner, "type": "user"}, "public": True,
            "snapshot_id": "AAAA", "type": "playlist", "uri": f"spotify:playlist:{id}",
        }
        if id not in self.private:      # of playlists of others an application in development mode sees the name alone
            about[name] = self._page(one.tracks, asked, most=self.page, made=row)
        return reply(about)

    def _an_artist(self, id: str, list_of: str, asked: Asked) -> Reply:
        names = {artist_id(name): name for album in self.albums.values() for name in album.artists}
        if id not in names:
            return error(404, "Resource not found")
        if list_of == "albums":
            groups = (asked.query.get("include_groups") or "album,single,appears_on,compilation").split(",")
            rows = [self._album(one) | {"album_group": one.type} for one in self.albums.values()
                    if names[id] in one.artists and one.type in groups]
            return reply(self._page(rows, asked))
        if list_of:
            return error(403, "Forbidden")
        return reply(_artist(names[id]) | {"genres": [], "images": _images(id)})

    def _search(self, query: dict[str, str]) -> Reply:
        limit = int(query.get("limit") or 5)
        if self.development and limit > 10:
            return error(400, "Invalid limit")
        words = set(re.findall(r"\w+", query.get("q", "").casefold()))
        if not words:
            return error(400, "No search query")

        def fits(*texts: str) -> bool:
            return words <= set(re.findall(r"\w+", " ".join(texts).casefold()))

        rows = {
            "track": [self._track(id) for id, (album, _, track) in self.tracks.items()
                      if fits(track.name, album.name, *album.artists, *track.artists)],
            "album": [self._album(one) for one in self.albums.values() if fits(one.name, *one.artists)],
            "artist": [_artist(name) | {"images": _images(name)} for name in
                       dict.fromkeys(name for one in self.albums.values() for name in one.artists) if fits(name)],
            "playlist": [None, *({"id": one.id, "name": one.name, "external_urls": _urls("playlist", one.id),
                                  "images": _images(one.id), "owner": {"display_name": one.owner},
                                  "tracks": {"href": "", "total": len(one.tracks)}, "type": "playlist"}
                                 for one in self.playlists.values() if fits(one.name))],
        }
        return reply({f"{kind}s": {"href": "", "items": rows[kind][:limit], "limit": limit, "next": None, "offset": 0,
                                   "previous": None, "total": len(rows[kind])}
                      for kind in (query.get("type") or "track").split(",")})

    # ---- things ----------------------------------------------------------------------------------------------------

    def _page(self, rows: Sequence[Any], asked: Asked, *, most: int | None = None,
              made: Callable[[Any], Any] = lambda row: row) -> dict[str, Any]:
        offset, limit = int(asked.query.get("offset") or 0), most or int(asked.query.get("limit") or 20)
        more = offset + limit < len(rows)
        return {"href": f"{self.url}{asked.path}", "items": [made(row) for row in rows[offset:offset + limit]],
                "limit": limit, "offset": offset, "previous": None, "total": len(rows),
                "next": f"https://elsewhere.example{asked.path}?offset={offset + limit}" if more else None}

    def _simple(self, id: str) -> dict[str, Any]:
        album, number, track = self.tracks[id]
        return {
            "artists": [_artist(name) for name in track.artists or album.artists], "disc_number": track.disc,
            "duration_ms": track.duration_ms, "explicit": track.explicit, "external_urls": _urls("track", id),
            "href": f"{self.url}/v1/tracks/{id}", "id": id, "is_local": False, "name": track.name,
            "preview_url": None, "track_number": number, "type": "track", "uri": f"spotify:track:{id}",
        }

    def _track(self, id: str) -> dict[str, Any]:
        album, _, track = self.tracks[id]
        return self._simple(id) | {"album": self._album(album), "popularity": 46,
                                   "external_ids": {"isrc": track.isrc} if track.isrc else {}}

    def _within(self, id: str) -> dict[str, Any] | None:
        """What stands in a playlist."""
        if id == "null":
            return None
        if id == "episode":
            return {"id": "512ojhOuo1ktJprKbVcKyQ", "name": "A talk", "type": "episode", "episode": True,
                    "track": False, "duration_ms": 1_000_000}
        if id == "local":
            return {"id": None, "name": "My own tape", "type": "track", "is_local": True, "duration_ms": 61_000,
                    "artists": [{"id": None, "name": "Me", "type": "artist"}], "external_ids": {},
                    "external_urls": {}, "uri": "spotify:local:Me:Tapes:My+own+tape:61",
                    "album": {"id": None, "name": "Tapes", "artists": [], "images": []}}
        return self._track(id)

    def _album(self, one: Album) -> dict[str, Any]:
        return {
            "album_type": one.type, "artists": [_artist(name) for name in one.artists],
            "external_urls": _urls("album", one.id), "href": f"{self.url}/v1/albums/{one.id}", "id": one.id,
            "images": _images(one.id), "name": one.name, "release_date": one.date, "release_date_precision": "day",
            "total_tracks": len(one.tracks), "type": "album", "uri": f"spotify:album:{one.id}",
        }


def artist_id(name: str) -> str:
    return (re.sub(r"\W", "", name) + "0" * 22)[:22]


def _artist(name: str) -> dict[str, Any]:
    id = artist_id(name)
    return {"external_urls": _urls("artist", id), "href": f"https://api.spotify.com/v1/artists/{id}", "id": id,
            "name": name, "type": "artist", "uri": f"spotify:artist:{id}"}


def _urls(kind: str, id: str) -> dict[str, str]:
    return {"spotify": f"https://open.spotify.com/{kind}/{id}"}


def _images(id: str) -> list[dict[str, Any]]:
    return [{"height": size, "url": f"https://i.scdn.co/image/{size}{id}", "width": size} for size in (640, 300, 64)]


def reply(answer: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(answer).encode(), "application/json; charset=utf-8")


def error(status: int, message: str) -> Reply:
    return reply({"error": {"status": status, "message": message}}, status)
