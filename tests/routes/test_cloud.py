"""The three places over HTTP: the real doors and records; nobody does the errands."""

from __future__ import annotations

import time
from typing import Any

import pytest

from shared.model.cloud import Copy, Provider
from tests.routes.houses import Front


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Front:
    front = Front(tmp_path_factory.mktemp("cloud"))
    front.house.storages.add(Provider(
        name="attic", kind="r2", endpoint="https://acc.r2.cloudflarestorage.com", region="auto", bucket="music",
        key_id="key", secret="hush"))
    return front


def copy_of(front: Front, track: Any, **more: Any) -> Copy:
    file = front.house.tracks.file_of(track["id"])
    said: dict[str, Any] = {
        "track_id": track["id"], "provider": "attic", "key": f"music/aa/{track['id']}", "size_bytes": file.size_bytes,
        "stored_bytes": file.size_bytes, "sha256": "a" * 64, "format": "flac", "mime_type": "audio/flac",
        "bitrate_kbps": 800, "compression": "", "source_sha256": "a" * 64, "source_size_bytes": file.size_bytes,
        "source_mtime_ns": file.mtime_ns, "etag": "e", "sealed": False, "verified_at": time.time(), **more}
    made = Copy(**said)
    front.house.copies.put([made])
    return made


def test_who_may_see_files_sees_what_lies_where(front: Front) -> None:
    track = front.tracks("sort=title")[-1]
    made = copy_of(front, track)
    copy_of(front, track, provider="gone", key="k")
    told = front.get("/api/storage", who="ben")
    attic, gone = told.pop("providers")
    assert attic == {
        "name": "attic", "kind": "r2", "title": "Cloudflare R2", "bucket": "music", "sealed": False, "default": True,
        "endpoint": "https://acc.r2.cloudflarestorage.com", "state": "ready", "message": None, "copies": 1, "tracks": 1,
        "bytes": made.stored_bytes, "broken": 0}
    assert (gone["name"], gone["state"], gone["copies"], gone["default"]) == ("gone", "unknown", 1, False)
    assert told["local"]["tracks"] == 17 and told["local"]["bytes"] > 0
    assert told["offloadable"] == {"tracks": 1, "bytes": made.size_bytes}
    assert (told["cloud_only"], told["missing"], told["copying"]) == ({"tracks": 0, "bytes": 0}, 0, "off")
    assert told["cache"] == {"files": 0, "bytes": 0, "limit_bytes": 10 * 1024**3}
    assert front.ask("GET", "/api/storage", who="kid").status == 403
    assert "hush" not in str(told) and "hush" not in str(attic)


def test_a_storage_that_did_not_answer_is_told_of(front: Front) -> None:
    for _ in range(5):
        front.house.circuits.failed("attic", _no_answer())
    assert front.get("/api/storage")["providers"][0]["state"] == "trouble"
    front.house.circuits.answered("attic")
    assert front.get("/api/storage")["providers"][0]["state"] == "ready"


def _no_answer() -> Any:
    from shared.model.cloud import CloudFailure

    return CloudFailure("silence", reason="no_answer", provider="attic")


def test_an_errand_is_asked_for_listed_and_cancelled(front: Front) -> None:
    album = front.get("/api/library/albums?sort=title")["items"][0]
    answer = front.ask("POST", "/api/storage/errands", {"kind": "offload", "album_ids": [album["id"]]})
    errand = answer.json["errand"]
    assert answer.status == 202
    assert set(errand) == {
        "id", "kind", "state", "title", "selection", "progress", "report", "message", "attempt", "username",
        "not_before", "created_at", "started_at", "finished_at"}
    assert (errand["kind"], errand["state"], errand["title"], errand["username"]) == (
        "offload", "waiting", album["title"], "ann")
    assert errand["selection"] == {"provider": None, "everything": False, "album_ids": [album["id"]], "album_count": 1,
                                   "track_ids": [], "track_count": 0}
    again = front.ask("POST", "/api/storage/errands", {"kind": "offload", "album_ids": [album["id"]]}, who="ben")
    assert again.json["errand"]["id"] == errand["id"]
    page = front.get("/api/storage/errands?state=waiting,running")
    assert (page["items"], page["total"], page["next_cursor"]) == ([errand], 1, None)
    assert front.get(f"/api/storage/errands/{errand['id']}", who="ben") == errand
    cancelled = front.ask("DELETE", f"/api/storage/errands/{errand['id']}")
    assert (cancelled.status, cancelled.json["state"]) == (200, "cancelled")
    assert front.get("/api/storage/errands?state=waiting")["items"] == []
    assert front.get("/api/storage/errands?state=cancelled")["total"] == 1
    assert front.ask("GET", "/api/storage/errands?state=odd").status == 400


