"""Whole small libraries with people, playlists and listening, for the tests of backup and restore."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shared.database import Database
from shared.model.person import Person
from shared.model.work import Moved
from shared.records.people import People
from shared.records.playlists import Playlists
from shared.settings import Settings, save_section
from shared.upkeep.backup import Backup
from shared.vault import Vault
from tests.records.songs import Music

KEPT_JPEG = b"\xff\xd8\xff\xe0 a picture that was kept"


@dataclass
class Following:
    """ports.Work that remembers; `stop_at`: the phase in which it says stop."""

    stop_at: str | None = None
    moves: list[Moved] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def tell(self, moved: Moved) -> None:
        self.moves.append(moved)

    def log(self, level: str, message: str) -> None:
        self.said.append(message)

    def stopped(self) -> bool:
        return self.stop_at is not None and bool(self.moves) and self.moves[-1].phase == self.stop_at


class NoStorages:
    """As storage.providers.Providers where none is set up; with `given`, those."""

    def __init__(self, *given: Any) -> None:
        self._given = list(given)

    def all(self) -> list[Any]:
        return self._given

    def named(self, name: str) -> Any:
        return next(one for one in self._given if one.name == name)

    def rows(self) -> list[dict[str, Any]]:
        return [{"name": one.name, "kind": one.kind} for one in self._given]


def no_bucket(provider: Any) -> Any:
    raise AssertionError("no bucket was to be opened")


@dataclass
class Home:
    """A home with a library of two albums, two people and their playlists; its settings hold a sealed secret."""

    settings: Settings
    music: Path

    @property
    def data(self) -> Path:
        return self.settings.data_dir

    def fill(self, songs: int = 3) -> Home:
        with self.library() as database:
            music = Music(database, str(self.music))
            ids = [*music.album("One", "One", "Ann", songs), *music.album("Ünö", "Ünö", "Bob", songs)]
            people = People(database=database)
            for name in ("ann", "bob"):
                row = people.make_user(name, "hash", "owner")
                person = Person(user_id=row.id, id=row.uid, username=name, role="owner")
                Playlists(database=database).make(person, f"{name}'s / évening", ids[::2], "private")
        save_section(self.settings, "theme", "kept as it is")
        sealed = Vault(self.settings.config_dir).seal("hush")
        save_section(self.settings, "acoustid_key", {"sealed": sealed})
        save_section(self.settings, "music", [str(self.music)])
        import hashlib

        name = hashlib.sha256(KEPT_JPEG).hexdigest()
        (self.data / "covers" / name[:2]).mkdir(parents=True)
        (self.data / "covers" / name[:2] / f"{name}.jpg").write_bytes(KEPT_JPEG)
        return self

    @contextmanager
    def library(self) -> Iterator[Database]:
        self.data.mkdir(parents=True, exist_ok=True)
        database = Database(self.settings.database_path)
        database.prepare()
        try:
            yield database
        finally:
            database.close()

    @contextmanager
    def backup(self, **changes: Any) -> Iterator[Backup]:
        with self.library() as database:
            given: dict[str, Any] = {"providers": NoStorages(), "buckets": no_bucket, **changes}
            yield Backup(database=database, settings=self.settings, **given)

    def config(self) -> Any:
        return json.loads(self.settings.config_path.read_text())

    def titles(self) -> list[str]:
        """Read by sqlite3 itself, from the file as it lies there."""
        return titles(self.settings.database_path)

    def files(self) -> dict[str, bytes]:
        """Everything in the data folder but locks, by its path."""
        return {str(path.relative_to(self.data)): path.read_bytes() for path in sorted(self.data.rglob("*"))
                if path.is_file() and path.suffix != ".lock"}


def titles(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [row[0] for row in connection.execute("SELECT title FROM tracks ORDER BY title")]
    finally:
        connection.close()


def home(folder: Path, **changes: Any) -> Home:
    return Home(replace(Settings(home=folder), **changes), folder.parent / "music")
