"""The real doors before real records and accounts; a small library made of rows, its files made of plain bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flask import Flask

from shared.database import Database
from shared.events import DownloadMoved, DownloadRemoved, EventBus
from shared.feed import Feed
from shared.model.download import Download, Request, Status
from shared.model.errors import SoundsibleError
from shared.model.person import Person
from shared.model.scan import Batch, Found, NewFile
from shared.model.track import AudioFacts, Credit, Lyrics, Metadata, Reading
from shared.records.albums import Albums
from shared.records.artists import Artists
from shared.records.changes import Changes
from shared.records.downloads import Downloads
from shared.records.genres import Genres
from shared.records.listening import Listening
from shared.records.origins import Origins
from shared.records.people import People
from shared.records.playlists import Playlists
from shared.records.scans import Scans
from shared.records.search import Search
from shared.records.tracks import Tracks
from shared.records.watches import Watches
from shared.routes.register import register
from shared.security.accounts import OPERATOR, Accounts
from shared.security.passwords import Passwords
from shared.security.setup import Setup
from shared.security.throttle import Throttle
from shared.settings import Settings
from shared.storage.access import Access
from shared.storage.local import LocalStorage
from shared.storage.resolver import Resolver
from tests.routes.fakes import Anything, FakeScanning

PASSWORD = "correct horse battery"


class FakeService:
    """The downloader's counter (odst.service.Service) on the real records; nobody works behind it."""

    def __init__(self, records: Downloads, events: EventBus) -> None:
        self.records, self.events = records, events
        self.asked: list[tuple[Any, ...]] = []

    def _told(self, person: Person, uid: str) -> Download:
        user_id, download = self.records.as_shown(uid)
        self.events.publish(DownloadMoved(user_id, download))
        return self.records.shown(person, uid)

    def submit(self, person: Person, wish: Request) -> tuple[Download, bool]:
        uid, created = self.records.submit(person.user_id, wish)
        return self._told(person, uid), created

    def submit_album(self, person: Person, **wish: Any) -> dict[str, Any]:
        self.asked.append(("submit_album", wish))
        return {"downloads": [], "skipped": [], "failed": [{"title": "Heroes", "reason": "It is nowhere."}]}

    def submit_batch(self, person: Person, wishes: list[Request], *, failed: Any = ()) -> dict[str, Any]:
        made = self.records.submit_many(person.user_id, wishes, group="g1")
        new = sum(created for _, created in made)
        return {"group": "g1", "added": new, "repeated": len(made) - new, "failed": list(failed),
                "downloads": [self.records.shown(person, uid) for uid, _ in made[:100]]}

    def submit_text(self, person: Person, text: str, asked: Request) -> dict[str, Any]:
        self.asked.append(("submit_text", text, asked))
        return self.submit_batch(person, [replace(asked, query=line) for line in text.splitlines()])

    def _move(self, person: Person, uid: str, to: Status) -> Download:
        self.records.shown(person, uid)
        self.records.move(uid, (to, "a person said so"))
        return self._told(person, uid)

    def cancel(self, person: Person, uid: str) -> Download:
        return self._move(person, uid, Status.CANCELLED)

    def pause(self, person: Person, uid: str) -> Download:
        return self._move(person, uid, Status.PAUSED)

    def resume(self, person: Person, uid: str) -> Download:
        return self._move(person, uid, Status.WAITING)

    retry = resume

    def set_priority(self, person: Person, uid: str, priority: int) -> Download:
        self.records.shown(person, uid)
        self.records.update(uid, priority=priority)
        return self._told(person, uid)

    def bulk(self, person: Person, action: str, ids: list[str]) -> dict[str, Any]:
        done, failed = [], []
        for uid in ids:
            try:
                getattr(self, action)(person, uid)
                done.append(uid)
            except SoundsibleError as problem:
                failed.append({"id": uid, "code": problem.code, "message": problem.message})
        return {"done": done, "failed": failed}

    def block(self, person: Person, uid: str, candidate_id: str) -> Download:
        self.records.shown(person, uid)
        self.records.candidate_reject(uid, candidate_id, "You said that it is not this.")
        return self._told(person, uid)

    def choose(self, person: Person, uid: str, candidate_id: str) -> Download:
        self.records.shown(person, uid)
        self.records.candidate_first(uid, candidate_id)
        return self._told(person, uid)

    def remove(self, person: Person, uid: str) -> None:
        self.records.shown(person, uid)
        self.records.hide(uid)
        self.events.publish(DownloadRemoved(person.user_id, uid))

    def snapshot(self, person: Person) -> list[Download]:
        return self.records.active(person)

    def stats(self, person: Person) -> dict[str, Any]:
        return self.records.stats(person)

    def health(self) -> dict[str, Any]:
        return {"providers": [{"name": "direct", "operation": "fetch", "state": "closed", "failure_count": 0}],
                "queue": {"paused": False}}

    def logs(self, person: Person, uid: str) -> list[dict[str, str]]:
        self.records.shown(person, uid)
        return [{"at": "2026-01-01T00:00:00Z", "level": "info", "message": "It began."}]


class House:
    """A station's parts by name: real where they are cheap, fakes for what works in other processes."""

    def __init__(self, folder: Path) -> None:
        self.music = folder / "music"
        self.music.mkdir()
        self.settings = Settings(home=folder / "home", owner=("ann", PASSWORD))
        self.events = EventBus()
        self.database = Database(folder / "library.db")
        self.database.prepare()
        self.tracks, self.albums = Tracks(database=self.database), Albums(database=self.database)
        self.artists, self.genres = Artists(database=self.database), Genres(database=self.database)
        self.search, self.changes = Search(database=self.database), Changes(database=self.database)
        self.playlists, self.listening = Playlists(database=self.database), Listening(database=self.database)
        self.people, self.scans = People(database=self.database), Scans(database=self.database)
        self.accounts = Accounts(people=self.people, throttle=Throttle(), events=self.events,
                                 passwords=Passwords(memory_kib=64))
        self.setup = Setup(people=self.people, accounts=self.accounts)
        self.access = Access()
        self.resolver = Resolver(storages=[LocalStorage(access=self.access)])
        self.scanning = FakeScanning()
        self.shelf: Any = Anything()
        self.covers: Any = Anything()
        self.transcodes: Any = Anything()
        self.download_records = Downloads(database=self.database)
        self.origins, self.watches = Origins(database=self.database), Watches(database=self.database)
        self.downloads: Any = FakeService(self.download_records, self.events)
        self.acquire: Any = Anything()
        self.previews: Any = Anything()
        self.watching: Any = Anything()
        self.outside_covers: Any = Anything()
        self.feed = Feed(events=self.events, accounts=self.accounts, scanning=self.scanning, changes=self.changes,
                         downloads=self.downloads.snapshot)
        self.tokens: dict[str, str] = {}

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
