"""The music folders over HTTP."""

from __future__ import annotations

import threading
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.routes.houses import Front


class Shelf:
    """Adds and forgets folders as the real one does, without its checks."""

    def __init__(self) -> None:
        self.front: Front

    def add_root(self, path: str) -> object:
        return self.front.house.scans.add_root(path)

    def forget_root(self, path: str) -> None:
        self.front.house.scans.forget_root(path)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Front:
    shelf = Shelf()
    shelf.front = Front(tmp_path_factory.mktemp("house"), shelf=shelf)
    return shelf.front


def test_folders_tell_their_state_and_what_to_do(front: Front, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("gone", "empty"):
        front.house.scans.add_root(str(tmp_path / name))
    items = {one["path"]: one for one in front.get("/api/library/roots")["items"]}
    online, empty, gone = (items[str(path)] for path in (front.house.music, tmp_path / "empty", tmp_path / "gone"))
    assert (online["state"], online["track_count"], online["note"]) == ("online", 17, None)
    assert (empty["state"], gone["state"]) == ("empty", "absent")
    assert "Nothing is removed" in empty["note"] and "Nothing is removed" in gone["note"]
    for name in ("gone", "empty"):
        front.house.scans.forget_root(str(tmp_path / name))


def test_folders_are_looked_through_one_level_at_a_time(front: Front) -> None:
    def below(path: str) -> dict[str, int]:
        asked = urlencode({"root": front.house.music, "path": path})
        items = front.get(f"/api/library/folders?{asked}")["items"]
        assert all(one["path"] == f"{path}/{one['name']}".replace("//", "/").lstrip("/") for one in items)
        return {one["name"]: one["track_count"] for one in items}

    files = [one.relative_to(front.house.music) for one in front.house.music.rglob("*.*")]
    known = {one["path"] for one in front.tracks("limit=100") if one.get("path")}
    tracks = [one for one in files if str(one) in known or str(front.house.music / one) in known]
    assert len(tracks) == 17
    tops = [one.parts[0] for one in tracks if len(one.parts) > 1]
    assert below("") == {name: tops.count(name) for name in tops}
    top = max(tops, key=tops.count)
    inside = [one.parts[1] for one in tracks if one.parts[0] == top and len(one.parts) > 2]
    assert below(top) == below(f"{top}/") == {name: inside.count(name) for name in inside}
    assert below("not/there") == {}


def test_no_folder_outside_is_looked_through(front: Front) -> None:
    for asked, status in ((f"root={front.house.music}&path=../..", 400), ("root=/etc", 404), ("root=", 400)):
        assert front.ask("GET", f"/api/library/folders?{asked}").status == status
    assert front.ask("GET", f"/api/library/folders?root={front.house.music}", who="kid").status == 403


def test_a_folder_is_added_and_scanned_at_once_and_taken_out(front: Front, tmp_path: Path) -> None:
    made = front.ask("POST", "/api/library/roots", {"path": str(tmp_path)})
    assert (made.status, made.json["path"]) == (201, str(tmp_path))
    assert front.house.scanning.asked[-1] == ("start", [str(tmp_path)], False)
    assert front.ask("DELETE", "/api/library/roots", {"path": str(tmp_path)}).status == 204
    assert front.ask("DELETE", "/api/library/roots", {"path": str(tmp_path)}).status == 404
    assert [one["path"] for one in front.get("/api/library/roots")["items"]] == [str(front.house.music)]


def test_health_tells_of_a_folder_that_hangs_without_waiting_for_it(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def hang(root: str) -> str:
        asked.set()
        answer.wait(20)
        return "online"

    monkeypatch.setattr(front.house.access, "state", hang)
    try:
        for _ in range(3):
            assert front.get("/api/health")["storage"][0]["state"] == "online"
            assert asked.wait(10)
        monkeypatch.setattr(front.house.access, "states", lambda: {str(front.house.music): "hanging"})
        assert front.get("/api/health")["storage"][0]["state"] == "offline"
    finally:
        answer.set()


def test_adults_look_and_only_owners_change(front: Front) -> None:
    assert front.ask("GET", "/api/library/roots", who="ben").status == 200
    assert front.ask("GET", "/api/library/roots", who="kid").status == 403
    for method in ("POST", "DELETE"):
        assert front.ask(method, "/api/library/roots", {"path": "/"}, who="ben").status == 403


@pytest.mark.parametrize("body", [{}, {"path": ""}, {"path": 5}, {"path": "x" * 5000}, {"paths": ["/"]}])
def test_what_is_no_path_is_refused(front: Front, body: object) -> None:
    assert front.ask("POST", "/api/library/roots", body).status == 400