def test_an_errand_is_done_once_more_with_all_it_was_about(front: Front) -> None:
    ids = [one["id"] for one in front.tracks()]
    first = front.ask("POST", "/api/storage/errands", {"kind": "upload", "track_ids": ids}).json["errand"]
    joined = front.ask("POST", f"/api/storage/errands/{first['id']}/retry").json["errand"]
    assert joined["id"] == first["id"]      # it waits still
    front.ask("DELETE", f"/api/storage/errands/{first['id']}")
    again = front.ask("POST", f"/api/storage/errands/{first['id']}/retry")
    assert (again.status, again.json["errand"]["selection"]) == (202, first["selection"])
    assert again.json["errand"]["id"] != first["id"]
    assert front.ask("POST", "/api/storage/errands/nothing/retry").status == 404
    front.ask("DELETE", f"/api/storage/errands/{again.json['errand']['id']}")


@pytest.mark.parametrize(("body", "status", "field"), [
    ({"kind": "upload"}, 400, "everything"),
    ({"kind": "upload", "everything": True, "track_ids": ["x"]}, 400, "everything"),
    ({"kind": "backup", "everything": True}, 400, "kind"),
    ({"kind": "upload", "everything": True, "colour": 1}, 400, "colour"),
    ({"kind": "upload", "everything": True, "provider": "nowhere"}, 404, None),
    ({"kind": "fetch", "track_ids": ["nothing"]}, 404, None),
])
def test_an_errand_that_makes_no_sense_is_refused(front: Front, body: Any, status: int, field: str | None) -> None:
    answer = front.ask("POST", "/api/storage/errands", body)
    assert (answer.status, answer.json["error"].get("details", {}).get("field")) == (status, field)


@pytest.mark.parametrize(("method", "path", "body"), [
    ("POST", "/api/storage/errands", {"kind": "upload", "everything": True}), ("GET", "/api/storage/errands", None),
    ("GET", "/api/storage/errands/x", None), ("DELETE", "/api/storage/errands/x", None),
    ("POST", "/api/storage/errands/x/retry", None),
    ("GET", "/api/storage/pins", None), ("PUT", "/api/storage/pins/album/x", None),
    ("DELETE", "/api/storage/pins/album/x", None), ("POST", "/api/storage/cache/clear", None),
    ("GET", "/api/storage/places/x", None),
])
def test_none_of_this_is_for_children(front: Front, method: str, path: str, body: Any) -> None:
    assert front.ask(method, path, body, who="kid").status == 403
    assert front.ask(method, path, body, who=None).status == 401


def test_an_album_is_pinned_and_what_of_it_is_not_here_is_brought_back(front: Front) -> None:
    album = front.get("/api/library/albums?sort=title")["items"][0]
    track = front.get(f"/api/library/albums/{album['id']}")["tracks"][0]
    copy_of(front, track)
    front.house.copies.offloaded(track["id"], time.time())
    assert front.ask("PUT", f"/api/storage/pins/album/{album['id']}").status == 204
    assert front.ask("PUT", f"/api/storage/pins/album/{album['id']}").status == 204
    (pin,) = front.get("/api/storage/pins")["items"]
    assert (pin["kind"], pin["id"], pin["title"], pin["track_count"], pin["local_count"]) == (
        "album", album["id"], album["title"], album["track_count"], album["track_count"] - 1)
    (errand,) = front.get("/api/storage/errands?state=waiting")["items"]
    assert (errand["kind"], errand["selection"]["track_ids"], errand["title"]) == (
        "fetch", [track["id"]], track["title"])
    assert front.get(f"/api/storage/places/{track['id']}")["pinned"] is True
    assert front.ask("DELETE", f"/api/storage/pins/album/{album['id']}").status == 204
    assert front.ask("DELETE", f"/api/storage/pins/album/{album['id']}").status == 204
    assert front.get("/api/storage/pins")["items"] == []
    assert front.ask("PUT", "/api/storage/pins/album/nothing").status == 404
    assert front.ask("PUT", "/api/storage/pins/artist/nothing").status == 400


def test_every_place_of_a_track_is_told_with_its_state(front: Front) -> None:
    track = front.tracks("sort=title")[1]
    path = front.house.music / track["path"]
    told = front.get(f"/api/storage/places/{track['id']}")
    assert (told["track_id"], told["place"], told["pinned"]) == (track["id"], "local", False)
    (local,) = told["places"]
    assert (local["kind"], local["state"], local["path"]) == ("local", "here", track["path"])
    made = copy_of(front, track)
    front.house.copies.broken("attic", made.key, "gone")
    content = path.read_bytes()
    path.write_bytes(content + b"more")
    local, cloud = front.get(f"/api/storage/places/{track['id']}")["places"]
    assert (local["state"], cloud["kind"], cloud["state"], cloud["message"], cloud["provider"]) == (
        "changed", "cloud", "broken", "gone", "attic")
    path.unlink()
    assert front.get(f"/api/storage/places/{track['id']}")["places"][0]["state"] == "gone"
    path.write_bytes(content)
    assert front.ask("GET", "/api/storage/places/nothing").status == 404


def test_only_an_owner_empties_the_cache(front: Front) -> None:
    assert front.ask("POST", "/api/storage/cache/clear", who="ben").status == 403
    assert front.ask("POST", "/api/storage/cache/clear").json["files"] == 0
    assert front.house.cache.cleared == 1
