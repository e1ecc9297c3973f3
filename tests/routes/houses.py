"""The real doors before real records and accounts; a small library made of rows, its files made of plain bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask

from shared.cloud.errands import Errands
from shared.cloud.pins import Pins
from shared.database import Database
from shared.discovery.finding import Finding
from shared.events import EventBus
from shared.feed import Feed
from shared.library.belongings import Belongings
from shared.library.jukebox import Jukebox
from shared.library.now_playing import NowPlaying
from shared.model.scan import Batch, Found, NewFile
from shared.model.track import AudioFacts, Credit, Lyrics, Metadata, Reading
from shared.model.units import GIB
from shared.outbound import Outbound
from shared.records.albums import Albums
from shared.records.artists import Artists
from shared.records.audit import Audit
from shared.records.belongings import Belongings as BelongingRecords
from shared.records.changes import Changes
from shared.records.copies import Copies
from shared.records.devices import Devices as DeviceRecords
from shared.records.downloads import Downloads
from shared.records.errands import Errands as ErrandRecords
from shared.records.genres import Genres
from shared.records.invitations import Invitations as InvitationRecords
from shared.records.listening import Listening
from shared.records.origins import Origins
from shared.records.pairings import Pairings
from shared.records.people import People
from shared.records.pins import Pins as PinRecords
from shared.records.playlists import Playlists
from shared.records.scans import Scans
from shared.records.search import Search
from shared.records.shares import Shares as ShareRecords
from shared.records.stations import Stations as StationRecords
from shared.records.tracks import Tracks
from shared.records.watches import Watches
from shared.routes.register import register
from shared.security.accounts import OPERATOR, Accounts
from shared.security.audit import AuditLog
from shared.security.certificates import Certificates
from shared.security.devices import Devices
from shared.security.identity import Identity
from shared.security.invitations import Invitations
from shared.security.open_streams import OpenStreams
from shared.security.openid import OpenId
from shared.security.pairing import Pairing
from shared.security.passwords import Passwords
from shared.security.second_factor import SecondFactors
from shared.security.setup import Setup
from shared.security.shares import Shares
from shared.security.stations import Stations
from shared.security.throttle import Throttle
from shared.security.vouching import Vouching
from shared.settings import Settings
from shared.storage.access import Access
from shared.storage.circuits import Circuits
from shared.storage.cloud import CloudStorage
from shared.storage.local import LocalStorage
from shared.storage.playing import Playing
from shared.storage.providers import Providers
from shared.storage.resolver import Resolver
from shared.vault import Vault
from tests.odst import standins
from tests.routes.fakes import Anything, FakeScanning

PASSWORD = "correct horse battery"


class Counter(standins.House):
    """The real downloader on this house's records, its outside and its shelf standing in; nobody works in it."""

    def __init__(self, house: House, folder: Path) -> None:
        self.folder, self.settings = folder, house.settings
        self.database, self.records, self.events = house.database, house.download_records, house.events
        self.shops = (standins.Shop(),)
        self.shop = self.shops[0]
        self.shelf, self.crafts, self.clock = standins.Shelf(folder / "shelf"), standins.Crafts(), standins.Clock()
        self.kept: list[Any] = []
        self.free = 100 * GIB
        self.search = standins.Search(self.shop)
        self._build()
        self.breakers.know("direct", "fetch")


class Resting(Errands):
    """Takes errands; nobody does them."""

    def _wake_locked(self) -> None:
        pass


class NoCache:
    """Nothing is in it."""

    def __init__(self) -> None:
        self.cleared = 0

    def locate(self, file: Any) -> None:
        return None

    def totals(self) -> dict[str, int]:
        return {"files": 0, "bytes": 0, "limit_bytes": 10 * GIB}

    def clear(self) -> None:
        self.cleared += 1


