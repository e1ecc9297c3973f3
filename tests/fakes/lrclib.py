"""An LRCLIB: GET /api/get as https://lrclib.net/docs describes it and its issues show it.

A record has `id, name, trackName, artistName, albumName, duration (s), instrumental, plainLyrics, syncedLyrics`
(github.com/tranxuanthang/lrclib, issue 87); what is not there is 404 with
`{"message": "Failed to find specified track", "name": "TrackNotFound", "statusCode": 404}` (issue 92); without a title
or an artist 400. The length may be two seconds off, or must be exact (`exact`, issue 92). GET /api/search answers a
list of such records.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.fakes.answering import Answering, Asked, Reply


@dataclass(frozen=True)
class Song:
    title: str
    artist: str
    duration_s: float = 200.0
    album: str = "Album"
    plain: str | None = "La la la\nLa la"
    synced: str | None = "[00:01.00] La la la\n[00:05.50] La la"
    instrumental: bool = False


class FakeLrcLib(Answering):
    def __init__(self, songs: list[Song] | None = None, *, exact: bool = False) -> None:
        super().__init__()
        self.songs = songs or []
        self.exact = exact

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/api/search":
            words = set(" ".join(asked.query.values()).casefold().split())
            return Reply(200, json.dumps([
                _record(number, one) for number, one in enumerate(self.songs, 1)
                if words & set(f"{one.title} {one.artist}".casefold().split())]).encode())
        if asked.path != "/api/get":
            return Reply(404, b"")
        title, artist = asked.query.get("track_name", ""), asked.query.get("artist_name", "")
        if not title or not artist:
            return Reply(400, b'{"message":"Bad request","name":"ValidationError","statusCode":400}')
        for number, one in enumerate(self.songs, 1):
            if (one.title.casefold(), one.artist.casefold()) != (title.casefold(), artist.casefold()):
                continue
            off = abs(float(asked.query.get("duration", one.duration_s)) - one.duration_s)
            if off <= (0.5 if self.exact else 2):
                return Reply(200, json.dumps(_record(number, one)).encode())
        return Reply(404, json.dumps({"message": "Failed to find specified track", "name": "TrackNotFound",
                                      "statusCode": 404}).encode())


def _record(number: int, one: Song) -> dict[str, object]:
    return {
        "id": number, "name": one.title, "trackName": one.title, "artistName": one.artist, "albumName": one.album,
        "duration": one.duration_s, "instrumental": one.instrumental, "plainLyrics": one.plain,
        "syncedLyrics": one.synced,
    }
