"""Editing tags and the way to the trash, as the shelf is asked."""

from __future__ import annotations

from typing import Any

import pytest

from tests.routes.fakes import FakeTracks, a_track
from tests.routes.houses import Front


class Shelf:
    """Remembers what it was asked to write."""

    def __init__(self) -> None:
        self.edits: list[Any] = []
        self.trashed: list[str] = []

    def edit(self, person: Any, id: str, fields: dict[str, Any], write_tags: bool) -> Any:
        self.edits.append((person.username, id, fields, write_tags))
        return a_track(id, **{name: value for name, value in fields.items() if name == "title"})

    def trash(self, id: str) -> None:
        self.trashed.append(id)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Front:
    return Front(tmp_path_factory.mktemp("house"), music=False, shelf=Shelf(), tracks=FakeTracks())


@pytest.fixture
def shelf(front: Front) -> Shelf:
    front.house.shelf.edits.clear()
    front.house.shelf.trashed.clear()
    return front.house.shelf  # type: ignore[no-any-return]


def test_only_what_is_given_is_edited_and_null_takes_away(front: Front, shelf: Shelf) -> None:
    answer = front.ask("PATCH", "/api/library/tracks/t1", {"title": "New", "year": None, "genres": ["A", "B"]})
    assert (answer.status, answer.json["title"]) == (200, "New")
    assert front.ask("PATCH", "/api/library/tracks/t1", {"disc_number": 2, "write_tags": False}).status == 200
    assert front.ask("PATCH", "/api/library/tracks/t1", {}, who="ben").status == 200
    assert shelf.edits == [
        ("ann", "t1", {"title": "New", "year": None, "genres": ["A", "B"]}, True),
        ("ann", "t1", {"disc_number": 2}, False),
        ("ben", "t1", {}, True),
    ]


@pytest.mark.parametrize(("body", "field"), [
    ({"title": ""}, "title"), ({"title": "  "}, "title"), ({"title": None}, "title"), ({"title": "x" * 1001}, "title"),
    ({"year": "1999"}, "year"), ({"year": -1}, "year"), ({"year": 10_000}, "year"), ({"genres": "Rock"}, "genres"),
    ({"genres": ["Rock", " "]}, "genres"), ({"genres": None}, "genres"), ({"genres": ["x"] * 51}, "genres"),
    ({"track_number": 1.5}, "track_number"), ({"duration_ms": 5}, "duration_ms"), ({"path": "../x"}, "path"),
    ({"write_tags": None}, "write_tags"), ({"id": "other"}, "id"),
])
def test_a_wrong_field_is_refused_with_its_name(front: Front, shelf: Shelf, body: Any, field: str) -> None:
    answer = front.ask("PATCH", "/api/library/tracks/t1", body)
    assert (answer.status, answer.json["error"]["details"]["field"]) == (400, field)
    assert not shelf.edits


def test_the_trash_is_for_editors(front: Front, shelf: Shelf) -> None:
    assert front.ask("DELETE", "/api/library/tracks/t1", who="kid").status == 403
    assert front.ask("PATCH", "/api/library/tracks/t1", {"title": "x"}, who="kid").status == 403
    assert front.ask("DELETE", "/api/library/tracks/t1", {}, who="ben").status == 204
    assert shelf.trashed == ["t1"]
