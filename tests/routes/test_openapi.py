"""The description is of the whole API, keeps what contracts.md promises, and the answers keep to it."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from tests.routes.fakes import a_track
from tests.routes.houses import PASSWORD, Front

# What contracts.md names and this station answers so far: method, path, status of success.
PROMISED = [
    ("GET", "/api/health", 200), ("POST", "/api/session", 200), ("GET", "/api/session", 200),
    ("DELETE", "/api/session", 204), ("GET", "/api/library/tracks", 200), ("GET", "/api/library/albums", 200),
    ("GET", "/api/library/artists", 200), ("GET", "/api/library/genres", 200),
    ("GET", "/api/library/playlists", 200), ("GET", "/api/library/tracks/{id}", 200),
    ("GET", "/api/library/albums/{id}", 200), ("GET", "/api/library/artists/{id}", 200),
    ("GET", "/api/library/search", 200), ("GET", "/api/library/changes", 200),
    ("POST", "/api/library/scan", 202), ("GET", "/api/library/scan", 200), ("PATCH", "/api/library/tracks/{id}", 200),
    ("DELETE", "/api/library/tracks/{id}", 204), ("POST", "/api/library/playlists", 201),
    ("GET", "/api/library/playlists/{id}", 200), ("PATCH", "/api/library/playlists/{id}", 200),
    ("DELETE", "/api/library/playlists/{id}", 204), ("POST", "/api/library/playlists/{id}/tracks", 200),
    ("GET", "/api/library/favourites", 200), ("PUT", "/api/library/favourites/{id}", 204),
    ("DELETE", "/api/library/favourites/{id}", 204), ("PUT", "/api/library/ratings/{id}", 204),
    ("POST", "/api/library/plays", 201), ("GET", "/api/stream/{id}", 200), ("GET", "/api/covers/{id}", 200),
    ("GET", "/api/endpoints", 200), ("GET", "/api/users", 200), ("POST", "/api/users", 201),
    ("PATCH", "/api/users/{id}", 200), ("DELETE", "/api/users/{id}", 204),
]
FIELDS = {
    "page": "items next_cursor total revision",
    "track": "id title artist artists album album_id album_artist track_number disc_number year genres duration_ms "
             "size_bytes format mime_type bitrate_kbps sample_rate_hz bit_depth channels isrc recording_mbid "
             "replaygain has_lyrics added_at favourite rating play_count place path",
    "album": "id title artist artists year date genres track_count disc_count duration_ms compilation mbid added_at "
             "favourite",
    "artist": "id name sort_name album_count track_count mbid favourite",
    "search": "tracks albums artists",
    "changes": "revision tracks albums artists playlists",
    "session": "token expires_at user",
    "user": "id username role created_at",
    "playlist": "id name visibility owner track_count duration_ms created_at updated_at",
    "scan": "id state phase found read added changed moved missing bad started_at finished_at",
    "endpoint": "url kind reachable",
}


@pytest.fixture(scope="module")
def told(front: Front) -> Any:
    return front.get("/api/openapi.json")


def schema_of(told: Any, schema: Any) -> Any:
    while "$ref" in schema:
        schema = told["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def answer_of(told: Any, method: str, path: str, status: int) -> Any:
    answer = told["paths"][path][method.lower()]["responses"][str(status)]
    return schema_of(told, answer["content"]["application/json"]["schema"])


def fields_of(schema: Any) -> set[str]:
    return set(schema["properties"])


def test_it_is_openapi_3_1_with_every_reference_resolved(told: Any) -> None:
    assert told["openapi"] == "3.1.0"
    assert {"title", "version"} <= set(told["info"])
    names = re.findall(r"'\$ref': '#/components/schemas/([^']+)'", repr(told))
    assert names
    assert set(names) <= set(told["components"]["schemas"])
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in told["components"]["schemas"])
    ids = [one["operationId"] for methods in told["paths"].values() for one in methods.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("method", "path", "status"), PROMISED)
def test_what_the_contract_promises_is_described(told: Any, method: str, path: str, status: int) -> None:
    operation = told["paths"][path][method.lower()]
    assert str(status) in operation["responses"]
    assert operation["summary"]
    for name in re.findall(r"{(\w+)}", path):
        assert {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} in operation["parameters"]
    if operation.get("security") != []:
        assert "401" in operation["responses"]


def test_every_route_is_described_and_nothing_else(front: Front, told: Any) -> None:
    described = {(method.upper(), path) for path, methods in told["paths"].items() for method in methods}
    there = {(method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)) for rule in front.app.url_map.iter_rules()
             for method in rule.methods or () if method != "HEAD" and rule.rule.startswith("/api")}
    assert there <= described
    assert {path for _, path in described - there} == {
        "/login/ways", "/login/proxy", "/login/oidc", "/login/oidc/callback", "/trust/state",
        "/share/{code}/about", "/share/{code}/stream/{n}", "/share/{code}/cover/{n}"}


@pytest.mark.parametrize(("kind", "method", "path", "status", "inner"), [
    ("page", "GET", "/api/library/tracks", 200, None), ("track", "GET", "/api/library/tracks", 200, "items"),
    ("page", "GET", "/api/library/albums", 200, None), ("album", "GET", "/api/library/albums", 200, "items"),
    ("artist", "GET", "/api/library/artists", 200, "items"),
    ("playlist", "GET", "/api/library/playlists", 200, "items"),
    ("page", "GET", "/api/library/favourites", 200, None), ("page", "GET", "/api/users", 200, None),
    ("track", "GET", "/api/library/albums/{id}", 200, "tracks"),
    ("album", "GET", "/api/library/albums/{id}", 200, None),
    ("artist", "GET", "/api/library/artists/{id}", 200, None),
    ("album", "GET", "/api/library/artists/{id}", 200, "albums"),
    ("search", "GET", "/api/library/search", 200, None), ("changes", "GET", "/api/library/changes", 200, None),
    ("session", "POST", "/api/session", 200, None), ("user", "POST", "/api/users", 201, None),
    ("playlist", "POST", "/api/library/playlists", 201, None),
    ("track", "PATCH", "/api/library/tracks/{id}", 200, None),
    ("track", "GET", "/api/library/playlists/{id}", 200, "tracks"), ("scan", "GET", "/api/library/scan", 200, None),
    ("scan", "POST", "/api/library/scan", 202, "scan"), ("endpoint", "GET", "/api/endpoints", 200, "items"),
])
def test_the_shapes_have_the_promised_fields(
    told: Any, kind: str, method: str, path: str, status: int, inner: str | None
) -> None:
    schema = answer_of(told, method, path, status)
    if inner is not None:
        schema = schema["properties"][inner]
        schema = schema_of(told, schema.get("items", schema))
    assert set(FIELDS[kind].split()) <= fields_of(schema)


@pytest.mark.parametrize(("method", "path", "fields"), [
    ("POST", "/api/session", "username password code"), ("POST", "/api/library/scan", "roots deep"),
    ("PATCH", "/api/library/tracks/{id}",
     "title artist album album_artist track_number disc_number year genres write_tags"),
    ("POST", "/api/library/playlists", "name track_ids visibility"),
    ("PATCH", "/api/library/playlists/{id}", "name visibility track_ids comment"),
    ("POST", "/api/library/playlists/{id}/tracks", "track_ids"), ("PUT", "/api/library/ratings/{id}", "rating"),
    ("POST", "/api/library/plays", "track_id played_at played_ms"),
    ("POST", "/api/users", "username password role rights limited folders"),
])
def test_bodies_take_the_promised_fields_and_no_others(told: Any, method: str, path: str, fields: str) -> None:
    body = told["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]["schema"]
    schema = schema_of(told, body)
    assert fields_of(schema) == set(fields.split())
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(("path", "names"), [
    ("/api/library/tracks", {"limit", "cursor", "sort"}), ("/api/library/search", {"q", "limit"}),
    ("/api/library/changes", {"since"}), ("/api/stream/{id}", {"format", "bitrate", "start"}),
    ("/api/covers/{id}", {"size"}),
])
def test_queries_are_described_as_parameters(told: Any, path: str, names: set[str]) -> None:
    assert names <= {one["name"] for one in told["paths"][path]["get"]["parameters"] if one["in"] == "query"}


# ---- answers as they are, against the description ------------------------------------------------------------------


def complaints(told: Any, schema: Any, value: Any, where: str = "$") -> list[str]:
    """Where `value` is not as `schema` says (the part of JSON Schema that the document uses)."""
    schema = schema_of(told, schema)
    if "anyOf" in schema:
        each = [complaints(told, one, value, where) for one in schema["anyOf"]]
        return [] if any(not one for one in each) else min(each, key=len)
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{where}: {value!r} is none of {schema['enum']}"]
    kinds: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None),
                             "array": list, "object": dict}
    kind = schema.get("type")
    if kind is None:
        return []
    if not isinstance(value, kinds[kind]) or (kind in ("integer", "number") and isinstance(value, bool)):
        return [f"{where}: {value!r} is no {kind}"]
    found = []
    if kind == "array":
        for index, item in enumerate(value):
            found += complaints(told, schema.get("items", {}), item, f"{where}[{index}]")
    if kind == "object" and "properties" in schema:
        found += [f"{where}: {name} is missing" for name in schema.get("required", ()) if name not in value]
        for name, item in value.items():
            if name in schema["properties"]:
                found += complaints(told, schema["properties"][name], item, f"{where}.{name}")
            elif where != "$" or name != "scan":    # GET /library/scan repeats itself under `scan`
                found.append(f"{where}: {name} is not described")
    return found


def test_the_checker_itself_finds_what_is_wrong(told: Any) -> None:
    schema = answer_of(told, "GET", "/api/library/tracks/{id}", 200)
    track = msgspec.to_builtins(a_track())
    assert complaints(told, schema, track) == []
    for change in ({"id": 5}, {"genres": None}, {"rating": True}, {"surplus": 1},
                   {"replaygain": {"track_gain_db": "x"}}):
        assert complaints(told, schema, {**track, **change})
    del track["title"]
    assert complaints(told, schema, track) == ["$: title is missing"]


def test_real_answers_are_as_described(front: Front, told: Any) -> None:
    track = front.tracks()[0]["id"]
    album = front.get("/api/library/albums")["items"][0]["id"]
    artist = front.get("/api/library/artists")["items"][0]["id"]
    playlist = front.ask("POST", "/api/library/playlists", {"name": "x", "track_ids": [track]}).json["id"]
    front.ask("PUT", f"/api/library/favourites/{track}")
    user = front.ask("POST", "/api/users", {"username": "new", "password": PASSWORD, "role": "guest"}).json["id"]
    asked = [
        ("GET", "/api/health", "/api/health", None), ("GET", "/api/session", "/api/session", None),
        ("GET", "/api/me", "/api/me", None), ("GET", "/api/setup", "/api/setup", None),
        ("POST", "/api/session", "/api/session", {"username": "ann", "password": PASSWORD}),
        *(("GET", f"/api/library/{kind}", f"/api/library/{kind}", None)
          for kind in ("tracks", "albums", "artists", "genres", "playlists", "favourites", "trash", "stats", "roots",
                       "scan")),
        ("GET", "/api/library/tracks/{id}", f"/api/library/tracks/{track}", None),
        ("GET", "/api/library/albums/{id}", f"/api/library/albums/{album}", None),
        ("GET", "/api/library/artists/{id}", f"/api/library/artists/{artist}", None),
        ("GET", "/api/library/tracks/{id}/lyrics", f"/api/library/tracks/{track}/lyrics", None),
        ("GET", "/api/library/search", "/api/library/search?q=song", None),
        ("GET", "/api/library/changes", "/api/library/changes?since=0", None),
        ("GET", "/api/library/index", "/api/library/index?of=tracks", None),
        ("GET", "/api/library/playlists/{id}", f"/api/library/playlists/{playlist}", None),
        ("PATCH", "/api/library/playlists/{id}", f"/api/library/playlists/{playlist}", {"name": "y"}),
        ("POST", "/api/library/plays", "/api/library/plays", {"track_id": track}),
        ("PUT", "/api/me/queue", "/api/me/queue", {"track_ids": [track]}),
        ("GET", "/api/me/queue", "/api/me/queue", None),
        ("POST", "/api/library/scan", "/api/library/scan", {}),
        ("POST", "/api/library/missing/purge", "/api/library/missing/purge", {}),
        ("GET", "/api/users", "/api/users", None), ("GET", "/api/users/{id}", f"/api/users/{user}", None),
        ("PATCH", "/api/users/{id}", f"/api/users/{user}", {"role": "child"}),
        ("GET", "/api/endpoints", "/api/endpoints", None), ("GET", "/api/settings", "/api/settings", None),
    ]
    for method, described, path, body in asked:
        answer = front.ask(method, path, body)
        assert answer.status < 300, (path, answer.json)
        assert complaints(told, answer_of(told, method, described, answer.status), answer.json) == [], path


def test_errors_are_as_described(front: Front, told: Any) -> None:
    schema = {"$ref": "#/components/schemas/Error"}
    for method, path, body in (("GET", "/api/none", None), ("PUT", "/api/health", None),
                               ("POST", "/api/session", {"x": 1}), ("GET", "/api/library/tracks/none", None)):
        answer = front.ask(method, path, body)
        assert answer.status >= 400
        assert complaints(told, schema, answer.json) == []


def test_the_page_and_its_parts_are_served(front: Front) -> None:
    page = front.ask("GET", "/api/docs")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    for path in re.findall(r'(?:src|href)="(/[^"]+)"', page.data.decode()):
        part = front.ask("GET", path, Accept_Encoding="gzip")
        assert part.status == 200
        assert front.ask("GET", path, If_None_Match=part.headers["ETag"]).status == 304
    assert front.ask("GET", "/api/docs", who=None).status == 401
