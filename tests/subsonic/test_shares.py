"""Shares: made by apps and in the player, heard by who has the link, and by nobody when they are over."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from shared.database import driver_cursor
from tests.subsonic.house import House


@pytest.fixture(autouse=True)
def clean(house: House) -> Iterator[None]:
    yield
    with house.station.database.transaction() as conn:
        driver_cursor(conn).execute("DELETE FROM shares")


def stranger(house: House, path: str, method: str = "GET", **headers: str) -> Any:
    return house.app.test_client(use_cookies=False).open(path, method=method, headers=headers, buffered=True)


def shared(house: House, *uids: str, **more: Any) -> tuple[dict[str, Any], str]:
    """The share, and its path."""
    (made,) = house.ask("createShare", id=list(uids), **more)["shares"]["share"]
    return made, "/" + made["url"].split("/", 3)[3]


def test_who_has_the_link_hears_what_was_shared_and_nothing_else(house: House) -> None:
    made, path = shared(house, house.album("Début"), house.track("Walk"), description="for you")
    assert re.fullmatch(r"http://[^/]+/share/[a-z2-7]{26}", made["url"])
    assert [one["title"] for one in made["entry"]] == ["Señorita", "Für Elise", "Hoppípolla", "Walk"]
    assert (made["description"], made["username"], made["visitCount"]) == ("for you", "owner", 0)
    assert "expires" not in made and "lastVisited" not in made
    answer = stranger(house, f"{path}/about")
    about = answer.get_json()
    assert (about["title"], about["description"], about["shared_by"]) == ("Début, Walk", "for you", "owner")
    assert [(one["title"], one["artist"]) for one in about["items"]][2:] == [
        ("Hoppípolla", "Björk"), ("Walk", "Mover 1")]
    for one in about["items"]:
        sound = stranger(house, one["stream"])
        assert sound.status_code == 200 and len(sound.data) == int(sound.headers["Content-Length"]) > 1000
    assert "noindex" in answer.headers["X-Robots-Tag"] and answer.headers["Cache-Control"] == "no-store"
    (seen,) = house.ask("getShares")["shares"]["share"]
    assert seen["visitCount"] == 1 and seen["lastVisited"].endswith("Z")
    assert seen["url"] == made["url"]


def test_its_sound_has_ranges_and_is_the_file_bit_for_bit(house: House) -> None:
    _, path = shared(house, house.track("Für Elise"))
    (item,) = stranger(house, f"{path}/about").get_json()["items"]
    whole = (house.music / "Björk" / "Début" / "02 Für Elise.flac").read_bytes()
    part = stranger(house, item["stream"], Range="bytes=10-19")
    assert (part.status_code, part.data) == (206, whole[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(whole)}"
    assert stranger(house, f"{path}/stream/0").data == whole        # by its place, too
    head = stranger(house, item["stream"], "HEAD")
    assert (head.data, head.headers["Content-Length"]) == (b"", str(len(whole)))
    assert "noindex" in head.headers["X-Robots-Tag"]
    picture = stranger(house, item["cover"] + "?size=64")
    assert (picture.status_code, picture.mimetype) == (200, "image/webp")


def test_no_id_and_no_path_of_the_library_is_told(house: House) -> None:
    everything = [house.album("Début"), house.artist("The Pair")]
    _, path = shared(house, *everything)
    told = stranger(house, f"{path}/about").get_data(as_text=True)
    with house.station.database.read() as conn:
        for table in ("tracks", "albums", "artists", "users", "shares"):
            for (uid,) in driver_cursor(conn).execute(f"SELECT uid FROM {table}"):
                assert uid not in told
    assert str(house.music) not in told and ".flac" not in told
    lost = stranger(house, f"{path}/stream/nothing")
    assert lost.status_code == 404 and "details" not in lost.get_json()["error"]


def test_wrong_links_and_places_lead_nowhere(house: House) -> None:
    _, path = shared(house, house.track("Walk"))
    for wrong in ("/share/x/about", "/share/x/stream/0", "/share/x/cover/0", f"{path[:-1]}/about", f"{path}/stream/1",
                  f"{path}/stream/-1", f"{path}/stream/{house.track('Walk')}", f"{path}/cover/99999",
                  f"{path}/stream/٠"):
        answer = stranger(house, wrong)
        assert (answer.status_code, (answer.get_json() or {}).get("error", {}).get("code")) == (404, "not_found"), wrong
    for call in ("/rest/getSong", "/api/library/tracks"):       # and opens no other door
        assert stranger(house, call, Authorization=f"Bearer {path.rpartition('/')[2]}").status_code in (200, 401)
    key = path.rpartition("/")[2]
    told = house.app.test_client().get(f"/rest/ping?f=json&apiKey={key}").get_json()["subsonic-response"]
    assert told["status"] == "failed"


def test_a_share_has_its_time(house: House) -> None:
    soon = int((time.time() + 3600) * 1000)
    made, path = shared(house, house.track("Walk"), expires=soon)
    assert made["expires"].endswith("Z")
    assert stranger(house, f"{path}/about").get_json()["expires_at"] == made["expires"]
    house.ask("updateShare", id=made["id"], expires=1000)
    for place in ("about", "stream/0", "cover/0"):
        assert stranger(house, f"{path}/{place}").status_code == 410
    house.ask("updateShare", id=made["id"], expires=0, description="")
    (seen,) = house.ask("getShares")["shares"]["share"]
    assert "expires" not in seen and seen["description"] == ""
    assert stranger(house, f"{path}/about").status_code == 200
    assert house.refused("createShare", id=house.track("Walk"), expires=1000) == 0
    assert house.refused("createShare", id=house.track("Walk"), expires="soon") == 0


def test_an_ended_share_is_over_at_once(house: House) -> None:
    made, path = shared(house, house.track("Walk"))
    assert house.refused("deleteShare", id=made["id"], who="adult") == 70
    house.ask("deleteShare", id=made["id"])
    assert stranger(house, f"{path}/about").status_code == 404
    assert house.ask("getShares")["shares"]["share"] == []
    assert house.refused("deleteShare", id=made["id"]) == 70 and house.refused("updateShare", id=made["id"]) == 70


def test_each_sees_their_own_and_children_and_guests_share_nothing(house: House) -> None:
    shared(house, house.track("Walk"))
    assert house.ask("getShares", who="adult")["shares"]["share"] == []
    for who in ("child", "guest"):
        assert house.refused("createShare", id=house.track("Walk"), who=who) == 50
        assert house.ask("getShares", who=who)["shares"]["share"] == []
    listens = house.key_of("owner", scope="listen")
    house.keys["listens"] = listens
    assert house.refused("createShare", id=house.track("Walk"), who="listens") == 50


def test_what_makes_no_share_is_refused(house: House) -> None:
    assert house.refused("createShare") == 10
    assert house.refused("createShare", id=["gone", house.track("Walk")]) == 70
    assert house.refused("createShare", id=house.track("Walk"), description="x" * 1001) == 0
    assert house.ask("getShares")["shares"]["share"] == []


def test_what_leaves_the_library_leaves_the_share_and_the_rest_keeps_its_address(house: House) -> None:
    _, path = shared(house, house.track("Walk"), house.track("Run"))
    before = stranger(house, f"{path}/about").get_json()["items"]
    tracks, uid = house.station.tracks, house.track("Walk")
    tracks.trash(uid, trashed_from="Various/Moving/Walk.ogg", path=".trash/x/Walk.ogg")
    try:
        after = stranger(house, f"{path}/about").get_json()["items"]
        assert [one["title"] for one in after] == ["Run"]
        assert after[0]["stream"] == before[1]["stream"]
        assert stranger(house, before[0]["stream"]).status_code == 404
        assert stranger(house, before[1]["stream"]).status_code == 200
    finally:
        tracks.restore(uid, path="Various/Moving/Walk.ogg")
    assert stranger(house, before[0]["stream"]).status_code == 200


def test_a_playlist_that_is_hidden_from_who_shared_it_is_heard_no_more(house: House) -> None:
    theirs = house.ask("createPlaylist", name="Theirs", songId=house.track("Run"), who="adult")["playlist"]["id"]
    assert house.refused("createShare", id=theirs) == 70
    house.ask("updatePlaylist", playlistId=theirs, public=True, who="adult")
    made, path = shared(house, theirs)
    assert [one["title"] for one in made["entry"]] == ["Run"]
    house.ask("updatePlaylist", playlistId=theirs, songIdToAdd=house.track("Rest"), who="adult")
    assert [one["title"] for one in stranger(house, f"{path}/about").get_json()["items"]] == ["Run", "Rest"]
    house.ask("updatePlaylist", playlistId=theirs, public=False, who="adult")
    assert stranger(house, f"{path}/about").get_json()["items"] == []
    house.ask("deletePlaylist", id=theirs, who="adult")


def test_the_player_makes_changes_and_ends_shares(house: House) -> None:
    def ask(method: str, path: str, body: Any = None) -> Any:
        return house.whole.ask(method, path, token=house.whole.tokens["adult", "own"], buffered=True,
                               **({} if body is None else {"json": body}))

    made = ask("POST", "/api/shares", {"entries": [{"kind": "album", "id": house.album("Moving")}],
                                       "expires_at": "2099-01-01T00:00:00Z"})
    assert made.status_code == 201
    share = made.get_json()
    assert (share["title"], share["count"], share["over"], share["expires_at"]) == (
        "Moving", 3, False, "2099-01-01T00:00:00.000Z")
    assert share["entries"] == [{"kind": "album", "id": house.album("Moving"), "title": "Moving"}]
    path = "/" + share["link"].split("/", 3)[3]
    assert stranger(house, f"{path}/about").status_code == 200
    changed = ask("PATCH", f"/api/shares/{share['id']}", {"description": "hm", "expires_at": None}).get_json()
    assert (changed["description"], changed["expires_at"]) == ("hm", None)
    assert [one["id"] for one in ask("GET", "/api/shares").get_json()["items"]] == [share["id"]]
    for body in ({}, {"entries": []}, {"entries": [{"kind": "film", "id": "x"}]},
                 {"entries": [{"kind": "track", "id": house.track("Run")}], "expires_at": "tomorrow"},
                 {"entries": [{"kind": "track", "id": house.track("Run")}], "expires_at": "2001-01-01T00:00:00Z"}):
        assert ask("POST", "/api/shares", body).status_code == 400, body
    wrong = {"entries": [{"kind": "album", "id": house.track("Run")}]}
    assert ask("POST", "/api/shares", wrong).status_code == 404
    assert ask("DELETE", f"/api/shares/{share['id']}").status_code == 204
    assert stranger(house, f"{path}/about").status_code == 404


def test_a_page_asks_for_it_and_for_nothing_of_others(house: House) -> None:
    _, path = shared(house, house.track("Walk"))
    page = stranger(house, path)
    assert page.status_code == 200 and page.mimetype == "text/html"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
