"""A database, a music folder and people, for the tests of the records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.database import Database
from shared.model.person import Person
from shared.records.people import People
from tests.records.songs import Music


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "library.db")
    database.prepare()
    yield database
    database.close()


@pytest.fixture
def music(database: Database) -> Music:
    return Music(database)


def _person(database: Database, name: str, role: str) -> Person:
    row = People(database=database).make_user(name, "hash", role)
    return Person(user_id=row.id, id=row.uid, username=row.username, role=row.role)


@pytest.fixture
def owner(database: Database) -> Person:
    return _person(database, "olga", "owner")


@pytest.fixture
def guest(database: Database) -> Person:
    return _person(database, "gast", "guest")