class House:
    """A station's parts by name: real where they are cheap, fakes for what works in other processes."""

    def __init__(self, folder: Path) -> None:
        self.music = folder / "music"
        self.music.mkdir()
        self.settings = Settings(home=folder / "home", owner=("ann", PASSWORD), subsonic=False)
        self.events = EventBus()
        self.database = Database(folder / "library.db")
        self.database.prepare()
        self.tracks, self.albums = Tracks(database=self.database), Albums(database=self.database)
        self.artists, self.genres = Artists(database=self.database), Genres(database=self.database)
        self.search, self.changes = Search(database=self.database), Changes(database=self.database)
        self.playlists, self.listening = Playlists(database=self.database), Listening(database=self.database)
        self.jukebox = Jukebox(events=self.events)
        self.belongings = Belongings(records=BelongingRecords(database=self.database))
        self.people, self.scans = People(database=self.database), Scans(database=self.database)
        self.audit_records = Audit(database=self.database)
        self.audit = AuditLog(records=self.audit_records)
        self.throttle = Throttle()
        self.factors = SecondFactors(people=self.people, vault=Vault(folder / "home" / "config"),
                                     throttle=self.throttle)
        self.accounts = Accounts(people=self.people, throttle=self.throttle, events=self.events, audit=self.audit,
                                 passwords=Passwords(memory_kib=64), factors=self.factors)
        self.setup = Setup(people=self.people, accounts=self.accounts)
        self.access = Access()
        self.resolver = Resolver(storages=[LocalStorage(access=self.access)])
        self.playing = Playing(resolver=self.resolver, access=self.access)
        self.scanning = FakeScanning()
        self.shelf: Any = Anything()
        self.covers: Any = Anything()
        self.transcodes: Any = Anything()
        self.download_records = Downloads(database=self.database)
        self.origins, self.watches = Origins(database=self.database), Watches(database=self.database)
        self.counter = Counter(self, folder / "downloads")
        self.downloads: Any = self.counter.service
        self.acquire: Any = Anything()
        self.previews: Any = Anything()
        self.watching: Any = Anything()
        self.outside_covers: Any = Anything()
        self.local = LocalStorage(access=self.access)
        self.copies, self.storages = Copies(database=self.database), Providers(settings=self.settings)
        self.pins: Any = Pins(records=PinRecords(database=self.database), copies=self.copies, providers=self.storages,
                              buckets=Anything, access=self.access)
        self.cache: Any = NoCache()
        self.circuits = Circuits()
        self.cloud = CloudStorage(copies=self.copies, providers=self.storages, circuits=self.circuits)
        self.errands = Resting(records=ErrandRecords(database=self.database), providers=self.storages,
                               settings=self.settings, events=self.events)
        self.feed = Feed(events=self.events, accounts=self.accounts, scanning=self.scanning, changes=self.changes,
                         downloads=self.downloads.snapshot)
        self.finding = Finding(settings=self.settings)
        self.identity = Identity(folder=folder / "identity")
        self.open_streams = OpenStreams(events=self.events)
        self.pairing = Pairing(
            pairings=Pairings(database=self.database), people=self.people, accounts=self.accounts,
            identity=self.identity, events=self.events, endpoints=lambda: ["http://192.168.7.7:5005"],
            station=self.who, audit=self.audit)
        self.openid: Any = OpenId(issuer="", client_id="", outbound=Outbound)
        self.vouching = Vouching(people=self.people, accounts=self.accounts, audit=self.audit)
        self.invitations = Invitations(
            records=InvitationRecords(database=self.database), accounts=self.accounts, throttle=self.throttle,
            endpoints=lambda: ["http://192.168.7.7:5005"], station=self.who, audit=self.audit)
        self.stations = Stations(
            records=StationRecords(database=self.database), vault=Vault(folder / "config"), identity=self.identity,
            pairing=self.pairing, people=self.people, belongings=self.belongings, name=lambda: "attic",
            audit=self.audit)
        self.devices = Devices(records=DeviceRecords(database=self.database), people=self.people,
                               accounts=self.accounts, events=self.events, audit=self.audit)
        self.certificates = Certificates(
            identity=Identity(folder=folder / "identity"), folder=folder / "identity", title="nas",
            names=lambda: (["soundsible.local"], ["192.168.1.20"]))
        self.now_playing = NowPlaying(
            events=self.events, count=lambda *heard: None,
            length_of=lambda person, kind, uid: self.tracks.file_of(uid, person=person).duration_ms)
        self.shares = Shares(
            records=ShareRecords(database=self.database), people=self.people, vault=Vault(folder / "config"),
            events=self.events, streams=self.open_streams, current=self.changes.current, audit=self.audit)
        self.app_passwords: Any = Anything()
        self.podcasts: Any = Anything()
        self.radios: Any = Anything()
        self.scrobbling: Any = Anything()
        self.likeness: Any = Anything()
        self.tokens: dict[str, str] = {}

    def who(self) -> dict[str, str]:
        return {"id": "f" * 43, "name": "attic", "fingerprint": "f" * 43}

    def people_in(self) -> None:
        self.accounts.make_first_owner("ann", PASSWORD)
        for name, role in (("ben", "adult"), ("kid", "child")):
            self.accounts.make_user(OPERATOR, name, PASSWORD, role)
        for name in ("ann", "ben", "kid"):
            self.tokens[name] = self.accounts.login(name, PASSWORD).token

    def music_in(self) -> None:
        """Three albums: 12 tracks by Björk, 2 by The Pair with lyrics, and one compilation."""
        root = self.scans.add_root(str(self.music))
        new = [self._file("Björk/Début", f"Song {n:02}", n, "Björk", "Début", year=1993, genres=("Electronic", "Pop"))
               for n in range(1, 13)]
        new += [self._file("Pair", f"Side {n}", n, "The Pair", "Two Sides", year=2001, genres=("Rock",),
                           lyrics=(Lyrics("[00:01.00]one\n[00:02.00]two", True, "eng"),) if n == 1
                           else (Lyrics("plain\nwords", False),)) for n in (1, 2)]
        new += [self._file("Various", f"Mover {n}", n, f"Artist {n}", "Moving", album_artist="Various Artists",
                           compilation=True) for n in (1, 2, 3)]
        self.scans.apply(Batch(root_id=root.id, new=new))
        self.scans.finish()

    def _file(self, folder: str, title: str, number: int, artist: str, album: str, *, year: int | None = None,
              genres: tuple[str, ...] = (), album_artist: str | None = None, compilation: bool = False,
              lyrics: tuple[Lyrics, ...] = ()) -> NewFile:
        path = self.music / folder / f"{number:02} {title}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(title.encode() * 500)
        os.utime(path, (1_700_000_000, 1_700_000_000))
        facts = path.stat()
        return NewFile(
            found=Found(f"{folder}/{path.name}", facts.st_size, facts.st_mtime_ns, str(facts.st_dev),
                        str(facts.st_ino)),
            reading=Reading(
                metadata=Metadata(
                    title=title, artist=artist, album=album, album_artist=album_artist or artist,
                    credits=(Credit(artist), Credit(album_artist or artist, "albumartist")), track_number=number,
                    disc_number=1, year=year, date=None if year is None else str(year), genres=genres,
                    compilation=compilation,
                ),
                facts=AudioFacts("flac", "audio/flac", 180_000, 800, 44_100, 16, 2), lyrics=lyrics,
            ),
        )


