"""A station of small fakes behind the real doors: real files, access, resolver and event bus; a library in memory."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flask import Flask

from shared.discovery.finding import Finding
from shared.events import EventBus
from shared.feed import Feed
from shared.model.errors import Conflict, Forbidden, NotFound, NotLoggedIn, TooOften
from shared.model.person import Person
from shared.model.scan import BadEntry, ScanReport
from shared.model.source import TrackFile
from shared.model.track import (
    Album,
    AlbumWhole,
    Changes,
    ChangeSet,
    Cover,
    Lyrics,
    Page,
    Playlist,
    ReplayGain,
    SearchResult,
    Track,
)
from shared.security.accounts import Login, User
from shared.security.open_streams import OpenStreams
from shared.settings import Settings
from shared.storage.access import Access
from shared.storage.local import LocalStorage
from shared.storage.playing import Playing
from shared.storage.resolver import Resolver

ANN = Person(user_id=1, id="u-ann", username="ann", role="owner", token_id=1)
BEN = Person(user_id=2, id="u-ben", username="ben", role="adult", token_id=2)
KID = Person(user_id=3, id="u-kid", username="kid", role="child", token_id=3)
EAR = Person(user_id=1, id="u-ann", username="ann", role="owner", scope="listen", token_id=4)
TOKENS = {"ann-token": ANN, "ben-token": BEN, "kid-token": KID, "ear-token": EAR}


def a_track(id: str = "t1", **fields: Any) -> Track:
    return Track(**{
        "id": id, "title": f"Title {id}", "artist": "Somebody", "artists": [], "album": "Album", "album_id": "a1",
        "album_artist": "Somebody", "track_number": 1, "disc_number": 1, "year": 1999, "genres": ["Rock"],
        "duration_ms": 8000, "size_bytes": 1000, "format": "flac", "mime_type": "audio/flac", "bitrate_kbps": 800,
        "sample_rate_hz": 44100, "bit_depth": 16, "channels": 2, "isrc": None, "recording_mbid": None,
        "replaygain": ReplayGain(), "bpm": None, "has_lyrics": False, "added_at": "2026-01-01T00:00:00Z",
        "favourite": False, "rating": 0, "play_count": 0, "place": "local", "cover": Cover(version="1"),
        "path": f"{id}.flac", **fields,
    })


def an_album(id: str = "a1", **fields: Any) -> Album:
    return Album(**{
        "id": id, "title": f"Album {id}", "artist": "Somebody", "artists": [], "year": 1999, "date": "1999",
        "genres": ["Rock"], "track_count": 1, "disc_count": 1, "duration_ms": 8000, "compilation": False, "mbid": None,
        "added_at": "2026-01-01T00:00:00Z", "favourite": False, "play_count": 0, "cover": None, **fields,
    })


@dataclass
class Calls:
    """Remembers what it was asked."""

    asked: list[tuple[Any, ...]] = field(default_factory=list)


class FakeTracks(Calls):
    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, TrackFile] = {}
        self.texts: list[Lyrics] = []

    def list(self, person: Person, **wish: Any) -> Page[Track]:
        self.asked.append(("list", person, wish))
        return Page(items=[a_track()], next_cursor=None, total=1, revision=7)

    def must_see(self, person: Person, id: str) -> None:
        self.get(person, id)

    def get(self, person: Person, id: str) -> Track:
        if id not in ("t1", *self.files):
            raise NotFound(f"There is no track {id}.")
        return a_track(id, path="secret/place.flac" if person.sees_files else None)

    def file_of(self, id: str, *, person: Person | None = None) -> TrackFile:
        if id not in self.files:
            raise NotFound(f"There is no track {id}.")
        return self.files[id]

    def lyrics(self, id: str) -> Any:
        return self.texts

    def letters(self, of: str, sort: str) -> Any:
        return [{"letter": "A", "offset": 0}]

    def stats(self, *, person: Person | None = None) -> dict[str, int]:
        return {"tracks": 1, "albums": 1, "artists": 1, "duration_ms": 1, "size_bytes": 1, "missing": 0, "revision": 7}

    def trashed(self, **wish: Any) -> Page[Any]:
        return Page(items=[], next_cursor=None, total=0, revision=7)

    def purge_missing(self, ids: Any) -> int:
        return 0 if ids is None else len(ids)


class FakeAlbums(Calls):
    many = 1

    def list(self, person: Person, **wish: Any) -> Page[Album]:
        self.asked.append(("list", person, wish))
        return Page(items=[an_album(f"a{n}") for n in range(self.many)], next_cursor=None, total=self.many, revision=7)

    def get(self, person: Person, id: str) -> AlbumWhole:
        if id == "broken":
            raise ZeroDivisionError("a defect with a secret in it")
        raise NotFound(f"There is no album {id}.")


class FakePlaylists(Calls):
    def make(self, person: Person, name: str, track_uids: Any, visibility: str) -> Playlist:
        self.asked.append(("make", person, name, track_uids, visibility))
        return Playlist(id="p1", name=name, visibility=visibility, owner=person.username, track_count=len(track_uids),
                        duration_ms=0, created_at="2026-01-01T00:00:00Z", updated_at="2026-01-01T00:00:00Z")

    def edit(self, person: Person, id: str, **changes: Any) -> Playlist:
        self.asked.append(("edit", person, id, changes))
        return self.make(person, changes["name"] or "as it was", [], "private")

    def delete(self, person: Person, id: str) -> None:
        if id == "of-others":
            raise NotFound("There is no such playlist.")


class FakeAccounts(Calls):
    def who(self, token: str, address: str = "") -> Person | None:
        return TOKENS.get(token)

    def login(self, username: str, password: str, address: str, user_agent: str, code: str | None = None) -> Any:
        if username == "flood":
            raise TooOften("Too many tries.", retry_after_s=8)
        if (username, password) != ("ann", "correct horse battery"):
            raise NotLoggedIn("The user name or the password is wrong.")
        return Login("ann-token", 1_800_000_000.0, ANN)

    def expiry_of(self, expires_at: Any) -> Any:
        return "2027-01-15T08:00:00Z", 3600

    def logout(self, person: Person, address: str = "") -> None:
        self.asked.append(("logout", person))

    def change_password(self, person: Person, current: str, new: str, address: str) -> None:
        self.asked.append(("change_password", person))

    def users(self, person: Person) -> Any:
        rights = {"add": True, "edit": True, "delete": True}
        return [User(id="u-ann", username="ann", role="owner", created_at="2026-01-01T00:00:00Z", rights=rights,
                     said=dict.fromkeys(rights))]


class FakeSetup:
    def needed(self) -> bool:
        return True

    def claim(self, code: str, username: str, password: str, address: str, user_agent: str) -> Any:
        if code == "used":
            raise Conflict("This station has an owner already.")
        if code != "good":
            raise Forbidden("This set-up code is wrong.")
        return Login("ann-token", 1_800_000_000.0, ANN)


class FakeScanning(Calls):
    report = ScanReport(id="s1", state="idle", bad=[BadEntry(path="x.mp3", reason="empty")])

    def start(self, roots: Any = None, deep: bool = False) -> ScanReport:
        self.asked.append(("start", roots, deep))
        return replace(self.report, state="running")

    def progress(self) -> ScanReport:
        return self.report


class Anything(Calls):
    """Takes every call and answers None."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **named: self.asked.append((name, *args, named))


