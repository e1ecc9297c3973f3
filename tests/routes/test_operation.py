"""What a route declares is checked before it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.routes.guard import Guard
from shared.routes.operation import BODY_LIMIT_BYTES, OPEN_BODY_LIMIT_BYTES, Body, Door, Query, is_json
from tests.patience import often
from tests.routes.fakes import TOKENS, bearer

ROOT = Path(__file__).resolve().parents[2]


class Wish(Body):
    name: str
    count: Annotated[int, msgspec.Meta(ge=0, le=5)] = 0
    tags: list[str] = []


class Ask(Query):
    limit: int = 100
    flag: bool | None = None
    kind: Literal["a", "b"] | None = None
    q: str = ""


class Made(msgspec.Struct):
    name: str
    count: int
    tags: list[str]


def make() -> tuple[Flask, Door]:
    door = Door("test")

    @door.post("/things", allows="logged_in", body=Wish, answers={201: Made})
    def make_thing(body: Wish) -> Made:
        """Make a thing."""
        return Made(body.name, body.count, body.tags)

    @door.get("/things", allows="logged_in", query=Ask, answers={200: dict})
    def list_things(query: Ask) -> Any:
        """List things."""
        return msgspec.structs.asdict(query)

    @door.delete("/things/<id>", allows="logged_in", answers={204: None})
    def remove_thing(id: str) -> None:
        """Remove a thing."""

    @door.post("/maybe", allows="open", body=Wish, body_optional=False, answers={200: Made})
    def maybe(body: Wish) -> Made:
        """Open to all."""
        return Made(body.name, body.count, body.tags)

    app = Flask("test", static_folder=None)
    app.register_blueprint(door)
    Guard(who=lambda token, address: TOKENS.get(token), host_named=lambda host: True, same_site=lambda headers: True,
          operations=door.operations).install(app)
    return app, door


APP, DOOR = make()


def post(text: str | bytes, path: str = "/api/things", kind: str = "application/json", **headers: str) -> Any:
    return APP.test_client().post(path, data=text, headers={"Content-Type": kind, **bearer(), **headers})


def test_creating_answers_201_with_the_thing_and_removing_204_with_nothing() -> None:
    answer = post('{"name": "x", "tags": ["é"]}')
    assert (answer.status_code, answer.json) == (201, {"name": "x", "count": 0, "tags": ["é"]})
    gone = APP.test_client().delete("/api/things/5", headers=bearer())
    assert (gone.status_code, gone.data) == (204, b"")


@pytest.mark.parametrize(("text", "field", "words"), [
    ('{"name": "x", "colour": 1}', "colour", "not known"),
    ("{}", "name", "lacks"),
    ('{"name": 5}', "name", "Expected `str`"),
    ('{"name": null}', "name", "Expected `str`"),
    ('{"name": "x", "count": "1"}', "count", "Expected `int`"),
    ('{"name": "x", "count": 6}', "count", "<= 5"),
    ('{"name": "x", "count": 1e400}', "count", ""),
    ('{"name": "x", "tags": ["a", 2]}', "tags", "Expected `str`"),
    ('{"name": "x", "tags": null}', "tags", ""),
])
def test_a_wrong_field_is_refused_with_its_name(text: str, field: str, words: str) -> None:
    answer = post(text)
    assert answer.status_code == 400
    error = answer.json["error"]
    assert (error["code"], error["details"]) == ("bad_input", {"field": field})
    assert field in error["message"]
    assert words in error["message"]


@pytest.mark.parametrize("text", [
    "", "[]", '"x"', "5", "null", "{", '{"name": "x"', '{"name": "x"}x', b'{"name": "\xff"}', '{"name": "\\ud800"}',
    "[" * 100_000, '{"tags":' * 50_000, b"\x00", "NaN",
])
def test_a_body_that_is_no_object_is_refused(text: str | bytes) -> None:
    answer = post(text)
    assert answer.status_code == 400
    assert answer.json["error"]["code"] == "bad_input"


@pytest.mark.parametrize("kind", [
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp",
    "application/json; charset=latin-1", "",
])
def test_a_body_that_does_not_say_json_is_refused(kind: str) -> None:
    answer = post('{"name": "x"}', kind=kind)
    assert answer.status_code == 415
    assert answer.json["error"]["code"] == "not_json"


@pytest.mark.parametrize("kind", [
    "application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"',
])
def test_json_is_known_in_all_its_spellings(kind: str) -> None:
    assert is_json(kind)
    assert post('{"name": "x"}', kind=kind).status_code == 201


def test_a_body_is_not_longer_than_its_limit_and_strangers_have_a_small_one() -> None:
    long = '{"name": "' + "x" * OPEN_BODY_LIMIT_BYTES + '"}'
    assert post(long).status_code == 201
    assert post(long, "/api/maybe").status_code == 200
    stranger = APP.test_client().post("/api/maybe", data=long, headers={"Content-Type": "application/json"})
    assert stranger.status_code == 413
    huge = post('{"name": "' + "x" * BODY_LIMIT_BYTES + '"}')
    assert (huge.status_code, huge.json["error"]["code"]) == (413, "too_large")


def test_a_method_without_body_takes_none_or_an_empty_object() -> None:
    client = APP.test_client()
    assert client.delete("/api/things/5", json={}, headers=bearer()).status_code == 204
    refused = client.delete("/api/things/5", json={"force": True}, headers=bearer())
    assert (refused.status_code, refused.json["error"]["details"]) == (400, {"field": "force"})


@pytest.mark.parametrize(("query", "told"), [
    ("", {"limit": 100, "flag": None, "kind": None, "q": ""}),
    ("limit=5&flag=1&kind=a&q=caf%C3%A9", {"limit": 5, "flag": True, "kind": "a", "q": "café"}),
    ("limit=&kind=&flag=", {"limit": 100, "flag": None, "kind": None, "q": ""}),
    ("q=1&unknown=5&q=2", {"limit": 100, "flag": None, "kind": None, "q": "1"}),
    ("limit=-5", {"limit": -5, "flag": None, "kind": None, "q": ""}),
])
def test_a_query_is_read_by_its_types(query: str, told: Any) -> None:
    assert APP.test_client().get(f"/api/things?{query}", headers=bearer()).json == told


@pytest.mark.parametrize(("query", "field"), [
    ("limit=x", "limit"), ("limit=1.5", "limit"), ("limit=0x10", "limit"), ("limit=%D9%A3", "limit"),
    ("flag=maybe", "flag"), ("kind=c", "kind"), ("limit=null", "limit"),
])
def test_a_bad_query_is_refused_with_its_field(query: str, field: str) -> None:
    answer = APP.test_client().get(f"/api/things?{query}", headers=bearer())
    assert answer.status_code == 400
    assert answer.json["error"]["details"] == {"field": field}


@given(st.binary(max_size=80))
@settings(max_examples=often(50), deadline=None)
def test_no_body_whatever_is_a_defect_of_ours(text: bytes) -> None:
    assert post(text).status_code in (201, 400)


@given(st.text(max_size=40))
@settings(max_examples=often(50), deadline=None)
def test_no_query_whatever_is_a_defect_of_ours(text: str) -> None:
    query = {"limit": text, "flag": text, "q": text}
    assert APP.test_client().get("/api/things", query_string=query, headers=bearer()).status_code in (200, 400)


def test_a_rule_that_does_not_exist_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="no rule"):
        Door("x").get("/y", allows="everybody", answers={200: None})(lambda: None)


def test_threads_that_read_a_shape_for_the_first_time_at_once_do_no_harm() -> None:
    """In a process of its own: what is tried here ends it (msgspec learns a shape when it first reads one)."""
    done = subprocess.run([sys.executable, "-c", _AT_ONCE], cwd=ROOT, capture_output=True, text=True, timeout=60,
                          check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "fine"), done.stderr[-2000:]


_AT_ONCE = """
import sys, tempfile, threading
from pathlib import Path
import msgspec
from tests.routes.fakes import FakeStation, make_app
app = make_app(FakeStation(Path(tempfile.mkdtemp())))
shapes = {one.query or one.body for one in app.extensions["operations"]} - {None}
sys.setswitchinterval(0.00005)
for shape in shapes:
    line = threading.Barrier(8)
    def go():
        line.wait()
        try:
            msgspec.convert({name: "1" for name in shape.__struct_encode_fields__}, shape, strict=False)
        except msgspec.ValidationError:
            pass
    threads = [threading.Thread(target=go) for _ in range(8)]
    [one.start() for one in threads]
    [one.join() for one in threads]
print("fine")
"""