@dataclass
class Answer:
    status: int
    json: Any
    headers: Any
    data: bytes


class Front:
    """Asks the doors as one of the people."""

    def __init__(self, folder: Path, *, people: bool = True, music: bool = True, **parts: Any) -> None:
        self.house = House(folder)
        for name, part in parts.items():
            setattr(self.house, name, part)
        self.app = Flask("soundsible", static_folder=None)
        self.operations = register(self.app, self.house, feed=self.house.feed)
        if people:
            self.house.people_in()
        if music:
            self.house.music_in()

    def ask(self, method: str, path: str, body: Any = None, *, who: str | None = "ann", **headers: str) -> Answer:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        if who is not None:
            told["Authorization"] = f"Bearer {self.house.tokens[who]}"
        answer = self.app.test_client(use_cookies=False).open(
            path, method=method, headers=told, **({} if body is None else {"json": body}))
        try:
            return Answer(answer.status_code, answer.get_json(silent=True), answer.headers, answer.data)
        finally:
            answer.close()

    def get(self, path: str, *, who: str | None = "ann", **headers: str) -> Any:
        """The JSON of a GET that goes well."""
        answer = self.ask("GET", path, who=who, **headers)
        assert answer.status == 200, (path, answer.status, answer.data)
        return answer.json

    def tracks(self, query: str = "") -> list[Any]:
        return list(self.get(f"/api/library/tracks?{query}")["items"])