class FakeDownloads(Anything):
    """What is under way is what a test puts into `shown`."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Any] = []

    def snapshot(self, person: Person) -> list[Any]:
        return list(self.shown)

    def health(self) -> dict[str, Any]:
        return {"providers": [{"name": "direct", "operation": "fetch", "state": "closed", "failure_count": 0}],
                "queue": {"paused": False}}


class FakeScans:
    def roots(self) -> list[Any]:
        return []

    def track_counts(self) -> dict[int, int]:
        return {}


class FakeChanges:
    revision = 7

    def current(self) -> int:
        return self.revision

    def since(self, person: Person, revision: int) -> Changes:
        none = ChangeSet(added=[], changed=[], removed=[])
        return Changes(revision=7, tracks=none, albums=none, artists=none, playlists=none)


class FakeSearch(Calls):
    def find(self, person: Person, q: str, limit: int) -> SearchResult:
        self.asked.append((q, limit))
        return SearchResult(tracks=[a_track()], albums=[], artists=[])


class FakeStation:
    """Has every part that the doors ask for, by its name."""

    def __init__(self, music: Path, **settings: Any) -> None:
        self.settings = Settings(**{"subsonic": False, **settings})     # /rest is tried at whole stations
        self.events = EventBus()
        self.tracks, self.albums, self.playlists = FakeTracks(), FakeAlbums(), FakePlaylists()
        self.artists, self.genres, self.listening, self.shelf = Anything(), Anything(), Anything(), Anything()
        self.scans, self.covers, self.transcodes = FakeScans(), Anything(), Anything()
        self.search, self.changes = FakeSearch(), FakeChanges()
        self.accounts, self.setup, self.scanning = FakeAccounts(), FakeSetup(), FakeScanning()
        self.audit, self.audit_records, self.invitations = Anything(), Anything(), Anything()
        self.openid, self.vouching = Anything(), Anything()
        self.pairing, self.devices, self.open_streams = Anything(), Anything(), OpenStreams()
        self.access = Access()
        self.resolver = Resolver(storages=[LocalStorage(access=self.access)])
        self.playing = Playing(resolver=self.resolver, access=self.access)
        self.downloads: Any = FakeDownloads()
        self.download_records, self.origins = Anything(), Anything()
        self.acquire, self.previews, self.watches, self.watching = Anything(), Anything(), Anything(), Anything()
        self.outside_covers = Anything()
        self.errands, self.pins, self.copies, self.cache = Anything(), Anything(), Anything(), Anything()
        self.storages, self.local, self.circuits = Anything(), Anything(), Anything()
        self.cloud = SimpleNamespace(states=list)
        self.feed = Feed(events=self.events, accounts=self.accounts, scanning=self.scanning, changes=self.changes,
                         downloads=self.downloads.snapshot)
        self.music = music
        self.belongings, self.stations, self.certificates = Anything(), Anything(), Anything()
        self.app_passwords, self.bookmarks, self.shares, self.now_playing = (Anything() for _ in range(4))
        self.podcasts, self.podcast_records, self.radios = Anything(), Anything(), Anything()
        self.jukebox, self.likeness, self.scrobbling = Anything(), Anything(), Anything()
        self.database, self.people = Anything(), Anything()
        self.finding = Finding(settings=self.settings)

    def who(self) -> dict[str, str]:
        return {"id": "f" * 43, "name": "attic", "fingerprint": "f" * 43}

    def add_file(self, id: str, content: bytes, *, name: str | None = None, mime_type: str = "audio/flac",
                 age_s: float = 100) -> Path:
        """A track whose file holds `content`, last changed `age_s` seconds ago."""
        import os

        path = self.music / (name or f"{id}.flac")
        path.write_bytes(content)
        then = time.time() - age_s
        os.utime(path, (then, then))
        facts = path.stat()
        self.tracks.files[id] = TrackFile(
            track_id=id, root=str(self.music), path=path.name, size_bytes=facts.st_size, mtime_ns=facts.st_mtime_ns,
            mime_type=mime_type, format="flac", duration_ms=8000,
        )
        return path


def make_app(station: FakeStation) -> Flask:
    from shared.routes.register import register

    app = Flask("soundsible", static_folder=None)
    app.extensions["operations"] = register(app, station, feed=station.feed)
    return app


def bearer(token: str = "ann-token") -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


