"""The audit log over HTTP: for owners, a page at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.routes.houses import Front


def test_an_owner_reads_it_and_nobody_else(front: Front) -> None:
    front.house.audit.write("login", username="ben", address="192.0.2.1", device="phone")
    page = front.get("/api/audit?deed=login&username=BEN&limit=1")
    assert set(page) == {"items", "next_cursor", "total", "revision"}
    line = page["items"][0]
    assert (line["username"], line["address"], line["words"]) == ("ben", "192.0.2.1", "logged in")
    assert line["details"] == {"device": "phone"}
    for who in ("ben", "kid"):
        assert front.ask("GET", "/api/audit", who=who).status == 403
    assert front.ask("GET", "/api/audit", who=None).status == 401


def test_music_folders_and_who_hears_them_are_written_down(front: Front, tmp_path: Path,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front.house.shelf, "add_root", front.house.scans.add_root, raising=False)
    folder = tmp_path / "more"
    folder.mkdir()
    assert front.ask("POST", "/api/library/roots", {"path": str(folder)}).status == 201
    assert front.ask("DELETE", "/api/library/roots", {"path": str(folder)}).status == 204
    kid = next(one["id"] for one in front.get("/api/users")["items"] if one["username"] == "kid")
    assert front.ask("PATCH", f"/api/users/{kid}", {"limited": True}).status == 200
    lines = front.get("/api/audit?deed=folders_changed")["items"]
    assert [(line["username"], line["subject"], line["details"]) for line in reversed(lines)] == [
        ("ann", str(folder), {"what": "added"}), ("ann", str(folder), {"what": "taken out"}),
        ("ann", "kid", {"hears": "no folder"})]


@pytest.mark.parametrize("query", ["deed=danced", "cursor=x", "limit=x", "limit=1&cursor=%00", "cursor=" + "9" * 200])
def test_what_cannot_be_asked_is_400(front: Front, query: str) -> None:
    assert front.ask("GET", f"/api/audit?{query}").status == 400
