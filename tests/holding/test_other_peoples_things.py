"""Every object is asked for with its owner: whoever asks for another's hears that there is none.

Each operation that names an object is told here what kind of object that is; a new one without a kind fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.model.download import Request
from shared.model.person import ROLES, SCOPES
from shared.routes.operation import Operation
from shared.security.accounts import OPERATOR, new_token
from tests.holding.whole import PASSWORD, Whole, may, whole

# path → the kind of object it names. PERSONAL ones have an owner.
PERSONAL = {
    "/api/devices/": "device", "/api/sessions/": "session", "/api/library/playlists/": "playlist",
    "/api/downloads/": "download", "/api/watches/": "watch", "/api/pairing/tokens/": "pairing",
    "/api/stations/": "station", "/api/app-passwords/": "app password", "/api/shares/": "share",
}
# What is the house's own: everybody's, or of those whom the rule lets in; limited people see a part of it, which
# tests/holding/test_unseen.py tries.
COMMON = (
    "/api/covers/", "/api/stream/", "/api/library/tracks/", "/api/library/albums/", "/api/library/artists/",
    "/api/library/favourites/", "/api/library/ratings/", "/api/library/trash/", "/api/downloads/doubtful/",
    "/api/downloads/origins/", "/api/storage/errands/", "/api/storage/pins/", "/api/storage/places/", "/api/users/",
    "/api/invitations/", "/api/podcasts/", "/api/episodes/", "/api/radios/",
    "/api/scrobblers/",     # names a service, of which each has their own
    "/rest/picture/",       # a cover, for who has its signed link; tests/subsonic/test_pictures.py
    "/share/",              # who has the link; tests/security/test_shares.py
)
BODIES: dict[tuple[str, str], Any] = {
    ("PATCH", "/api/devices/<id>"): {"name": "Taken"},
    ("PATCH", "/api/downloads/<id>"): {"priority": 99},
    ("PATCH", "/api/library/playlists/<id>"): {"name": "Taken", "visibility": "shared", "track_ids": []},
    ("POST", "/api/library/playlists/<id>/tracks"): {"track_ids": []},
    ("PATCH", "/api/watches/<id>"): {"name": "Taken", "paused": True},
    ("POST", "/api/stations/<id>/copy"): {"what": ["playlists"]},
}
OWNERS_SEE = {"device", "session", "download", "watch"}     # of everybody; by decision, and documented


def kind_of(path: str) -> str | None:
    """The kind of object that a path names; "" for what is common, None when nothing was decided."""
    if path.startswith(COMMON):
        return ""
    return next((kind for start, kind in PERSONAL.items() if path.startswith(start)), None)


def naming(made: Whole) -> list[Operation]:
    return [one for one in made.operations if "<" in one.path]


@dataclass
class Belongings:
    """What one adult has, with the ids, and a look at all of it."""

    made: Whole
    ids: dict[str, str]
    look: Callable[[], Any]


@pytest.fixture(scope="module")
def hers(tmp_path_factory: pytest.TempPathFactory) -> Belongings:
    made = whole(tmp_path_factory.mktemp("others"))
    station = made.station
    station.accounts.make_user(OPERATOR, "eva", PASSWORD, "adult")
    token = station.accounts.login("eva", PASSWORD).token
    eva = station.accounts.who(token)
    _, digest = new_token()
    station.people.add_token(user_id=eva.user_id, kind="device", hash=digest, name="Eva's phone", scope="listen",
                             expires_at=None, last_address="")

    def items(path: str) -> Any:
        answer = made.ask("GET", path, token=token)
        assert answer.status_code == 200, (path, answer.data)
        return answer.json["items"]

    hers = made.ask("POST", "/api/library/playlists", token=token, json={"name": "Hers"}).json["id"]
    download, _ = station.download_records.submit(eva.user_id, Request(query="Eva - Her song"))
    ids = {
        "device": items("/api/devices")[0]["id"],
        "session": items("/api/sessions")[0]["id"],
        "playlist": hers,
        "download": download,
        "watch": station.watches.add(eva.user_id, kind="feed", url="https://a.example/feed", name="Her feed").id,
        "pairing": made.ask("POST", "/api/pairing/tokens", token=token, json={"name": "Hers"}).json["id"],
        "station": "nobody's",
        "app password": made.ask("POST", "/api/app-passwords", token=token, json={"name": "Her app"}).json["id"],
        "share": station.shares.make(eva, [("playlist", hers)], description="Her share").id,
    }
    with station.database.transaction() as conn:
        from sqlalchemy import text

        conn.execute(text(
            "INSERT INTO stations (uid, user_id, fingerprint, name, endpoints, token, created_at) VALUES "
            "('evasstation', :user, 'f', 'Her other station', '[]', 'x', 1)"), {"user": eva.user_id})
    ids["station"] = "evasstation"

    def look() -> Any:
        def plain(rows: Any) -> Any:
            return [{name: value for name, value in row.items() if name not in ("last_used_at", "last_address")}
                    for row in rows]  # fmt: skip

        return [plain(items(path)) for path in ("/api/devices", "/api/sessions", "/api/library/playlists",
                                                "/api/downloads", "/api/watches", "/api/pairing/tokens",
                                                "/api/stations", "/api/app-passwords", "/api/shares")]  # fmt: skip

    assert all(look())
    return Belongings(made, ids, look)


def test_every_operation_that_names_an_object_says_whose_it_is(hers: Belongings) -> None:
    assert [(one.method, one.path) for one in naming(hers.made) if kind_of(one.path) is None] == []
    kinds = {kind_of(one.path) for one in naming(hers.made)}
    assert kinds == {"", *PERSONAL.values()}, "every kind of this table is asked for somewhere"


@pytest.mark.parametrize(("role", "scope"), [(role, scope) for role in ROLES for scope in SCOPES])
def test_nobody_gets_at_what_is_another_s(hers: Belongings, role: str, scope: str) -> None:
    """With each role and device, every operation on each of her things: refused by the rule, or not there; said as of
    what never was."""
    token, before = hers.made.tokens[role, scope], hers.look()
    tried = 0
    for one in naming(hers.made):
        kind = kind_of(one.path)
        if not kind or (role == "owner" and scope == "own" and kind in OWNERS_SEE):
            continue
        body = BODIES.get((one.method, one.path))
        given = {} if one.method == "GET" else {"json": {} if body is None else body}
        answers = [
            hers.made.ask(one.method, re.sub(r"<[^>]+>", id, one.path), token=token, **given)
            for id in (hers.ids[kind], "q" * len(hers.ids[kind]))
        ]
        statuses = {answer.status_code for answer in answers}
        if may(one.allows, role, scope):
            assert statuses == {404}, (one.method, one.path, [answer.data for answer in answers])
        else:
            assert statuses == {403}, (one.method, one.path)
        errors = [answer.json["error"] for answer in answers]
        assert errors[0]["code"] == errors[1]["code"] and errors[0]["message"] == errors[1]["message"], one.path
        assert "Eva" not in str(errors) and "Her" not in str(errors)
        tried += 1
    assert tried >= (8 if (role, scope) == ("owner", "own") else 20)
    assert hers.look() == before


def test_nobody_s_list_holds_what_is_another_s(hers: Belongings) -> None:
    for role in ("adult", "child", "guest"):
        for one in hers.made.operations:
            if one.method != "GET" or "<" in one.path or not may(one.allows, role, "own"):
                continue
            if one.path.startswith("/api/acquire") or one.path == "/api/downloads/manager/events":
                continue
            data = hers.made.ask("GET", one.path, token=hers.made.tokens[role, "own"]).data.decode("utf-8", "replace")
            assert not [id for id in hers.ids.values() if id in data], (role, one.path)
            assert "Eva" not in data and "Her " not in data, (role, one.path)


def test_an_owner_s_limited_device_is_no_owner(hers: Belongings) -> None:
    for scope in ("listen", "add"):
        data = hers.made.ask("GET", "/api/devices?user=all", token=hers.made.tokens["owner", scope])
        assert hers.ids["device"] not in data.data.decode()


def test_the_queue_is_of_who_asks(hers: Belongings, tmp_path: Path) -> None:
    adult = hers.made.tokens["adult", "own"]
    hers.made.ask("PUT", "/api/me/queue", token=adult, json={"track_ids": ["one"], "index": 0, "position_ms": 7})
    assert hers.made.ask("GET", "/api/me/queue", token=hers.made.tokens["child", "own"]).json["updated_at"] is None
